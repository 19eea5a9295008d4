/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Egress lists: where a container may go. `--egress none`, `--egress any` (no list), or rules:
 *
 *   api.example.com        that name
 *   *.example.com          every name below it, however deep; not itself
 *   203.0.113.7            an address
 *   2001:db8::/32          a prefix
 *   …:443                  only that port; IPv6 in brackets then: [2001:db8::1]:443
 *   …/tcp, …/udp           only that protocol, behind the port if there is one: …:53/udp
 *
 * A rule with a port and no protocol means TCP; one with neither means TCP, UDP and ping. What is
 * not on the list is logged and refused, and a name that matches none is not even asked for.
 *
 * Names have no addresses until they are asked for: the network's resolver (resolver.h) then has
 * those that the answer gives granted for a while, and only then answers. So a list is, in
 * nf_tables (egress_nft.c), a chain of the container's own with its rules of addresses, and for
 * each family a set of destinations that comes and goes with grants.
 *
 * Guarded against: names that lead to the inside (DNS rebinding): addresses that are not public are
 * granted to no name, only rules of addresses reach them.
 */
#ifndef CAISSON_NETWORK_EGRESS_H
#define CAISSON_NETWORK_EGRESS_H

#include "base/buf.h"
#include "base/error.h"
#include "network/nft.h"

#define EGRESS_RULES_MAX 256

enum egress_kind {
    EGRESS_NAME,
    EGRESS_BELOW, /* a wildcard */
    EGRESS_PREFIX,
};

struct egress_rule {
    enum egress_kind kind;
    char *name; /* owned, lower case, without "*."; NULL for a prefix */
    struct ip_prefix prefix;
    uint16_t port; /* 0: every one */
    bool tcp, udp, ping;
};

struct egress_list {
    bool limited; /* false: anywhere */
    bool any;     /* was said so */
    struct egress_rule *rules;
    size_t count;
};

/* Adds what one --egress says: "none", "any" or rules between commas. An error names the rule;
 * `out` is then to be freed all the same. */
int egress_parse(const char *text, struct egress_list *out, struct error *err);
/* The list as it is kept: egress_parse() reads the same from it. */
void egress_format(const struct egress_list *list, struct buf *out);
void egress_copy(const struct egress_list *from, struct egress_list *to); /* an empty one */
void egress_free(struct egress_list *list);
#define autoegress __attribute__((cleanup(egress_free))) struct egress_list

/* Whether the rule is about the name: lower case, without final dot (dns_name_text()). */
bool egress_rule_names(const struct egress_rule *rule, const char *name);
bool egress_names(const struct egress_list *list, const char *name);
/* Whether a rule of addresses lists it. */
bool egress_lists_address(const struct egress_list *list, const struct ip_address *a);
/* Whether it is an address that a name may lead to: one of the public internet. */
bool egress_public(const struct ip_address *a);

/* --- in nf_tables --- */

/* Whose a list is: a container on one of its networks. "ID", or "ID.1" on its second one. */
#define EGRESS_KEY_MAX 72
void egress_key(const char *id, unsigned number, char out[EGRESS_KEY_MAX]);

#define EGRESS_CHAIN_MAX 96
/* What struct firewall_member.egress names. */
void egress_chain(const char *key, char out[EGRESS_CHAIN_MAX]);
/* The chain with its sets; what it refuses is logged to `group` with the key as prefix. Before the
 * member that has it is added, in the same transaction or an earlier one. */
void egress_add(struct nft *n, const char *key, const struct egress_list *list, uint16_t group);
/* After the member was removed. */
void egress_remove(struct nft *n, const char *key);

/* One destination that is granted: an element of one of the two sets. */
struct egress_grant {
    char set[EGRESS_CHAIN_MAX];
    struct nft_key key;
    uint16_t port; /* 0: every one */
    uint8_t protocol;
};
#define EGRESS_GRANTS_MAX (3 * EGRESS_RULES_MAX)
/* What reaching `a` under `name` takes: at most EGRESS_GRANTS_MAX, each once. How many. */
size_t egress_grants(const char *key, const struct egress_list *list, const char *name,
                     const struct ip_address *a, struct egress_grant *out);
/* Whether it is there or not, it is for `seconds` from now on. */
void egress_grant(struct nft *n, const struct egress_grant *grant, uint32_t seconds);

#endif
