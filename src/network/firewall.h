/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The firewall: who may reach whom. One table of nf_tables for all networks of one place (the host,
 * or an ordinary user's namespace of a network), in which rules are the same always and only sets
 * change: a container costs the same few elements whatever else there is.
 *
 *   from a container        only with the address that is its own; to those that share its network
 *                           when that is for sharing, to nobody else behind our bridges; not to
 *                           where clouds keep credentials; as its list of destinations says; then
 *                           out, by NAT
 *   to a container          answers, and those that share its network
 *   from a container to us  names (port 53 of its gateway) where they are answered; with a flag
 *                           everything, what the host redirects elsewhere included; nothing else
 *   from outside to its     nothing: not even packets that were routed here for its address
 *   own address
 *
 * Where this is not the host itself but stands for it (home.h), what the host takes for its own
 * lies outside: those addresses are kept in sets, and as closed as we are.
 *
 * What we let pass is still for other tables to drop: an accept here overrides no rule of the
 * host's own firewall, nor does a packet of somebody else's ever meet more than one lookup here.
 *
 * Guarded against: forged senders, each on its own cable (senders.h; a container may have
 * CAP_NET_RAW), neighbours of the host that route to containers, and being flushed:
 * firewall_look() tells.
 */
#ifndef CAISSON_NETWORK_FIREWALL_H
#define CAISSON_NETWORK_FIREWALL_H

#include "network/link.h"
#include "network/nft.h"

#define FIREWALL_TABLE "caisson"

/* What there is of our tables: FIREWALL_PART is also said of those of another version. Or a
 * negative errno. */
enum firewall_state { FIREWALL_NONE, FIREWALL_PART, FIREWALL_WHOLE };
int firewall_look(int fd, const char *table, struct error *err);

/* What the names of all bridges begin with. */
#define FIREWALL_BRIDGE_PREFIX "cs-"

#define FIREWALL_OURS_4 1U
#define FIREWALL_OURS_6 2U
#define FIREWALL_HIGH_PORTS 4U

/* Everything but the elements. FIREWALL_OURS_*: forwarding was off before there were containers, so
 * what neither comes from a bridge nor goes to one is not forwarded. FIREWALL_HIGH_PORTS: what goes
 * out does from ports that need no rights, because whoever passes it on has none. */
void firewall_add_table(struct nft *n, unsigned flags);
/* All of it, as far as it is there. */
void firewall_delete_table(struct nft *n);

/* What the host takes for its own: instead of what was said before. None overlaps with another. */
void firewall_set_own(struct nft *n, const struct ip_prefix *own, size_t count);

struct firewall_network {
    const char *bridge;
    struct ip_prefix subnets[2];   /* family 0: none */
    struct ip_address gateways[2]; /* of the same families */
    bool answers;                  /* somebody answers for names on the gateways, */
    bool aside;                    /* at FIREWALL_ASIDE_PORT, since another has port 53 */
    bool internal;                 /* no way out */
    bool shared;                   /* its containers reach each other */
};
#define FIREWALL_ASIDE_PORT 51753
/* What is sent to port 53 of the gateways goes there. */
void firewall_lead_aside(struct nft *n, const struct firewall_network *network);
void firewall_add_network(struct nft *n, const struct firewall_network *network);
void firewall_remove_network(struct nft *n, const struct firewall_network *network);

struct firewall_member {
    const char *bridge;             /* NULL: only what the flags below say */
    const char *cable;              /* the host's end, and the container's hardware address; */
    uint8_t mac[MAC_SIZE];          /* NULL: see `bridge` */
    struct ip_address addresses[2]; /* family 0: none */
    bool host;                      /* may reach the host's own services */
    bool metadata;                  /* may reach link-local addresses of clouds */
    const char *egress;             /* the chain that judges what goes out; NULL: it may all */
};
void firewall_add_member(struct nft *n, const struct firewall_member *member);
void firewall_remove_member(struct nft *n, const struct firewall_member *member);

#endif
