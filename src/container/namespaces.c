/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whose namespaces a container has: its own, the host's, or another container's.
 *
 * The kernel ties a process or IPC namespace to the user namespace that it was made in: only from
 * there /proc of it can be mounted and its processes be signalled. So who joins another container's
 * processes or shared memory lives in that container's user namespace, with its range of ids; the
 * two are then one for each other, as is asked for, and still nobody for the host. It is looked up
 * again at every start (opened.c): only a container that runs has namespaces.
 */
#include "base/cleanup.h"
#include "base/memory.h"
#include "base/text.h"
#include "container/networks.h"
#include "container/plan_make.h"
#include "container/ports.h"
#include "runtime/ids.h"

#define CONTAINER_PREFIX "container:"

/* What a flag with container:NAME means. */
struct donor {
    const char *flag, *asked; /* "--pid", "container:web" */
    struct container other;
    bool named;
};

static void donor_close(struct donor *donor)
{
    container_close(&donor->other);
}
#define autodonor __attribute__((cleanup(donor_close))) struct donor

/* Names no container: -EINVAL; nothing to do for other words. */
static int find_donor(const struct planning *p, struct donor *donor, struct error *err)
{
    const char *asked = donor->asked;
    if (!asked || !starts_with(asked, CONTAINER_PREFIX))
        return 0;
    const char *name = asked + strlen(CONTAINER_PREFIX);
    if (!*name)
        return error_set(err, -EINVAL, "%s %s: give the container's name after the colon",
                         donor->flag, asked);
    int rc = container_find(p->places->containers, name, &donor->other, err);
    if (rc < 0)
        return error_prefix(err, "%s", donor->flag);
    donor->named = true;
    return 0;
}

static bool has_users(const struct container *c)
{
    return c->plan.namespaces & PLAN_NS_USER;
}

/* Whose user namespace it is. */
static const char *users_of(const struct container *c)
{
    return c->plan.user_container ? c->plan.user_container : c->id;
}

/* --- the user namespace ------------------------------------------------------------------------
 */

/* One more container whose namespaces are joined; the first in *chosen decides. */
static int agree(const struct donor *donor, const struct donor **chosen, struct error *err)
{
    const struct donor *first = *chosen;
    if (!donor->named)
        return 0;
    if (!first) {
        *chosen = donor;
        return 0;
    }
    if (has_users(&first->other) == has_users(&donor->other) &&
        (!has_users(&donor->other) || streq(users_of(&first->other), users_of(&donor->other))))
        return 0;
    return error_set(err, -EINVAL,
                     "%s %s and %s %s: the two have different user namespaces; make one of them "
                     "with --userns container: and the name of the other",
                     first->flag, first->asked, donor->flag, donor->asked);
}

/* What --userns says, against what the namespaces that are joined need. */
static int check_asked(const struct planning *p, const struct donor *chosen, struct error *err)
{
    const char *asked = p->request->userns;
    const char *name = chosen->other.plan.name;
    bool host = asked && streq(asked, "host");
    if (streq(chosen->flag, "--userns"))
        return 0;
    if (has_users(&chosen->other) && asked && *asked)
        return error_set(err, -EINVAL,
                         "%s %s needs the user namespace of container %s: leave --userns %s away, "
                         "or say --userns container:%s",
                         chosen->flag, chosen->asked, name, asked, name);
    if (!has_users(&chosen->other) && !host && !p->host_users)
        return error_set(err, -EINVAL,
                         "%s %s needs --userns host: container %s has no user namespace of its own",
                         chosen->flag, chosen->asked, name);
    return 0;
}

static void take_users(struct planning *p, const struct donor *chosen, bool level_host)
{
    struct plan *plan = p->plan;
    if (chosen && has_users(&chosen->other)) {
        p->host_users = false;
        plan->namespaces |= PLAN_NS_USER;
        plan->user_container = xstrdup(chosen->other.id);
        autofree char *whose = xasprintf("that of container %s", chosen->other.plan.name);
        autofree char *flag = xasprintf("--userns container:%s", chosen->other.plan.name);
        planning_put(p, "user-namespace", whose, flag, !level_host);
        return;
    }
    if (chosen)
        p->host_users = true;
    if (!p->host_users)
        plan->namespaces |= PLAN_NS_USER;
    planning_put(p, "user-namespace", p->host_users ? "host" : "own range of ids", "--userns host",
                 p->host_users && !level_host);
}

int plan_users(struct planning *p, struct error *err)
{
    const struct request *r = p->request;
    const char *asked = r->userns;
    bool level_host = p->level == LEVEL_PRIVILEGED;
    autodonor users = {.flag = "--userns", .asked = asked, .other = CONTAINER_EMPTY};
    autodonor pid = {.flag = "--pid", .asked = r->pid, .other = CONTAINER_EMPTY};
    autodonor ipc = {.flag = "--ipc", .asked = r->ipc, .other = CONTAINER_EMPTY};
    struct donor *const donors[] = {&users, &pid, &ipc};
    const struct donor *chosen = NULL;
    int rc = 0;
    if (asked && *asked && !streq(asked, "host") && !streq(asked, "auto") &&
        !streq(asked, "private") && !starts_with(asked, CONTAINER_PREFIX))
        return error_set(err, -EINVAL,
                         "--userns %s: give auto (own range of ids), container:NAME or host",
                         asked);
    p->host_users = asked && *asked ? streq(asked, "host") : level_host;
    for (size_t i = 0; rc == 0 && i < sizeof donors / sizeof *donors; i++) {
        rc = find_donor(p, donors[i], err);
        if (rc == 0)
            rc = agree(donors[i], &chosen, err);
    }
    if (rc == 0 && chosen)
        rc = check_asked(p, chosen, err);
    if (rc == 0)
        take_users(p, chosen, level_host);
    return rc;
}

