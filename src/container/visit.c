/* SPDX-License-Identifier: Apache-2.0 */
#include "container/visit.h"

#include "base/cleanup.h"
#include "container/disk.h"
#include "container/opened.h"
#include "runtime/ids.h"

#define CLEAN_UP_TIME (10 * NSEC_PER_SEC)

static bool owner_is_alive(void *closure, const char *id)
{
    return disk_alive(closure, id);
}

/* The plan as far as files go. What is left out is borrowed from the whole one or nothing. */
static void only_files(struct plan *plan)
{
    static char top[] = "/";
    plan->namespaces |= PLAN_NS_NET | PLAN_NS_PID | PLAN_NS_IPC;
    plan->network = PLAN_NET_NONE;
    plan->pid_container = plan->ipc_container = plan->user_container = NULL;
    plan->ipc = PLAN_IPC_PRIVATE;
    plan->sysctls = (struct strv){0};
    plan->masked = plan->read_only_paths = (struct strv){0};
    plan->seccomp = PLAN_SECCOMP_OFF;
    plan->landlock = false;
    plan->label.kind = LABEL_NONE;
    plan->terminal = plan->init = false;
    plan->rlimit_count = plan->device_count = 0;
    plan->all_devices = false;
    plan->remove = false; /* or its writable layer could not be used a second time */
    plan->oom_score_adj = INT64_MIN;
    plan->cwd = top;
}

/* Nothing over the root file system either. */
static void bare(struct plan *plan)
{
    plan->mount_count = 0;
    plan->passwd = plan->group = plan->hosts = plan->resolv_conf = plan->hostname = NULL;
}

static int launch(struct visit *v, struct launch *l, struct plan *plan, const struct errand *errand,
                  struct error *err)
{
    struct containers *all = v->container->all;
    const char *id = v->container->id;
    int rc = 0;
    ids_forget(all->state_top, id); /* what one that was killed had claimed for it */
    if (plan->namespaces & PLAN_NS_USER)
        rc = ids_claim(all->state_top, id, owner_is_alive, all, &v->id_base, err);
    if (rc < 0)
        return rc;
    l->ids.base = v->id_base;
    rc = errand_launch(l, errand, &v->run, &v->spent, err);
    if (rc != -EOPNOTSUPP || !(plan->namespaces & PLAN_NS_USER))
        return rc;
    /* As when it is started: where mounts cannot map ids, they are not mapped. */
    ids_release(all->state_top, id, v->id_base);
    v->id_base = 0;
    l->ids = (struct ids){0};
    plan->namespaces &= ~(unsigned)PLAN_NS_USER;
    *err = (struct error){0};
    return errand_launch(l, errand, &v->run, &v->spent, err);
}

static int visit_stopped(struct visit *v, struct store *store, const struct errand *errand,
                         struct error *err)
{
    struct opened o __attribute__((cleanup(opened_close))) = OPENED_NONE;
    struct container files = *v->container; /* borrows everything */
    only_files(&files.plan);
    int rc = opened_open(&files, store, NULL, &o, err);
    if (rc < 0)
        return rc;
    if (errand->bare)
        bare(&files.plan);
    struct launch l = {
        .plan = &files.plan,
        .layers = o.layers,
        .layer_count = o.layer_count,
        .upper = o.upper,
        .sources = o.sources,
        .ids = o.ids,
        .join = LAUNCH_JOIN_NONE,
        .stdio = {0, 1, 2},
    };
    return launch(v, &l, &files.plan, errand, err);
}

static void give_back(struct visit *v)
{
    spent_close(&v->spent);
    if (v->id_base)
        ids_release(v->container->all->state_top, v->container->id, v->id_base);
    if (v->locked)
        container_unlock(v->container);
    v->locked = false;
    v->id_base = 0;
}

int visit_begin(struct container *c, struct store *store, const struct errand *errand,
                struct visit *out, struct error *err)
{
    struct visit v = VISIT_NONE;
    v.container = c;
    int rc = c->ending ? container_wait(c, CLEAN_UP_TIME, err) : 0;
    if (rc == 0)
        rc = container_lock(c, err);
    if (rc < 0)
        return rc;
    v.locked = true;
    if (container_runs(c->now)) {
        container_unlock(c);
        v.locked = false;
        pid_t pid;
        autofd pidfd = container_insider(c, &pid, err);
        rc = pidfd < 0 ? pidfd : errand_join(&c->plan, pidfd, errand, &v.run, err);
    } else {
        rc = visit_stopped(&v, store, errand, err);
    }
    if (rc < 0) {
        give_back(&v);
        return error_prefix(err, "container %s", c->plan.name);
    }
    *out = v;
    return 0;
}

int visit_end(struct visit *v, uint64_t *count, struct error *err)
{
    if (!v->container)
        return 0;
    int rc = errand_end(&v->run, count, err);
    give_back(v);
    v->container = NULL;
    return rc;
}
