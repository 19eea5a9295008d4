/* SPDX-License-Identifier: Apache-2.0 */
/* update of caisson-runtime: limits from options, or from a document like linux.resources. */
#include <fcntl.h>
#include <stdlib.h>

#include "base/io.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"
#include "cmd/runtime.h"
#include "runtime/cgroup.h"

static int read_document(const char *path, struct bundle *out, struct error *err)
{
    autobuf text = {0};
    int rc = streq(path, "-") ? read_fd(STDIN_FILENO, PLAN_TEXT_MAX, &text)
                              : read_file_at(AT_FDCWD, path, PLAN_TEXT_MAX, &text, err);
    if (rc < 0 && streq(path, "-"))
        return error_set(err, rc, "--resources: cannot read standard input: %s",
                         error_describe(rc));
    if (rc == 0)
        rc = bundle_read_resources(buf_text(&text), text.len, out, err);
    return rc < 0 ? error_prefix(err, "--resources %s", path) : 0;
}

static void number(struct json_out *w, const char *key, int64_t value)
{
    if (value != INT64_MIN)
        json_i64(w, key, value);
}

/* The options as the document that they are short for. */
static void write_document(const struct runtime_update_options *o, struct buf *out)
{
    struct json_out w = {.buf = out};
    json_begin(&w, NULL, '{');
    json_begin(&w, "memory", '{');
    number(&w, "limit", o->memory);
    number(&w, "reservation", o->memory_reservation);
    number(&w, "swap", o->memory_swap);
    json_end(&w, '}');
    json_begin(&w, "pids", '{');
    number(&w, "limit", o->pids);
    json_end(&w, '}');
    json_begin(&w, "cpu", '{');
    number(&w, "shares", o->cpu_shares);
    number(&w, "quota", o->cpu_quota);
    number(&w, "period", o->cpu_period);
    number(&w, "burst", o->cpu_burst);
    number(&w, "idle", o->cpu_idle);
    if (o->cpuset_cpus)
        json_str(&w, "cpus", o->cpuset_cpus);
    if (o->cpuset_mems)
        json_str(&w, "mems", o->cpuset_mems);
    json_end(&w, '}');
    json_begin(&w, "blockIO", '{');
    number(&w, "weight", o->blkio_weight);
    json_end(&w, '}');
    json_end(&w, '}');
}

/* linux.resources.memory.checkBeforeUpdate */
static int check_memory(const struct bundle *b, const struct cgroup *group, struct error *err)
{
    struct cgroup_stats stats;
    if (!b->memory_check || b->plan.limits.memory <= 0 || cgroup_stats(group, &stats, NULL) < 0)
        return 0;
    if (stats.memory_usage > (uint64_t)b->plan.limits.memory)
        return error_set(err, -EBUSY,
                         "resources.memory.limit %lld is less than the %llu bytes in use",
                         (long long)b->plan.limits.memory, (unsigned long long)stats.memory_usage);
    return 0;
}

static int check_in_force(const struct cgroup *group, struct error *err)
{
    for (int limit = 0; limit < CGROUP_LIMIT_COUNT; limit++) {
        const char *why = cgroup_why_not(group, (enum cgroup_limit)limit);
        if (why)
            return cgroup_refuse((enum cgroup_limit)limit, why, err);
    }
    return 0;
}

static int apply(struct living *c, const struct bundle *b, struct error *err)
{
    autocgroup group = CGROUP_EMPTY;
    autobuf record = {0};
    struct cgroup_limits limits = b->plan.limits;
    struct cgroup_unit unit;
    int rc = living_group(c, &group, err);
    if (rc == 0)
        rc = check_memory(b, &group, err);
    if (rc == 0 && living_unit(c, &unit))
        rc = cgroup_update_unit(&unit, &group, &limits, err);
    if (rc == 0)
        rc = cgroup_update(&group, &limits, err);
    if (rc == 0)
        rc = check_in_force(&group, err);
    if (rc < 0)
        return rc;
    cgroup_record(&group, &record); /* on v1 hierarchies may have been added */
    if (streq(buf_text(&record), c->cgroup))
        return 0;
    free(c->cgroup);
    c->cgroup = buf_take(&record);
    return living_save(c, err);
}

int command_runtime_update(const struct invocation *call, void *options, struct error *err)
{
    const struct runtime_update_options *o = options;
    autoroot root = {.fd = -1};
    autoliving c = LIVING_NONE;
    autobundle wanted;
    autobuf text = {0};
    bundle_init(&wanted);
    int rc = runtime_find(call, true, &root, &c, err);
    if (rc == 0 && c.now == LIFE_STOPPED)
        rc = error_set(err, -ESRCH, "cannot update container %s: container not running", c.id);
    if (rc == 0 && o->resources)
        rc = read_document(o->resources, &wanted, err);
    if (rc == 0 && !o->resources) {
        write_document(o, &text);
        rc = bundle_read_resources(buf_text(&text), text.len, &wanted, err);
    }
    return rc < 0 ? rc : apply(&c, &wanted, err);
}
