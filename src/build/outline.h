/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a Dockerfile offers, for `--call targets` and `--call outline`. A comment line right above
 * FROM … AS name, or ARG name, that begins with the name describes it.
 */
#ifndef CAISSON_BUILD_OUTLINE_H
#define CAISSON_BUILD_OUTLINE_H

#include "build/dockerfile.h"
#include "build/graph.h"

struct outline_target {
    const char *name;  /* borrowed from the file, as all but descriptions; NULL */
    const char *base;  /* unexpanded */
    char *description; /* NULL */
    bool is_default;   /* the last */
    struct place place;
};

struct targets {
    struct outline_target *items;
    size_t count;
};

void outline_targets(const struct dockerfile *file, struct targets *out);
void targets_free(struct targets *targets);
#define autotargets __attribute__((cleanup(targets_free))) struct targets

struct outline_arg {
    char *name;
    char *value; /* of the build argument, or the default; NULL */
    char *description;
    struct place place;
};

/* A secret, an ssh agent or a cache of RUN --mount, once for each id. */
struct outline_mount {
    char *id;
    char *target; /* of a cache; NULL */
    bool required;
    struct place place;
};

struct outline_mounts {
    struct outline_mount *items;
    size_t count;
};

struct outline {
    size_t stage; /* the target */
    char *description;
    struct outline_arg *args; /* those before the first FROM that a FROM needs, then those of the
                                 stages needed */
    size_t arg_count;
    struct outline_mounts secrets, ssh, caches;
};

/* `graph` says which stages are needed. `build_args`: "NAME=value"; NULL. What is expanded is so
 * with what the file and they say; nothing is known of images. */
void outline_make(const struct dockerfile *file, const struct graph *graph,
                  const struct strv *build_args, struct outline *out);
void outline_free(struct outline *outline);
#define autooutline __attribute__((cleanup(outline_free))) struct outline

/* What the comment right above an instruction says of `name`; the caller's; NULL. */
char *outline_description(const struct instruction *instruction, const char *name);

#endif
