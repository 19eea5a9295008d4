/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Variables in compose files
 * (https://github.com/compose-spec/compose-spec/blob/main/12-interpolation.md): $NAME, ${NAME}, and
 * with a default (:- -), an error (:? ?) or a replacement (:+ +), nested; $$ is a dollar. And the
 * files that they come from (.env).
 *
 * What comes of it are names of images, which registries are asked for that the same file names. So
 * a variable whose name looks like a secret's (secret_name_maybe) has a value that nobody is told:
 * where it is set, VARIABLE_WITHHELD stands for it, wherever it is set.
 */
#ifndef CAISSON_COMPOSE_INTERPOLATE_H
#define CAISSON_COMPOSE_INTERPOLATE_H

#include "base/json.h"
#include "base/strv.h"

struct variables {
    const char *(*find)(void *closure, const char *name); /* the value, or NULL */
    void *closure;
    size_t left;        /* bytes of trees and values that may still come of it; see VARIABLES_MAX */
    size_t names_left;  /* variables that environment files may still set */
    struct strv *unset; /* names that stood for nothing, without a default, each once, at most
                           VARIABLES_UNSET_MAX; NULL */
};

#define VARIABLE_WITHHELD "withheld"
#define VARIABLES_MAX (32u << 20) /* of a project; looking a variable up counts as 64 bytes */
#define VARIABLES_NAMES_MAX 10000
#define VARIABLES_UNSET_MAX 100

/* Appends. -EINVAL with a sentence. */
int interpolate_text(struct variables *variables, const char *text, struct buf *out,
                     struct error *err);
/* All strings of a tree that are no keys, in place; the error begins with the path of the one. */
int interpolate_tree(struct variables *variables, json_t *tree, struct error *err);

/* Lines NAME=VALUE of a .env file, with quotes, comments and variables (of `variables`, then of
 * what `out` has by then), put into the object `out`: later ones replace earlier ones. -EINVAL with
 * file and line. */
int environment_parse(const char *text, const char *file, struct variables *variables, json_t *out,
                      struct error *err);

#endif
