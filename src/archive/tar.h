/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tar archives, read and written: v7, ustar, pax (with global headers), GNU long names, base-256
 * numbers, sparse files in the old GNU form and in pax forms 0.0, 0.1 and 1.0.
 *
 * The reader tells not only the entries but every byte that is not a file's content: each byte of
 * the stream goes either to the caller, by tar_peek() and tar_read(), or to the function given to
 * tar_open() ("raw"). The two together are the archive, which is how a layer's tar can be given
 * back byte for byte without keeping it.
 *
 * Guards against: lengths that overflow or do not fit the archive, names with NUL, checksums that
 * are wrong, extended headers without bound, sparse maps that overlap, run backwards or claim more
 * than is there. Entry types that carry no content (links, directories, devices) have none,
 * whatever their size field says, as Docker and containerd read them.
 */
#ifndef CAISSON_ARCHIVE_TAR_H
#define CAISSON_ARCHIVE_TAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "archive/stream.h"
#include "base/error.h"

enum tar_type {
    TAR_FILE,
    TAR_HARDLINK,
    TAR_SYMLINK,
    TAR_CHARACTER,
    TAR_BLOCK_DEVICE,
    TAR_DIRECTORY,
    TAR_FIFO,
    TAR_UNKNOWN, /* entry.flag says which; its content can be read or skipped */
};

struct tar_xattr {
    const char *name; /* without the "SCHILY.xattr." */
    const void *value;
    size_t length;
};

/* A part of a sparse file that the archive holds; what lies between parts is zeros. */
struct tar_segment {
    uint64_t offset, length;
};

struct tar_entry {
    enum tar_type type;
    char flag;        /* the type flag as written */
    const char *path; /* as written, never empty, no trailing "/" removed */
    const char *link; /* target of a hard link or symlink, "" for others */
    uint32_t mode;    /* permission bits and setuid, setgid, sticky: 07777 at most */
    uint64_t uid, gid;
    int64_t mtime;       /* seconds */
    uint32_t mtime_nsec; /* 0..999999999, counted forward from mtime */
    uint32_t major, minor;
    uint64_t size;        /* bytes the file has */
    uint64_t stored;      /* bytes of content in the archive; less than `size` when sparse */
    uint64_t data_offset; /* of the content, in the decompressed stream */
    bool sparse;          /* content is `segments`, one after the other */
    const struct tar_segment *segments; /* rising, not overlapping, within `size` */
    size_t segment_count;
    const struct tar_xattr *xattrs;
    size_t xattr_count;
};

/* Bounds of the reader. */
#define TAR_NAME_MAX 65536              /* of a path or link target */
#define TAR_PAX_MAX (UINT64_C(1) << 20) /* of one extended header */
#define TAR_SEGMENTS_MAX 1000000        /* of a sparse file */

/* Takes bytes that are not content; 0 or -errno with a sentence, which ends the reading. */
typedef int tar_raw(void *closure, const void *bytes, size_t length, struct error *err);

struct tar_reader;

/* Reads from `stream`, which is borrowed. `raw` may be NULL. */
struct tar_reader *tar_open(struct stream *stream, tar_raw *raw, void *closure);
void tar_close(struct tar_reader *reader); /* NULL is fine */
static inline void cleanup_tar(struct tar_reader **reader)
{
    tar_close(*reader);
}
#define autotar __attribute__((cleanup(cleanup_tar))) struct tar_reader *

/* 1: the next entry, valid until the next call; 0: the end, and the whole stream has been read; or
 * -errno. What is left of the entry before is skipped. */
int tar_next(struct tar_reader *reader, const struct tar_entry **entry, struct error *err);
/* Borrows the next bytes of the entry's content, as stream_peek(). */
ssize_t tar_peek(struct tar_reader *reader, const void **bytes, struct error *err);
void tar_used(struct tar_reader *reader, size_t length);
/* Copies content until `length` bytes or its end; the count, or -errno. */
ssize_t tar_read(struct tar_reader *reader, void *bytes, size_t length, struct error *err);
/* Passes over the rest of the content; with `raw`, hands it there. */
int tar_skip(struct tar_reader *reader, struct error *err);
/* tar_read() in the shape of a stream_pull, closure is the reader: an archive inside an archive. */
ssize_t tar_pull(void *reader, void *bytes, size_t length, struct error *err);

/* --- writing ---
 * Deterministic: the same entries give the same bytes. ustar where it fits, a pax header before the
 * entry where it does not (long names, large ids and sizes, fractions of seconds, xattrs). */
typedef int tar_sink(void *closure, const void *bytes, size_t length);
struct tar_writer {
    tar_sink *sink; /* 0 or -errno */
    void *closure;
    uint64_t left; /* content still owed for the entry begun; set by the functions below */
    uint64_t padding;
};
/* Begins an entry; for TAR_FILE entry->size bytes of content must follow, or entry->stored ones
 * when it is sparse: those of its segments. */
int tar_write_entry(struct tar_writer *writer, const struct tar_entry *entry, struct error *err);
int tar_write_data(struct tar_writer *writer, const void *bytes, size_t length, struct error *err);
/* The two empty blocks at the end. */
int tar_write_end(struct tar_writer *writer, struct error *err);

#endif
