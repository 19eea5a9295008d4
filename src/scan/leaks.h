/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Secrets that are about to go into an image: private keys, tokens, passwords, in files and in what
 * a Dockerfile says. Rules are data (data/leaks/rules.json, which the build turns into a table).
 *
 * Every byte of a layer passes here once, in chunks of any size, while the layer is written. A
 * vector filter (anchors.h) looks for the texts that matches begin with; only there is a rule's
 * expression tried (expression.h), which never goes back a step; then its captured part must be
 * random enough, and be no documented example. A finding is meant to stop a build, so a rule that
 * is not sure finds nothing, and trees of documentation and tests are let through by the data,
 * which says why.
 *
 * Guarded against: hostile files. Memory is what leaks_new() takes; a byte costs at most what one
 * expression can reach; findings are told up to LEAKS_OF_FILE and LEAKS_IN_ALL, and the rest is
 * counted. No secret is handed on: a finding has at most its first four characters.
 *
 * Not looked into: archives and other compressed files.
 */
#ifndef CAISSON_SCAN_LEAKS_H
#define CAISSON_SCAN_LEAKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define LEAKS_OF_FILE 16
#define LEAKS_IN_ALL 256

enum leak_severity {
    LEAK_NOTE, /* worth a line: an encrypted key, a key store */
    LEAK_STOP, /* gives somebody access */
};

struct leak {
    const char *rule;  /* its id */
    const char *title; /* what it is: "GitHub token" */
    enum leak_severity severity;
    const char *where; /* path of the file, or what leaks_text() was told */
    uint64_t offset;   /* of the secret */
    uint64_t line;     /* from 1; 0: nothing was found but a telling name */
    uint64_t column;   /* from 1, in bytes */
    char excerpt[32];  /* the first four characters and "…", printable */
    bool allowed;      /* leaks_allow() lets it through */
};

typedef void leaks_found(void *context, const struct leak *leak);

struct leaks;
struct leaks *leaks_new(leaks_found *found, void *context);
void leaks_free(struct leaks *l);
static inline void cleanup_leaks(struct leaks **l)
{
    leaks_free(*l);
}
#define autoleaks __attribute__((cleanup(cleanup_leaks))) struct leaks *

/* One --allow-secret: the id of a rule, or a path as in a .dockerignore, from the root of the image
 * (and all below it). -EINVAL: neither. */
int leaks_allow(struct leaks *l, const char *word, struct error *err);

/* A file: its path in the image, a leading slash does not matter; its content; its end. A file that
 * was begun is ended before the next. */
void leaks_begin(struct leaks *l, const char *path);
void leaks_feed(struct leaks *l, const void *bytes, size_t length);
void leaks_end(struct leaks *l);

/* What is no file: `text` is "NAME=value" for a variable, argument or label, or a line of the
 * history. `where` is what findings are said to be in, such as "ENV GITHUB_TOKEN". */
void leaks_text(struct leaks *l, const char *where, const char *text);

/* What was found until now, without what is allowed and without notes: not zero stops a build. */
size_t leaks_stopping(const struct leaks *l);
/* How many findings the callback was not told of because there are too many. */
size_t leaks_untold(const struct leaks *l);

#endif
