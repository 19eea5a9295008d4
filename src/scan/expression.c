/* SPDX-License-Identifier: Apache-2.0 */
#include "scan/expression_internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

#define NODES_MAX 1024
#define NESTED_MAX 16

struct reader {
    struct expression *e;
    const char *at;
    const char *why; /* NULL until something is wrong */
    bool fold;
    unsigned nested;
};

static uint16_t read_either(struct reader *r);

static uint16_t wrong(struct reader *r, const char *why)
{
    if (!r->why)
        r->why = why;
    return NO_NODE;
}

/* Goes over the character, if it is there. */
static bool take(struct reader *r, char c)
{
    bool there = *r->at == c;
    r->at += there;
    return there;
}

static uint16_t add_node(struct reader *r, enum node_kind kind)
{
    struct expression *e = r->e;
    if (e->count == NODES_MAX)
        return wrong(r, "too long");
    e->nodes = xrealloc(e->nodes, e->count + 1U, sizeof *e->nodes);
    e->nodes[e->count] = (struct node){.kind = kind, .child = NO_NODE, .next = NO_NODE};
    return e->count++;
}

/* --- sets --- */

static void add_range(struct byte_set *s, unsigned low, unsigned high)
{
    for (; low <= high; low++)
        set_add(s, (unsigned char)low);
}

/* What stands behind a backslash: a named set, or a byte. False: not known. */
static bool add_escape(struct byte_set *s, char c)
{
    static const char names[] = "nrtf", bytes[] = "\n\r\t\f";
    const char *name = c ? strchr(names, c) : NULL;
    if (c == 'd' || c == 'w')
        add_range(s, '0', '9');
    if (c == 'w') {
        add_range(s, 'a', 'z');
        add_range(s, 'A', 'Z');
        set_add(s, '_');
    } else if (c == 's') {
        add_range(s, '\t', '\n');
        add_range(s, '\f', '\r');
        set_add(s, ' ');
    } else if (name) {
        set_add(s, (unsigned char)bytes[name - names]);
    } else if (c > ' ' && c < 0x7f && !strchr("0123456789", c) &&
               !((c | 0x20) >= 'a' && (c | 0x20) <= 'z')) {
        set_add(s, (unsigned char)c);
    }
    return s->bits[0] | s->bits[1];
}

static void fold_set(struct byte_set *s)
{
    for (unsigned c = 'a'; c <= 'z'; c++)
        if (set_has(s, (unsigned char)c) || set_has(s, (unsigned char)(c ^ 0x20))) {
            set_add(s, (unsigned char)c);
            set_add(s, (unsigned char)(c ^ 0x20));
        }
}

/* One member of a class, or a range. */
static bool read_member(struct reader *r, struct byte_set *set)
{
    unsigned char low = (unsigned char)*r->at++;
    if (low == '\\') {
        struct byte_set one = {0};
        if (!add_escape(&one, *r->at))
            return false;
        r->at++;
        set_join(set, &one);
        return true;
    }
    if (r->at[0] != '-' || r->at[1] == ']' || !r->at[1]) {
        set_add(set, low);
        return true;
    }
    unsigned char high = (unsigned char)r->at[1];
    r->at += 2;
    if (high == '\\' || high < low)
        return false;
    add_range(set, low, high);
    return true;
}

static uint16_t read_class(struct reader *r)
{
    struct byte_set set = {0};
    bool negated = take(r, '^');
    if (*r->at == ']')
        return wrong(r, "a class of nothing");
    while (*r->at && *r->at != ']')
        if (!read_member(r, &set))
            return wrong(r, "not a member of a class");
    if (!take(r, ']'))
        return wrong(r, "a class without end");
    if (r->fold)
        fold_set(&set);
    for (size_t i = 0; negated && i < 4; i++)
        set.bits[i] = ~set.bits[i];
    uint16_t node = add_node(r, NODE_SET);
    if (node != NO_NODE)
        r->e->nodes[node].set = set;
    return node;
}

static uint16_t read_byte(struct reader *r)
{
    struct byte_set set = {0};
    char c = *r->at++;
    if (c == '.') {
        add_range(&set, 0, 255);
        set.bits[0] &= ~((uint64_t)1 << '\n');
    } else if (c != '\\') {
        set_add(&set, (unsigned char)c);
    } else if (*r->at == 'b') {
        r->at++;
        return add_node(r, NODE_WORD);
    } else if (!add_escape(&set, *r->at)) {
        return wrong(r, "nothing to escape");
    } else {
        r->at++;
    }
    if (r->fold)
        fold_set(&set);
    uint16_t node = add_node(r, NODE_SET);
    if (node != NO_NODE)
        r->e->nodes[node].set = set;
    return node;
}

