/* SPDX-License-Identifier: Apache-2.0 */
/* What is outside of the Dockerfile: the build context with its .dockerignore, and named ones
 * (--build-context NAME=…: a directory, what is behind an address, an image), which come before
 * stages and images of that name. Directories are read in place and never copied as a whole. */
#ifndef CAISSON_BUILD_CONTEXT_H
#define CAISSON_BUILD_CONTEXT_H

#include "build/memory.h"
#include "build/patterns.h"
#include "build/selection.h"

struct fetching;

#define IMAGE_CONTEXT "docker-image://"

struct named_context {
    char *name;  /* lower case */
    char *image; /* or: the image that stands for the name */
    int fd;      /* of a directory; -1 */
    char *path;
    struct ignore ignore;
    char *ignore_name; /* ".dockerignore"; NULL: there is none */
    struct memory memory;
    bool passes;     /* it is not there the next time: no memory */
    bool remembered; /* `memory` is open */
};

struct contexts {
    struct named_context main; /* fd -1: there is none */
    struct named_context *named;
    size_t count;
};

/* Opens a directory as the main context. `dockerfile_path`: whose .dockerignore goes before the
 * context's; NULL. */
int context_open(const char *path, const char *dockerfile_path, struct named_context *out,
                 struct error *err);
/* One --build-context. What is behind an address is fetched now, into the staging area. */
int context_add(struct contexts *contexts, const char *words, const struct fetching *fetching,
                struct error *err);
struct named_context *context_find(struct contexts *contexts, const char *name);
void contexts_close(struct contexts *contexts);

/* As a root of sources; digests that are known are used and kept. */
void context_root(struct named_context *context, struct store *store, struct source_root *out);

#endif
