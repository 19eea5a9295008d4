/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An egress list in nf_tables: for a container on one of its networks (egress_key())
 *
 *   chain egress-KEY        rules of addresses, then a look into the sets; then log and refuse
 *   set egress4-KEY, egress6-KEY  destination . protocol . port, of grants, with timeouts
 *   set egress4-KEY-any, …        destination . protocol, of rules without a port
 *
 * The chain sees only the first packet of a connection: firewall.c lets answers pass before. The
 * sets have a size of their own, so that a container whose names have ever new addresses fills what
 * is its own.
 */
#include "network/egress.h"

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <netinet/icmp6.h>
#include <stdio.h>
#include <string.h>

#define GRANTED_MAX 4096 /* elements of one set */
#define LOGGED_PER_SECOND 10
#define LOGGED_AT_ONCE 20

/* Where the addresses are: RFC 791, RFC 8200. */
static const struct {
    int family;
    uint8_t protocol, ping;
    uint32_t destination, size;
    enum nft_part part;
    char digit;
} families[2] = {{AF_INET, NFPROTO_IPV4, IPPROTO_ICMP, 16, 4, NFT_PART_IPV4, '4'},
                 {AF_INET6, NFPROTO_IPV6, IPPROTO_ICMPV6, 24, 16, NFT_PART_IPV6, '6'}};

void egress_key(const char *id, unsigned number, char out[EGRESS_KEY_MAX])
{
    if (number == 0)
        snprintf(out, EGRESS_KEY_MAX, "%.64s", id);
    else
        snprintf(out, EGRESS_KEY_MAX, "%.64s.%u", id, number % 100);
}

void egress_chain(const char *key, char out[EGRESS_CHAIN_MAX])
{
    snprintf(out, EGRESS_CHAIN_MAX, "egress-%.71s", key);
}

static void set_name(const char *key, size_t family, bool ports, char out[EGRESS_CHAIN_MAX])
{
    snprintf(out, EGRESS_CHAIN_MAX, "egress%c-%.71s%s", families[family].digit, key,
             ports ? "" : "-any");
}

static void add_sets(struct nft *n, const char *key)
{
    for (size_t i = 0; i < 4; i++) {
        char name[EGRESS_CHAIN_MAX];
        bool ports = i % 2;
        set_name(key, i / 2, ports, name);
        nft_add_set(n, &(struct nft_set){.name = name,
                                         .key = {families[i / 2].part, NFT_PART_PROTOCOL,
                                                 ports ? NFT_PART_PORT : NFT_PART_NONE},
                                         .timeouts = true,
                                         .size = GRANTED_MAX});
        nft_flush_set(n, name); /* of an earlier run, whose end nobody saw */
    }
}

static void only_family(struct nft *n, size_t family)
{
    nft_meta(n, NFT_META_NFPROTO, 0);
    nft_compare_u8(n, 0, NFT_CMP_EQ, families[family].protocol);
}

static void load_destination(struct nft *n, size_t family)
{
    nft_payload(n, NFT_PAYLOAD_NETWORK_HEADER, families[family].destination, families[family].size,
                0);
}

static void accept_prefix(struct nft *n, const char *chain, const struct egress_rule *r,
                          uint8_t protocol)
{
    size_t family = r->prefix.address.family == AF_INET6;
    struct ip_prefix bits = {.length = r->prefix.length};
    bits.address.family = r->prefix.address.family;
    memset(bits.address.bytes, 0xff, sizeof bits.address.bytes);
    struct ip_address mask = ip_first(&bits), first = ip_first(&r->prefix);
    nft_rule_begin(n, chain);
    only_family(n, family);
    nft_meta(n, NFT_META_L4PROTO, 0);
    nft_compare_u8(n, 0, NFT_CMP_EQ, protocol);
    load_destination(n, family);
    nft_mask(n, 0, mask.bytes, ip_size(&mask));
    nft_compare(n, 0, NFT_CMP_EQ, first.bytes, ip_size(&first));
    if (r->port > 0) {
        nft_payload(n, NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2, 0);
        nft_compare_port(n, 0, NFT_CMP_EQ, r->port);
    }
    nft_verdict(n, NF_ACCEPT, NULL);
    nft_rule_end(n);
}

