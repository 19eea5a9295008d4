/* SPDX-License-Identifier: Apache-2.0 */
/* An expression as a tree, between its reader, the check that it never goes back, and matching. */
#ifndef CAISSON_SCAN_EXPRESSION_INTERNAL_H
#define CAISSON_SCAN_EXPRESSION_INTERNAL_H

#include <stdint.h>

#include "scan/expression.h"

#define NO_NODE UINT16_MAX

enum node_kind {
    NODE_SET,    /* one byte of a set */
    NODE_ROW,    /* its children, one behind the other; none is the empty text */
    NODE_EITHER, /* one of its children */
    NODE_REPEAT, /* its child, least to most times */
    NODE_CAPTURE,
    NODE_WORD,  /* \b */
    NODE_BEGIN, /* ^ */
    NODE_END,   /* $ */
};

/* Bytes. */
struct byte_set {
    uint64_t bits[4];
};

static inline void set_add(struct byte_set *s, unsigned char c)
{
    s->bits[c / 64] |= (uint64_t)1 << c % 64;
}

static inline bool set_has(const struct byte_set *s, unsigned char c)
{
    return s->bits[c / 64] >> c % 64 & 1;
}

static inline void set_join(struct byte_set *to, const struct byte_set *s)
{
    for (size_t i = 0; i < 4; i++)
        to->bits[i] |= s->bits[i];
}

static inline bool set_meets(const struct byte_set *a, const struct byte_set *b)
{
    uint64_t both = 0;
    for (size_t i = 0; i < 4; i++)
        both |= a->bits[i] & b->bits[i];
    return both != 0;
}

struct node {
    enum node_kind kind;
    uint16_t child, next; /* the first child; the next one of the same parent */
    uint16_t least, most;
    struct byte_set set;
};

struct expression {
    struct node *nodes; /* owned */
    uint16_t count, root;
    bool captures;
};

/* NULL, or why the tree is no expression of ours. */
const char *expression_objection(const struct expression *e);

#endif
