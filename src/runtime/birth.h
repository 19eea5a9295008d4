/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Being born into a process namespace that others live in: a running container's (exec), or another
 * container's that is joined. For src/runtime only.
 *
 * Everybody inside sees what /proc shows of everybody (net, mountinfo, the command line) from a
 * process's first moment, and who has the right may look into it. So all that takes rights or shows
 * something of the host is done by a stage outside, which nobody inside sees; at its end it makes
 * the process as a sibling (CLONE_PARENT), with few rights left and no descriptor but those named.
 * Who that is the parent reads from memory that it shares with the stage, and not with the process:
 * nothing has to be said for it behind a filter that may forbid that, and one that is killed in
 * between leaves nobody unknown.
 */
#ifndef CAISSON_RUNTIME_BIRTH_H
#define CAISSON_RUNTIME_BIRTH_H

#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

struct child;
struct enter;

struct birth {
    pid_t pid;         /* 0: not yet */
    uint64_t mount_ns; /* the number of its mount namespace, when it is of interest */
};

/* In the parent, before the stage is made. */
int birth_expect(struct birth **birth, struct error *err);
void birth_forget(struct birth *birth);
/* Whom `stage` has made: waits until it has ended, but does not clean up after it. 0: nobody. The
 * number stays that process's own until we have waited for it. */
pid_t birth_of(pid_t stage, const struct birth *birth);

/* In the stage. What `enter` does is with the rights of a container's first process or less, beside
 * what the last stages need (enter.c). Where that would be a right of the host's that somebody
 * inside may get hold of, fences are put up here already. "Not dumpable" keeps nobody out who has
 * CAP_SYS_PTRACE where no user namespace lies between. Called before descriptors are closed. */
void birth_reduce_rights(struct child *c, const struct enter *enter);

/* In the stage: makes the process, which calls run() with its number outside, and ends. `enter` is
 * changed when there are no fences left to put up. */
_Noreturn void birth_give(struct child *c, struct enter *enter,
                          void (*run)(struct child *c, void *closure, const pid_t *pid),
                          void *closure);

#endif