/* The protocols of a rule, at most three: how many. */
static size_t protocols_of(const struct egress_rule *r, size_t family, uint8_t out[3])
{
    size_t count = 0;
    if (r->tcp)
        out[count++] = IPPROTO_TCP;
    if (r->udp)
        out[count++] = IPPROTO_UDP;
    if (r->ping)
        out[count++] = families[family].ping;
    return count;
}

static void accept_granted(struct nft *n, const char *chain, const char *key, size_t family,
                           bool ports)
{
    char set[EGRESS_CHAIN_MAX];
    unsigned words = families[family].size / 4;
    set_name(key, family, ports, set);
    nft_rule_begin(n, chain);
    only_family(n, family);
    load_destination(n, family);
    nft_meta(n, NFT_META_L4PROTO, words);
    if (ports)
        nft_payload(n, NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2, words + 1);
    nft_lookup(n, set, 0, false);
    nft_verdict(n, NF_ACCEPT, NULL);
    nft_rule_end(n);
}

void egress_add(struct nft *n, const char *key, const struct egress_list *list, uint16_t group)
{
    char chain[EGRESS_CHAIN_MAX];
    egress_chain(key, chain);
    nft_add_chain(n, &(struct nft_chain){.name = chain, .hook = -1});
    nft_flush_chain(n, chain); /* it may be there, from a restored firewall */
    add_sets(n, key);
    for (size_t i = 0; i < list->count; i++) {
        uint8_t protocols[3];
        const struct egress_rule *r = &list->rules[i];
        if (r->kind != EGRESS_PREFIX)
            continue;
        size_t count = protocols_of(r, r->prefix.address.family == AF_INET6, protocols);
        for (size_t k = 0; k < count; k++)
            accept_prefix(n, chain, r, protocols[k]);
    }
    for (size_t i = 0; i < 4; i++)
        accept_granted(n, chain, key, i / 2, i % 2);
    nft_rule_begin(n, chain);
    nft_limit(n, LOGGED_PER_SECOND, LOGGED_AT_ONCE);
    nft_log(n, group, key);
    nft_rule_end(n);
    nft_rule_begin(n, chain);
    nft_counter(n);
    nft_reject(n);
    nft_rule_end(n);
}

void egress_remove(struct nft *n, const char *key)
{
    char name[EGRESS_CHAIN_MAX];
    egress_chain(key, name);
    nft_flush_chain(n, name);
    nft_delete_chain(n, name);
    for (size_t i = 0; i < 4; i++) {
        set_name(key, i / 2, i % 2, name);
        nft_delete_set(n, name);
    }
}

/* --- grants --- */

static bool add_grant(struct egress_grant *list, size_t count, const struct egress_grant *g)
{
    for (size_t i = 0; i < count; i++)
        if (list[i].port == g->port && list[i].protocol == g->protocol)
            return false;
    list[count] = *g;
    return true;
}

static void make_grant(const char *key, const struct ip_address *a, uint8_t protocol, uint16_t port,
                       struct egress_grant *out)
{
    uint16_t number = htons(port);
    *out = (struct egress_grant){.port = port, .protocol = protocol};
    set_name(key, a->family == AF_INET6, port > 0, out->set);
    nft_key_address(&out->key, a);
    nft_key_number(&out->key, &protocol, sizeof protocol);
    if (port > 0)
        nft_key_number(&out->key, &number, sizeof number);
}

size_t egress_grants(const char *key, const struct egress_list *list, const char *name,
                     const struct ip_address *a, struct egress_grant *out)
{
    size_t count = 0;
    for (size_t i = 0; i < list->count; i++) {
        uint8_t protocols[3];
        if (!egress_rule_names(&list->rules[i], name))
            continue;
        size_t n = protocols_of(&list->rules[i], a->family == AF_INET6, protocols);
        for (size_t k = 0; k < n; k++) {
            struct egress_grant g;
            make_grant(key, a, protocols[k], list->rules[i].port, &g);
            count += add_grant(out, count, &g);
        }
    }
    return count;
}

/* An element that is there keeps its old timeout when it is added again (before Linux 6.12), and
 * one that is not there cannot be deleted: so it is added, deleted and added, in one step for
 * everybody else. */
void egress_grant(struct nft *n, const struct egress_grant *grant, uint32_t seconds)
{
    struct nft_element e = {.key = grant->key, .timeout = (uint64_t)seconds * 1000};
    nft_add_elements(n, grant->set, &e, 1);
    nft_delete_elements(n, grant->set, &e, 1);
    nft_add_elements(n, grant->set, &e, 1);
}
