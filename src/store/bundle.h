/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files of an image archive by name: a tar (plain in a file: used where it lies; compressed or
 * from a pipe: first put into an unnamed file below tmp/) or a directory (OCI layout).
 *
 * Guards against: links that lead out of a directory (openat2 RESOLVE_BENEATH), endless chains of
 * links in a tar, archives of millions of entries, documents without bound, and files that are
 * there twice where it would matter which one is meant.
 */
#ifndef CAISSON_STORE_BUNDLE_H
#define CAISSON_STORE_BUNDLE_H

#include "archive/stream.h"
#include "store/staging.h"

#define BUNDLE_FILES_MAX 100000

struct bundle_file {
    char *path; /* normalised: no "./", no double or trailing slash */
    char *link; /* where a link leads, NULL for files */
    uint64_t offset, size;
    bool twice;
};

struct bundle {
    bool directory;
    int fd; /* the tar or the directory; borrowed or owned by `spool` */
    int spool;
    struct bundle_file *files; /* of a tar, sorted by path */
    size_t count;
    int *opened; /* of a directory: the files handed out */
    size_t opened_count;
};

/* `fd` is borrowed for as long as the bundle lives. */
int bundle_open(struct staging *staging, int fd, const struct stream_limits *limits,
                struct bundle *out, struct error *err);
void bundle_close(struct bundle *bundle);
#define autobundle __attribute__((cleanup(bundle_close))) struct bundle

/* Where a file's bytes are; -ENOENT with a sentence when it is not there. Not thread-safe. */
int bundle_find(struct bundle *bundle, const char *path, struct stream_source *out,
                struct error *err);
bool bundle_has(struct bundle *bundle, const char *path);
/* A whole small file; one that the archive has twice is -EINVAL. */
int bundle_read(struct bundle *bundle, const char *path, size_t limit, struct buf *out,
                struct error *err);

#endif
