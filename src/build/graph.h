/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which stages of a Dockerfile a target needs: what each begins with, and whose files it takes.
 * Stages refer to earlier ones only, so there are no circles.
 *
 * A named context (--build-context NAME=…) stands in for the stage, or for the image, of its name.
 */
#ifndef CAISSON_BUILD_GRAPH_H
#define CAISSON_BUILD_GRAPH_H

#include "build/dockerfile.h"
#include "build/expand.h"

/* Something that a stage takes files from: COPY --from, RUN --mount=from=. */
struct graph_source {
    size_t instruction; /* index in the file's; several mounts in their order */
    struct place place;
    char *name;          /* expanded, as written */
    int stage;           /* -1: not a stage */
    const char *context; /* the named context, borrowed from the request; NULL */
};

struct graph_stage {
    char *base;          /* expanded: an image's name, "scratch", a stage's name */
    char *platform;      /* of FROM --platform, expanded; NULL */
    int stage;           /* the stage that it is based on, or -1 */
    const char *context; /* the named context that it begins with; NULL */
    bool replaced;       /* `context` has the stage's own name: nothing of it is executed */
    struct graph_source *sources;
    size_t source_count;
    bool needed; /* for the target */
};

struct graph {
    struct graph_stage *stages; /* as many as the file's */
    size_t count;
    size_t target;
};

struct graph_request {
    const struct dockerfile *file;
    const struct expand *expand; /* knows the ARGs before the first FROM */
    const struct strv *contexts; /* names; NULL */
    const char *target;          /* a stage's name or number; NULL or "": the last */
};

/* -EINVAL with the place, or for the target without. Only names that the target needs have to
 * become something; others may stay empty. */
int graph_make(const struct graph_request *request, struct graph *out, struct error *err);
void graph_free(struct graph *graph);
#define autograph __attribute__((cleanup(graph_free))) struct graph

/* The last stage before `before` that has this name, any case, or this number; -1. */
int graph_find_stage(const struct dockerfile *file, const char *name, size_t before);

#endif
