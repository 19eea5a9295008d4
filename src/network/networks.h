/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Networks by name, and which address belongs to whom.
 *
 *   <root>/networks/NAME/network.json   what was asked for: subnets, labels, options
 *   <state>/networks/NAME/left/         a symlink for each address that somebody had before
 *   <state>/networks/NAME/leases/       a symlink for each address that is given out, named by the
 *                                       address; what it says is "ID FLAGS MAC"
 *
 * A network is made below a name that begins with a dot and gets its own in one step; it is removed
 * the other way round. Making a symlink is what gives an address: of two that want the same one
 * gets it. After a boot all leases are gone, as are the bridges, which are made again when a
 * container needs one.
 *
 * The network "bridge" is there without having been made: containers that ask for no other are on
 * it, and none of them reaches another.
 *
 * Guarded against: names that are paths; subnets that overlap with one another's or with a route of
 * the host.
 */
#ifndef CAISSON_NETWORK_NETWORKS_H
#define CAISSON_NETWORK_NETWORKS_H

#include <net/if.h>

#include "base/clock.h"
#include "base/strv.h"
#include "network/address.h"
#include "network/firewall.h"

#define NETWORK_NAME_SIZE 128
#define NETWORK_ID_SIZE 65
#define NETWORK_DEFAULT "bridge"
#define NETWORK_OWNER_SIZE 65 /* a container's id, with its NUL */

/* Where networks are kept; both borrowed. */
struct network_place {
    int root, state;
};

/* One family of a network. address.family 0: it has none of this family. */
struct network_range {
    struct ip_prefix subnet;
    struct ip_address gateway;
    struct ip_prefix
        given; /* --ip-range: what is given out by itself; family 0: the whole subnet */
};

struct network {
    char name[NETWORK_NAME_SIZE];
    char id[NETWORK_ID_SIZE];
    char bridge[IFNAMSIZ];
    nanoseconds created;
    struct network_range ranges[2]; /* IPv4, IPv6 */
    bool internal, shared;
    uint32_t mtu;                /* 0: the usual */
    struct strv labels, options; /* NAME=VALUE */
    struct strv egress;          /* of containers that have no list of their own (egress.h) */
};

bool network_name_valid(const char *name);
int network_check_name(const char *name, struct error *err);

/* What `network create` fills in; the rest is chosen. `routes`: a NETLINK_ROUTE socket where the
 * networks are. -EEXIST, -EADDRINUSE (a subnet that overlaps, with the name of what has it),
 * -EINVAL. *network is what it then is. */
int network_create(const struct network_place *place, int routes, struct network *network,
                   bool ipv6, struct error *err);
/* By name, id or id prefix. The default network is made when it is asked for. -ENOENT. */
int network_find(const struct network_place *place, int routes, const char *word,
                 struct network *out, struct error *err);
void network_free(struct network *network);
#define autonetwork __attribute__((cleanup(network_free))) struct network
/* Names, sorted; the default network is among them once it was used. */
int network_list(const struct network_place *place, struct strv *names, struct error *err);
/* Its directory below root, locked by LOCK_SH or by LOCK_EX | LOCK_NB: who holds it shared keeps it
 * from being removed. -ENOENT, -EBUSY. */
int network_hold(const struct network_place *place, const char *name, int kind, struct error *err);
/* Only the books; whoever removes it holds it exclusively and has taken the bridge away. */
int network_forget(const struct network_place *place, const char *name, struct error *err);

void network_firewall(const struct network *network, struct firewall_network *out);

/* --- leases --- */

#define LEASE_HOST 1U     /* it may reach the host's services */
#define LEASE_METADATA 2U /* and where clouds keep credentials */
#define LEASE_EGRESS 4U   /* it has a list of destinations */
/* Which of its owner's networks this is, from 0. */
#define LEASE_PORT(number) ((unsigned)(number) << 8)
#define LEASE_PORT_OF(flags) ((flags) >> 8)

struct lease {
    struct ip_address address;
    char owner[NETWORK_OWNER_SIZE];
    unsigned flags;
    uint8_t mac[MAC_SIZE]; /* of the interface that has it */
};

/* Gives lease->owner an address of range `i`: lease->address (-EADDRINUSE, with the owner's id,
 * when somebody has it; -EINVAL when it cannot be given), or, with family 0, a free one (-ENOSPC),
 * which is filled in. As is the hardware address where all of it is 0: then it follows from the
 * other. */
int lease_take(const struct network_place *place, const struct network *network, size_t i,
               struct lease *lease, struct error *err);
/* Whose it is: whether the address is `owner`'s now. */
bool lease_is_of(const struct network_place *place, const char *network,
                 const struct ip_address *address, const char *owner);
/* Only when it is the owner's. A missing one is no error. */
void lease_return(const struct network_place *place, const char *network,
                  const struct ip_address *address, const char *owner);
struct leases {
    struct lease *items;
    size_t count;
};
/* All of a network; damaged entries are left out. */
int lease_list(const struct network_place *place, const char *network, struct leases *out,
               struct error *err);
/* Addresses that somebody had, of whose connections the kernel may still know: the next one is not
 * to have them. Marked before they are given back; forgotten together (network_forget_left()),
 * since looking through the kernel's table takes as long for all as for one. */
int lease_mark_left(const struct network_place *place, const char *network,
                    const struct ip_address *address);
bool lease_was_left(const struct network_place *place, const char *network,
                    const struct ip_address *address);
/* *out: an allocation; both are added to. */
int lease_list_left(const struct network_place *place, const char *network, struct ip_address **out,
                    size_t *count, struct error *err);
void lease_unmark_left(const struct network_place *place, const char *network,
                       const struct ip_address *list, size_t count);

void leases_free(struct leases *leases);
#define autoleases __attribute__((cleanup(leases_free))) struct leases

#endif
