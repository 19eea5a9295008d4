/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Builds: a Dockerfile and a context become an image.
 *
 *   language  dockerfile, expand, step, checks, graph: words, no files
 *   context   what is outside: the context, .dockerignore, named contexts; selection (what COPY
 *             names) and placing (carrying it out)
 *   chain     the layers of a stage, made or known, and those that are still being written
 *   stage     one stage, instruction by instruction, in a process of its own
 *   solve     all of them: who waits for whom, what is told, what is kept
 *
 * A step writes into the upper directory of an overlay. When it is done that directory is the
 * layer: a worker (caisson-image __layer) reads it once, for its digest and for what must not be in
 * it, while the next step already runs on top. All of it lies in one staging directory until the
 * build ends; then what was made is written to disk and published, layers before records of steps
 * before the image. So a kill at any moment leaves nothing but that directory, which the next
 * command removes, and the cache never names what is not whole.
 */
#ifndef CAISSON_BUILD_BUILD_H
#define CAISSON_BUILD_BUILD_H

#include "base/error.h"
#include "build/options.h"
#include "container/container.h"
#include "store/store.h"

/* What is told while a build goes on. `vertex` numbers a step; its lines come between begin and one
 * of the others. */
enum build_event {
    BUILD_BEGIN,  /* text: what it is, "[builder 2/5] RUN make" */
    BUILD_LINE,   /* text: a line of its output, without the end of line */
    BUILD_DONE,   /* milliseconds */
    BUILD_CACHED, /* nothing had to be done */
    BUILD_FAILED,
    BUILD_CANCELED,
    BUILD_WARNING, /* text */
};
struct build_watch {
    void (*told)(void *closure, enum build_event event, unsigned vertex, const char *text,
                 uint64_t milliseconds);
    void (*warn)(void *closure, const char *text); /* of no step */
    void (*tick)(void *closure);                   /* ten times a second, for a live view; NULL */
    void *closure;
};

struct build_place {
    struct store *store; /* not locked */
    struct containers *containers;
    const char *program; /* path of the front, for what containers need besides */
    const char *worker;  /* path of caisson-image */
    const char *fetcher; /* … and of caisson-fetch; NULL: it is not there */
};

struct build_input {
    const char *context; /* a directory; NULL: none (Dockerfile from standard input alone) */
    bool context_passes; /* it is there for this build only: nothing of it is remembered */
    const char *dockerfile_name; /* for messages */
    const char *dockerfile;      /* its text */
    size_t length;
    const char *dockerfile_path; /* for DOCKERFILE.dockerignore; NULL */
};

struct build_result {
    char id[DIGEST_MAX]; /* of the image */
    char manifest[DIGEST_MAX];
    struct image_config config;
    struct strv bases; /* names of images that it was made from, each followed by its manifest */
    char started[RFC3339_MAX], finished[RFC3339_MAX];
    char *base; /* what the target's first base was named; NULL: scratch */
};
void build_result_free(struct build_result *result);

/* The store is locked (shared) when it returns: what was built can only now be lost, until an image
 * names it. 0, or -errno with a sentence; *exit_code is then what to end with (130 after an
 * interrupt). */
int build_image(const struct build_options *options, const struct build_input *input,
                const struct build_place *place, const struct build_watch *watch,
                struct build_result *out, int *exit_code, struct error *err);

#endif
