/* SPDX-License-Identifier: Apache-2.0 */
/* Limits: what was asked for, else the level's. */
#include <string.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/memory.h"
#include "base/text.h"
#include "container/plan_make.h"

#define DEFAULT_PIDS 512
#define LEAST_FILES 1024
#define MOST_FILES 1048576 /* where the machine has no bound: some programs close every number */
#define LEAST_MEMORY (512 << 10) /* below this not even the start of a container fits */

static uint64_t machine_memory(void)
{
    struct sysinfo info;
    return sysinfo(&info) == 0 ? (uint64_t)info.totalram * info.mem_unit : 0;
}

static struct protection *show(struct planning *p, const char *name, const char *value,
                               const char *flag, bool relaxed)
{
    struct protection *item = posture_add(&p->plan->posture, name, value, flag);
    item->relaxed = relaxed;
    return item;
}

static int memory(struct planning *p, struct error *err)
{
    const struct request *r = p->request;
    struct cgroup_limits *l = &p->plan->limits;
    bool limited = p->level != LEVEL_PRIVILEGED;
    bool asked = r->memory != INT64_MIN;
    if (asked && r->memory > 0 && r->memory < LEAST_MEMORY)
        return error_set(err, -EINVAL, "--memory %lld is too small; the least is 512k",
                         (long long)r->memory);
    l->memory = asked     ? (r->memory > 0 ? r->memory : CGROUP_UNLIMITED)
                : limited ? (int64_t)(machine_memory() / 2)
                          : CGROUP_UNSET;
    autobuf shown = {0};
    if (l->memory > 0)
        format_binary_size(&shown, (uint64_t)l->memory);
    else
        buf_str(&shown, "unlimited");
    show(p, "memory", buf_text(&shown), "--memory BYTES", limited && l->memory <= 0);
    l->memory_swap = r->memory_swap != INT64_MIN ? r->memory_swap
                     : limited && l->memory > 0  ? l->memory
                                                 : CGROUP_UNSET;
    if (r->memory_swap > 0 && l->memory <= 0)
        return error_set(err, -EINVAL, "--memory-swap needs --memory");
    if (r->memory_swap > 0 && r->memory_swap < l->memory)
        return error_set(
            err, -EINVAL,
            "--memory-swap counts memory and swap together: it must be at least --memory");
    if (r->memory_swap == 0)
        l->memory_swap = l->memory > 0 ? l->memory : CGROUP_UNSET;
    bool no_swap = l->memory > 0 && l->memory_swap == l->memory;
    show(p, "swap",
         no_swap              ? "none"
         : l->memory_swap > 0 ? "limited"
                              : "unlimited",
         "--memory-swap -1", limited && !no_swap);
    if (r->memory_reservation > 0 && l->memory > 0 && r->memory_reservation > l->memory)
        return error_set(err, -EINVAL, "--memory-reservation is larger than --memory");
    l->memory_reservation = r->memory_reservation;
    return 0;
}

static int cpu(struct planning *p, struct error *err)
{
    const struct request *r = p->request;
    struct cgroup_limits *l = &p->plan->limits;
    l->cpu_shares = r->cpu_shares > 0              ? r->cpu_shares
                    : p->level != LEVEL_PRIVILEGED ? 1024
                                                   : CGROUP_UNSET;
    if (l->cpu_shares > 262144 || l->cpu_shares == 1)
        return error_set(err, -EINVAL, "--cpu-shares goes from 2 to 262144");
    if (r->cpus && (r->cpu_quota != INT64_MIN || r->cpu_period != INT64_MIN))
        return error_set(err, -EINVAL,
                         "--cpus says the same as --cpu-quota and --cpu-period; give one");
    if (r->cpus) {
        uint64_t quota;
        if (parse_decimal(r->cpus, 100000, &quota) < 0 || (quota > 0 && quota < 1000) ||
            quota > INT32_MAX)
            return error_set(err, -EINVAL,
                             "--cpus %s is not a number of processors such as 1.5 (at least 0.01)",
                             r->cpus);
        if (quota > (uint64_t)get_nprocs() * 100000)
            return error_set(err, -EINVAL, "--cpus %s is more than the %d processors there are",
                             r->cpus, get_nprocs());
        if (quota > 0) {
            l->cpu_quota = (int64_t)quota;
            l->cpu_period = 100000;
        }
    } else {
        l->cpu_quota = r->cpu_quota == 0 ? CGROUP_UNSET : r->cpu_quota;
        l->cpu_period = r->cpu_period == 0 ? CGROUP_UNSET : r->cpu_period;
    }
    if (l->cpu_period != CGROUP_UNSET && (l->cpu_period < 1000 || l->cpu_period > 1000000))
        return error_set(err, -EINVAL, "--cpu-period goes from 1000 to 1000000 microseconds");
    if (l->cpu_quota != CGROUP_UNSET && l->cpu_quota != -1 && l->cpu_quota < 1000)
        return error_set(err, -EINVAL, "--cpu-quota is at least 1000 microseconds, or -1 for none");
    autobuf shown = {0};
    if (l->cpu_quota > 0)
        buf_fmt(&shown, "%.2f processors",
                (double)l->cpu_quota / (double)(l->cpu_period > 0 ? l->cpu_period : 100000));
    else
        buf_str(&shown, l->cpu_shares > 0 ? "fair share" : "unlimited");
    show(p, "cpu", buf_text(&shown), "--cpus N", false);
    return 0;
}

static int check_set(const char *flag, const char *text, struct error *err)
{
    if (text && (!*text || strspn(text, "0123456789,-") != strlen(text)))
        return error_set(err, -EINVAL, "%s %s is not a list such as 0-2,4", flag, text);
    return 0;
}

