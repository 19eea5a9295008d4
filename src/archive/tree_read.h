/* SPDX-License-Identifier: Apache-2.0 */
/* How tree_give.c looks at one file or directory. Internal to the module. */
#ifndef CAISSON_ARCHIVE_TREE_READ_H
#define CAISSON_ARCHIVE_TREE_READ_H

#include <stdbool.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "archive/tar.h"
#include "base/error.h"
#include "base/strv.h"

/* Opens what an O_PATH descriptor is open on; `descriptors` is /proc/self/fd. -errno. */
int file_reopen(int descriptors, int fd, int flags);

/* Whether the kernel makes the content of its files up. */
bool file_system_is_kernels(const struct statfs *fs);

/* The parts of a file between its holes. None where it has no holes worth the trouble; of one with
 * very many, small holes are in them. -EFBIG with a sentence when there are too many parts. */
struct file_parts {
    struct tar_segment *segments; /* owned */
    size_t count;
    uint64_t stored;
};
int file_parts_find(int fd, const struct stat *st, struct file_parts *out, struct error *err);
void file_parts_free(struct file_parts *parts);
/* Exactly this part, zeros where the file has become shorter; -EIO when it has become much shorter:
 * zeros are written for little of what was never there. */
int file_part_give(int fd, const struct tar_segment *part, struct tar_writer *tar,
                   struct error *err);

/* The extended attributes that an archive has: user.*, file capabilities; sorted. With `cleanse`
 * those that it does not have and that mean something all the same are taken off: access lists, and
 * overlayfs's marks but for the one that counts. */
struct file_marks {
    struct tar_xattr *xattrs; /* owned, with names and values */
    size_t count;
    bool opaque; /* overlayfs's mark of a directory that hides what lies below */
};
int file_marks_read(int fd, bool cleanse, struct file_marks *out, struct error *err);
void file_marks_free(struct file_marks *marks);

/* The names in a directory, sorted, at most `most`. What they take is taken off *room, bytes. */
int directory_names(int fd, uint64_t most, size_t *room, struct strv *out, struct error *err);

#endif
