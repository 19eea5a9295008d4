/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Digests of files that were read before, so that a context of which one file changed is not read
 * again as a whole: build/contexts/HEX, one file a context, of fixed records sorted by device and
 * inode. A file is the same when size, times of change and inode are, and the times are not of the
 * moment when it was read: then it could have changed once more without a trace.
 *
 * A file that is damaged is one that is not there.
 */
#ifndef CAISSON_BUILD_MEMORY_H
#define CAISSON_BUILD_MEMORY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/hash.h"
#include "store/staging.h"

struct remembered {
    uint64_t device, inode, size;
    int64_t mtime, ctime; /* nanoseconds */
    unsigned char digest[SHA256_BYTES];
};

struct memory {
    const struct remembered *old; /* mapped */
    size_t old_count, old_bytes;
    struct remembered *seen; /* this time; sorted when saved */
    size_t count, capacity;
    bool changed;          /* something was not known */
    char name[SHA256_HEX]; /* of the file */
};

/* `name` of the context, 64 hexadecimal digits. */
void memory_open(struct store *store, const char *name, struct memory *out);
void memory_close(struct memory *memory);
/* Whether the digest of a file of which this was just said is known. Remembers it again. */
bool memory_find(struct memory *memory, const struct stat *st, unsigned char digest[SHA256_BYTES]);
/* Of a file of which `st` was said before and after it was read. */
void memory_add(struct memory *memory, const struct stat *st,
                const unsigned char digest[SHA256_BYTES]);
/* Best effort: what cannot be kept is read again the next time. */
void memory_save(struct memory *memory, struct staging *staging);

#endif