static int processes(struct planning *p, struct error *err)
{
    const struct request *r = p->request;
    struct cgroup_limits *l = &p->plan->limits;
    bool limited = p->level != LEVEL_PRIVILEGED;
    l->pids = r->pids == INT64_MIN ? (limited ? DEFAULT_PIDS : CGROUP_UNSET)
              : r->pids <= 0       ? CGROUP_UNLIMITED
                                   : r->pids;
    if (l->pids > 4194304)
        return error_set(err, -EINVAL, "--pids-limit goes to 4194304");
    autobuf shown = {0};
    if (l->pids > 0)
        buf_fmt(&shown, "%lld", (long long)l->pids);
    else
        buf_str(&shown, "unlimited");
    show(p, "pids", buf_text(&shown), "--pids-limit N", limited && l->pids <= 0);
    return 0;
}

static int ulimits(struct planning *p, struct error *err)
{
    const struct strv *list = &p->request->ulimits;
    if (list->len == 0)
        return 0;
    p->plan->rlimits = xcalloc(list->len, sizeof *p->plan->rlimits);
    for (size_t i = 0; i < list->len; i++) {
        int rc = rlimit_parse(list->items[i], &p->plan->rlimits[i], err);
        if (rc < 0)
            return rc;
        p->plan->rlimit_count++;
    }
    return 0;
}

static const struct rlimit_spec *asked_limit(const struct plan *plan, int resource)
{
    for (size_t i = plan->rlimit_count; i > 0; i--)
        if (plan->rlimits[i - 1].resource == resource)
            return &plan->rlimits[i - 1];
    return NULL;
}

/* All processes of a container together shall leave half of the machine's open files to others:
 * when they are used up, nobody but root can open anything. */
static int open_files(struct planning *p, struct error *err)
{
    struct plan *plan = p->plan;
    const struct rlimit_spec *asked = asked_limit(plan, RLIMIT_NOFILE);
    autobuf text = {0}, shown = {0};
    uint64_t machine, most = MOST_FILES;
    if (p->level == LEVEL_PRIVILEGED)
        return 0;
    int rc = read_kernel_file("/proc/sys/fs/file-max", 64, &text, err);
    if (rc < 0)
        return rc;
    text.data[strcspn(buf_text(&text), "\n")] = '\0';
    if (plan->limits.pids > 0 && parse_u64(buf_text(&text), UINT64_MAX, &machine) == 0)
        most = machine / 2 / (uint64_t)plan->limits.pids;
    most = most < LEAST_FILES ? LEAST_FILES : most < MOST_FILES ? most : MOST_FILES;
    if (!asked)
        plan->open_files = (int64_t)most;
    if (asked && asked->hard > INT64_MAX)
        buf_str(&shown, "unlimited");
    else
        buf_fmt(&shown, "%llu for each process", (unsigned long long)(asked ? asked->hard : most));
    show(p, "open-files", buf_text(&shown), "--ulimit nofile=N", asked && asked->hard > most);
    return 0;
}

static unsigned asked_by_flag(const struct request *r)
{
    const struct {
        enum cgroup_limit limit;
        bool asked;
    } flags[] = {
        {CGROUP_LIMIT_MEMORY, r->memory > 0},
        {CGROUP_LIMIT_SWAP, r->memory_swap > 0 && r->memory_swap != r->memory},
        {CGROUP_LIMIT_RESERVATION, r->memory_reservation > 0},
        {CGROUP_LIMIT_PIDS, r->pids > 0},
        {CGROUP_LIMIT_CPU_SHARES, r->cpu_shares > 0},
        {CGROUP_LIMIT_CPU_QUOTA, r->cpus || r->cpu_quota > 0},
        {CGROUP_LIMIT_CPUSET_CPUS, r->cpuset_cpus},
        {CGROUP_LIMIT_CPUSET_MEMS, r->cpuset_mems},
        {CGROUP_LIMIT_BLKIO_WEIGHT, r->blkio_weight > 0},
    };
    unsigned asked = 0;
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        asked |= flags[i].asked ? 1u << flags[i].limit : 0;
    return asked;
}

int plan_limits(struct planning *p, struct error *err)
{
    const struct request *r = p->request;
    struct plan *plan = p->plan;
    int rc = processes(p, err);
    if (rc == 0)
        rc = memory(p, err);
    if (rc == 0)
        rc = cpu(p, err);
    if (rc == 0)
        rc = check_set("--cpuset-cpus", r->cpuset_cpus, err);
    if (rc == 0)
        rc = check_set("--cpuset-mems", r->cpuset_mems, err);
    if (rc == 0)
        rc = ulimits(p, err);
    if (rc == 0)
        rc = open_files(p, err);
    if (rc == 0 && r->cgroup_parent)
        rc = cgroup_check_parent(r->cgroup_parent, err);
    if (rc < 0)
        return rc;
    plan->limits.by_flag = asked_by_flag(r);
    plan->limits.blkio_weight = r->blkio_weight;
    if (r->cpuset_cpus)
        plan->limits.cpuset_cpus = plan->cpuset_cpus = xstrdup(r->cpuset_cpus);
    if (r->cpuset_mems)
        plan->limits.cpuset_mems = plan->cpuset_mems = xstrdup(r->cpuset_mems);
    if (r->cgroup_parent)
        plan->cgroup_parent = xstrdup(r->cgroup_parent);
    if (r->oom_score_adj && parse_i64(r->oom_score_adj, -1000, 1000, &plan->oom_score_adj) < 0)
        return error_set(err, -EINVAL, "--oom-score-adj goes from -1000 to 1000");
    if (r->shm_size == 0)
        return error_set(err, -EINVAL, "--shm-size must be more than 0");
    plan->shm_size = r->shm_size > 0 ? r->shm_size : 64 << 20;
    return 0;
}
