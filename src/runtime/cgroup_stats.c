/* SPDX-License-Identifier: Apache-2.0 */
/* What a group used, as `stats` shows it, and what it met, as the exit hint needs it. Reads only;
 * a file that this kernel or group does not have leaves its number unknown. */
#include <ctype.h>
#include <fcntl.h>
#include <string.h>

#include "base/io.h"
#include "base/text.h"
#include "runtime/cgroup_internal.h"

#define FILE_LIMIT ((size_t)1024 * 1024)
#define V1_UNLIMITED (INT64_MAX / 2) /* v1 says "no limit" as a huge multiple of the page size */

static int read_text(int dir, const char *name, struct buf *out)
{
    autofd fd = dir < 0 ? -1 : openat(dir, name, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return dir < 0 ? -ENOENT : -errno;
    return read_fd(fd, FILE_LIMIT, out);
}

int cgroup_read_u64(int dir, const char *name, uint64_t *value)
{
    autobuf text = {0};
    int rc = read_text(dir, name, &text);

    if (rc < 0)
        return rc;
    if (text.len > 0 && text.data[text.len - 1] == '\n')
        text.data[--text.len] = '\0';
    if (streq(buf_text(&text), "max")) {
        *value = CGROUP_NO_LIMIT;
        return 0;
    }
    return parse_u64(buf_text(&text), UINT64_MAX, value);
}

static uint64_t digits(const char *text)
{
    uint64_t value = 0;

    while (isdigit((unsigned char)*text))
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, (uint64_t)(*text++ - '0'), &value))
            return UINT64_MAX;
    return value;
}

int cgroup_field(const char *text, const char *key, uint64_t *value)
{
    size_t length = strlen(key);

    while (text && *text) {
        if (strncmp(text, key, length) == 0 && text[length] == ' ' &&
            isdigit((unsigned char)text[length + 1])) {
            *value = digits(text + length + 1);
            return 0;
        }
        text = strchr(text, '\n');
        if (text)
            text++;
    }
    return -ENOENT;
}

static void field(const struct buf *text, const char *key, uint64_t scale, uint64_t *value)
{
    uint64_t found;

    if (cgroup_field(buf_text(text), key, &found) == 0)
        *value = found * scale;
}

static void read_memory(const struct cgroup *g, struct cgroup_stats *s)
{
    bool v2 = g->layout == CGROUP_V2;
    int dir = g->dirs[v2 ? CGROUP_UNIFIED : CGROUP_MEMORY];
    autobuf stat = {0};
    uint64_t inactive = 0;

    if (cgroup_read_u64(dir, v2 ? "memory.current" : "memory.usage_in_bytes", &s->memory_usage) < 0)
        return;
    s->has_memory = true;
    if (read_text(dir, "memory.stat", &stat) == 0)
        field(&stat, v2 ? "inactive_file" : "total_inactive_file", 1, &inactive);
    s->memory_usage -= inactive < s->memory_usage ? inactive : s->memory_usage;
    s->memory_limit = CGROUP_NO_LIMIT;
    cgroup_read_u64(dir, v2 ? "memory.max" : "memory.limit_in_bytes", &s->memory_limit);
    if (!v2 && s->memory_limit > V1_UNLIMITED)
        s->memory_limit = CGROUP_NO_LIMIT;
    cgroup_read_u64(dir, v2 ? "memory.peak" : "memory.max_usage_in_bytes", &s->memory_peak);
}

