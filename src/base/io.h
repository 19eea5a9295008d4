/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading and writing whole files, relative to directory descriptors. Every descriptor is
 * O_CLOEXEC, every size is bounded, EINTR and short transfers are handled here and nowhere else.
 */
#ifndef CAISSON_BASE_IO_H
#define CAISSON_BASE_IO_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/error.h"

/* write(2) until all is written. 0 or -errno. */
int write_all(int fd, const void *bytes, size_t length);
/* read(2) until `length` bytes or end of file; the count, or -errno. */
ssize_t read_full(int fd, void *bytes, size_t length);
/* Appends all of `fd` to `out`; -EFBIG when more than `limit` bytes come. */
int read_fd(int fd, size_t limit, struct buf *out);
/* Appends the whole regular file dirfd/name (no symlink followed in the last component, never
 * blocks on a FIFO): -EFBIG over `limit`, -EINVAL when it is no regular file. -ENOENT is not put in
 * `err` any differently: look at the code. */
int read_file_at(int dirfd, const char *name, size_t limit, struct buf *out, struct error *err);
/* A small file of ours, all at once and with nothing but open, read and close: how many bytes,
 * after which there is a NUL; -EFBIG when they do not fit into `size`, then read_file_at() does it.
 */
ssize_t read_small_at(int dirfd, const char *name, char *out, size_t size);
/* Appends a whole file that a person names, links followed; a pipe or a terminal is not waited for.
 * 0 or -errno, without a sentence; -EFBIG over `limit`. */
int read_named_file(const char *path, size_t limit, struct buf *out);
/* As read_file_at() for files of /proc and /sys, whose size is unknown and whose paths are ours. */
int read_kernel_file(const char *path, size_t limit, struct buf *out, struct error *err);
/* Writes one value into an existing file of /proc or /sys in a single write(2). 0 or -errno. */
int write_kernel_file_at(int dirfd, const char *name, const char *value);

/* How much a reader after a power cut may rely on. */
enum durability {
    DURABLE,  /* fsync of file and directory: what outlives a boot */
    VOLATILE, /* only atomic: what lies under the state directory */
};
/* Replaces dirfd/name in one step: temporary file, write, (fsync), rename, (fsync of the
 * directory). At any instruction the name holds either the old or the new content. */
int write_file_at(int dirfd, const char *name, const void *bytes, size_t length, mode_t mode,
                  enum durability durability, struct error *err);

/* mkdir -p of a path of our own (never one a container can touch), each part with `mode`. */
int make_directories(const char *path, mode_t mode, struct error *err);
/* Opens a directory of our own by its path, made with all above it (0700) when it is missing.
 * -EPERM when it belongs to somebody else or others can write to it; `flag` is what names another.
 */
int open_own_directory(const char *path, const char *flag, struct error *err);
/* Opens a directory below dirfd, O_DIRECTORY | O_NOFOLLOW. The descriptor or -errno. */
int open_directory_at(int dirfd, const char *name, struct error *err);
/* Removes dirfd/name and all below it, by descriptors, never following a symlink, not crossing into
 * other mounts. A missing name is no error. */
int remove_tree_at(int dirfd, const char *name, struct error *err);

/* flock(2) on an open descriptor. kind: LOCK_SH or LOCK_EX, with LOCK_NB where wanted. */
int lock_fd(int fd, int kind);

/* One message with descriptors over a SOCK_SEQPACKET or SOCK_STREAM unix socket. */
int send_fds(int socket, const void *bytes, size_t length, const int *fds, size_t count);
/* Receives at most `capacity` descriptors (O_CLOEXEC); the number of bytes or -errno; *count is how
 * many descriptors came. */
ssize_t receive_fds(int socket, void *bytes, size_t length, int *fds, size_t capacity,
                    size_t *count);

/* Makes sure that 0, 1 and 2 are open (on /dev/null), so that nothing else gets these numbers. */
int reserve_standard_fds(struct error *err);

#endif
