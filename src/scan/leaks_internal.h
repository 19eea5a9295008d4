/* SPDX-License-Identifier: Apache-2.0 */
/* What searching (leaks.c) and judging what was found (leaks_judge.c) share. */
#ifndef CAISSON_SCAN_LEAKS_INTERNAL_H
#define CAISSON_SCAN_LEAKS_INTERNAL_H

#include "base/buf.h"
#include "base/glob.h"
#include "scan/anchors.h"
#include "scan/expression.h"
#include "scan/rules.h"

/* Patterns of paths, each about what lies below it too. */
struct globs {
    struct glob *items; /* owned */
    size_t count;
};

void globs_add(struct globs *list, const char *pattern); /* one that is valid */
void globs_free(struct globs *list);
bool globs_match(const struct globs *list, const char *path);
bool globs_match_exactly(const struct globs *list, const char *path);

/* Hundredths of a bit for each byte: Shannon's, of how often each byte occurs. */
unsigned leak_entropy(const unsigned char *bytes, size_t length);
/* Whether what a rule captured is a secret, as far as can be told without its place. */
bool leak_is_secret(const struct leak_rule *rule, const unsigned char *bytes, size_t length);
/* The beginning of the secret and "…"; never more than a quarter of it. */
void leak_excerpt(const unsigned char *bytes, size_t length, char out[32]);
/* Newlines. */
size_t count_lines(const unsigned char *text, size_t length);

#endif
