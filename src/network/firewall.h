/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The firewall: who may reach whom. One table of nf_tables for all networks of one place (the host,
 * or an ordinary user's namespace of a network), in which rules are the same always and only sets
 * change: a container costs the same few elements whatever else there is.
 *
 *   from a container        only with an address that its network gave out; to those that share it
 *                           when that is for sharing, to nobody else behind our bridges; not to
 *                           where clouds keep credentials; as its list of destinations says; then
 *                           out, by NAT
 *   to a container          answers, and those that share its network
 *   from a container to us  names (port 53 of its gateway); with a flag everything; nothing else
 *   from outside to its     nothing: not even packets that were routed here for its address
 *   own address
 *
 * What we let pass is still for other tables to drop: an accept here overrides no rule of the
 * host's own firewall, nor does a packet of somebody else's ever meet more than one lookup here.
 *
 * Guarded against: senders that nobody gave their address (not yet: one in another's name on the
 * same bridge), neighbours of the host that
 * route to containers, and being flushed: firewall_is_there() tells.
 */
#ifndef CAISSON_NETWORK_FIREWALL_H
#define CAISSON_NETWORK_FIREWALL_H

#include "network/nft.h"

#define FIREWALL_TABLE "caisson"
/* A list of destinations with nothing on it. */
#define FIREWALL_CLOSED "closed"

/* Whether our table, with rules of this version, is there: 1 or 0; or a negative errno. */
int firewall_is_there(int fd, const char *table, struct error *err);

/* What the names of all bridges begin with. */
#define FIREWALL_BRIDGE_PREFIX "cs-"

#define FIREWALL_OURS_4 1U
#define FIREWALL_OURS_6 2U

/* Everything but the elements. `ours_only`: forwarding was off before there were containers, so
 * what neither comes from a bridge nor goes to one is not forwarded. */
void firewall_add_table(struct nft *n, unsigned ours_only);

struct firewall_network {
    const char *bridge;
    struct ip_prefix subnets[2];   /* family 0: none */
    struct ip_address gateways[2]; /* of the same families */
    bool internal;                 /* no way out */
    bool shared;                   /* its containers reach each other */
};
void firewall_add_network(struct nft *n, const struct firewall_network *network);
void firewall_remove_network(struct nft *n, const struct firewall_network *network);

struct firewall_member {
    const char *bridge;             /* NULL: only what the flags below say */
    struct ip_address addresses[2]; /* family 0: none */
    bool host;                      /* may reach the host's own services */
    bool metadata;                  /* may reach link-local addresses of clouds */
    const char *egress;             /* the chain that judges what goes out; NULL: it may all */
};
void firewall_add_member(struct nft *n, const struct firewall_member *member);
void firewall_remove_member(struct nft *n, const struct firewall_member *member);

#endif
