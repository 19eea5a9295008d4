/* SPDX-License-Identifier: Apache-2.0 */
#include "base/glob.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

enum part_kind {
    PART_CODE,  /* one character */
    PART_ANY,   /* ?: one that is no slash */
    PART_CLASS, /* one of some ranges */
    PART_STAR,  /* any number of them without a slash */
    PART_DEEP,  /* nothing, or anything that ends in a slash */
    PART_ALL,   /* anything: `**` at the end */
};

struct glob_part {
    enum part_kind kind;
    bool negated;
    uint32_t code;       /* PART_CODE */
    size_t first, count; /* ranges of PART_CLASS */
};

struct glob_range {
    uint32_t low, high;
};

/* --- characters --- */

#define NO_CHARACTER 0xfffd /* what Go sees in a byte that is no UTF-8 */
#define RAW 0x110000        /* beyond all characters: such a byte, as itself */

/* The character at `text`, of which at least one byte is there; its bytes. */
static size_t decode(const char *text, size_t length, uint32_t *code)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    const unsigned char *t = (const unsigned char *)text;
    size_t size = t[0] < 0x80 ? 1 : t[0] < 0xc2 ? 0 : t[0] < 0xe0 ? 2 : t[0] < 0xf0 ? 3 : 4;
    *code = t[0];
    if (size == 1)
        return 1;
    *code = RAW + t[0];
    if (size == 0 || t[0] > 0xf4 || size > length)
        return 1;
    uint32_t c = t[0] & (0x7fU >> size);
    for (size_t i = 1; i < size; i++) {
        if ((t[i] & 0xc0) != 0x80)
            return 1;
        c = c << 6 | (t[i] & 0x3f);
    }
    if (c < least[size] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
        return 1;
    *code = c;
    return size;
}

/* The character that ends at text[end]; its bytes. */
static size_t decode_back(const char *text, size_t end, uint32_t *code)
{
    for (size_t size = 2; size <= 4 && size <= end; size++)
        if (decode(text + end - size, size, code) == size)
            return size;
    return decode(text + end - 1, 1, code);
}

/* --- reading --- */

static struct glob_part *add_part(struct glob *g, enum part_kind kind)
{
    struct glob_part *last = g->count > 0 ? &g->parts[g->count - 1] : NULL;
    if (last && last->kind == kind && (kind == PART_STAR || kind == PART_DEEP))
        return last;
    g->parts = xrealloc(g->parts, g->count + 1, sizeof *g->parts);
    g->parts[g->count] = (struct glob_part){.kind = kind};
    return &g->parts[g->count++];
}

/* One end of a range. NULL: there is none, or nothing after it. */
static const char *read_end(const char *at, uint32_t *code)
{
    if (*at == '-' || *at == ']')
        return NULL;
    if (*at == '\\')
        at++;
    if (!*at)
        return NULL;
    at += decode(at, strlen(at), code);
    return *at && *code < RAW ? at : NULL;
}

/* Behind the '['. Where its ']' was, or NULL. */
static const char *read_class(struct glob *g, const char *at)
{
    struct glob_part *part = add_part(g, PART_CLASS);
    part->first = g->range_count;
    part->negated = *at == '^';
    at += part->negated;
    while (*at != ']' || part->count == 0) {
        struct glob_range range = {0};
        at = read_end(at, &range.low);
        range.high = range.low;
        if (at && *at == '-')
            at = read_end(at + 1, &range.high);
        if (!at)
            return NULL;
        g->ranges = xrealloc(g->ranges, g->range_count + 1, sizeof *g->ranges);
        g->ranges[g->range_count++] = range;
        part->count++;
    }
    return at + 1;
}

/* What is behind `**`: moby eats a slash there. */
static const char *read_deep(struct glob *g, const char *at)
{
    at += *at == '/';
    add_part(g, *at ? PART_DEEP : PART_ALL);
    return at;
}

static int read_parts(struct glob *g, const char *at, bool deep)
{
    while (*at) {
        if (deep && at[0] == '*' && at[1] == '*') {
            at = read_deep(g, at + 2);
        } else if (*at == '*') {
            add_part(g, PART_STAR);
            at++;
        } else if (*at == '?') {
            add_part(g, PART_ANY);
            at++;
        } else if (*at == '[') {
            at = read_class(g, at + 1);
            if (!at)
                return -EINVAL;
        } else {
            at += *at == '\\';
            if (!*at)
                return -EINVAL;
            uint32_t code;
            at += decode(at, strlen(at), &code);
            add_part(g, PART_CODE)->code = code;
        }
    }
    return 0;
}

/* --- what can be had without parts --- */

static size_t encode(uint32_t c, char *out)
{
    if (c >= RAW || c < 0x80) {
        out[0] = (char)(c & 0xff);
        return 1;
    }
    size_t size = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = size - 1; i > 0; i--, c >>= 6)
        out[i] = (char)(0x80 | (c & 0x3f));
    out[0] = (char)((0xf00U >> size & 0xff) | c);
    return size;
}

