/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A process that is made from other namespaces than ours, and is our child all the same.
 *
 * Some namespaces can be joined only before another is made, or only from inside of one, and pid
 * namespaces count for children alone. So a short-lived process in between joins them and makes the
 * real one as its sibling (CLONE_PARENT); we stay where we are. It shares our table of descriptors,
 * into which the pidfd comes, and it is what enters the control group: from within another user
 * namespace that may be forbidden.
 */
#ifndef CAISSON_RUNTIME_BETWEEN_H
#define CAISSON_RUNTIME_BETWEEN_H

#include "runtime/syscalls.h"

struct between {
    /* In the process between: 0 or -errno; *detail reaches the caller. */
    int (*enter)(void *closure, int *detail);
    /* In the new process; does not return. */
    void (*child)(void *closure);
    void *closure;
};

/* The new process, or -errno with *detail of enter() (-1: it was not that which failed). Flags and
 * cgroup are taken from `args`; the process ends with SIGCHLD. */
int between_clone(const struct between *between, const struct clone_args *args, int *pidfd,
                  int *detail);

#endif
