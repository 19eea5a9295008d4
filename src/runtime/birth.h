/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Being born into a process namespace that others live in: a running container's (exec), or another
 * container's that is joined. For src/runtime only.
 *
 * Everybody inside sees what /proc shows of everybody (net, mountinfo, the command line) from a
 * process's first moment, and who has the right may look into it. So all that takes rights or shows
 * something of the host is done by a stage outside, which nobody inside sees; at its end it makes
 * the process as a sibling (CLONE_PARENT), with few rights left and no descriptor but those named.
 */
#ifndef CAISSON_RUNTIME_BIRTH_H
#define CAISSON_RUNTIME_BIRTH_H

#include "runtime/child.h"

/* "Not dumpable" keeps nobody out who has CAP_SYS_PTRACE where no user namespace lies between. So
 * what will be seen inside has no more rights than the container may get, beside what the last
 * stages need (enter.c). `fences`: there is a filter or a fence to put up. */
void birth_reduce_rights(struct child *c, const struct caps *final, bool fences);

/* Makes the process, which calls run() with its number outside, tells the parent (CHILD_BORN) and
 * ends. */
_Noreturn void birth_give(struct child *c,
                          void (*run)(struct child *c, void *closure, const pid_t *pid),
                          void *closure);

#endif
