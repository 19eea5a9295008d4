/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What caisson-port gives up before it reads the first byte of a client, in stages:
 *
 *   joined      in the container's user and network namespaces; the host is reached only by the
 *               sockets that it was given
 *   powerless   another user id, no_new_privs, of all capabilities CAP_NET_RAW, which counts in
 *               the container's network alone
 *   shut in     no file can be opened (Landlock), connections lead to the published ports only,
 *               and all but some thirty system calls end it (seccomp)
 */
#ifndef CAISSON_NETWORK_PORT_CONFINE_H
#define CAISSON_NETWORK_PORT_CONFINE_H

#include "network/port_loop.h"

int port_join(int network, struct error *err);
int port_confine(const struct port_loop *loop, struct error *err);

#endif
