/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Paths inside a container's root: the only place that follows them.
 *
 * Whoever can write to a root file system or a volume decides what its symlinks point to, and may
 * change them while we walk. So nothing is ever opened by a path string from outside: the kernel
 * resolves it as if the root were "/" (openat2(2), RESOLVE_IN_ROOT), magic links of /proc are
 * refused, and what is missing is made one component at a time below a descriptor that was just
 * opened. Mounts then go to descriptors. A walk can be raced, but never out of the root.
 */
#ifndef CAISSON_PATH_INROOT_H
#define CAISSON_PATH_INROOT_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/error.h"

#define INROOT_PATH_MAX 4096

/* Opens `path` (relative and absolute mean the same) below rootfd. The descriptor or -errno. Safe
 * after clone3. O_CLOEXEC is added. */
int inroot_open(int rootfd, const char *path, int flags);
/* Opens `path`, which is relative, beneath dirfd and through no symlink at all: -ELOOP where one is
 * on the way. With O_PATH | O_NOFOLLOW the last part may be one, which is then what is opened. */
int inroot_open_beneath(int dirfd, const char *path, int flags);
/* As inroot_open(), with a sentence. */
int inroot_open_or_say(int rootfd, const char *path, int flags, struct error *err);
/* Opens a regular file to read it; -EINVAL for anything else, which is not opened at all: opening a
 * device or a pipe may do something by itself, and so may reading what only looks like a file
 * (procfs, FUSE). -EAGAIN when a process inside holds a lease on it. */
int inroot_open_file(int rootfd, const char *path);
/* mkdir -p with mode 0755, symlinks followed inside the root only, also those that lead to what is
 * missing, which is then made there; O_PATH descriptor of the directory or -errno. Directories made
 * belong to the caller. Safe after clone3. */
int inroot_make_directory(int rootfd, const char *path);
/* The same for somebody else: what is made belongs to `uid` and `gid`. *made: something was. */
int inroot_make_directory_for(int rootfd, const char *path, uid_t uid, gid_t gid, bool *made);
/* Makes sure that a file (not a directory) is there, its parents too; O_PATH descriptor of it.
 * -EISDIR when a directory has the name. Safe after clone3. */
int inroot_make_file(int rootfd, const char *path, mode_t mode);
/* Where the two above find `path` or would make it: relative, without links; "" is the root. The
 * first *there bytes of it are there already. 0 or -errno. */
int inroot_find(int rootfd, const char *path, char out[INROOT_PATH_MAX], size_t *there);

/* Where an open file lies below the root now, as links led there: relative, "" is the root. 0,
 * -EXDEV when it is not below it, -ENAMETOOLONG, -errno. */
int inroot_where(int rootfd, int fd, char out[INROOT_PATH_MAX]);

/* Whether `path` is absolute, without "..", "." and empty components, and short enough to be used
 * as the target of a mount; "/a//b/" is cleaned to "/a/b" into `out` (INROOT_PATH_MAX bytes). 0 or
 * -EINVAL with a sentence. `what` names the option. */
int inroot_clean(const char *path, const char *what, char *out, struct error *err);

#endif
