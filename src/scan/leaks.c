/* SPDX-License-Identifier: Apache-2.0 */
#include "scan/leaks.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/memory.h"
#include "base/text.h"
#include "scan/leaks_internal.h"

/* Content is searched a block at a time. What is kept of one for the next: what a match that begins
 * in it can reach, and the byte before that, on which `\b` and `^` depend. */
#define BLOCK ((size_t)128 * 1024)
#define AHEAD ((size_t)EXPRESSION_REACH + ANCHOR_MAX + 1)
#define BINARY_LOOK 8192 /* a NUL in the first of them says that a file is no text */

struct range {
    uint64_t begin, end;
};

struct leaks {
    leaks_found *found;
    void *context;
    size_t stopping, told, untold;

    /* Made when they are first needed, but for `content`. */
    struct anchors *content, *all;
    struct expression *expressions[LEAK_RULES_MAX];
    struct globs harmless;
    struct globs paths[LEAK_RULES_MAX]; /* of rules that are about some files alone */
    uint64_t everywhere;                /* rules about the content of every file, */
    uint64_t somewhere;                 /* of some, */
    uint64_t by_name, words;

    uint64_t allowed;
    struct globs allowed_paths;

    /* What is searched now. */
    struct buf where;
    bool is_file, binary, judged_harmless, is_harmless;
    uint64_t active;
    const struct anchors *anchors;
    struct range of_file[LEAKS_OF_FILE];
    size_t of_file_count;
    uint64_t base;      /* of block[0] */
    uint64_t line;      /* there, from 1, */
    uint64_t line_base; /* and where that line began */
    size_t used, searched;
    unsigned char block[BLOCK + ANCHORS_SLACK];
};

static uint64_t bit(size_t rule)
{
    return (uint64_t)1 << rule;
}

/* --- setting up --- */

/* The beginnings of the matches of some rules. */
static struct anchors *make_anchors(uint64_t rules)
{
    autofree struct anchor *list = NULL;
    size_t count = 0;
    for (size_t i = 0; i < leak_rule_count; i++)
        for (const char *const *b = leak_rules[i].begins; (rules & bit(i)) && b && *b; b++) {
            list = xrealloc(list, count + 1, sizeof *list);
            list[count++] = (struct anchor){*b, leak_rules[i].fold, (unsigned)i};
        }
    return anchors_new(list, count);
}

struct leaks *leaks_new(leaks_found *found, void *context)
{
    struct leaks *l = xmalloc(sizeof *l);
    memset(l, 0, offsetof(struct leaks, block));
    l->found = found;
    l->context = context;
    for (size_t i = 0; i < leak_rule_count; i++) {
        const struct leak_rule *rule = &leak_rules[i];
        for (const char *const *p = rule->paths; p && *p; p++)
            globs_add(&l->paths[i], *p);
        if (rule->where & LEAKS_CONTENT)
            *(rule->paths ? &l->somewhere : &l->everywhere) |= bit(i);
        if (rule->where & LEAKS_NAME)
            l->by_name |= bit(i);
        if (rule->where & LEAKS_WORDS)
            l->words |= bit(i);
    }
    l->content = make_anchors(l->everywhere);
    return l;
}

void leaks_free(struct leaks *l)
{
    if (!l)
        return;
    anchors_free(l->content);
    anchors_free(l->all);
    for (size_t i = 0; i < LEAK_RULES_MAX; i++) {
        expression_free(l->expressions[i]);
        globs_free(&l->paths[i]);
    }
    globs_free(&l->harmless);
    globs_free(&l->allowed_paths);
    buf_free(&l->where);
    free(l);
}

