/* SPDX-License-Identifier: Apache-2.0 */
/* The Dockerfile and the context that words name. */
#ifndef CAISSON_CMD_BUILD_INPUTS_H
#define CAISSON_CMD_BUILD_INPUTS_H

#include "build/build.h"
#include "build/remote_context.h"

struct inputs {
    struct buf text;
    char *name, *path; /* of the Dockerfile */
    struct remote_context remote;
    struct build_input input;
};

/* `in` starts as {.remote = REMOTE_CONTEXT_NONE}. */
void inputs_free(struct inputs *in);
#define autoinputs __attribute__((cleanup(inputs_free))) struct inputs

/* A context that is a directory here, or "-" for a Dockerfile alone; `in->text` has what was read
 * of standard input already. */
int inputs_read(const struct build_options *options, const char *context, struct inputs *in,
                struct error *err);
/* As much of standard input as tells what it is. */
int inputs_begin(struct buf *out, struct error *err);
/* All of it is the Dockerfile. */
int inputs_standard(struct buf *out, struct error *err);

#endif
