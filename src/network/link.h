/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Interfaces, addresses and routes: the messages of rtnetlink(7) that networks need, each added to
 * a batch (netlink.h). They act where the batch's socket was opened.
 */
#ifndef CAISSON_NETWORK_LINK_H
#define CAISSON_NETWORK_LINK_H

#include <net/if.h>

#include "network/address.h"
#include "network/netlink.h"

/* The index of an interface; -ENODEV without a sentence when there is none. */
int link_index(int fd, const char *name, struct error *err);
/* The same, and whether it is up. */
int link_look(int fd, const char *name, bool *up, struct error *err);

/* A bridge, down; it neither learns of multicast groups nor takes part in spanning trees, and keeps
 * its address whatever its ports are. -EEXIST. */
void link_add_bridge(struct netlink_batch *b, const char *name, const uint8_t mac[MAC_SIZE],
                     uint32_t mtu);

/* Two ends of a cable: ours a port of a bridge, theirs in another network namespace, both without
 * IPv6 addresses of their own making; ours is up, theirs is to be taken up there. */
struct veth {
    const char *name;
    int bridge;         /* index */
    bool isolated;      /* as a port it reaches the bridge, and no other port that is isolated */
    const char *peer;   /* its name over there */
    int peer_namespace; /* descriptor */
    uint8_t peer_mac[MAC_SIZE];
    uint32_t mtu; /* 0: the usual */
};
void link_add_veth(struct netlink_batch *b, const struct veth *v);

void link_remove(struct netlink_batch *b, const char *name);
void link_up(struct netlink_batch *b, const char *name);
void link_down(struct netlink_batch *b, const char *name);
/* No IPv6 address comes up by itself (RFC 4862, 5.3); for before link_up(). */
void link_no_autoconfiguration(struct netlink_batch *b, const char *name);
/* Makes it a port of a bridge (index), and takes it up; `isolated` as of struct veth. */
void link_plug(struct netlink_batch *b, const char *name, int bridge, bool isolated);
/* It is no port of a bridge any more. */
void link_unplug(struct netlink_batch *b, const char *name);

/* `p`: the address with the length of its network. IPv6 addresses are used at once, without looking
 * for duplicates (RFC 4862, 5.4): we give each out once. -EEXIST. */
void link_add_address(struct netlink_batch *b, int index, const struct ip_prefix *p);
/* -EADDRNOTAVAIL. */
void link_remove_address(struct netlink_batch *b, int index, const struct ip_prefix *p);
/* To a prefix (length 0: the default route) by way of `gateway`, or of the link itself where that
 * is none. */
void link_add_route(struct netlink_batch *b, int index, const struct ip_prefix *to,
                    const struct ip_address *gateway);

/* What is sent to a prefix goes nowhere. */
void link_add_dead_end(struct netlink_batch *b, const struct ip_prefix *to);

/* Packets of an address family that bear `mark` are looked up in `table`, before the main one; in
 * which every address is to be this machine's own. -EEXIST where it is there already. */
void link_add_mark_rule(struct netlink_batch *b, int family, uint32_t mark, uint32_t table);
/* From one's own address `source`. */
void link_add_everything_local(struct netlink_batch *b, int loopback,
                               const struct ip_address *source, uint32_t table);
/* So are datagrams from a port of ours, when no other table knows where to. */
void link_add_last_port_rule(struct netlink_batch *b, int family, uint16_t port, uint32_t table);
/* Whether an address is one of the machine's own, where `fd` was opened. */
bool link_is_own(int fd, const struct ip_address *address);
/* Whether it is reached without a gateway: one's own, or a neighbour's. */
bool link_is_near(int fd, const struct ip_address *address);

/* The machine's own address that it would speak from to far away; family 0: there is no way. */
struct ip_address link_source(int fd, int family);

/* Every destination of the main table's routes. `each` returns 0, or what is to be returned. */
typedef int route_each(const struct ip_prefix *to, int index, void *closure);
int link_routes(int fd, int family, route_each *each, void *closure, struct error *err);
/* The same for what the machine takes for itself: its own addresses, and prefixes that it answers
 * for as a whole. */
int link_own(int fd, int family, route_each *each, void *closure, struct error *err);

#endif
