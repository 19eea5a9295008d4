/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Copying a tree of an image's files: owners, modes, times, extended attributes, symlinks, FIFOs,
 * hard links and holes as they are; device nodes and sockets are left out.
 *
 * The source is an image, which does not change but may be anything: directories thousands deep,
 * files with holes of a terabyte, symlinks that lead out. Nothing in it is followed: every name is
 * opened from the directory that it is in, and a file only once it is known to be a regular one.
 * The way back up is "..", checked to be where it came from, so that depth costs no descriptors.
 * The destination is a directory that nobody else sees.
 */
#ifndef CAISSON_CONTAINER_TREE_COPY_H
#define CAISSON_CONTAINER_TREE_COPY_H

#include "base/error.h"

/* What is in `from` into the empty directory `to`, which is made like `from` too. `links`: an empty
 * directory on the file system of `to`, which is full of links to what has several names
 * afterwards.
 */
int tree_copy(int from, int to, int links, struct error *err);
/* Only owner, mode, times and attributes of the directory. */
int tree_copy_top(int from, int to, struct error *err);

#endif
