/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Doing something in another network namespace, without going there.
 *
 * What a process makes (sockets) and looks at (/proc/sys/net) belongs to the network namespace that
 * it is in, and who has rights over a namespace of its own cannot go back to the host's. So a child
 * that shares our memory and our descriptors goes there, does it, and ends; we wait. Needs
 * CAP_SYS_ADMIN over that namespace and in our own user namespace.
 */
#ifndef CAISSON_NETWORK_ELSEWHERE_H
#define CAISSON_NETWORK_ELSEWHERE_H

#include "base/error.h"

/* Calls `what` in `namespace` (-1: here) and returns what it does; or a negative errno when it
 * could not be called. `what` may use the heap and leave descriptors open; it may not exit. */
int elsewhere_do(int namespace, int (*what)(void *closure), void *closure);
/* socket(2) there. The descriptor or a negative errno. */
int elsewhere_socket(int namespace, int domain, int type, int protocol);
/* A socket of netlink there (netlink.h). */
int elsewhere_netlink(int namespace, int protocol, struct error *err);

/* The same in a new namespace, which goes with it. */
int elsewhere_fresh_netlink(int protocol, struct error *err);

#endif