int leaks_allow(struct leaks *l, const char *word, struct error *err)
{
    for (size_t i = 0; i < leak_rule_count; i++)
        if (streq(word, leak_rules[i].id)) {
            l->allowed |= bit(i);
            return 0;
        }
    if (!strpbrk(word, "/.* ") || !glob_valid(word) || strspn(word, "/") == strlen(word)) {
        const char *ids[LEAK_RULES_MAX];
        for (size_t i = 0; i < leak_rule_count; i++)
            ids[i] = leak_rules[i].id;
        const char *near = nearest_word(word, ids, leak_rule_count);
        return error_set(err, -EINVAL,
                         "--allow-secret %.200s: neither a rule's id nor a path such as "
                         "/etc/key.pem%s%s",
                         word, near ? "; the nearest id is " : "", near ? near : "");
    }
    autofree char *pattern = xstrdup(word + strspn(word, "/"));
    for (size_t length = strlen(pattern); length > 0 && pattern[length - 1] == '/';)
        pattern[--length] = '\0';
    globs_add(&l->allowed_paths, pattern);
    return 0;
}

/* --- findings --- */

/* Whether the data says that secrets in this file are none. */
static bool harmless(struct leaks *l)
{
    if (!l->is_file)
        return false;
    if (l->harmless.count == 0)
        for (const char *const *p = leak_harmless; p && *p; p++)
            globs_add(&l->harmless, *p);
    if (!l->judged_harmless)
        l->is_harmless = globs_match(&l->harmless, buf_text(&l->where));
    l->judged_harmless = true;
    return l->is_harmless;
}

/* By the rule's own paths. */
static bool harmless_by(const struct leaks *l, const struct leak_rule *rule)
{
    struct globs globs = {0};
    for (const char *const *p = rule->harmless; l->is_file && p && *p; p++)
        globs_add(&globs, *p);
    bool matches = globs_match(&globs, buf_text(&l->where));
    globs_free(&globs);
    return matches;
}

/* Fills in the place of the secret at block[at]. */
static void place(const struct leaks *l, size_t at, struct leak *leak)
{
    const unsigned char *newline = memrchr(l->block, '\n', at);
    leak->offset = l->base + at;
    leak->line = l->line + count_lines(l->block, at);
    leak->column = newline ? (uint64_t)(l->block + at - newline) : leak->offset - l->line_base + 1;
}

/* Tells of a finding, once for each place; `m` is NULL for the name of a file. */
static void tell(struct leaks *l, size_t number, size_t at, const struct expression_match *m)
{
    const struct leak_rule *rule = &leak_rules[number];
    struct range range = {l->base + at, m ? l->base + m->end : l->base + at};
    for (size_t i = 0; m && i < l->of_file_count; i++)
        if (range.begin < l->of_file[i].end && l->of_file[i].begin < range.end)
            return;
    if (harmless(l) || harmless_by(l, rule))
        return;
    struct leak leak = {.rule = rule->id,
                        .title = rule->title,
                        .severity = rule->severity,
                        .where = buf_text(&l->where)};
    leak.allowed = (l->allowed & bit(number)) || globs_match(&l->allowed_paths, leak.where);
    if (!leak.allowed && leak.severity == LEAK_STOP)
        l->stopping++;
    if (l->of_file_count == LEAKS_OF_FILE || l->told == LEAKS_IN_ALL) {
        l->untold++;
        return;
    }
    l->told++;
    l->of_file[l->of_file_count++] = range;
    if (m) {
        place(l, m->captured, &leak);
        leak_excerpt(l->block + m->captured, m->captured_length, leak.excerpt);
    }
    l->found(l->context, &leak);
}

static void try_rule(void *context, unsigned number, size_t at)
{
    struct leaks *l = context;
    const struct leak_rule *rule = &leak_rules[number];
    struct expression_match m;
    if (!(l->active & bit(number)) || (l->binary && rule->text))
        return;
    if (!l->expressions[number])
        l->expressions[number] = expression_compile(rule->expression, NULL);
    if (l->expressions[number] &&
        expression_match(l->expressions[number], l->block, l->used, at, &m) &&
        leak_is_secret(rule, l->block + m.captured, m.captured_length))
        tell(l, number, at, &m);
}

/* --- searching --- */

/* Rules whose matches begin with nothing certain are tried at each line of the files that they are
 * about. */
