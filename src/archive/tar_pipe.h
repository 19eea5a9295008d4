/* SPDX-License-Identifier: Apache-2.0 */
/* A tar between two processes of ours, through a pipe. */
#ifndef CAISSON_ARCHIVE_TAR_PIPE_H
#define CAISSON_ARCHIVE_TAR_PIPE_H

#include "archive/tar.h"

/* Called now and then with the bytes that have passed. */
typedef void tar_progress(void *closure, uint64_t bytes);

struct tar_pipe {
    int fd; /* borrowed */
    char *buffer;
    size_t filled;
    uint64_t passed;
    tar_progress *progress; /* NULL: nobody wants to know */
    void *closure;
};

/* The sink of a tar_writer; its closure is the pipe, which is written to in large pieces. */
int tar_pipe_put(void *pipe, const void *bytes, size_t length);
/* Writes what is left. 0 or -errno with a sentence. */
int tar_pipe_end(struct tar_pipe *pipe, struct error *err);
void tar_pipe_free(struct tar_pipe *pipe);
#define autopipe __attribute__((cleanup(tar_pipe_free))) struct tar_pipe

/* A stream out of the pipe: plain, without digests and without a thread. NULL on failure. */
struct stream *tar_pipe_open(struct tar_pipe *pipe, struct error *err);

#endif
