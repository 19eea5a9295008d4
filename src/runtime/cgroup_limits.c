/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Limits as values of control files. Planning is pure: limits in, a list of writes out, everything
 * that makes no sense refused. Applying writes the list and notes what is in force.
 */
#include <fcntl.h>
#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "runtime/cgroup_internal.h"

#define DEFAULT_PERIOD 100000

static const char *const limit_names[CGROUP_LIMIT_COUNT] = {
    [CGROUP_LIMIT_MEMORY] = "memory",
    [CGROUP_LIMIT_SWAP] = "memory-swap",
    [CGROUP_LIMIT_RESERVATION] = "memory-reservation",
    [CGROUP_LIMIT_PIDS] = "pids-limit",
    [CGROUP_LIMIT_CPU_SHARES] = "cpu-shares",
    [CGROUP_LIMIT_CPU_QUOTA] = "cpu-quota",
    [CGROUP_LIMIT_CPUSET_CPUS] = "cpuset-cpus",
    [CGROUP_LIMIT_CPUSET_MEMS] = "cpuset-mems",
    [CGROUP_LIMIT_BLKIO_WEIGHT] = "blkio-weight",
    [CGROUP_LIMIT_DEVICES] = "device",
};

const char *cgroup_limit_name(enum cgroup_limit limit)
{
    return limit_names[limit];
}

/* The curve that runc and crun agreed on: 2, 1024 and 262144 shares become the weights 1, 100 (the
 * kernel's default) and 10000. */
uint64_t cgroup_weight_of_shares(uint64_t shares)
{
    if (shares <= 2)
        return 1;
    if (shares >= 262144)
        return 10000;
    double l = log2((double)shares);
    return (uint64_t)ceil(pow(10, (l * l + 125 * l) / 612 - 7.0 / 34));
}

/* 10 … 1000 onto 1 … 10000, as runtimes do for io.weight. */
uint64_t cgroup_weight_of_blkio(uint64_t weight)
{
    return 1 + (weight - 10) * 9999 / 990;
}

/* --- planning --- */

static struct cgroup_write *add_write(struct cgroup_plan *plan, enum cgroup_slot slot,
                                      enum cgroup_limit limit, const char *file)
{
    struct cgroup_write *w = &plan->writes[plan->count++];

    *w = (struct cgroup_write){.slot = slot, .limit = limit, .file = file};
    plan->slots |= 1u << slot;
    plan->asked |= 1u << limit;
    return w;
}

/* -1 is "max" on v2 and in the pids controller everywhere, "-1" elsewhere. */
static void add_number(struct cgroup_plan *plan, enum cgroup_slot slot, enum cgroup_limit limit,
                       const char *file, int64_t value, bool max)
{
    struct cgroup_write *w = add_write(plan, slot, limit, file);

    if (value == CGROUP_UNLIMITED && max)
        snprintf(w->number, sizeof(w->number), "max");
    else
        snprintf(w->number, sizeof(w->number), "%lld", (long long)value);
}

static int check_range(int64_t value, int64_t min, int64_t max, enum cgroup_limit limit,
                       bool unlimited, struct error *err)
{
    if (value == CGROUP_UNSET || (value == CGROUP_UNLIMITED && unlimited) ||
        (value >= min && value <= max))
        return 0;
    return error_set(err, -EINVAL, "--%s %lld is out of range: give %lld to %lld%s",
                     limit_names[limit], (long long)value, (long long)min, (long long)max,
                     unlimited ? ", or -1 for no limit" : "");
}

