/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A process that is being made, as its parent holds it: what is open meanwhile, one conversation by
 * messages, and everything undone unless it was let go. The same for our own containers, for
 * bundles and for exec. For src/runtime only.
 */
#ifndef CAISSON_RUNTIME_HELD_H
#define CAISSON_RUNTIME_HELD_H

#include "runtime/between.h"
#include "runtime/child.h"

struct held {
    struct launched result;
    struct cgroup_making *group;
    int socket, childs_socket; /* our end and the child's */
    int userns;                /* the container's, for mapping mounts; -1 */
    struct birth *birth;       /* where it is a stage that the real process comes from; NULL */
    bool let_go;
};
#define HELD_NONE                                                                                  \
    {                                                                                              \
        .result = {.pidfd = -1, .terminal = -1, .cgroup = CGROUP_EMPTY}, .socket = -1,             \
        .childs_socket = -1, .userns = -1                                                          \
    }

/* Closes what only making it needed; kills it and removes its control group unless it was let go.
 */
void held_end(struct held *held);

/* Makes it, in a control group; how->child() runs in it, with the child's end of the socket alone,
 * and how->enter(), unless NULL, in a process between. -errno: *step is that of how->enter(), or -1
 * and err says it. */
int held_make(struct held *held, struct cgroup *group, uint64_t flags, const struct between *how,
              int *step, struct error *err);

/* One message, with a descriptor or -1 that the caller takes; 1 when there will be no more. */
int held_hear(struct held *held, struct child_message *message, int *fd, struct error *err);

/* The process that a stage has made takes its place; the stage is over. -ECHILD: there is none. */
int held_take_born(struct held *held, struct error *err);

/* Resource limits of the plan; *failed is which one could not be set. */
int held_set_limits(const struct plan *plan, pid_t pid, const struct rlimit_spec **failed);
int held_set_oom_score(pid_t pid, int64_t score);

#endif
