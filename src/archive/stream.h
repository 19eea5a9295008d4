/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stream of bytes out of a file, a pipe or another stream, decompressed on the way.
 *
 * gzip (any number of members), xz, zstd and plain data are told apart by content, never by name.
 * A thread of the stream's own reads, hashes and decompresses into a small ring of buffers while
 * the caller works on what came before; digests of the compressed and of the decompressed bytes
 * fall out at the end.
 *
 * Guards against: bombs (an absolute limit and a ratio limit, both stop the stream with an error
 * that names the flag that raises them), truncated and damaged data, bytes hidden behind the end of
 * compressed data, decoders that ask for gigabytes (their windows are bounded).
 * Owns: its thread and its buffers. Descriptors are borrowed and must outlive the stream.
 */
#ifndef CAISSON_ARCHIVE_STREAM_H
#define CAISSON_ARCHIVE_STREAM_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "oci/image.h"

enum stream_format { STREAM_PLAIN, STREAM_GZIP, STREAM_XZ, STREAM_ZSTD, STREAM_BZIP2 };
/* "plain", "gzip", "xz", "zstd". */
const char *stream_format_name(enum stream_format format);

struct stream_limits {
    uint64_t max_bytes; /* decompressed; 0 stands for the default */
    uint64_t max_ratio; /* decompressed : compressed, judged from 16 MiB on; 0: the default */
};
#define STREAM_DEFAULT_MAX_BYTES (UINT64_C(64) << 30)
#define STREAM_DEFAULT_MAX_RATIO UINT64_C(200)
#define STREAM_RATIO_FROM (UINT64_C(16) << 20)

/* Where bytes come from when it is no descriptor: at most `length` bytes, 0 at the end, or -errno
 * with a sentence. Called from the stream's thread, one call at a time. */
typedef ssize_t stream_pull(void *closure, void *bytes, size_t length, struct error *err);

#define STREAM_TO_END UINT64_MAX
struct stream_source {
    int fd;            /* not used with `pull` */
    bool seekable;     /* pread(2) from `offset`; else read(2) from where the descriptor stands */
    uint64_t offset;   /* seekable only */
    uint64_t length;   /* bytes at most, STREAM_TO_END for all; fewer is an error unless TO_END */
    stream_pull *pull; /* NULL: the descriptor */
    void *closure;
    bool raw; /* take the bytes as they are, decompress nothing */
    /* No digests and no thread: for looking through an archive. Skipping in a plain seekable
     * source then costs nothing. */
    bool no_digests;
};

struct stream;

/* Opens and looks at the first bytes to tell the format. NULL on failure. */
struct stream *stream_open(const struct stream_source *source, const struct stream_limits *limits,
                           struct error *err);
void stream_close(struct stream *stream); /* NULL is fine; stops the thread */
static inline void cleanup_stream(struct stream **stream)
{
    stream_close(*stream);
}
#define autostream __attribute__((cleanup(cleanup_stream))) struct stream *

enum stream_format stream_format(const struct stream *stream);
/* How many decompressed bytes were given out or skipped so far. */
uint64_t stream_position(const struct stream *stream);

/* Borrows the next bytes: at least one, as many as lie in one piece; 0 at the end. The bytes stay
 * valid until the next call of stream_peek(), stream_read() or stream_skip(). */
ssize_t stream_peek(struct stream *stream, const void **bytes, struct error *err);
/* Marks the first `length` bytes of the last peek as used. */
void stream_used(struct stream *stream, size_t length);
/* Copies until `length` bytes or the end; the count, or -errno. */
ssize_t stream_read(struct stream *stream, void *bytes, size_t length, struct error *err);
/* Passes over `length` bytes; -EBADMSG when fewer are left. */
int stream_skip(struct stream *stream, uint64_t length, struct error *err);

struct stream_result {
    char compressed_digest[DIGEST_MAX]; /* "sha256:…" of the bytes as they came */
    char plain_digest[DIGEST_MAX];      /* of the decompressed bytes */
    uint64_t compressed_bytes;
    uint64_t plain_bytes;
};
/* Reads to the end, so that the digests cover everything, and tells them. Digests are "" with
 * no_digests. */
int stream_finish(struct stream *stream, struct stream_result *out, struct error *err);

#endif
