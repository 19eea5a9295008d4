/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel's table of connections (nfnetlink_conntrack). */
#ifndef CAISSON_NETWORK_CONNTRACK_H
#define CAISSON_NETWORK_CONNTRACK_H

#include "network/address.h"
#include "network/netlink.h"

/* Removes the connections that were begun from any of these addresses, which are sorted: packets
 * that look as if they belonged to one are then new ones. Takes as long as the kernel's table is
 * large, some ten milliseconds. `fd`: NETLINK_NETFILTER of that network namespace. Not to be able
 * to look, because the kernel has no such table, is no error. */
int conntrack_forget(int fd, struct ip_address *list, size_t count, struct error *err);

#endif
