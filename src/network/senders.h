/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who may send what on a cable. The firewall (firewall.h) knows containers by their addresses; this
 * makes an address mean its container: on the port of a bridge where a container's cable ends,
 * frames pass only from its own hardware address, with its own IP address as sender, and speak of
 * no other in ARP (RFC 826) and neighbour advertisements (RFC 4861). What is neither IP nor ARP
 * (VLAN tags among it) does not pass. A bridge learns nothing from what was dropped.
 *
 * One table of family bridge for each table of the firewall, changed in the same transactions. For
 * src/network only.
 */
#ifndef CAISSON_NETWORK_SENDERS_H
#define CAISSON_NETWORK_SENDERS_H

#include "network/link.h"
#include "network/nft.h"

/* What the names of all cables begin with, at the host's end. */
#define SENDERS_CABLE_PREFIX "cv"

/* The table and its rules; `n` speaks of another family only meanwhile. */
void senders_add_table(struct nft *n);
void senders_delete_table(struct nft *n);
/* One address of a container's. */
void senders_add(struct nft *n, const char *cable, const uint8_t mac[MAC_SIZE],
                 const struct ip_address *address);
void senders_remove(struct nft *n, const char *cable, const uint8_t mac[MAC_SIZE],
                    const struct ip_address *address);

#endif
