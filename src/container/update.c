/* SPDX-License-Identifier: Apache-2.0 */
/* update: limits of a container that is there already, in force at once when it runs. */
#include "container/update.h"

#include "base/memory.h"
#include "base/text.h"
#include "container/events.h"
#include "container/plan_make.h"
#include "container/restart.h"
#include "runtime/ids.h"

/* Only what was asked for is set: the level's defaults are in force already. */
static int judge(const struct request *request, const struct plan *now, struct plan *wanted,
                 struct error *err)
{
    struct request r = *request;
    r.shm_size = INT64_MIN;
    r.ulimits = (struct strv){0};
    r.oom_score_adj = r.cgroup_parent = NULL;
    /* Swap counts memory too: a limit that allowed none goes along, and else memory may not pass
     * it. */
    bool no_swap = now->limits.memory > 0 && now->limits.memory_swap == now->limits.memory;
    if (r.memory > 0 && r.memory_swap == INT64_MIN) {
        if (no_swap)
            r.memory_swap = r.memory;
        else if (now->limits.memory_swap > 0 && now->limits.memory_swap < r.memory)
            return error_set(err, -EINVAL,
                             "--memory would be more than memory and swap together may be (%lld "
                             "bytes); give --memory-swap too",
                             (long long)now->limits.memory_swap);
    }
    bool only_swap = r.memory == INT64_MIN && r.memory_swap > 0;
    if (only_swap)
        r.memory = now->limits.memory;
    struct planning p = {.request = &r, .level = LEVEL_PRIVILEGED, .plan = wanted};
    int rc = plan_limits(&p, err);
    if (rc == 0 && only_swap)
        wanted->limits.memory = CGROUP_UNSET;
    return rc;
}

static void take_number(int64_t *to, int64_t from)
{
    if (from != CGROUP_UNSET)
        *to = from;
}

static void take_text(char **to, const char **limit, const char *from)
{
    if (!from)
        return;
    free(*to);
    *limit = *to = xstrdup(from);
}

static void show(struct posture *posture, const struct posture *wanted, const char *name)
{
    const struct protection *from = posture_find(wanted, name);
    struct protection *to = (struct protection *)posture_find(posture, name);
    if (!from || !to)
        return;
    free(to->asked);
    to->asked = xstrdup(from->asked);
    if (to->in_force) {
        free(to->in_force);
        to->in_force = xstrdup(from->asked);
    }
    to->relaxed =
        streq(posture->level, "privileged") ? to->relaxed : streq(from->asked, "unlimited");
}

static void merge(struct plan *plan, const struct plan *wanted, const struct request *r)
{
    struct cgroup_limits *l = &plan->limits;
    const struct cgroup_limits *w = &wanted->limits;
    take_number(&l->memory, w->memory);
    take_number(&l->memory_swap, w->memory_swap);
    take_number(&l->memory_reservation, w->memory_reservation);
    take_number(&l->pids, w->pids);
    take_number(&l->cpu_shares, w->cpu_shares);
    take_number(&l->cpu_quota, w->cpu_quota);
    take_number(&l->cpu_period, w->cpu_period);
    take_number(&l->blkio_weight, w->blkio_weight);
    take_text(&plan->cpuset_cpus, &l->cpuset_cpus, w->cpuset_cpus);
    take_text(&plan->cpuset_mems, &l->cpuset_mems, w->cpuset_mems);
    if (r->memory != INT64_MIN)
        show(&plan->posture, &wanted->posture, "memory");
    if (w->memory_swap != CGROUP_UNSET)
        show(&plan->posture, &wanted->posture, "swap");
    if (r->pids != INT64_MIN)
        show(&plan->posture, &wanted->posture, "pids");
    if (r->cpus || r->cpu_quota != INT64_MIN)
        show(&plan->posture, &wanted->posture, "cpu");
}

static int put_in_force(struct container *c, const struct cgroup_limits *limits, struct error *err)
{
    autocgroup group = CGROUP_EMPTY;
    autobuf record = {0};
    if (c->now != CONTAINER_RUNNING && c->now != CONTAINER_PAUSED)
        return 0;
    if (!c->status.cgroup || streq(c->status.cgroup, "none"))
        return error_set(err, -ENOTSUP,
                         "container %s runs without a control group (see caisson inspect %s), so "
                         "its limits cannot be changed",
                         c->plan.name, c->plan.name);
    int rc = cgroup_open(c->status.cgroup, &group, err);
    if (rc == 0)
        rc = cgroup_update(&group, limits, err);
    if (rc == 0 && ids_limited())
        rc = cgroup_check_asked(&group, limits->by_flag, err);
    if (rc < 0)
        return rc;
    cgroup_record(&group, &record);
    if (streq(buf_text(&record), c->status.cgroup))
        return 0;
    free(c->status.cgroup);
    c->status.cgroup = buf_take(&record);
    return container_save_status(c, err);
}

static int update_locked(struct container *c, const struct request *r, struct error *err)
{
    autoplan wanted = {0};
    struct restart_policy policy;
    plan_init(&wanted);
    int rc = r->restart ? restart_parse(r->restart, &policy, err) : 0;
    if (rc == 0 && r->restart && policy.kind != RESTART_NO && c->plan.remove)
        rc = error_set(err, -EINVAL, "--restart and --rm contradict each other");
    if (rc == 0)
        rc = judge(r, &c->plan, &wanted, err);
    if (rc == 0)
        rc = put_in_force(c, &wanted.limits, err);
    if (rc < 0)
        return rc;
    merge(&c->plan, &wanted, r);
    c->plan.limits.by_flag |= wanted.limits.by_flag;
    if (r->restart) {
        free(c->plan.restart);
        c->plan.restart = xstrdup(r->restart);
    }
    rc = container_save_plan(c, err);
    if (rc == 0)
        event_tell(c->all, &c->plan, c->id, "update", NULL, NULL);
    return rc;
}

int container_update(struct container *c, const struct request *r, struct error *err)
{
    int rc = container_lock(c, err);
    if (rc < 0)
        return rc;
    rc = update_locked(c, r, err);
    container_unlock(c);
    return rc;
}
