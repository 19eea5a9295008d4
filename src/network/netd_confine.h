/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the two processes of caisson-netd give up before they read the first foreign byte.
 *
 *   no_new_privs  both
 *   landlock      keeper: changes files in the state directory, reads where resolv.conf lies;
 *                 resolver: no file at all; both: TCP only to port 53 (where the kernel can tell)
 *   capabilities  keeper: CAP_NET_ADMIN; resolver: none
 *   seccomp       a list each; the resolver's has no call with a path, no process, no signal
 *
 * Without Landlock (before Linux 5.13) the others hold; all of them have to succeed where the
 * kernel has them.
 */
#ifndef CAISSON_NETWORK_NETD_CONFINE_H
#define CAISSON_NETWORK_NETD_CONFINE_H

#include <stddef.h>

#include "base/error.h"

int confine_keeper(int state, const int *read_only, size_t count, struct error *err);
int confine_resolver(struct error *err);

#endif
