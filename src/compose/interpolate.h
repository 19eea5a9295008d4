/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Variables in compose files
 * (https://github.com/compose-spec/compose-spec/blob/main/12-interpolation.md): $NAME, ${NAME}, and
 * with a default (:- -), an error (:? ?) or a replacement (:+ +), nested; $$ is a dollar. And the
 * files that they come from (.env).
 */
#ifndef CAISSON_COMPOSE_INTERPOLATE_H
#define CAISSON_COMPOSE_INTERPOLATE_H

#include "base/json.h"
#include "base/strv.h"

struct variables {
    const char *(*find)(void *closure, const char *name); /* the value, or NULL */
    void *closure;
    size_t left;        /* bytes that may still come of it */
    struct strv *unset; /* names that stood for nothing, without a default, each once; NULL */
};

#define VARIABLES_MAX (16u << 20)

/* Appends. -EINVAL with a sentence. */
int interpolate_text(struct variables *variables, const char *text, struct buf *out,
                     struct error *err);
/* All strings of a tree that are no keys, in place; the error begins with the path of the one. */
int interpolate_tree(struct variables *variables, json_t *tree, struct error *err);

/* Lines NAME=VALUE of a .env file, with quotes, comments and variables (of `variables`, then of
 * earlier lines), appended to `out` as "NAME=VALUE". -EINVAL with file and line. */
int environment_parse(const char *text, const char *file, struct variables *variables,
                      struct strv *out, struct error *err);

#endif
