/* SPDX-License-Identifier: Apache-2.0 */
/*
 * As whom a client appears in a container, and the socket that stands for it there.
 *
 * Inside it has the address, and where that is possible the port, that it has outside. Who has an
 * address that is nobody's alone (loopback), the host's, or one that the container takes for its
 * own, appears as the gateway of the container's network: so no process inside mistakes anybody
 * outside for itself. The same goes for clients of an address family that the container lacks, and
 * where the host knows nothing of the container's networks (an ordinary user's) for addresses that
 * look like its neighbours'.
 */
#ifndef CAISSON_NETWORK_PORT_CLIENT_H
#define CAISSON_NETWORK_PORT_CLIENT_H

#include "network/ports.h"
#include "network/socket_address.h"

struct port_place {
    struct ip_address own[2], gateway[2]; /* the container's, IPv4 and IPv6; family 0: none */
    bool apart;                           /* the host is not on its networks */
    int outside, inside; /* NETLINK_ROUTE sockets of the host's and the container's network */
};

/* A socket to the container's port, in this process's network namespace, with CAP_NET_RAW there. A
 * TCP connection is under way. The descriptor or -errno. */
int port_connect(const struct port_place *place, const struct socket_address *client,
                 const struct port *to);

#endif