static bool in_class(const struct glob_part *part, const struct glob_range *ranges, uint32_t c)
{
    if (c >= RAW)
        c = NO_CHARACTER;
    for (size_t i = 0; i < part->count; i++)
        if (c >= ranges[part->first + i].low && c <= ranges[part->first + i].high)
            return !part->negated;
    return part->negated;
}

/* Of a part that is one character. */
static bool is_one(const struct glob *g, const struct glob_part *part, uint32_t c)
{
    if (part->kind == PART_CLASS)
        return in_class(part, g->ranges, c);
    return part->kind == PART_CODE ? part->code == c : c != '/';
}

/* Whether the parts between the ends are directories at any depth and then a name. */
static bool is_name(const struct glob *g)
{
    if (g->inner_count == 0)
        return false;
    const struct glob_part *inner = &g->parts[g->inner];
    if (inner->kind != PART_DEEP)
        return false;
    for (size_t i = 1; i < g->inner_count; i++)
        if (inner[i].kind > PART_STAR || (inner[i].kind < PART_STAR && is_one(g, &inner[i], '/')))
            return false;
    return true;
}

/* The ends of the parts: literal ones as bytes, and what is one character before the last. */
static void find_ends(struct glob *g, size_t length)
{
    size_t first = 0, last = g->count;
    g->text = xcalloc(length + 1, 1);
    while (first < last && g->parts[first].kind == PART_CODE)
        g->head += encode(g->parts[first++].code, g->text + g->head);
    while (last > first && g->parts[last - 1].kind == PART_CODE)
        last--;
    for (size_t i = last; i < g->count; i++)
        g->tail += encode(g->parts[i].code, g->text + g->head + g->tail);
    for (; last > first && g->parts[last - 1].kind < PART_STAR; last--)
        g->ones++;
    g->inner = first;
    g->inner_count = last - first;
    g->name = is_name(g);
}

/* moby looks at the end of a path alone where `**` is the first and the only thing with a meaning:
 * `**x` is then not about a name of its own, as `**x*` is. */
static bool is_suffix(const char *pattern)
{
    return pattern[0] == '*' && pattern[1] == '*' && !strpbrk(pattern + 2, "*?[]\\");
}

int glob_compile(const char *pattern, bool deep, struct glob *out)
{
    struct glob g = {.kind = GLOB_PARTS};
    size_t length = strlen(pattern);
    if (length > GLOB_MAX)
        return -EINVAL;
    int rc = read_parts(&g, pattern, deep);
    if (rc < 0) {
        glob_free(&g);
        return rc;
    }
    if (deep && is_suffix(pattern)) {
        g.kind = GLOB_SUFFIX;
        g.text = xstrdup(pattern + 2);
        g.tail = length - 2;
    } else {
        find_ends(&g, length);
        if (g.inner_count == 0 && g.ones == 0)
            g.kind = GLOB_EXACT;
        else if (g.inner_count == 1 && g.ones == 0 && g.tail == 0 &&
                 g.parts[g.inner].kind == PART_ALL)
            g.kind = GLOB_PREFIX;
    }
    *out = g;
    return 0;
}

void glob_free(struct glob *g)
{
    free(g->text);
    free(g->parts);
    free(g->ranges);
    *g = (struct glob){0};
}

/* --- matching by places --- */

#define WORDS (GLOB_MAX / 64 + 1)

/* Parts in which a path may be; the bit behind the last is its end. */
struct places {
    const struct glob_part *parts;
    const struct glob_range *ranges;
    size_t count, words;
    uint64_t now[WORDS], next[WORDS];
};

static void put(uint64_t *set, size_t at)
{
    set[at / 64] |= (uint64_t)1 << at % 64;
}

/* At a part, and at what is behind it if that may be nothing. */
static void enter(const struct places *p, uint64_t *set, size_t at)
{
    put(set, at);
    while (at < p->count && p->parts[at].kind >= PART_STAR)
        put(set, ++at);
}

static void step_part(struct places *p, size_t at, uint32_t c)
{
    const struct glob_part *part = &p->parts[at];
    switch (part->kind) {
    case PART_CODE:
        if (part->code == c)
            enter(p, p->next, at + 1);
        break;
    case PART_ANY:
        if (c != '/')
            enter(p, p->next, at + 1);
        break;
    case PART_CLASS:
        if (in_class(part, p->ranges, c))
            enter(p, p->next, at + 1);
        break;
    case PART_STAR:
        if (c != '/')
            enter(p, p->next, at);
        break;
    case PART_ALL:
        enter(p, p->next, at);
        break;
    case PART_DEEP:
        put(p->next, at);
        if (c == '/')
            enter(p, p->next, at + 1);
        break;
    }
}

