/* SPDX-License-Identifier: Apache-2.0 */
#include "archive/tar_pipe.h"

#include <string.h>

#include "base/io.h"
#include "base/memory.h"

#define BUFFER ((size_t)256 << 10)

static int flush(struct tar_pipe *pipe)
{
    int rc = write_all(pipe->fd, pipe->buffer, pipe->filled);
    pipe->passed += pipe->filled;
    pipe->filled = 0;
    if (rc == 0 && pipe->progress)
        pipe->progress(pipe->closure, pipe->passed);
    return rc;
}

int tar_pipe_put(void *closure, const void *bytes, size_t length)
{
    struct tar_pipe *pipe = closure;
    const char *at = bytes;
    if (!pipe->buffer)
        pipe->buffer = xmalloc(BUFFER);
    while (length > 0) {
        size_t n = BUFFER - pipe->filled < length ? BUFFER - pipe->filled : length;
        memcpy(pipe->buffer + pipe->filled, at, n);
        pipe->filled += n;
        at += n;
        length -= n;
        int rc = pipe->filled == BUFFER ? flush(pipe) : 0;
        if (rc < 0)
            return rc;
    }
    return 0;
}

int tar_pipe_end(struct tar_pipe *pipe, struct error *err)
{
    int rc = flush(pipe);
    return rc < 0 ? error_set(err, rc, "cannot write: %s", error_describe(rc)) : 0;
}

void tar_pipe_free(struct tar_pipe *pipe)
{
    free(pipe->buffer);
    pipe->buffer = NULL;
}

static ssize_t pull(void *closure, void *bytes, size_t length, struct error *err)
{
    struct tar_pipe *pipe = closure;
    ssize_t n;
    do {
        n = read(pipe->fd, bytes, length);
    } while (n < 0 && errno == EINTR);
    if (n < 0)
        return error_errno(err, "cannot read");
    pipe->passed += (uint64_t)n;
    if (pipe->progress)
        pipe->progress(pipe->closure, pipe->passed);
    return n;
}

struct stream *tar_pipe_open(struct tar_pipe *pipe, struct error *err)
{
    struct stream_source source = {
        .pull = pull, .closure = pipe, .length = STREAM_TO_END, .raw = true, .no_digests = true};
    struct stream_limits limits = {.max_bytes = UINT64_MAX, .max_ratio = UINT64_MAX};
    return stream_open(&source, &limits, err);
}
