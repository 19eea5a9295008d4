/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Wildcards over paths, in two languages that look alike. The plain one is what Go calls
 * filepath.Match: `*` and `?` stop at a slash, `[a-z]`, `[^a]`, `\` takes a meaning away. The deep
 * one is that of .dockerignore (moby/patternmatcher): the same with `**`, which crosses slashes. At
 * the end that stands for anything, before a slash for directories at any depth, none included.
 *
 * Guarded against: patterns that cost more than their length times the path's. They are matched by
 * a set of places in the pattern, never by trying again. Where moby's translation into Go's regular
 * expressions lets something of that language through (`\d`, `^`, `[[:alpha:]]`), we keep to the
 * language of patterns: a d, a caret, a class of characters.
 */
#ifndef CAISSON_BASE_GLOB_H
#define CAISSON_BASE_GLOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GLOB_MAX 4096 /* bytes of a pattern */

enum glob_kind {
    GLOB_EXACT,  /* `text` */
    GLOB_PREFIX, /* begins with `text` */
    GLOB_SUFFIX, /* ends in `text`; or is all of it but its leading slash */
    GLOB_PARTS,
};

/* A pattern taken apart, to be matched many times. */
struct glob {
    enum glob_kind kind;
    char *text; /* owned; of parts the literal beginning, and after it the literal end */
    size_t head, tail;
    struct glob_part *parts; /* owned; all of them, */
    size_t count;
    size_t inner, inner_count; /* those between the ends that are matched by themselves: */
    size_t ones;               /* behind them what is one character each, and then literal */
    bool name;                 /* those are directories at any depth and a name */
    struct glob_range *ranges; /* owned */
    size_t range_count;
};

/* 0, or -EINVAL: a bracket that is not closed or has nothing in it, a backslash at the end. */
int glob_compile(const char *pattern, bool deep, struct glob *out);
void glob_free(struct glob *g);
/* All of the path. */
bool glob_test(const struct glob *g, const char *path, size_t length);
/* Whether something below the directory can match. */
bool glob_test_below(const struct glob *g, const char *directory, size_t length);

/* For once. A pattern that is not valid matches nothing. */
bool glob_valid(const char *pattern);
bool glob_match(const char *pattern, const char *name);
bool glob_match_deep(const char *pattern, const char *path);
/* Whether it has a character with a meaning, so that it cannot be taken for a name as it is. */
bool glob_special(const char *pattern);

#endif
