/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A tar into a tree that is there already: the receiving side of `cp`.
 *
 * Everything is made beneath one directory, by descriptors, and through no symbolic link, whether
 * the archive brought it or it was there; or, for images, through links that are followed inside of
 * their root. A file replaces a file or a link; a directory is merged into a directory, which then
 * keeps its own mode and owner, and so does one that such a link leads to; one in the place of the
 * other is an error. Directories that are made are ours alone until the end, when they get their
 * modes and times.
 *
 * Guards against: names that lead out (".."), links on the way, hard links to anything but a file
 * of this archive, devices (never made, counted), and, where `harmless`, bits and attributes that
 * lend somebody's rights to others.
 */
#ifndef CAISSON_ARCHIVE_TREE_TAKE_H
#define CAISSON_ARCHIVE_TREE_TAKE_H

#include "archive/tar_pipe.h"
#include "archive/tree_place.h"

#define TREE_TAKE_MAX UINT64_C(5000000) /* entries */
#define TREE_TAKE_MEMORY_MAX                                                                       \
    ((size_t)64 << 20) /* bytes about directories that are to be finished */

struct tree_take {
    struct tar_reader *tar;
    int into; /* the directory that everything goes beneath; borrowed */
    /* Of an image's tree: links to directories are followed as if `root` (borrowed) were "/", where
     * `into` has the path `at`; those to what is missing as well, which is made. NULL: none is. */
    const char *at;
    int root;
    /* The archive is one tree, its top ".", as tree_give() makes it: where that goes. NULL: its
     * names are names beneath `into`. */
    const struct copy_path *source, *dest;
    enum copy_found found; /* what `dest` is: `into` itself, or, if not a directory, beneath it */
    bool keep_ids;         /* else all stays with whom the process makes files for, … */
    bool owned;            /* … who is root, and gives them away */
    uid_t uid;
    gid_t gid;
    bool harmless;              /* no setuid, no setgid, no file capabilities */
    uint64_t entries, left_out; /* counted */
};

/* Reads the archive to its end. Sets the process's umask to 0: it has a process of its own. */
int tree_take(struct tree_take *take, struct error *err);

/* The same of what comes out of a pipe, whose reader it makes for itself. */
int tree_take_pipe(struct tree_take *take, struct tar_pipe *pipe, struct error *err);

#endif
