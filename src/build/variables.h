/* SPDX-License-Identifier: Apache-2.0 */
/* Build arguments, and the variables that hold before the first FROM. Lists of "NAME=value". */
#ifndef CAISSON_BUILD_VARIABLES_H
#define CAISSON_BUILD_VARIABLES_H

#include "build/dockerfile.h"
#include "build/options.h"

/* The last of the name; NULL. */
const char *pairs_find(const struct strv *pairs, const char *name, size_t length);
/* Replaces or adds. */
void pairs_set(struct strv *pairs, const char *pair);
/* For struct expand; `closure` is a list. */
const char *variables_find(void *closure, const char *name, size_t length);

/* --build-arg; one without value takes ours, and is nothing where we have none. */
int variables_arguments(const struct build_options *options, struct strv *out, struct error *err);
/* The platforms' (TARGETARCH …), and ARGs before the first FROM, each of which may use those before
 * it. */
int variables_globals(const struct build_options *options, const struct dockerfile *file,
                      const struct strv *arguments, struct strv *out, struct error *err);
/* SOURCE_DATE_EPOCH: a build argument, an ARG, our own variable. 1: set; 0: not. */
int variables_epoch(const struct strv *arguments, const struct strv *globals, int64_t *seconds,
                    struct error *err);
/* --build-arg that no ARG declares: names, borrowed. */
void variables_unused(const struct dockerfile *file, const struct strv *arguments,
                      struct strv *out);
/* HTTP_PROXY and the like: used where nobody declared them, and in nothing that is kept. */
bool variables_is_proxy(const char *name, size_t length);

#endif
