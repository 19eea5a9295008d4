/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside a container: the way back to sockets that are bound to clients' addresses.
 *
 * Whoever relays a client's bytes (port_client.h) does it by a socket in the container's network
 * namespace that bears the client's own address and a mark. Its packets go over the container's
 * loopback; the answers would go out of the container's interface, to the real client, were it not
 * for what is made here: what bears the mark stays inside. Sockets that accept a connection take
 * its mark over, refusals too. Datagrams have no such socket; there the kernel's table of
 * connections remembers the mark, and a rule gives it to the answers; where there is no way out for
 * them to begin with (an internal network), they are sent inside at once.
 *
 * A container that may administer its network can undo it: then its own ports answer nobody.
 */
#ifndef CAISSON_NETWORK_RETURN_PATH_H
#define CAISSON_NETWORK_RETURN_PATH_H

#include "network/listen.h"

#define RETURN_MARK 0xca15u
#define RETURN_TABLE 0xca15u

/* In this process's network namespace, which it has to own. `own`: the container's addresses. */
int return_path_make(const struct ip_address own[2], const struct listeners *listeners,
                     struct error *err);

#endif
