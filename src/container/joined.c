/* SPDX-License-Identifier: Apache-2.0 */
/* The other containers whose namespaces a plan joins, looked up anew at every start. */
#include <fcntl.h>

#include "base/cleanup.h"
#include "base/memory.h"
#include "base/text.h"
#include "container/networks.h"
#include "container/opened.h"
#include "runtime/donor.h"

struct ids opened_own_ids(const struct plan *plan)
{
    bool stand_in = plan->stand_in && plan->namespaces & PLAN_NS_USER && ids_limited();
    return (struct ids){
        .stand_in_uid = stand_in ? plan->uid : 0,
        .stand_in_gid = stand_in ? plan->gid : 0,
    };
}

/* One of its processes to enter by, as a pidfd. */
static int open_running(struct container *c, const char *id, struct container *other, pid_t *pid,
                        struct error *err)
{
    int rc = container_find(c->all, id, other, err);
    if (rc < 0)
        return rc;
    autofd pidfd = container_insider(other, pid, NULL);
    if (pidfd < 0 || (other->now != CONTAINER_RUNNING && other->now != CONTAINER_PAUSED))
        return error_set(err, -ESRCH,
                         "container %s is not running; start it first: caisson start %s",
                         other->plan.name, other->plan.name);
    return take_fd(&pidfd);
}

static int join_users(struct container *c, struct opened *o, struct error *err)
{
    autocontainer other = CONTAINER_EMPTY;
    pid_t pid;
    autofd pidfd = open_running(c, c->plan.user_container, &other, &pid, err);
    if (pidfd < 0)
        return pidfd;
    if (!(other.plan.namespaces & PLAN_NS_USER))
        return error_set(err, -EPERM,
                         "container %s has the host's user namespace this time, which this one was "
                         "not given: make it anew with --userns host",
                         other.plan.name);
    o->join.user = donor_namespace(pid, pidfd, "user", err);
    if (o->join.user < 0)
        return error_prefix(err, "container %s", other.plan.name);
    o->ids_of = other.status.pid;
    o->ids_of_start = other.status.start_time;
    return ids_of_process(other.status.pid, &o->ids, err);
}

/* From a user namespace a process or IPC namespace of another one cannot be used. */
static int check_users(const struct opened *o, const struct container *other, pid_t pid, int pidfd,
                       struct error *err)
{
    autofd users = donor_namespace(pid, pidfd, "user", err);
    autofd own = open("/proc/self/ns/user", O_RDONLY | O_CLOEXEC);
    if (users < 0)
        return users;
    if (!donor_same(users, o->join.user >= 0 ? o->join.user : own))
        return error_set(err, -EPERM,
                         "container %s was started in another user namespace meanwhile: start the "
                         "container whose one it was to be in before it",
                         other->plan.name);
    return 0;
}

static int join_one(struct container *c, const struct opened *o, const char *id, const char *kind,
                    int *shm, struct error *err)
{
    autocontainer other = CONTAINER_EMPTY;
    pid_t pid;
    autofd pidfd = open_running(c, id, &other, &pid, err);
    if (pidfd < 0)
        return pidfd;
    autofd fd = donor_namespace(pid, pidfd, kind, err);
    if (fd < 0)
        return error_prefix(err, "container %s", other.plan.name);
    int rc = streq(kind, "net") ? 0 : check_users(o, &other, pid, pidfd, err);
    if (rc == 0 && shm)
        rc = *shm = donor_shared_memory(pidfd, err);
    return rc < 0 ? error_prefix(err, "container %s", other.plan.name) : take_fd(&fd);
}

/* Who has its network finds the names that it finds. */
static void share_names(struct container *c)
{
    autocontainer other = CONTAINER_EMPTY;
    autobuf hosts = {0}, resolv = {0};
    if (container_find(c->all, c->plan.network_container, &other, NULL) < 0)
        return;
    container_network_files(&other, &hosts, &resolv);
    free(c->plan.hosts);
    c->plan.hosts = xstrdup(buf_text(&hosts));
    free(c->plan.resolv_conf);
    c->plan.resolv_conf = xstrdup(buf_text(&resolv));
}

int opened_joins(struct container *c, struct opened *o, struct error *err)
{
    const struct plan *plan = &c->plan;
    int rc = 0;
    if (plan->user_container && (rc = join_users(c, o, err)) < 0)
        return error_prefix(err, "--userns container:%.12s", plan->user_container);
    if (plan->pid_container) {
        rc = o->join.pid = join_one(c, o, plan->pid_container, "pid", NULL, err);
        if (rc < 0)
            return error_prefix(err, "--pid container:%.12s", plan->pid_container);
    }
    if (plan->ipc_container) {
        rc = o->join.ipc = join_one(c, o, plan->ipc_container, "ipc", &o->join.shm, err);
        if (rc < 0)
            return error_prefix(err, "--ipc container:%.12s", plan->ipc_container);
    }
    if (plan->network == PLAN_NET_CONTAINER) {
        rc = o->join.net = join_one(c, o, plan->network_container, "net", NULL, err);
        if (rc < 0)
            return error_prefix(err, "--network container:%.12s", plan->network_container);
        share_names(c);
    }
    return 0;
}
