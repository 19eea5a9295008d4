/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A tree of files as a tar: what `export`, `commit` and `cp` have in common.
 *
 * Walks by descriptors only. Each thing is looked at before it is opened (O_PATH), and opened
 * through that very descriptor, so that what was looked at is what is read, whoever exchanges names
 * meanwhile. The names of a directory are given in order: the same tree gives the same bytes. Holes
 * of files are not written, hard links between files of the tree stay links.
 *
 * Guards against: pipes and devices that would block or do something when they are opened (only
 * regular files and directories are), files that shrink or grow (as many bytes as there were at
 * first, zeros for a little that is missing), holes that would become zeros without end, the
 * kernel's own file systems, whose files have no size and no end (a single one is read up to a
 * bound, their directories are given empty), trees that are too deep or too large, or whose names
 * would fill the memory of the host, which is not the container's.
 */
#ifndef CAISSON_ARCHIVE_TREE_GIVE_H
#define CAISSON_ARCHIVE_TREE_GIVE_H

#include <stdbool.h>
#include <stdint.h>

#include "archive/tar.h"
#include "base/error.h"
#include "base/strv.h"

#define TREE_DEPTH_MAX 400
#define TREE_ENTRIES_MAX UINT64_C(5000000)
#define TREE_PSEUDO_MAX ((size_t)4 << 20)  /* bytes of a file that the kernel makes up */
#define TREE_MEMORY_MAX ((size_t)64 << 20) /* bytes of names that are remembered on the way */

struct tree_give {
    struct tar_writer *tar;
    int descriptors;  /* /proc/self/fd of this process, O_PATH */
    const char *name; /* of the top in the archive; "": what is in it has no directory before it */
    bool devices;     /* as entries; else they are left out, as sockets always are */
    /* The top is a writable layer of overlayfs: whiteouts and opaque directories become those of an
     * image's layer, overlayfs's own marks are left out. */
    bool layer;
    const struct strv *empty;   /* names in the archive of directories that are given empty; NULL */
    uint64_t entries, left_out; /* counted */
    /* What the archive does not have is taken out of the tree as well, with `still`: sockets,
     * access lists, marks of overlayfs. Then the tree is what the archive says, and nothing else.
     */
    bool cleanse;
    bool still; /* nobody changes the tree meanwhile: what was looked at by its name is what is
                   opened */
    /* Times of files as images have them: whole seconds. What is younger than *newest (seconds
     * since 1970; NULL: no bound) is given as that, and made so in the tree as well. */
    bool whole_seconds;
    const int64_t *newest;
    /* Told of each regular file after its entry was written and before entry->stored bytes of its
     * content are. NULL. */
    int (*content)(void *closure, const struct tar_entry *entry, struct error *err);
    void *closure;
};

/* `top`: anything, open with O_PATH. Does not write the archive's end. */
int tree_give(struct tree_give *give, int top, struct error *err);

#endif
