/* SPDX-License-Identifier: Apache-2.0 */
/* The reader's state, shared between tar_read.c and tar_sparse.c. Internal to the module. */
#ifndef CAISSON_ARCHIVE_TAR_READER_H
#define CAISSON_ARCHIVE_TAR_READER_H

#include "archive/tar.h"
#include "archive/tar_block.h"
#include "archive/tar_pax.h"
#include "base/buf.h"

struct tar_reader {
    struct stream *stream; /* borrowed */
    tar_raw *raw;
    void *closure;

    struct tar_block block;
    bool started, ended;
    struct buf local, global;        /* bytes of the extended headers in force */
    struct buf long_name, long_link; /* GNU's */
    bool has_long_name, has_long_link, has_local;
    struct pax pax, global_pax;
    struct buf name, link; /* of the entry, NUL-terminated */

    struct tar_entry entry;
    uint64_t left, padding; /* content and padding of the entry still to be read */
    struct tar_segment *segments;
    size_t segment_count, segment_cap;
};

/* Reads one block and hands it to `raw`. 1, 0 at the end of the stream, or -errno. */
int tar_take_block(struct tar_reader *r, void *block, struct error *err);
/* An error about the entry or header that is being read: "damaged archive: WHY (at byte N)". */
int tar_damaged(const struct tar_reader *r, const char *why, struct error *err);

/* Fills in what is special about a sparse file, reading its map; nothing for others. Sets
 * entry.sparse, .segments, .size, .stored and the reader's `left`. */
int tar_sparse(struct tar_reader *r, struct error *err);

#endif
