/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Contexts from elsewhere: a repository, an archive behind an address or on standard input. Each is
 * unpacked into a directory of a staging area of its own and then used like any other, with one
 * difference: it is somebody else's, so the Dockerfile and its .dockerignore are found in-root.
 */
#ifndef CAISSON_BUILD_REMOTE_CONTEXT_H
#define CAISSON_BUILD_REMOTE_CONTEXT_H

#include "build/build.h"
#include "build/fetching.h"
#include "store/staging.h"

struct remote_context {
    struct staging staging;
    int root;        /* its directory; -1: it was a Dockerfile and nothing else */
    int beside;      /* the directory that the Dockerfile is in; -1 */
    char path[40];   /* of `root`, for build_input */
    char *name;      /* of the Dockerfile */
    char *file_path; /* for build_input; NULL */
    struct buf text;
};
#define REMOTE_CONTEXT_NONE                                                                        \
    {                                                                                              \
        .root = -1, .beside = -1                                                                   \
    }

/* Whether the word for a context is an address. */
bool remote_context_named(const char *word);
/* Whether what comes from a stream begins like an archive. */
bool remote_context_begins(const void *bytes, size_t length);
#define REMOTE_CONTEXT_BEGIN 512

int remote_context_fetch(const struct build_options *options, const struct build_place *place,
                         const char *word, struct remote_context *out, struct error *err);
/* `begun`: what was read of the stream already. */
int remote_context_read(const struct build_options *options, const struct build_place *place,
                        int stream, const struct buf *begun, struct remote_context *out,
                        struct error *err);
/* A repository or an archive behind an address, with nothing that has to be in it: the descriptor
 * of its directory, which lies in the staging area below `name`. */
int remote_context_tree(const struct fetching *fetching, const char *word, const char *name,
                        struct error *err);
/* As the input of a build; borrows. `text`: the Dockerfile came from elsewhere; NULL. */
void remote_context_input(const struct remote_context *context, const struct buf *text,
                          struct build_input *out);
void remote_context_free(struct remote_context *context);

#endif
