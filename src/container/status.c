/* SPDX-License-Identifier: Apache-2.0 */
/* The files `status` and `last`, and the state that follows from them. */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/io.h"
#include "base/memory.h"
#include "base/text.h"
#include "container/disk.h"

const char *container_state_name(enum container_state state)
{
    static const char *const names[] = {
        [CONTAINER_CREATED] = "created", [CONTAINER_RUNNING] = "running",
        [CONTAINER_PAUSED] = "paused",   [CONTAINER_RESTARTING] = "restarting",
        [CONTAINER_EXITED] = "exited",   [CONTAINER_DEAD] = "dead"};
    return names[state];
}

/* --- processes --- */

/* State letter and start time: the third and the 22nd field of proc_pid_stat(5), counted from the
 * last parenthesis, because the name before it may hold anything. */
static int process_stat(pid_t pid, char *state, uint64_t *start_time)
{
    char path[32], text[1024];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    if (read_small_at(AT_FDCWD, path, text, sizeof text) <= 0)
        return -ESRCH;
    const char *at = strrchr(text, ')');
    if (!at || at[1] != ' ' || !at[2])
        return -ESRCH;
    *state = at[2];
    for (int field = 2; field < 22; field++) {
        at = strchr(at + 1, ' ');
        if (!at)
            return -ESRCH;
    }
    char *end;
    errno = 0;
    *start_time = strtoull(at + 1, &end, 10);
    return errno || end == at + 1 ? -ESRCH : 0;
}

int process_start_time(pid_t pid, uint64_t *start_time)
{
    char state;
    uint64_t value;
    int rc = process_stat(pid, &state, &value);
    if (rc < 0 || state == 'Z' || state == 'X')
        return -ESRCH;
    *start_time = value;
    return 0;
}

bool process_alive(pid_t pid, uint64_t start_time)
{
    uint64_t now;
    return pid > 0 && process_start_time(pid, &now) == 0 && now == start_time;
}

bool container_unwatched(const struct container *c)
{
    return c->status.pid > 0 && !process_alive(c->status.monitor, c->status.monitor_start);
}

/* --- lines "key=value" --- */

enum line_kind { LINE_I64, LINE_U64, LINE_PID, LINE_U32, LINE_INT, LINE_BOOL, LINE_TEXT };

struct line {
    const char *key;
    enum line_kind kind;
    size_t at;
};

#define STATUS_LINE(field, kind)                                                                   \
    {                                                                                              \
#field, kind, offsetof(struct container_status, field)                                     \
    }
static const struct line status_lines[] = {
    STATUS_LINE(pid, LINE_PID),         STATUS_LINE(start_time, LINE_U64),
    STATUS_LINE(monitor, LINE_PID),     STATUS_LINE(monitor_start, LINE_U64),
    STATUS_LINE(started, LINE_I64),     STATUS_LINE(id_base, LINE_U32),
    STATUS_LINE(oom_killed, LINE_BOOL), STATUS_LINE(pids_hit, LINE_BOOL),
    STATUS_LINE(restarts, LINE_I64),    STATUS_LINE(quick_ends, LINE_I64),
    STATUS_LINE(process_ns, LINE_U64),  STATUS_LINE(mount_ns, LINE_U64),
    STATUS_LINE(cgroup, LINE_TEXT),     STATUS_LINE(addresses, LINE_TEXT),
    STATUS_LINE(published, LINE_TEXT),  STATUS_LINE(relay, LINE_PID),
    STATUS_LINE(relay_start, LINE_U64), {NULL},
};

#define LAST_LINE(name, kind, field)                                                               \
    {                                                                                              \
        name, kind, offsetof(struct last_run, field)                                               \
    }
static const struct line last_lines[] = {
    LAST_LINE("started", LINE_I64, started),
    LAST_LINE("ended", LINE_BOOL, ended),
    LAST_LINE("code", LINE_INT, exit.code),
    LAST_LINE("signal", LINE_INT, exit.signal),
    LAST_LINE("finished", LINE_I64, exit.finished),
    LAST_LINE("oom_killed", LINE_BOOL, oom_killed),
    LAST_LINE("pids_hit", LINE_BOOL, pids_hit),
    LAST_LINE("restarts", LINE_I64, restarts),
    LAST_LINE("quick_ends", LINE_I64, quick_ends),
    LAST_LINE("donor_ended", LINE_BOOL, donor_ended),
    {NULL},
};