/* The v2 tree counts processor time without any controller, so a hybrid host uses it too. */
static void read_cpu(const struct cgroup *g, struct cgroup_stats *s)
{
    autobuf unified = {0}, stat = {0}, v1 = {0};

    if (read_text(g->dirs[CGROUP_UNIFIED], "cpu.stat", &unified) == 0) {
        s->has_cpu = true;
        field(&unified, "usage_usec", 1000, &s->cpu_ns);
        field(&unified, "user_usec", 1000, &s->cpu_user_ns);
        field(&unified, "system_usec", 1000, &s->cpu_system_ns);
        field(&unified, "nr_periods", 1, &s->cpu_periods);
        field(&unified, "nr_throttled", 1, &s->cpu_throttled_periods);
        field(&unified, "throttled_usec", 1000, &s->cpu_throttled_ns);
    } else if (cgroup_read_u64(g->dirs[CGROUP_CPUACCT], "cpuacct.usage", &s->cpu_ns) == 0) {
        uint64_t tick = (uint64_t)1000000000 / (uint64_t)sysconf(_SC_CLK_TCK);
        s->has_cpu = true;
        if (read_text(g->dirs[CGROUP_CPUACCT], "cpuacct.stat", &stat) == 0) {
            field(&stat, "user", tick, &s->cpu_user_ns);
            field(&stat, "system", tick, &s->cpu_system_ns);
        }
    }
    if (g->layout != CGROUP_V2 && read_text(g->dirs[CGROUP_CPU], "cpu.stat", &v1) == 0) {
        field(&v1, "nr_periods", 1, &s->cpu_periods);
        field(&v1, "nr_throttled", 1, &s->cpu_throttled_periods);
        field(&v1, "throttled_time", 1, &s->cpu_throttled_ns);
    }
}

static void read_pids(const struct cgroup *g, struct cgroup_stats *s)
{
    int dir = g->dirs[g->layout == CGROUP_V2 ? CGROUP_UNIFIED : CGROUP_PIDS];

    if (cgroup_read_u64(dir, "pids.current", &s->pids) < 0)
        return;
    s->has_pids = true;
    s->pids_limit = CGROUP_NO_LIMIT;
    cgroup_read_u64(dir, "pids.max", &s->pids_limit);
}

/* v2 "8:0 rbytes=1 wbytes=2 …", v1 "8:0 Read 1" a line. */
static void sum_io(const char *text, const char *key, uint64_t *sum)
{
    for (const char *at = strstr(text, key); at; at = strstr(at + 1, key))
        *sum += digits(at + strlen(key));
}

static void read_io(const struct cgroup *g, struct cgroup_stats *s)
{
    bool v2 = g->layout == CGROUP_V2;
    autobuf text = {0};

    if (read_text(g->dirs[v2 ? CGROUP_UNIFIED : CGROUP_BLKIO],
                  v2 ? "io.stat" : "blkio.throttle.io_service_bytes", &text) < 0)
        return;
    s->has_io = true;
    sum_io(buf_text(&text), v2 ? " rbytes=" : " Read ", &s->io_read_bytes);
    sum_io(buf_text(&text), v2 ? " wbytes=" : " Write ", &s->io_write_bytes);
}

static int gone(const struct cgroup *group, struct error *err)
{
    enum cgroup_slot slot = cgroup_main_slot(group);

    if (slot == CGROUP_SLOTS)
        return error_set(err, -ENOENT,
                         "the container has no control group, so nothing is known of what it uses");
    if (faccessat(group->dirs[slot], "cgroup.procs", F_OK, 0) < 0)
        return error_set(err, -ENOENT, "the control group %s is gone", group->path);
    return 0;
}

int cgroup_stats(const struct cgroup *group, struct cgroup_stats *stats, struct error *err)
{
    struct cgroup_stats read = {0};
    int rc = gone(group, err);

    if (rc < 0)
        return rc;
    read_memory(group, &read);
    read_cpu(group, &read);
    read_pids(group, &read);
    read_io(group, &read);
    *stats = read;
    return 0;
}

int cgroup_events(const struct cgroup *group, struct cgroup_events *events, struct error *err)
{
    bool v2 = group->layout == CGROUP_V2;
    struct cgroup_events read = {0};
    autobuf memory = {0}, pids = {0};
    int rc = gone(group, err);

    if (rc < 0)
        return rc;
    if (read_text(group->dirs[v2 ? CGROUP_UNIFIED : CGROUP_MEMORY],
                  v2 ? "memory.events" : "memory.oom_control", &memory) == 0)
        field(&memory, "oom_kill", 1, &read.oom_kills);
    if (read_text(group->dirs[v2 ? CGROUP_UNIFIED : CGROUP_PIDS], "pids.events", &pids) == 0)
        field(&pids, "max", 1, &read.pids_max);
    *events = read;
    return 0;
}
