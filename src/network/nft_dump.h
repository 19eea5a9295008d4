/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What there is of a table of nf_tables, in the kernel's own words and without what the kernel
 * counts or numbers by itself: so that two tables that mean the same are the same, whoever made
 * them and whatever passed through them.
 *
 * Not among it: comments, elements of sets whose elements end by themselves, and what our tables
 * have none of (flow tables, named counters).
 */
#ifndef CAISSON_NETWORK_NFT_DUMP_H
#define CAISSON_NETWORK_NFT_DUMP_H

#include "base/strv.h"
#include "network/nft.h"

enum nft_object_kind {
    NFT_OBJECT_TABLE,
    NFT_OBJECT_CHAIN,
    NFT_OBJECT_SET,
    NFT_OBJECT_ELEMENT,
    NFT_OBJECT_RULE,
};

struct nft_object {
    enum nft_object_kind kind;
    char *place;       /* the chain or set that it is, or is in; "" for the table */
    struct buf key;    /* of an element: what it is found by, its flags behind it */
    struct buf value;  /* the rest of what it means */
    uint32_t key_type; /* of an element: the numbers of its parts, six bits each */
    uint32_t flags;    /* of an element: NFT_SET_ELEM_*; of a set: NFT_SET_* */
};

struct nft_objects {
    struct nft_object *items;
    size_t count;
    bool torn; /* something was changed while it was read */
};
void nft_objects_free(struct nft_objects *objects);
#define autoobjects __attribute__((cleanup(nft_objects_free))) struct nft_objects

/* Adds all of a table: by kind, chain or set, and key (a range's end
 * right behind its beginning), but rules in their order. `fd`: a socket of
 * NETLINK_NETFILTER. -ENOENT without a sentence when there is no such table. */
int nft_dump(int fd, uint8_t family, const char *table, struct nft_objects *out, struct error *err);

/* The key of an element as nft(8) shows it: "cs-1 . 10.0.0.1". */
void nft_object_key_text(const struct nft_object *element, struct buf *out);
/* The parts of such a key, one by one. */
void nft_object_key_parts(const struct nft_object *element, struct strv *out);

#endif