static int check_limits(const struct cgroup_limits *l, struct error *err)
{
    int rc = check_range(l->memory, 1, INT64_MAX, CGROUP_LIMIT_MEMORY, true, err);

    if (rc == 0)
        rc = check_range(l->memory_swap, 0, INT64_MAX, CGROUP_LIMIT_SWAP, true, err);
    if (rc == 0)
        rc = check_range(l->memory_reservation, 0, INT64_MAX, CGROUP_LIMIT_RESERVATION, true, err);
    if (rc == 0)
        rc = check_range(l->pids, 1, 4194304, CGROUP_LIMIT_PIDS, true, err);
    if (rc == 0)
        rc = check_range(l->cpu_shares, 2, 262144, CGROUP_LIMIT_CPU_SHARES, false, err);
    if (rc == 0)
        rc = check_range(l->cpu_quota, 1000, INT64_MAX / 1000, CGROUP_LIMIT_CPU_QUOTA, true, err);
    if (rc == 0)
        rc = check_range(l->blkio_weight, 10, 1000, CGROUP_LIMIT_BLKIO_WEIGHT, false, err);
    if (rc < 0)
        return rc;
    if (l->cpu_period != CGROUP_UNSET && (l->cpu_period < 1000 || l->cpu_period > 1000000))
        return error_set(err, -EINVAL,
                         "--cpu-period %lld is out of range: give 1000 to 1000000 microseconds",
                         (long long)l->cpu_period);
    if (l->memory_swap == CGROUP_UNSET || l->memory_swap == CGROUP_UNLIMITED)
        return 0;
    if (l->memory == CGROUP_UNSET || l->memory == CGROUP_UNLIMITED)
        return error_set(err, -EINVAL,
                         "--memory-swap counts memory and swap together, so it needs --memory too");
    if (l->memory_swap < l->memory)
        return error_set(err, -EINVAL,
                         "--memory-swap counts memory and swap together, so it cannot be less than "
                         "--memory: give at least %lld",
                         (long long)l->memory);
    return 0;
}

static void plan_cpusets(enum cgroup_slot slot, const struct cgroup_limits *l,
                         struct cgroup_plan *plan)
{
    if (l->cpuset_cpus && *l->cpuset_cpus)
        add_write(plan, slot, CGROUP_LIMIT_CPUSET_CPUS, "cpuset.cpus")->text = l->cpuset_cpus;
    if (l->cpuset_mems && *l->cpuset_mems)
        add_write(plan, slot, CGROUP_LIMIT_CPUSET_MEMS, "cpuset.mems")->text = l->cpuset_mems;
}

static void plan_v2(const struct cgroup_limits *l, struct cgroup_plan *plan)
{
    const enum cgroup_slot u = CGROUP_UNIFIED;
    struct cgroup_write *w;

    if (l->memory != CGROUP_UNSET)
        add_number(plan, u, CGROUP_LIMIT_MEMORY, "memory.max", l->memory, true);
    if (l->memory_swap != CGROUP_UNSET)
        add_number(plan, u, CGROUP_LIMIT_SWAP, "memory.swap.max",
                   l->memory_swap == CGROUP_UNLIMITED ? CGROUP_UNLIMITED
                                                      : l->memory_swap - l->memory,
                   true);
    if (l->memory_reservation != CGROUP_UNSET)
        add_number(plan, u, CGROUP_LIMIT_RESERVATION, "memory.low", l->memory_reservation, true);
    if (l->pids != CGROUP_UNSET)
        add_number(plan, u, CGROUP_LIMIT_PIDS, "pids.max", l->pids, true);
    if (l->cpu_shares != CGROUP_UNSET)
        add_number(plan, u, CGROUP_LIMIT_CPU_SHARES, "cpu.weight",
                   (int64_t)cgroup_weight_of_shares((uint64_t)l->cpu_shares), true);
    if (l->cpu_quota != CGROUP_UNSET || l->cpu_period != CGROUP_UNSET) {
        int64_t period = l->cpu_period == CGROUP_UNSET ? DEFAULT_PERIOD : l->cpu_period;
        w = add_write(plan, u, CGROUP_LIMIT_CPU_QUOTA, "cpu.max");
        if (l->cpu_quota == CGROUP_UNSET || l->cpu_quota == CGROUP_UNLIMITED)
            snprintf(w->number, sizeof(w->number), "max %lld", (long long)period);
        else
            snprintf(w->number, sizeof(w->number), "%lld %lld", (long long)l->cpu_quota,
                     (long long)period);
    }
    plan_cpusets(u, l, plan);
    if (l->blkio_weight != CGROUP_UNSET) {
        w = add_write(plan, u, CGROUP_LIMIT_BLKIO_WEIGHT, "io.weight");
        snprintf(w->number, sizeof(w->number), "default %llu",
                 (unsigned long long)cgroup_weight_of_blkio((uint64_t)l->blkio_weight));
    }
}

