/* SPDX-License-Identifier: Apache-2.0 */
/* kill, delete, pause, resume, state, ps, list and events of caisson-runtime. */
#include <signal.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/json.h"
#include "base/table.h"
#include "base/text.h"
#include "cmd/print.h"
#include "cmd/runtime.h"
#include "container/signals.h"

int command_runtime_kill(const struct invocation *call, void *options, struct error *err)
{
    const struct runtime_kill_options *o = options;
    autoroot root = {.fd = -1};
    autoliving c = LIVING_NONE;
    int number = SIGTERM;
    if (call->count > 1 && signal_number(call->arguments[1], &number) < 0)
        return error_set(err, -EINVAL, "\"%.40s\" is no signal: name one such as TERM or 15",
                         call->arguments[1]);
    int rc = runtime_find(call, false, &root, &c, err);
    return rc < 0 ? rc : life_kill(&c, number, o->all, err);
}

/* A start that waits for the container's first process holds the lock, and that process may never
 * come to an end by itself. */
static void end_early(const struct invocation *call)
{
    autoroot root = {.fd = -1};
    autoliving c = LIVING_NONE;
    struct error ignored = {0};
    if (runtime_find(call, false, &root, &c, &ignored) == 0)
        (void)life_kill(&c, SIGKILL, false, &ignored);
}

int command_runtime_delete(const struct invocation *call, void *options, struct error *err)
{
    const struct runtime_delete_options *o = options;
    autoroot root = {.fd = -1};
    autoliving c = LIVING_NONE;
    autostrv warnings = {0};
    if (o->force)
        end_early(call);
    int rc = runtime_find(call, true, &root, &c, err);
    if (rc == -ENOENT && o->force) {
        *err = (struct error){0};
        return 0;
    }
    if (rc == 0)
        rc = life_delete(&root, &c, o->force, &warnings, err);
    runtime_warn(&warnings);
    return rc;
}

static int freeze(const struct invocation *call, bool frozen, struct error *err)
{
    autoroot root = {.fd = -1};
    autoliving c = LIVING_NONE;
    int rc = runtime_find(call, true, &root, &c, err);
    return rc < 0 ? rc : life_freeze(&c, frozen, err);
}

int command_runtime_pause(const struct invocation *call, void *options, struct error *err)
{
    (void)options;
    return freeze(call, true, err);
}

int command_runtime_resume(const struct invocation *call, void *options, struct error *err)
{
    (void)options;
    return freeze(call, false, err);
}

/* --- state, list -------------------------------------------------------------------------------
 */

static void print_state(const struct living *c, unsigned indent, struct buf *out)
{
    living_state(c, life_name(c->now), c->now == LIFE_STOPPED ? 0 : c->pid, indent, out);
}

int command_runtime_state(const struct invocation *call, void *options, struct error *err)
{
    autoroot root = {.fd = -1};
    autoliving c = LIVING_NONE;
    autobuf out = {0};
    (void)options;
    int rc = runtime_find(call, false, &root, &c, err);
    if (rc < 0)
        return rc;
    print_state(&c, 2, &out);
    buf_char(&out, '\n');
    return print(&out);
}

static void list_row(const struct living *c, struct table *table)
{
    char created[RFC3339_MAX];
    format_rfc3339(c->created, created);
    table_cell(table, c->id);
    table_fmt(table, "%d", c->now == LIFE_STOPPED ? 0 : (int)c->pid);
    table_cell(table, life_name(c->now));
    table_cell(table, c->bundle);
    table_cell(table, created);
    table_fmt(table, "%u", c->owner);
}

int command_runtime_list(const struct invocation *call, void *options, struct error *err)
{
    static const struct table_column columns[] = {{"ID", false, 0},      {"PID", false, 0},
                                                  {"STATUS", false, 0},  {"BUNDLE", false, 0},
                                                  {"CREATED", false, 0}, {"OWNER", false, 0}};
    const struct runtime_list_options *o = options;
    bool json = streq(o->format, "json");
    autoroot root = {.fd = -1};
    autostrv ids = {0};
    autobuf out = {0};
    autotable table = {0};
    (void)call;
    int rc = runtime_root(false, &root, err);
    if (rc == 0)
        rc = living_list(&root, &ids, err);
    if (rc < 0)
        return rc;
    table_start(&table, columns, sizeof columns / sizeof *columns);
    size_t shown = 0;
    for (size_t i = 0; i < ids.len; i++) {
        autoliving c = LIVING_NONE;
        struct error gone = {0};
        if (living_open(&root, ids.items[i], false, &c, &gone) < 0) {
            if (gone.code != -ENOENT)
                tell_error(&gone);
            continue;
        }
        if (o->quiet)
            buf_fmt(&out, "%s\n", c.id);
        else if (json) {
            buf_str(&out, shown ? "," : "[");
            print_state(&c, 0, &out);
        } else
            list_row(&c, &table);
        shown++;
    }
    if (json && !o->quiet)
        buf_str(&out, shown ? "]\n" : "[]\n");
    else if (!o->quiet)
        table_write(&table, &out);
    return print(&out);
}

