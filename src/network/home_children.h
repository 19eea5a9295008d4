/* SPDX-License-Identifier: Apache-2.0 */
/* The two children of caisson-home (home_keep.h). For src/network only. */
#ifndef CAISSON_NETWORK_HOME_CHILDREN_H
#define CAISSON_NETWORK_HOME_CHILDREN_H

#include <sys/types.h>

#include "base/error.h"

struct home_child {
    pid_t pid;
    int pidfd; /* -1: there is none */
    int said;  /* what it writes to its standard error, or -1 */
};
#define HOME_CHILD_NONE                                                                            \
    {                                                                                              \
        .pidfd = -1, .said = -1                                                                    \
    }
/* Kills it, if it is there, and waits for it. */
void home_child_end(struct home_child *child);

/* In a new network namespace, which *namespace then is, or in that one. It ends with this process.
 */
int home_anchor_start(int *namespace, struct home_child *out, struct error *err);

/* For each address family that a network namespace has a way out of, a bit; `routes` is a socket of
 * it. */
#define HOME_WAY_4 1U
#define HOME_WAY_6 2U
unsigned home_ways(int routes);

/* Starts pasta between this process's network namespace and that of the anchor, in which `routes`
 * is a socket, and waits until it has made the ways out `wanted` there. On failure `err` is what it
 * said. It ends with this process. */
int home_pasta_start(const struct home_child *anchor, int routes, unsigned wanted,
                     struct home_child *out, struct error *err);

#endif