/* --- the tree --- */

static uint16_t read_group(struct reader *r)
{
    bool captures = strncmp(r->at, "?:", 2) != 0;
    if (captures && (*r->at == '?' || r->e->captures))
        return wrong(r, "a second capture, or a group of another kind than (?:");
    r->at += captures ? 0 : 2;
    if (++r->nested > NESTED_MAX)
        return wrong(r, "nested too deeply");
    r->e->captures |= captures;
    uint16_t inner = read_either(r);
    r->nested--;
    if (!r->why && !take(r, ')'))
        return wrong(r, "a group without end");
    if (r->why || !captures)
        return inner;
    uint16_t node = add_node(r, NODE_CAPTURE);
    if (node != NO_NODE)
        r->e->nodes[node].child = inner;
    return node;
}

static uint16_t read_atom(struct reader *r)
{
    switch (*r->at) {
    case '(':
        r->at++;
        return read_group(r);
    case '[':
        r->at++;
        return read_class(r);
    case '^':
        r->at++;
        return add_node(r, NODE_BEGIN);
    case '$':
        r->at++;
        return add_node(r, NODE_END);
    case '*':
    case '+':
    case '?':
    case '{':
        return wrong(r, "a repetition without bound, or of nothing");
    default:
        return read_byte(r);
    }
}

/* At most four digits. */
static bool read_number(struct reader *r, uint16_t *out)
{
    size_t digits = strspn(r->at, "0123456789");
    unsigned value = 0;
    if (digits == 0 || digits > 4)
        return false;
    for (size_t i = 0; i < digits; i++)
        value = value * 10 + (unsigned)(*r->at++ - '0');
    *out = (uint16_t)value;
    return true;
}

static bool read_bounds(struct reader *r, uint16_t *least, uint16_t *most)
{
    if (take(r, '?')) {
        *least = 0;
        *most = 1;
        return true;
    }
    r->at++;
    if (!read_number(r, least))
        return false;
    *most = *least;
    if (take(r, ',')) {
        if (!read_number(r, most))
            return false;
    }
    return take(r, '}') && *most > 0 && *least <= *most;
}

static uint16_t read_repeat(struct reader *r)
{
    uint16_t atom = read_atom(r), least, most;
    if (r->why || atom == NO_NODE || (*r->at != '?' && *r->at != '{'))
        return atom;
    if (!read_bounds(r, &least, &most))
        return wrong(r, "bounds are {n} or {n,m}");
    uint16_t node = add_node(r, NODE_REPEAT);
    if (node != NO_NODE) {
        r->e->nodes[node].child = atom;
        r->e->nodes[node].least = least;
        r->e->nodes[node].most = most;
    }
    return node;
}

/* Puts the node behind `*last`, the last child of the parent. */
static void append(struct reader *r, uint16_t parent, uint16_t *last, uint16_t node)
{
    if (*last == NO_NODE)
        r->e->nodes[parent].child = node;
    else
        r->e->nodes[*last].next = node;
    *last = node;
}

static uint16_t read_row(struct reader *r)
{
    uint16_t row = add_node(r, NODE_ROW), last = NO_NODE;
    while (!r->why && *r->at && *r->at != '|' && *r->at != ')') {
        uint16_t node = read_repeat(r);
        if (node != NO_NODE)
            append(r, row, &last, node);
    }
    return row;
}

static uint16_t read_either(struct reader *r)
{
    uint16_t first = read_row(r);
    if (r->why || *r->at != '|')
        return first;
    uint16_t either = add_node(r, NODE_EITHER), last = NO_NODE;
    if (either == NO_NODE)
        return NO_NODE;
    append(r, either, &last, first);
    while (!r->why && *r->at == '|') {
        r->at++;
        uint16_t row = read_row(r);
        if (row != NO_NODE)
            append(r, either, &last, row);
    }
    return either;
}

struct expression *expression_compile(const char *text, struct error *err)
{
    struct expression *e = xcalloc(1, sizeof *e);
    struct reader r = {.e = e, .at = text};
    if (strncmp(text, "(?i)", 4) == 0) {
        r.fold = true;
        r.at += 4;
    }
    e->root = read_either(&r);
    if (!r.why && *r.at)
        wrong(&r, "a bracket that closes nothing");
    if (!r.why)
        r.why = expression_objection(e);
    if (!r.why)
        return e;
    error_set(err, -EINVAL, "expression, at byte %zu: %s", (size_t)(r.at - text), r.why);
    expression_free(e);
    return NULL;
}

void expression_free(struct expression *e)
{
    if (e)
        free(e->nodes);
    free(e);
}