static void lines_write(const struct line *lines, const void *from, struct buf *out)
{
    for (; lines->key; lines++) {
        const void *at = (const char *)from + lines->at;
        buf_fmt(out, "%s=", lines->key);
        switch (lines->kind) {
        case LINE_I64:
            buf_fmt(out, "%lld", (long long)*(const int64_t *)at);
            break;
        case LINE_U64:
            buf_fmt(out, "%llu", (unsigned long long)*(const uint64_t *)at);
            break;
        case LINE_PID:
        case LINE_INT:
            buf_fmt(out, "%d", *(const int *)at);
            break;
        case LINE_U32:
            buf_fmt(out, "%u", *(const uint32_t *)at);
            break;
        case LINE_BOOL:
            buf_str(out, *(const bool *)at ? "1" : "0");
            break;
        case LINE_TEXT: {
            const char *text = *(char *const *)at;
            buf_str(out, text ? text : "");
            break;
        }
        }
        buf_char(out, '\n');
    }
}

static int line_set(const struct line *line, const char *value, void *into)
{
    void *at = (char *)into + line->at;
    int64_t number = 0;
    uint64_t positive = 0;
    int rc = 0;
    switch (line->kind) {
    case LINE_I64:
        rc = parse_i64(value, INT64_MIN, INT64_MAX, &number);
        *(int64_t *)at = number;
        break;
    case LINE_U64:
        rc = parse_u64(value, UINT64_MAX, &positive);
        *(uint64_t *)at = positive;
        break;
    case LINE_PID:
    case LINE_INT:
        rc = parse_i64(value, 0, INT32_MAX, &number);
        *(int *)at = (int)number;
        break;
    case LINE_U32:
        rc = parse_u64(value, UINT32_MAX, &positive);
        *(uint32_t *)at = (uint32_t)positive;
        break;
    case LINE_BOOL:
        rc = parse_u64(value, 1, &positive);
        *(bool *)at = positive != 0;
        break;
    case LINE_TEXT:
        free(*(char **)at);
        *(char **)at = *value ? xstrdup(value) : NULL;
        break;
    }
    return rc;
}

/* `text` is taken apart. Keys that a later version wrote are passed over. */
static int lines_read(const struct line *lines, char *text, void *into)
{
    const struct line *next = lines; /* nearly always: they are written in this order */
    while (*text) {
        char *end = strchr(text, '\n');
        char *value = strchr(text, '=');
        if (!end || !value || value > end)
            return -EBADMSG;
        *end = '\0';
        *value++ = '\0';
        const struct line *line = next->key && streq(next->key, text) ? next : lines;
        while (line->key && !streq(line->key, text))
            line++;
        if (line->key && line_set(line, value, into) < 0)
            return -EBADMSG;
        next = line->key ? line + 1 : lines;
        text = end + 1;
    }
    return 0;
}

void status_free(struct container_status *status)
{
    free(status->cgroup);
    free(status->addresses);
    free(status->published);
    *status = (struct container_status){0};
}

/* A file of lines, which is nearly always small. `out` is set but for -EBADMSG, then in part. */
static int lines_load(int dir, const char *path, const struct line *lines, void *out,
                      struct error *err)
{
    char text[4096];
    autobuf large = {0};
    ssize_t n = read_small_at(dir, path, text, sizeof text);
    if (n == -ENOENT)
        return -ENOENT;
    if (n >= 0)
        return lines_read(lines, text, out);
    int rc = read_file_at(dir, path, STATUS_MAX, &large, err);
    return rc < 0 ? rc : lines_read(lines, large.data, out);
}

int status_read(int dir, const char *path, struct container_status *out, struct error *err)
{
    struct container_status status = {0};
    int rc = lines_load(dir, path, status_lines, &status, err);
    if (rc == -EBADMSG) {
        status_free(&status);
        return error_set(err, -EBADMSG, "the container's file %s is damaged", STATUS_NAME);
    }
    if (rc < 0 && rc != -ENOENT)
        return rc;
    status_free(out);
    *out = status;
    return 0;
}

