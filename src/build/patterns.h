/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Patterns of paths: .dockerignore, `COPY --exclude`, and the wildcards of sources of COPY and ADD.
 *
 * Two languages that look alike. `glob_match` is what Go calls filepath.Match, in which sources are
 * written: `*` and `?` stop at a slash, `[a-z]`, `[^a]`, `\` takes a meaning away. The patterns of
 * .dockerignore are those of moby/patternmatcher: the same with `**`, which crosses slashes. At the
 * end it stands for anything, before a slash for directories at any depth, none included.
 *
 * A rule of a list is also about everything below what it matches, a rule with `!` takes back, and
 * the last rule that says something about a path or one of its parents decides. So the only thing
 * to carry down a tree is the number of that rule: a walk asks for each entry only the rules behind
 * its directory's, from the end, and asks at an excluded directory whether any of them can take
 * back something below.
 *
 * Guarded against: patterns that cost more than their length times the path's. They are matched by
 * a set of places in the pattern, never by trying again. Where moby's translation into Go's regular
 * expressions lets something of that language through (`\d`, `^`, `[[:alpha:]]`), we keep to the
 * language of patterns: a d, a caret, a class of characters.
 */
#ifndef CAISSON_BUILD_PATTERNS_H
#define CAISSON_BUILD_PATTERNS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

#define PATTERN_MAX 4096      /* bytes of one pattern */
#define IGNORE_RULES_MAX 8192 /* rules of one list */

/* --- single patterns --- */

/* Whether it can be matched at all: brackets closed, no backslash at the end. */
bool glob_valid(const char *pattern);
/* Whether it has a character with a meaning, so that a name cannot be taken as it is. */
bool glob_special(const char *pattern);
/* All of `name`. A pattern that is not valid matches nothing. */
bool glob_match(const char *pattern, const char *name);
/* The same with `**`, as in .dockerignore, for all of a path without leading slash: not for what
 * lies below it. */
bool glob_match_deep(const char *pattern, const char *path);

/* --- lists --- */

struct ignore_rule;
struct ignore {
    struct ignore_rule *rules; /* owned */
    size_t count;
    bool takes_back; /* one of them has a `!` */
};

/* Adds the lines of a .dockerignore. -EINVAL names file, line and what is wrong with the pattern;
 * `out` is then to be freed all the same. */
int ignore_parse(const char *text, size_t length, const char *name, struct ignore *out,
                 struct error *err);
/* Adds one pattern of a command line or an instruction, which `origin` names in errors. */
int ignore_add(struct ignore *out, const char *pattern, const char *origin, struct error *err);
void ignore_free(struct ignore *list);
#define autoignore __attribute__((cleanup(ignore_free))) struct ignore

/* What is known of a directory: the number of the last rule about it or what is above it. That of
 * the root of the context is IGNORE_ROOT. */
typedef size_t ignore_place;
#define IGNORE_ROOT ((ignore_place)0)

/* The place of an entry of a directory whose place is `above`. `path` is the entry's, relative to
 * the root: "a/b", no "." or ".." in it, no slash at either end. */
ignore_place ignore_step(const struct ignore *list, const char *path, ignore_place above);
/* Whether what has this place is left out. */
bool ignore_excluded(const struct ignore *list, ignore_place place);
/* Whether something below an excluded directory may come back; if not, nobody has to look. */
bool ignore_reaches_below(const struct ignore *list, const char *directory, ignore_place place);
/* For a single path, with all that is above it. */
bool ignore_matches(const struct ignore *list, const char *path);

#endif
