/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel's log of packets (nfnetlink_log): what a rule with nft_log() hands to a group. */
#ifndef CAISSON_NETWORK_NFLOG_H
#define CAISSON_NETWORK_NFLOG_H

#include "network/address.h"
#include "network/netlink.h"

#define NFLOG_PREFIX_MAX 128

struct nflog_packet {
    char prefix[NFLOG_PREFIX_MAX]; /* the rule's own word: not the sender's */
    struct ip_address destination;
    uint8_t protocol;
    uint16_t port; /* 0: it has none */
};

/* Reads where a packet goes; it may be cut off, and its bytes are its sender's. Headers behind that
 * of IPv6 are not followed: then the protocol is theirs. False: it is none of the internet's. */
bool nflog_packet_parse(const uint8_t *bytes, size_t size, struct nflog_packet *out);

/* Makes the socket (NETLINK_NETFILTER) the reader of a group, which can have one. */
int nflog_join(int fd, uint16_t group, struct error *err);
typedef void nflog_each(const struct nflog_packet *packet, void *closure);
/* What has come, without waiting. */
void nflog_read(int fd, nflog_each *each, void *closure);

#endif
