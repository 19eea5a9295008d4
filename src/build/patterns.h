/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lists of patterns: .dockerignore and `COPY --exclude`. What single patterns mean is
 * base/glob.h's: the deep language here, the plain one (glob_match) for the sources of COPY and
 * ADD.
 *
 * A rule is also about everything below what it matches, a rule with `!` takes back, and the last
 * rule that says something about a path or one of its parents decides. So the only thing to carry
 * down a tree is the number of that rule: a walk asks for each entry only the rules behind its
 * directory's, from the end, and asks at an excluded directory whether any of them can take back
 * something below.
 *
 * Guarded against: lists and patterns of any size (IGNORE_RULES_MAX, GLOB_MAX).
 */
#ifndef CAISSON_BUILD_PATTERNS_H
#define CAISSON_BUILD_PATTERNS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/glob.h"

#define IGNORE_RULES_MAX 8192

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
