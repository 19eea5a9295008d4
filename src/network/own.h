/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What belongs to the host, for a firewall that is not the host's (home.h): its addresses, but for
 * loopback ones, which lead nowhere from another network namespace; and root's containers, which
 * processes on the host reach, and pasta is one. They come and go; so they are looked at when the
 * table is made, and whenever the kernel says that they changed.
 *
 * For src/network only.
 */
#ifndef CAISSON_NETWORK_OWN_H
#define CAISSON_NETWORK_OWN_H

#include "network/address.h"
#include "network/nft.h"

struct own {
    struct ip_prefix *items; /* none overlaps with another */
    size_t count;
};
void own_free(struct own *own);
#define autoown __attribute__((cleanup(own_free))) struct own

/* By a NETLINK_ROUTE socket of the host's. */
int own_look(int outside, struct own *out, struct error *err);

/* A socket that can be read when something changed of addresses or routes of this process's network
 * namespace, and what it says. */
int own_watch(struct error *err);
/* Reads all of it. */
void own_heard(int fd);

#endif
