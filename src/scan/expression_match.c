/* SPDX-License-Identifier: Apache-2.0 */
/* Whether an expression ever goes back, and matching one that does not. */
#include "scan/expression_internal.h"

#include <stdlib.h>
#include <string.h>

#define RUN_MAX 64 /* bytes at the beginning of alternatives that are compared */

/* --- what a node can begin with, and how much it can match --- */

/* Adds the bytes; whether it can be nothing as well. */
static bool first_of(const struct expression *e, uint16_t at, struct byte_set *first)
{
    const struct node *n = &e->nodes[at];
    bool empty;
    switch (n->kind) {
    case NODE_SET:
        set_join(first, &n->set);
        return false;
    case NODE_ROW:
        for (uint16_t c = n->child; c != NO_NODE; c = e->nodes[c].next)
            if (!first_of(e, c, first))
                return false;
        return true;
    case NODE_EITHER:
        empty = false;
        for (uint16_t c = n->child; c != NO_NODE; c = e->nodes[c].next)
            empty |= first_of(e, c, first);
        return empty;
    case NODE_REPEAT:
        return first_of(e, n->child, first) || n->least == 0;
    case NODE_CAPTURE:
        return first_of(e, n->child, first);
    default:
        return true;
    }
}

static size_t reach_of(const struct expression *e, uint16_t at)
{
    const struct node *n = &e->nodes[at];
    size_t reach = n->kind == NODE_SET, one;
    for (uint16_t c = n->child; c != NO_NODE; c = e->nodes[c].next) {
        one = reach_of(e, c);
        if (n->kind == NODE_REPEAT)
            one *= n->most;
        if (n->kind != NODE_EITHER)
            reach += one;
        else if (one > reach)
            reach = one;
        if (reach > EXPRESSION_REACH)
            return EXPRESSION_REACH + 1;
    }
    return reach;
}

/* --- never going back --- */

/* The sets that every match of the node begins with. False: what follows is not to be added. */
static bool run_of(const struct expression *e, uint16_t at, const struct byte_set *run[RUN_MAX],
                   size_t *length)
{
    const struct node *n = &e->nodes[at];
    switch (n->kind) {
    case NODE_SET:
        if (*length == RUN_MAX)
            return false;
        run[(*length)++] = &n->set;
        return true;
    case NODE_ROW:
        for (uint16_t c = n->child; c != NO_NODE; c = e->nodes[c].next)
            if (!run_of(e, c, run, length))
                return false;
        return true;
    case NODE_REPEAT:
        for (size_t i = 0, before = SIZE_MAX; i < n->least && *length != before; i++) {
            before = *length;
            if (!run_of(e, n->child, run, length))
                return false;
        }
        return n->least == n->most;
    case NODE_CAPTURE:
        return run_of(e, n->child, run, length);
    case NODE_EITHER:
        return false;
    default:
        return true;
    }
}

/* Whether no text begins like both. */
static bool apart(const struct expression *e, uint16_t a, uint16_t b)
{
    const struct byte_set *first[RUN_MAX], *second[RUN_MAX];
    struct byte_set one = {0}, two = {0};
    size_t lengths[2] = {0, 0};
    first_of(e, a, &one);
    first_of(e, b, &two);
    if (!set_meets(&one, &two))
        return true;
    run_of(e, a, first, &lengths[0]);
    run_of(e, b, second, &lengths[1]);
    for (size_t i = 0; i < lengths[0] && i < lengths[1]; i++)
        if (!set_meets(first[i], second[i]))
            return true;
    return false;
}

static const char *check(const struct expression *e, uint16_t at, const struct byte_set *behind);

static const char *check_row(const struct expression *e, uint16_t at, const struct byte_set *behind)
{
    const char *why = NULL;
    for (uint16_t c = e->nodes[at].child; c != NO_NODE && !why; c = e->nodes[c].next) {
        struct byte_set next = {0};
        uint16_t after = e->nodes[c].next;
        while (after != NO_NODE && first_of(e, after, &next))
            after = e->nodes[after].next;
        if (after == NO_NODE)
            set_join(&next, behind);
        why = check(e, c, &next);
    }
    return why;
}

static const char *check_either(const struct expression *e, uint16_t at,
                                const struct byte_set *behind)
{
    const char *why = NULL;
    for (uint16_t c = e->nodes[at].child; c != NO_NODE && !why; c = e->nodes[c].next) {
        struct byte_set first = {0};
        bool empty = first_of(e, c, &first), last = e->nodes[c].next == NO_NODE;
        if (empty && !last)
            return "only the last alternative can be nothing";
        for (uint16_t other = e->nodes[c].next; other != NO_NODE; other = e->nodes[other].next) {
            struct byte_set unused = {0};
            if (!apart(e, c, other))
                return "two alternatives can begin alike";
            if (first_of(e, other, &unused) && set_meets(&first, behind))
                return "an alternative can begin like what follows it";
        }
        why = check(e, c, behind);
    }
    return why;
}

