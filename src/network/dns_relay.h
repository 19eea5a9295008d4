/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An upstream server's answer becomes ours: read whole and written anew, so that no byte that is
 * not well-formed reaches a container.
 *
 * What is kept of it: the records of the question's name and of the names that it is an alias of
 * (chains of CNAME, in whatever order they stand), and what a negative answer needs (RFC 2308).
 * Nothing else counts, so a server can say nothing about names that were not asked for.
 */
#ifndef CAISSON_NETWORK_DNS_RELAY_H
#define CAISSON_NETWORK_DNS_RELAY_H

#include "network/dns.h"

#define RELAY_ADDRESSES_MAX 32
#define RELAY_CHAIN_MAX 16

struct dns_relay {
    /* Of addresses only those that `keep` says yes to, and at most RELAY_ADDRESSES_MAX; NULL: all.
     */
    bool (*keep)(const struct ip_address *a, const void *closure);
    const void *closure;
    uint32_t ttl_max;
    uint32_t age; /* seconds since the answer came */
    /* What it was about. */
    struct ip_address addresses[RELAY_ADDRESSES_MAX]; /* only with `keep` */
    size_t address_count;
    uint32_t ttl; /* the highest of an address; seconds */
    size_t dropped;
};

/* Adds its records. -EBADMSG: it is no proper answer, and `w` is not one either. */
int dns_relay(const struct dns_response *r, struct dns_relay *relay, struct dns_writer *w);
/* How many seconds an answer of ours may be kept; 0: not at all. */
uint32_t dns_lifetime(const struct dns_response *r);

#endif