/* --- ps, events --------------------------------------------------------------------------------
 */

static void command_of(pid_t pid, struct buf *out)
{
    char path[40];
    autobuf words = {0};
    snprintf(path, sizeof path, "/proc/%d/cmdline", (int)pid);
    if (read_kernel_file(path, 64 << 10, &words, NULL) < 0)
        return;
    for (size_t i = 0; i + 1 < words.len; i++)
        if (words.data[i] == '\0')
            words.data[i] = ' ';
    buf_str(out, buf_text(&words));
}

int command_runtime_ps(const struct invocation *call, void *options, struct error *err)
{
    static const struct table_column columns[] = {{"PID", true, 0}, {"COMMAND", false, 0}};
    const struct runtime_list_options *o = options;
    autoroot root = {.fd = -1};
    autoliving c = LIVING_NONE;
    autocgroup group = CGROUP_EMPTY;
    autofree pid_t *pids = NULL;
    autotable table = {0};
    autobuf out = {0};
    size_t count = 0;
    int rc = runtime_find(call, false, &root, &c, err);
    if (rc == 0)
        rc = living_group(&c, &group, err);
    if (rc == 0)
        rc = cgroup_processes(&group, &pids, &count, err);
    if (rc < 0)
        return rc;
    table_start(&table, columns, sizeof columns / sizeof *columns);
    buf_char(&out, '[');
    for (size_t i = 0; i < count; i++) {
        autobuf words = {0};
        command_of(pids[i], &words);
        buf_fmt(&out, "%s%d", i ? "," : "", (int)pids[i]);
        table_fmt(&table, "%d", (int)pids[i]);
        table_cell(&table, buf_text(&words));
    }
    buf_str(&out, "]\n");
    if (!streq(o->format, "json")) {
        buf_clear(&out);
        table_write(&table, &out);
    }
    return print(&out);
}

static void print_stats(const char *id, const struct cgroup_stats *s, struct buf *out)
{
    struct json_out w = {.buf = out};
    json_begin(&w, NULL, '{');
    json_str(&w, "type", "stats");
    json_str(&w, "id", id);
    json_begin(&w, "data", '{');
    json_begin(&w, "cpu", '{');
    json_begin(&w, "usage", '{');
    json_u64(&w, "total", s->cpu_ns);
    json_u64(&w, "kernel", s->cpu_system_ns);
    json_u64(&w, "user", s->cpu_user_ns);
    json_end(&w, '}');
    json_begin(&w, "throttling", '{');
    json_u64(&w, "periods", s->cpu_periods);
    json_u64(&w, "throttledPeriods", s->cpu_throttled_periods);
    json_u64(&w, "throttledTime", s->cpu_throttled_ns);
    json_end(&w, '}');
    json_end(&w, '}');
    json_begin(&w, "memory", '{');
    json_begin(&w, "usage", '{');
    json_u64(&w, "usage", s->memory_usage);
    json_u64(&w, "limit", s->memory_limit);
    json_u64(&w, "max", s->memory_peak);
    json_end(&w, '}');
    json_end(&w, '}');
    json_begin(&w, "pids", '{');
    json_u64(&w, "current", s->pids);
    if (s->pids_limit != CGROUP_NO_LIMIT)
        json_u64(&w, "limit", s->pids_limit);
    json_end(&w, '}');
    json_end(&w, '}');
    json_end(&w, '}');
    buf_char(out, '\n');
}

int command_runtime_events(const struct invocation *call, void *options, struct error *err)
{
    const struct runtime_events_options *o = options;
    autoroot root = {.fd = -1};
    autoliving c = LIVING_NONE;
    autocgroup group = CGROUP_EMPTY;
    struct cgroup_stats stats;
    autobuf out = {0};
    if (!o->stats)
        return error_set(err, -ENOTSUP,
                         "events without --stats are not supported: ask for --stats as often as "
                         "you need them");
    int rc = runtime_find(call, false, &root, &c, err);
    if (rc == 0)
        rc = living_group(&c, &group, err);
    if (rc == 0)
        rc = cgroup_stats(&group, &stats, err);
    if (rc < 0)
        return rc;
    print_stats(c.id, &stats, &out);
    return print(&out);
}

/* --- refused -----------------------------------------------------------------------------------
 */

int command_runtime_checkpoint(const struct invocation *call, void *options, struct error *err)
{
    (void)options;
    return error_set(err, -ENOTSUP,
                     "%s is not supported: checkpoints are not made; stop the container and run it "
                     "again",
                     call->verb->name);
}