static void plan_v1(const struct cgroup_limits *l, struct cgroup_plan *plan)
{
    if (l->memory != CGROUP_UNSET)
        add_number(plan, CGROUP_MEMORY, CGROUP_LIMIT_MEMORY, "memory.limit_in_bytes", l->memory,
                   false);
    if (l->memory_swap != CGROUP_UNSET)
        add_number(plan, CGROUP_MEMORY, CGROUP_LIMIT_SWAP, "memory.memsw.limit_in_bytes",
                   l->memory_swap, false);
    if (l->memory_reservation != CGROUP_UNSET)
        add_number(plan, CGROUP_MEMORY, CGROUP_LIMIT_RESERVATION, "memory.soft_limit_in_bytes",
                   l->memory_reservation, false);
    if (l->pids != CGROUP_UNSET)
        add_number(plan, CGROUP_PIDS, CGROUP_LIMIT_PIDS, "pids.max", l->pids, true);
    if (l->cpu_shares != CGROUP_UNSET)
        add_number(plan, CGROUP_CPU, CGROUP_LIMIT_CPU_SHARES, "cpu.shares", l->cpu_shares, false);
    if (l->cpu_period != CGROUP_UNSET)
        add_number(plan, CGROUP_CPU, CGROUP_LIMIT_CPU_QUOTA, "cpu.cfs_period_us", l->cpu_period,
                   false);
    if (l->cpu_quota != CGROUP_UNSET)
        add_number(plan, CGROUP_CPU, CGROUP_LIMIT_CPU_QUOTA, "cpu.cfs_quota_us", l->cpu_quota,
                   false);
    plan_cpusets(CGROUP_CPUSET, l, plan);
    if (l->blkio_weight != CGROUP_UNSET) {
        add_number(plan, CGROUP_BLKIO, CGROUP_LIMIT_BLKIO_WEIGHT, "blkio.weight", l->blkio_weight,
                   false);
        plan->writes[plan->count - 1].instead = "blkio.bfq.weight";
    }
}

int cgroup_plan_limits(enum cgroup_layout layout, const struct cgroup_limits *limits,
                       struct cgroup_plan *plan, struct error *err)
{
    struct cgroup_plan made = {0};
    int rc = check_limits(limits, err);

    if (rc < 0)
        return rc;
    if (layout == CGROUP_V2)
        plan_v2(limits, &made);
    else
        plan_v1(limits, &made);
    *plan = made;
    return 0;
}

/* --- applying --- */

void cgroup_not_in_force(struct cgroup *group, enum cgroup_limit limit, const char *format, ...)
{
    va_list ap;

    group->asked |= 1u << limit;
    group->in_force &= ~(1u << limit);
    va_start(ap, format);
    vsnprintf(group->why[limit], sizeof(group->why[limit]), format, ap);
    va_end(ap);
}

int cgroup_write_file(int dir, const char *name, const char *value, int write_flags)
{
    autofd fd = openat(dir, name, write_flags | O_CLOEXEC | O_NOFOLLOW, 0600);
    size_t length = strlen(value);

    if (fd < 0)
        return -errno;
    ssize_t n = write(fd, value, length);
    if (n < 0)
        return -errno;
    return (size_t)n == length ? 0 : -EIO;
}

static int write_one(const struct cgroup_tree *tree, const struct cgroup_write *w, int dir)
{
    const char *value = w->text ? w->text : w->number;
    int rc = cgroup_write_file(dir, w->file, value, tree->write_flags);

    if (rc == -ENOENT && w->instead)
        rc = cgroup_write_file(dir, w->instead, value, tree->write_flags);
    return rc;
}

/* v1 keeps memory <= memory+swap at every moment: raising both needs the other order. */
static bool is_swapped_order(const struct cgroup_plan *plan, size_t i, int rc)
{
    return rc == -EINVAL && i + 1 < plan->count && plan->writes[i].slot == CGROUP_MEMORY &&
           plan->writes[i].limit == CGROUP_LIMIT_MEMORY &&
           plan->writes[i + 1].limit == CGROUP_LIMIT_SWAP;
}

static int note_result(struct cgroup *group, const struct cgroup_write *w, int rc, int refused,
                       struct error *err)
{
    const char *value = w->text ? w->text : w->number;

