/* SPDX-License-Identifier: Apache-2.0 */
/* What SOURCE and DEST of a copy mean: `docker cp`'s rules, which are those of `cp -a` but for a
 * directory that ends in "/.". */
#ifndef CAISSON_ARCHIVE_TREE_PLACE_H
#define CAISSON_ARCHIVE_TREE_PLACE_H

#include <stdbool.h>

#include "base/error.h"

/* A path as it was written, taken apart. */
struct copy_path {
    char *clean;    /* absolute, without ".", ".." and empty parts */
    char *name;     /* its last part; "" for the root */
    bool directory; /* it ends in "/", "/." or "/..": it has to be one */
    bool contents;  /* it ends in "/.": what is in it is meant */
};
/* `text`, from the directory `from` when it is relative. */
void copy_path_read(const char *text, const char *from, struct copy_path *out);
void copy_path_free(struct copy_path *path);
/* The directory it is in, owned by the caller. */
char *copy_path_parent(const struct copy_path *path);
#define autocopypath __attribute__((cleanup(copy_path_free))) struct copy_path

enum copy_found { FOUND_NOTHING, FOUND_DIRECTORY, FOUND_OTHER };

/* Where the top of a copy goes. */
enum copy_target {
    TARGET_BESIDE, /* into the parent of DEST, with the name of DEST */
    TARGET_INTO,   /* into DEST, with the name of SOURCE */
    TARGET_MERGE,  /* SOURCE's contents into DEST */
};
/* `found` is what DEST is. -EISDIR, -ENOTDIR, -ENOENT with a sentence. */
int copy_target(const struct copy_path *source, bool source_is_directory,
                const struct copy_path *dest, enum copy_found found, enum copy_target *out,
                struct error *err);

#endif
