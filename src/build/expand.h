/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Variables in the words of a Dockerfile: $v ${v} ${v:-w} ${v-w} ${v:+w} ${v+w} ${v:?w} ${v?w}
 * ${v#p} ${v##p} ${v%p} ${v%%p} ${v/p/w} ${v//p/w}, nested; quotes as BuildKit treats them ('…'
 * expands nothing, "…" does), and the file's escape character.
 */
#ifndef CAISSON_BUILD_EXPAND_H
#define CAISSON_BUILD_EXPAND_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/strv.h"

struct expand {
    /* The value of a variable, or NULL. The name need not be NUL-terminated. */
    const char *(*lookup)(void *closure, const char *name, size_t length);
    void *closure;
    char escape;
    bool raw_quotes;    /* quotes are bytes like others; escapes are taken off all the same
                           (here-documents of COPY and ADD) */
    bool unset_all;     /* names with a default are added to `unset` as well */
    struct strv *unset; /* names without value and default are added, once, 1000 at most; NULL */
};

#define EXPAND_MAX (1u << 20) /* bytes of what a word may become */

/* Appends one word, expanded, quotes removed. -EINVAL with a sentence that has no place yet. */
int expand_word(const struct expand *expand, const char *word, struct buf *out, struct error *err);
/* The same, but white space that comes of a variable (not in quotes) splits: several words. */
int expand_words(const struct expand *expand, const char *word, struct strv *out,
                 struct error *err);

#endif