/* Whether there is a place left. */
static bool step(struct places *p, uint32_t c)
{
    uint64_t left = 0;
    memset(p->next, 0, p->words * sizeof *p->next);
    for (size_t w = 0; w < p->words; w++)
        for (uint64_t bits = p->now[w]; bits; bits &= bits - 1) {
            size_t at = w * 64 + (size_t)__builtin_ctzll(bits);
            if (at < p->count)
                step_part(p, at, c);
        }
    for (size_t w = 0; w < p->words; w++)
        left |= p->now[w] = p->next[w];
    return left != 0;
}

static bool walk(struct places *p, const char *text, size_t length)
{
    uint32_t c;
    while (length > 0) {
        size_t size = decode(text, length, &c);
        if (!step(p, c))
            return false;
        text += size;
        length -= size;
    }
    return true;
}

static void begin(struct places *p, const struct glob *g, size_t first, size_t count)
{
    p->parts = g->parts + first;
    p->ranges = g->ranges;
    p->count = count;
    p->words = count / 64 + 1;
    memset(p->now, 0, p->words * sizeof *p->now);
    enter(p, p->now, 0);
}

static bool test_places(const struct glob *g, const char *text, size_t length)
{
    struct places p;
    begin(&p, g, g->inner, g->inner_count);
    return walk(&p, text, length) && (p.now[p.count / 64] >> p.count % 64 & 1);
}

/* What most patterns have between their literal ends, without a walk. */
static bool test_inner(const struct glob *g, const char *text, size_t length)
{
    const struct glob_part *inner = g->parts + g->inner;
    if (g->inner_count == 0)
        return length == 0;
    if (g->inner_count == 1 && inner->kind == PART_STAR)
        return !memchr(text, '/', length);
    if (g->inner_count == 1 && inner->kind == PART_DEEP)
        return length == 0 || text[length - 1] == '/';
    if (g->inner_count == 2 && inner->kind == PART_DEEP && inner[1].kind == PART_STAR)
        return true;
    const char *slash = g->name ? memrchr(text, '/', length) : NULL;
    size_t above = slash ? (size_t)(slash - text) + 1 : 0;
    return test_places(g, text + above, length - above);
}

/* What is between the literal ends: characters at its end, and before them the rest. */
static bool test_between(const struct glob *g, const char *text, size_t length)
{
    const struct glob_part *part = g->parts + g->inner + g->inner_count + g->ones;
    for (size_t i = 0; i < g->ones; i++) {
        uint32_t c;
        if (length == 0)
            return false;
        length -= decode_back(text, length, &c);
        if (!is_one(g, --part, c))
            return false;
    }
    return test_inner(g, text, length);
}

bool glob_test(const struct glob *g, const char *path, size_t length)
{
    switch (g->kind) {
    case GLOB_EXACT:
        return length == g->head && memcmp(path, g->text, length) == 0;
    case GLOB_PREFIX:
        return length >= g->head && memcmp(path, g->text, g->head) == 0;
    case GLOB_SUFFIX:
        if (length >= g->tail)
            return memcmp(path + length - g->tail, g->text, g->tail) == 0;
        return g->text[0] == '/' && length + 1 == g->tail && memcmp(path, g->text + 1, length) == 0;
    case GLOB_PARTS:
        break;
    }
    return length >= g->head + g->tail && memcmp(path, g->text, g->head) == 0 &&
           memcmp(path + length - g->tail, g->text + g->head, g->tail) == 0 &&
           test_between(g, path + g->head, length - g->head - g->tail);
}

bool glob_test_below(const struct glob *g, const char *directory, size_t length)
{
    size_t common = length < g->head ? length : g->head;
    struct places p;
    if (g->kind == GLOB_SUFFIX)
        return true;
    if (memcmp(directory, g->text, common) != 0 || (length < g->head && g->text[length] != '/'))
        return false;
    if (g->kind == GLOB_EXACT)
        return length + 1 < g->head;
    if (g->kind == GLOB_PREFIX)
        return true;
    begin(&p, g, 0, g->count);
    if (!walk(&p, directory, length) || !step(&p, '/'))
        return false;
    p.now[p.count / 64] &= ~((uint64_t)1 << p.count % 64);
    uint64_t left = 0;
    for (size_t w = 0; w < p.words; w++)
        left |= p.now[w];
    return left != 0;
}

/* --- for once --- */

bool glob_valid(const char *pattern)
{
    struct glob g;
    if (glob_compile(pattern, false, &g) < 0)
        return false;
    glob_free(&g);
    return true;
}

static bool match_once(const char *pattern, bool deep, const char *path)
{
    struct glob g;
    if (glob_compile(pattern, deep, &g) < 0)
        return false;
    bool matches = glob_test(&g, path, strlen(path));
    glob_free(&g);
    return matches;
}

bool glob_match(const char *pattern, const char *name)
{
    return match_once(pattern, false, name);
}

bool glob_match_deep(const char *pattern, const char *path)
{
    return match_once(pattern, true, path);
}

bool glob_special(const char *pattern)
{
    return strpbrk(pattern, "*?[\\") != NULL;
}
