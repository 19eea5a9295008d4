/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One more process in a running container, behind the same fences as its first. A stage between
 * enters the namespaces in one step through a descriptor of the first process, which cannot be
 * mistaken for another, and makes the process as a child of ours: so it is only seen inside when
 * nothing of the host is reachable through it any more, not even by what /proc shows of everybody
 * (net, mountinfo, the command line). Until its execve nobody inside may look into it (it is not
 * dumpable).
 */
#ifndef CAISSON_RUNTIME_JOIN_H
#define CAISSON_RUNTIME_JOIN_H

#include "runtime/bundle.h"
#include "runtime/launch.h"

struct join {
    const struct plan *plan; /* the container's, with args and env of the new process */
    int pidfd;               /* of the container's first process */
    struct cgroup *cgroup;
    uint32_t uid, gid;
    const uint32_t *groups;
    size_t group_count;
    const char *cwd;
    bool terminal;
    const struct seccomp_program *seccomp;
    const struct landlock_plan *landlock;
    int stdio[3]; /* -1: the container's own /dev/null */
    bool die_with_parent;
    /* Of a bundle's container; all zero for one of ours. */
    const struct bundle_attributes *attributes;
    int namespaces; /* CLONE_NEW*, those in which it is elsewhere than we; 0: the plan's */
    bool groups_denied;
    const struct seccomp_listener *listener;
    const struct caps *caps; /* NULL: what the plan grants, as far as the user gets it */
    int keep;                /* descriptors 3, 4, … that stay open */
};

/* As launch_container(); out->cgroup is not set. */
int join_container(const struct join *join, struct launched *out, int *exit_code,
                   struct error *err);

#endif