static void try_lines(struct leaks *l, size_t from, size_t to)
{
    for (size_t number = 0; number < leak_rule_count; number++) {
        if (!(l->active & bit(number)) || leak_rules[number].begins)
            continue;
        for (size_t at = from; at < to;) {
            if (at == 0 || l->block[at - 1] == '\n')
                try_rule(l, (unsigned)number, at);
            const unsigned char *newline = memchr(l->block + at, '\n', to - at);
            at = newline ? (size_t)(newline - l->block) + 1 : to;
        }
    }
}

/* Searches what is there, all of it at the end. */
static void search(struct leaks *l, bool last)
{
    if (l->base == 0 && l->searched == 0 && l->is_file)
        l->binary = memchr(l->block, '\0', l->used < BINARY_LOOK ? l->used : BINARY_LOOK) != NULL;
    size_t end = last ? l->used : l->used > AHEAD ? l->used - AHEAD : 0;
    if (end <= l->searched)
        return;
    memset(l->block + l->used, 0, ANCHORS_SLACK);
    anchors_find(l->anchors, l->block, l->used, l->searched, end, try_rule, l);
    if (l->active & l->somewhere)
        try_lines(l, l->searched, end);
    l->searched = end;
}

/* Lets go of what was searched, but for its last byte. */
static void drop(struct leaks *l)
{
    size_t gone = l->searched > 0 ? l->searched - 1 : 0;
    const unsigned char *newline = memrchr(l->block, '\n', gone);
    l->line += count_lines(l->block, gone);
    if (newline)
        l->line_base = l->base + (uint64_t)(newline - l->block) + 1;
    memmove(l->block, l->block + gone, l->used - gone);
    l->base += gone;
    l->used -= gone;
    l->searched -= gone;
}

static void begin(struct leaks *l, uint64_t active, bool is_file)
{
    l->is_file = is_file;
    l->active = active;
    l->binary = l->judged_harmless = false;
    if (active & ~l->everywhere) {
        if (!l->all)
            l->all = make_anchors(UINT64_MAX);
        l->anchors = l->all;
    } else {
        l->anchors = l->content;
    }
    l->base = l->line_base = 0;
    l->line = 1;
    l->used = l->searched = 0;
}

void leaks_begin(struct leaks *l, const char *path)
{
    uint64_t active = l->everywhere;
    buf_clear(&l->where);
    buf_str(&l->where, path + strspn(path, "/"));
    l->of_file_count = 0;
    for (uint64_t left = l->somewhere; left; left &= left - 1) {
        size_t number = (size_t)__builtin_ctzll(left);
        if (globs_match_exactly(&l->paths[number], buf_text(&l->where)))
            active |= bit(number);
    }
    begin(l, active, true);
}

void leaks_feed(struct leaks *l, const void *bytes, size_t length)
{
    const unsigned char *at = bytes;
    while (length > 0) {
        size_t room = BLOCK - l->used, part = length < room ? length : room;
        memcpy(l->block + l->used, at, part);
        l->used += part;
        at += part;
        length -= part;
        if (l->used == BLOCK) {
            search(l, false);
            drop(l);
        }
    }
}

void leaks_end(struct leaks *l)
{
    search(l, true);
    if (l->is_file && l->of_file_count == 0) /* then the name is all that there is to tell */
        for (uint64_t left = l->by_name; left; left &= left - 1) {
            size_t number = (size_t)__builtin_ctzll(left);
            if (globs_match_exactly(&l->paths[number], buf_text(&l->where)))
                tell(l, number, 0, NULL);
        }
}

void leaks_text(struct leaks *l, const char *where, const char *text)
{
    uint64_t generic = 0; /* rules for words alone know a secret by its name: they come last */
    for (size_t i = 0; i < leak_rule_count; i++)
        if (leak_rules[i].where == LEAKS_WORDS)
            generic |= bit(i);
    buf_clear(&l->where);
    buf_str(&l->where, where);
    l->of_file_count = 0;
    const uint64_t rounds[] = {l->words & ~generic, l->words & generic};
    for (size_t i = 0; i < 2; i++) {
        begin(l, rounds[i], false);
        leaks_feed(l, text, strlen(text));
        leaks_end(l);
    }
}

size_t leaks_stopping(const struct leaks *l)
{
    return l->stopping;
}

size_t leaks_untold(const struct leaks *l)
{
    return l->untold;
}
