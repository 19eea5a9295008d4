/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nf_tables: tables, chains, sets, their elements and rules, as messages of a batch (netlink.h).
 *
 * All of it belongs to tables of one name, as a rule to that of family inet. What stands between
 * nft_begin() and nft_end() is one transaction: the kernel carries it out whole or not at all, and
 * no packet ever sees a part of it. A rule is a row of expressions, each written by one of the
 * functions below between nft_rule_begin() and nft_rule_end(); they work on registers, which are
 * named here by the 32-bit word at which they begin (0 to 15). See nft(8);
 * include/uapi/linux/netfilter/nf_tables.h.
 */
#ifndef CAISSON_NETWORK_NFT_H
#define CAISSON_NETWORK_NFT_H

#include <linux/netfilter/nf_tables.h>
#include <netinet/in.h>

#include "network/address.h"
#include "network/netlink.h"

struct nft {
    struct netlink_batch batch;
    const char *table; /* borrowed */
    uint8_t family;    /* NFPROTO_* */
    uint32_t sets;     /* made in this transaction: they need numbers */
    size_t list, expression, data;
};

/* Begins a transaction on `table`, which has to outlive it. */
void nft_begin(struct nft *n, const char *table);
/* Of which family the table is that is spoken of from here on; inet at first. That before. */
uint8_t nft_family(struct nft *n, uint8_t family);
/* Ends it and has it carried out by a socket of NETLINK_NETFILTER. */
int nft_commit(struct nft *n, int fd, struct error *err);
void nft_free(struct nft *n);
#define autonft __attribute__((cleanup(nft_free))) struct nft

/* `note`: bytes that are kept with it. -EEXIST only with `fresh`. */
void nft_add_table(struct nft *n, bool fresh, const void *note, size_t size);
/* With all that is in it; -ENOENT. */
void nft_delete_table(struct nft *n);
/* What is kept with a table. -ENOENT without a sentence when it is not there, -ERANGE when more is
 * kept than `size`. Else how much there is. */
int nft_table_note(int fd, uint8_t family, const char *table, void *note, size_t size,
                   struct error *err);

/* `hook`: NF_INET_*; -1 for one that is only jumped to. `type`: "filter", "nat", "route". */
struct nft_chain {
    const char *name;
    int hook;
    int32_t priority;
    const char *type;
    bool drop; /* its policy; else to accept */
};
void nft_add_chain(struct nft *n, const struct nft_chain *chain);
void nft_delete_chain(struct nft *n, const char *name);
void nft_flush_chain(struct nft *n, const char *name);

/* What keys and values are made of, with nft's own numbers for showing them. */
enum nft_part {
    NFT_PART_NONE = 0,
    NFT_PART_IPV4 = 7,
    NFT_PART_IPV6 = 8,
    NFT_PART_ETHER = 9,
    NFT_PART_PROTOCOL = 12,
    NFT_PART_PORT = 13,
    NFT_PART_INTERFACE = 41,
};

struct nft_set {
    const char *name;
    enum nft_part key[3]; /* NFT_PART_NONE ends it */
    bool intervals;       /* its elements are ranges */
    bool timeouts;        /* its elements may end by themselves */
    bool verdicts;        /* a map to verdicts */
    uint32_t size;        /* how many at most; 0: no limit of ours */
};
void nft_add_set(struct nft *n, const struct nft_set *set);
void nft_flush_set(struct nft *n, const char *name);
void nft_delete_set(struct nft *n, const char *name);

/* A key, or one end of a range. */
struct nft_key {
    uint8_t bytes[48];
    size_t size;
};
void nft_key_interface(struct nft_key *k, const char *name);
void nft_key_address(struct nft_key *k, const struct ip_address *a);
void nft_key_number(struct nft_key *k, const void *bytes, size_t size); /* padded to a word */

struct nft_element {
    struct nft_key key;
    struct nft_key end; /* of a range, not any more part of it; size 0: there is none */
    uint64_t timeout;   /* milliseconds; 0: the set's */
    int verdict;        /* NF_ACCEPT, NF_DROP, NFT_JUMP, NFT_GOTO; for maps */
    const char *chain;  /* of a jump */
};
void nft_add_elements(struct nft *n, const char *set, const struct nft_element *elements,
                      size_t count);
void nft_delete_elements(struct nft *n, const char *set, const struct nft_element *elements,
                         size_t count);

/* How long an element is still there. -ENOENT without a sentence when it is not. */
int nft_element_left(int fd, const char *table, const char *set, const struct nft_key *key,
                     uint64_t *milliseconds, struct error *err);

/* --- rules --- */

void nft_rule_begin(struct nft *n, const char *chain);
void nft_rule_end(struct nft *n);

void nft_meta(struct nft *n, enum nft_meta_keys key, unsigned to);
void nft_set_mark(struct nft *n, uint32_t mark);
/* The mark of the connection that a packet belongs to. */
void nft_ct_mark(struct nft *n, unsigned to);
void nft_set_ct_mark(struct nft *n, uint32_t mark);
void nft_ct_state(struct nft *n, uint32_t states); /* goes on when one of them is it */
#define NFT_STATE_ESTABLISHED 2U
#define NFT_STATE_RELATED 4U
#define NFT_STATE_NEW 8U
/* Where the connection's first packet was sent to, before anybody redirected it. Does not go on
 * for a packet without a connection. */
void nft_ct_destination(struct nft *n, int family, unsigned to);
void nft_ct_redirected(struct nft *n); /* goes on when its destination was translated (DNAT) */
void nft_payload(struct nft *n, enum nft_payload_bases base, uint32_t offset, uint32_t size,
                 unsigned to);
void nft_compare(struct nft *n, unsigned word, enum nft_cmp_ops op, const void *value, size_t size);
void nft_compare_u8(struct nft *n, unsigned word, enum nft_cmp_ops op, uint8_t value);
void nft_compare_port(struct nft *n, unsigned word, enum nft_cmp_ops op, uint16_t port);
void nft_mask(struct nft *n, unsigned word, const void *mask, size_t size);
/* Goes on when the set has (or with `inverted` has not) what begins at `word`. */
void nft_lookup(struct nft *n, const char *set, unsigned word, bool inverted);
/* Carries out the verdict that the map has for it; goes on when it has none. */
void nft_verdict_map(struct nft *n, const char *map, unsigned word);
void nft_verdict(struct nft *n, int verdict, const char *chain);
void nft_counter(struct nft *n);
void nft_masquerade(struct nft *n);
/* To this port of the address that the interface has by which the packet came. */
void nft_redirect(struct nft *n, uint16_t port);
/* From a port between these, the packet's own where that is one. */
void nft_masquerade_ports(struct nft *n, uint16_t first, uint16_t last);
void nft_reject(struct nft *n); /* "administratively prohibited", or a reset for TCP */
void nft_reject_reset(struct nft *n);
void nft_log(struct nft *n, uint16_t group, const char *prefix);
void nft_limit(struct nft *n, uint64_t rate, uint32_t burst); /* packets a second */

#endif
