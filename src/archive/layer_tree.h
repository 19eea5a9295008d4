/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The directories of a layer while it is unpacked. Internal to the module.
 *
 * Every directory below fs/ was made here and is known here: a name that is not known and yet
 * exists is no directory, whatever it looks like. Directories stay 0700 and ours until all is
 * unpacked and get their owner, mode, times and marks at the end, deepest first.
 */
#ifndef CAISSON_ARCHIVE_LAYER_TREE_H
#define CAISSON_ARCHIVE_LAYER_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "archive/tar.h"
#include "base/error.h"

struct meta {
    mode_t mode; /* permissions, setuid, setgid, sticky */
    uid_t uid;
    gid_t gid;
    struct timespec mtime;
};

struct directory {
    struct directory *parent; /* NULL for the root */
    struct directory *older;  /* made before this one */
    char *name;
    int slot; /* of its descriptor in the cache, or -1 */
    bool opaque;
    struct meta meta;
    struct tar_xattr *xattrs; /* owned, with names and values */
    size_t xattr_count;
};

#define TREE_CACHE 32

struct tree {
    int fs; /* owned */
    uid_t uid;
    gid_t gid;   /* of what we make */
    void *index; /* tsearch(3): by parent and name */
    struct directory *root, *newest;
    uint64_t count, max;
    struct {
        int fd;
        struct directory *directory;
        uint64_t used;
    } cache[TREE_CACHE];
    uint64_t clock;
    char last_path[4096]; /* the directory found last, and its path */
    size_t last_length;
    struct directory *last;
};

/* Makes dir_fd/fs. */
int tree_open(struct tree *tree, int dir_fd, uint64_t max_directories, struct error *err);
void tree_close(struct tree *tree);
/* The directory with the first `length` bytes of `path`, made if missing, with the parents that are
 * missing (0755, root's, of the time given). */
int tree_make(struct tree *tree, const char *path, size_t length, struct timespec mtime,
              struct directory **out, struct error *err);
struct directory *tree_find(const struct tree *tree, const char *path, size_t length);
/* Notes what an entry says of a directory. */
void tree_describe(struct directory *directory, const struct meta *meta,
                   const struct tar_entry *entry);
/* Its descriptor, borrowed: valid for the next TREE_CACHE - 1 directories. Or -errno. */
int tree_fd(struct tree *tree, struct directory *directory, struct error *err);
/* Gives every directory what the archive says of it. */
int tree_finish(struct tree *tree, struct error *err);

bool tree_is_whiteout(int dir_fd, const char *name);

/* --- owner, mode, times, xattrs of one thing --- */

/* What an entry says, or -EINVAL for ids that cannot be. */
int meta_of(const struct tar_entry *entry, struct meta *out, struct error *err);
bool meta_owner_differs(const struct tree *tree, const struct meta *meta);
/* The sentence for a failed chown. */
int meta_chown_failed(const struct meta *meta, struct error *err);
/* On a descriptor; `now` is the mode it has. */
int meta_apply(const struct tree *tree, int fd, const struct meta *meta, mode_t now,
               const struct tar_xattr *xattrs, size_t count, struct error *err);

enum xattr_fate { XATTR_KEPT, XATTR_DROPPED, XATTR_REFUSED };
enum xattr_fate xattr_fate(const char *name, enum tar_type type);

#endif
