/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of attach.h share with one another, and with checking and repairing (check.h). For
 * src/network only. */
#ifndef CAISSON_NETWORK_ATTACH_PARTS_H
#define CAISSON_NETWORK_ATTACH_PARTS_H

#include "network/attach.h"

/* Sends it; an error says what could not be done: "cannot WHAT: …". */
int send_links(int fd, struct netlink_batch *b, const char *what, struct error *err);

/* --- forwarding.c --- */

/* IPv4, IPv6. */
extern const struct forwarding {
    const char *path, *note; /* the note lies in <state>/networks */
} forwardings[2];
/* The families of a network that are not forwarded, a bit for each; or a negative errno. */
int not_forwarded(const struct network_host *host, const struct network *network);
/* What is off, and will be on because of us: noted before the firewall is made, which then forwards
 * nothing but ours, and that before it is on. 1 when something was noted. */
int note_forwarding(const struct network_host *host, const struct network *network,
                    struct error *err);
/* On, for the families that the network has. */
int forward(const struct network_host *host, const struct network *network, struct error *err);
/* FIREWALL_OURS_4 and _6. */
unsigned forwards_for_us(const struct network_host *host);

/* --- attach_firewall.c --- */

/* Of the table on this host: firewall_add_table(). */
unsigned table_flags(const struct network_host *host);

/* The host's end of the cable to a container's n-th network. */
void cable_name(const char *owner, unsigned number, char name[IFNAMSIZ]);

/* A member of the firewall, with room for what it points to. */
struct passing {
    struct firewall_member member;
    const char *owner; /* borrowed */
    char cable[IFNAMSIZ], key[EGRESS_KEY_MAX], chain[EGRESS_CHAIN_MAX];
};
void passing_of(const struct network *network, const struct lease *lease, struct passing *out);

/* What belongs to the host, where that is elsewhere. */
int write_own(const struct network_host *host, struct nft *n, struct error *err);
/* The elements of a network and of all who are on it. */
int write_network(const struct network_host *host, const struct network *network, struct nft *n,
                  struct error *err);
/* The same into a table that lacks them. */
int admit_network(const struct network_host *host, const struct network *network,
                  struct error *err);
/* The whole table from the books, in the place of what there is of it; also where that is whole
 * only with `anew`. */
int restore_firewall(const struct network_host *host, bool anew, struct error *err);

/* --- attach.c --- */

/* Makes it, or what is missing of it: up, and with its addresses. Its index. */
int make_bridge(const struct network_host *host, const struct network *network, struct error *err);
/* The container's cable, if there is one, into the bridge with this index. */
int plug_lease(const struct network_host *host, const struct network *network,
               const struct lease *lease, int bridge, struct error *err);

#endif
