/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Archives that ADD unpacks: told by what they contain, never by their names. They are decompressed
 * by the worker that does nothing else, and unpacked by a process that can reach nothing but the
 * tree that is built. A directory of the archive that is a link to one in the tree goes where that
 * leads, and the link stays: archives of a root file system fit on images whose /lib is usr/lib.
 */
#ifndef CAISSON_BUILD_UNPACK_H
#define CAISSON_BUILD_UNPACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* Whether an open file is a tar, plain or compressed (gzip, bzip2, xz, zstd). Leaves it at its
 * beginning.
 */
bool unpack_is_archive(const char *worker, int fd);

/* Whether what begins so may be one; the first 512 bytes are enough. */
bool unpack_may_be_archive(const void *bytes, size_t length);

struct unpacking {
    const char *worker; /* path of caisson-image */
    int from;           /* the archive, at its beginning */
    int root;           /* of the tree; links of it are followed inside */
    const char *target; /* a directory of the tree, absolute ("": the root), … */
    int into;           /* … and opened */
    bool owned;         /* --chown: else ids are the archive's */
    uint32_t uid, gid;
};
int unpack_archive(const struct unpacking *unpacking, struct error *err);

#endif