static const char *check_repeat(const struct expression *e, const struct node *n,
                                const struct byte_set *behind)
{
    struct byte_set next = *behind, first = {0};
    if (first_of(e, n->child, &first))
        return "a repetition of what can be nothing";
    if (n->least != n->most && set_meets(&first, behind))
        return "a repetition can begin like what follows it";
    if (n->most > 1)
        set_join(&next, &first);
    return check(e, n->child, &next);
}

static const char *check(const struct expression *e, uint16_t at, const struct byte_set *behind)
{
    const struct node *n = &e->nodes[at];
    switch (n->kind) {
    case NODE_ROW:
        return check_row(e, at, behind);
    case NODE_EITHER:
        return check_either(e, at, behind);
    case NODE_REPEAT:
        return check_repeat(e, n, behind);
    case NODE_CAPTURE:
        return check(e, n->child, behind);
    default:
        return NULL;
    }
}

const char *expression_objection(const struct expression *e)
{
    struct byte_set nothing = {0};
    if (reach_of(e, e->root) > EXPRESSION_REACH)
        return "it can match too much";
    return check(e, e->root, &nothing);
}

/* --- matching --- */

struct subject {
    const struct expression *e;
    const unsigned char *text;
    size_t length;
    struct expression_match *out;
};

#define NO_MATCH SIZE_MAX

static bool is_word(unsigned char c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '_';
}

static size_t match(const struct subject *s, uint16_t node, size_t at);

static size_t match_repeat(const struct subject *s, const struct node *n, size_t at)
{
    const struct node *child = &s->e->nodes[n->child];
    size_t times = 0;
    if (child->kind == NODE_SET) {
        size_t most = s->length - at < n->most ? s->length - at : n->most;
        while (times < most && set_has(&child->set, s->text[at + times]))
            times++;
        return times >= n->least ? at + times : NO_MATCH;
    }
    for (; times < n->most; times++) {
        size_t next = match(s, n->child, at);
        if (next == NO_MATCH)
            break;
        at = next;
    }
    return times >= n->least ? at : NO_MATCH;
}

static size_t match_capture(const struct subject *s, const struct node *n, size_t at)
{
    size_t end = match(s, n->child, at);
    if (end != NO_MATCH) {
        s->out->captured = at;
        s->out->captured_length = end - at;
    }
    return end;
}

static bool holds(const struct subject *s, enum node_kind kind, size_t at)
{
    bool before = at > 0 && is_word(s->text[at - 1]);
    if (kind == NODE_WORD)
        return before != (at < s->length && is_word(s->text[at]));
    if (kind == NODE_BEGIN)
        return at == 0 || s->text[at - 1] == '\n';
    return at == s->length || s->text[at] == '\n';
}

/* Where a match of the node that begins at `at` ends. */
static size_t match(const struct subject *s, uint16_t node, size_t at)
{
    const struct node *n = &s->e->nodes[node];
    size_t end;
    switch (n->kind) {
    case NODE_SET:
        return at < s->length && set_has(&n->set, s->text[at]) ? at + 1 : NO_MATCH;
    case NODE_ROW:
        for (uint16_t c = n->child; c != NO_NODE && at != NO_MATCH; c = s->e->nodes[c].next)
            at = match(s, c, at);
        return at;
    case NODE_EITHER:
        end = NO_MATCH;
        for (uint16_t c = n->child; c != NO_NODE && end == NO_MATCH; c = s->e->nodes[c].next)
            end = match(s, c, at);
        return end;
    case NODE_REPEAT:
        return match_repeat(s, n, at);
    case NODE_CAPTURE:
        return match_capture(s, n, at);
    default:
        return holds(s, n->kind, at) ? at : NO_MATCH;
    }
}

bool expression_match(const struct expression *e, const unsigned char *text, size_t length,
                      size_t at, struct expression_match *out)
{
    struct expression_match m = {0};
    struct subject s = {e, text, length, &m};
    m.captured = SIZE_MAX;
    m.end = match(&s, e->root, at);
    if (m.end == NO_MATCH)
        return false;
    if (m.captured == SIZE_MAX) {
        m.captured = at;
        m.captured_length = m.end - at;
    }
    *out = m;
    return true;
}
