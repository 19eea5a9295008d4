/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The images that a project of compose files needs: those of its services, with what they are
 * merged with (further files, include, extends) and with variables replaced, and what it takes to
 * build the others. https://github.com/compose-spec/compose-spec/blob/main/spec.md
 */
#ifndef CAISSON_COMPOSE_IMAGES_H
#define CAISSON_COMPOSE_IMAGES_H

#include "base/error.h"
#include "base/strv.h"

/* A service that is built. Strings may be NULL. */
struct compose_build {
    char *service, *context, *dockerfile, *text, *target;
    struct strv args;     /* NAME=VALUE, or NAME: the environment's */
    struct strv contexts; /* NAME=… */
};

struct compose_images {
    struct strv names;
    struct compose_build *builds;
    size_t build_count;
    struct strv unset; /* variables that were wanted, have no default and no value */
};

/* `files`: paths, later ones merged over earlier ones; what is relative in them is so to the
 * directory of the first. Its .env says what variables are that the environment has not. */
int compose_images_read(const struct strv *files, struct compose_images *out, struct error *err);
void compose_images_free(struct compose_images *images);
#define autocompose_images __attribute__((cleanup(compose_images_free))) struct compose_images

#endif