int status_write(int state, const struct container_status *status, struct error *err)
{
    autobuf text = {0};
    lines_write(status_lines, status, &text);
    return write_file_at(state, STATUS_NAME, buf_text(&text), text.len, 0600, VOLATILE, err);
}

int last_read(int dir, const char *path, struct last_run *out)
{
    struct last_run last = {0};
    int rc = lines_load(dir, path, last_lines, &last, NULL);
    if (rc < 0 && rc != -EBADMSG)
        return rc;
    if (rc < 0)
        last = (struct last_run){0};
    *out = last;
    return 0;
}

int last_write(int home, const struct last_run *last, bool durable, struct error *err)
{
    autobuf text = {0};
    lines_write(last_lines, last, &text);
    return write_file_at(home, LAST_NAME, buf_text(&text), text.len, 0600,
                         durable ? DURABLE : VOLATILE, err);
}

/* --- the state --- */

#define CODE_UNKNOWN 255 /* what Docker shows for an end that it did not see */

static bool is_frozen(const char *record)
{
    autocgroup group = CGROUP_EMPTY;
    bool frozen = false;
    if (!record || cgroup_open(record, &group, NULL) < 0)
        return false;
    return cgroup_frozen(&group, &frozen, NULL) == 0 && frozen;
}

/* Where file `name` of one of its directories is: there if that is open, else by way of the
 * directory of all containers, for who reads a file or two of each of a thousand. */
struct place {
    int dir;
    char path[CONTAINER_ID_MAX + 16];
};

static struct place place_of(const struct container *c, int own, int all, const char *name)
{
    struct place place = {.dir = own >= 0 ? own : all};
    if (own >= 0)
        snprintf(place.path, sizeof place.path, "%s", name);
    else
        snprintf(place.path, sizeof place.path, "%s/%s", c->id, name);
    return place;
}

/* Not since this boot, or all was cleaned up after it. */
static void state_at_rest(struct container *c)
{
    struct last_run last;
    struct place place =
        place_of(c, c->home, c->in_state ? c->all->state_fd : c->all->root_fd, LAST_NAME);
    c->now = CONTAINER_CREATED;
    if (last_read(place.dir, place.path, &last) < 0)
        return;
    c->now = last.ended ? CONTAINER_EXITED : CONTAINER_DEAD;
    c->status.started = last.started;
    c->status.oom_killed = last.oom_killed;
    c->status.pids_hit = last.pids_hit;
    c->status.donor_ended = last.donor_ended;
    c->status.restarts = last.restarts;
    c->status.quick_ends = last.quick_ends;
    if (last.ended)
        c->exit = last.exit;
}

static bool is_paused(const struct container *c)
{
    struct place place = place_of(c, c->state, c->all->state_fd, PAUSED_NAME);
    return faccessat(place.dir, place.path, F_OK, AT_SYMLINK_NOFOLLOW) == 0 &&
           is_frozen(c->status.cgroup);
}

static bool read_exit(const struct container *c, struct exit_record *out)
{
    autofd own = c->state >= 0 ? -1 : open_directory_at(c->all->state_fd, c->id, NULL);
    return exit_record_read(c->state >= 0 ? c->state : own, out) == 0;
}

int state_load(struct container *c, struct error *err)
{
    struct place place = place_of(c, c->state, c->all->state_fd, STATUS_NAME);
    int rc = status_read(place.dir, place.path, &c->status, err);
    if (rc < 0)
        return rc;
    const struct container_status *s = &c->status;
    c->ending = false;
    c->exit = (struct exit_record){.code = CODE_UNKNOWN};
    if (s->pid == 0) {
        state_at_rest(c);
        if (process_alive(s->monitor, s->monitor_start))
            c->now = CONTAINER_RESTARTING;
        return 0;
    }
    if (process_alive(s->pid, s->start_time)) {
        c->now = is_paused(c) ? CONTAINER_PAUSED : CONTAINER_RUNNING;
        return 0;
    }
    c->ending = process_alive(s->monitor, s->monitor_start);
    if (read_exit(c, &c->exit))
        c->now = CONTAINER_EXITED;
    else
        c->now = c->ending ? CONTAINER_RUNNING : CONTAINER_DEAD;
    return 0;
}