/* --- the others --------------------------------------------------------------------------------
 */

static int shares_host(const struct donor *donor, struct error *err)
{
    return error_set(err, -EINVAL, "%s %s: that container has the host's; say %s host", donor->flag,
                     donor->asked, donor->flag);
}

static void share(struct planning *p, const struct donor *donor, const char *protection,
                  char **container)
{
    *container = xstrdup(donor->other.id);
    autofree char *whose = xasprintf("that of container %s", donor->other.plan.name);
    autofree char *flag = xasprintf("%s container:%s", donor->flag, donor->other.plan.name);
    planning_put(p, protection, whose, flag, true);
}

/* Another container's; everything else is said in networks.c. */
static int network(struct planning *p, struct error *err)
{
    const struct strv *asked = &p->request->networks;
    const char *word = asked->len == 1 ? asked->items[0] : NULL;
    autodonor donor = {.flag = "--network", .asked = word, .other = CONTAINER_EMPTY};
    int rc = word ? find_donor(p, &donor, err) : 0;
    if (rc < 0)
        return rc;
    if (!donor.named)
        return plan_network(p, err);
    if (donor.other.plan.network == PLAN_NET_HOST)
        return shares_host(&donor, err);
    p->plan->network = PLAN_NET_CONTAINER;
    share(p, &donor, "network", &p->plan->network_container);
    rc = plan_network_refuse(p->request, word, err);
    return rc < 0 ? rc : plan_ports(p, word, err);
}

static int processes(struct planning *p, const struct donor *donor, struct error *err)
{
    const struct plan *other = &donor->other.plan;
    if (!(other->namespaces & PLAN_NS_PID) && !other->pid_container)
        return shares_host(donor, err);
    share(p, donor, "process-namespace", &p->plan->pid_container);
    return 0;
}

static int shared_memory(struct planning *p, const struct donor *donor, struct error *err)
{
    const struct plan *other = &donor->other.plan;
    if (!(other->namespaces & PLAN_NS_IPC) && !other->ipc_container)
        return shares_host(donor, err);
    if (!other->ipc_container && other->ipc != PLAN_IPC_SHAREABLE)
        return error_set(err, -EINVAL,
                         "--ipc %s: container %s does not share; make it with --ipc shareable",
                         donor->asked, other->name);
    share(p, donor, "ipc-namespace", &p->plan->ipc_container);
    return 0;
}

/* One of its own, or the host's. */
struct choice {
    const char *flag, *asked, *protection;
    unsigned bit;
    bool host_users; /* the kernel lets only the same user namespace use it */
};

static int own_or_host(struct planning *p, const struct choice *choice, struct error *err)
{
    const char *asked = choice->asked;
    bool ipc = choice->bit == PLAN_NS_IPC;
    if (!asked || !*asked || streq(asked, "private") ||
        (ipc && (streq(asked, "shareable") || streq(asked, "none")))) {
        p->plan->namespaces |= choice->bit;
        if (ipc && asked && streq(asked, "shareable"))
            p->plan->ipc = PLAN_IPC_SHAREABLE;
        if (ipc && asked && streq(asked, "none"))
            p->plan->ipc = PLAN_IPC_NONE;
        return 0;
    }
    if (!streq(asked, "host"))
        return error_set(err, -EINVAL, "%s %s: give %s", choice->flag, asked,
                         ipc ? "private, shareable, none, container:NAME or host"
                         : choice->bit == PLAN_NS_PID ? "private, container:NAME or host"
                                                      : "private or host");
    if (choice->host_users && !p->host_users)
        return error_set(err, -EINVAL,
                         "%s host needs --userns host: from a user namespace of its own a "
                         "container may not use the host's",
                         choice->flag);
    if (ids_limited())
        return error_set(err, -EPERM, "%s host is root's to give", choice->flag);
    autofree char *flag = xasprintf("%s host", choice->flag);
    planning_put(p, choice->protection, "host", flag, true);
    return 0;
}

/* What a container has of its own at every level, unless a flag shares another's. */
int plan_namespaces(struct planning *p, struct error *err)
{
    const struct request *r = p->request;
    const struct choice choices[] = {
        {"--pid", r->pid, "process-namespace", PLAN_NS_PID, true},
        {"--ipc", r->ipc, "ipc-namespace", PLAN_NS_IPC, true},
        {"--uts", r->uts, "uts-namespace", PLAN_NS_UTS, false},
        {"--cgroupns", r->cgroupns, "cgroup-namespace", PLAN_NS_CGROUP, false}};
    int rc = network(p, err);
    for (size_t i = 0; rc == 0 && i < sizeof choices / sizeof *choices; i++) {
        const struct choice *choice = &choices[i];
        autodonor donor = {.flag = choice->flag, .asked = choice->asked, .other = CONTAINER_EMPTY};
        bool may_share = choice->bit == PLAN_NS_PID || choice->bit == PLAN_NS_IPC;
        if (may_share)
            rc = find_donor(p, &donor, err);
        if (rc == 0 && !donor.named)
            rc = own_or_host(p, choice, err);
        else if (rc == 0)
            rc = choice->bit == PLAN_NS_PID ? processes(p, &donor, err)
                                            : shared_memory(p, &donor, err);
    }
    return rc;
}