    switch (rc) {
    case 0:
        /* A limit of two files (quota and period) is in force when both are. */
        if (!group->why[w->limit][0])
            group->in_force |= 1u << w->limit;
        return 0;
    case -ENOENT:
        if (refused == -EBUSY)
            cgroup_not_in_force(group, w->limit,
                                "the group above holds processes of its own, so v2 hands no "
                                "controllers down (no %s)",
                                w->file);
        else
            cgroup_not_in_force(group, w->limit, "this kernel or group has no %s", w->file);
        return 0;
    case -EACCES:
    case -EPERM:
    case -EROFS:
        cgroup_not_in_force(group, w->limit, "writing %s: %s", w->file, error_describe(rc));
        return 0;
    case -EBUSY:
        return error_set(err, rc, "--%s %s: the container uses more than that already",
                         limit_names[w->limit], value);
    default:
        return error_set(err, rc, "--%s: the kernel refuses '%s' in %s: %s", limit_names[w->limit],
                         value, w->file, error_describe(rc));
    }
}

/* In a new v1 group the kernel's default need not be written: each write is an open, a write and a
 * close. */
static bool is_default(const struct cgroup_write *w)
{
    return streq(w->file, "cpu.shares") && streq(w->number, "1024");
}

int cgroup_apply(const struct cgroup_tree *tree, const struct cgroup_plan *plan,
                 struct cgroup *group, struct error *err)
{
    int refused = 1; /* not yet tried to have controllers handed down */

    group->asked |= plan->asked;
    for (size_t i = 0; i < plan->count; i++)
        group->why[plan->writes[i].limit][0] = '\0';
    for (size_t i = 0; i < plan->count; i++) {
        const struct cgroup_write *w = &plan->writes[i];
        int dir = group->dirs[w->slot];
        int rc;

        if (plan->fresh && dir >= 0 && is_default(w)) {
            note_result(group, w, 0, 0, err);
            continue;
        }
        if (dir < 0) {
            cgroup_not_in_force(group, w->limit, "the %s controller is not there, or not ours",
                                cgroup_slot_name(w->slot));
            continue;
        }
        rc = write_one(tree, w, dir);
        if (rc == -ENOENT && w->slot == CGROUP_UNIFIED && refused > 0) {
            char parent[CGROUP_PATH_MAX];
            const char *slash = strrchr(group->path, '/');
            snprintf(parent, sizeof(parent), "%.*s", (int)(slash - group->path), group->path);
            refused = cgroup_hand_down(tree, parent);
            rc = write_one(tree, w, dir);
        }
        if (is_swapped_order(plan, i, rc) && write_one(tree, w + 1, dir) == 0)
            rc = write_one(tree, w, dir);
        rc = note_result(group, w, rc, refused, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

bool cgroup_in_force(const struct cgroup *group, enum cgroup_limit limit)
{
    return group->in_force & (1u << limit);
}

const char *cgroup_why_not(const struct cgroup *group, enum cgroup_limit limit)
{
    if (!(group->asked & (1u << limit)) || cgroup_in_force(group, limit))
        return NULL;
    return group->why[limit];
}

int cgroup_refuse(enum cgroup_limit limit, const char *why, struct error *err)
{
    return error_set(err, -ENOTSUP, "--%s cannot be enforced: %s",
                     limit == CGROUP_LIMIT_CPU_QUOTA ? "cpus" : cgroup_limit_name(limit), why);
}

int cgroup_refuse_any(unsigned limits, const char *why, struct error *err)
{
    for (int limit = 0; limit < CGROUP_LIMIT_COUNT; limit++)
        if (limits & (1u << limit))
            return cgroup_refuse((enum cgroup_limit)limit, why, err);
    return 0;
}

int cgroup_check_asked(const struct cgroup *group, unsigned limits, struct error *err)
{
    for (int limit = 0; limit < CGROUP_LIMIT_COUNT; limit++) {
        const char *why =
            limits & (1u << limit) ? cgroup_why_not(group, (enum cgroup_limit)limit) : NULL;
        if (why)
            return cgroup_refuse((enum cgroup_limit)limit, why, err);
    }
    return 0;
}
