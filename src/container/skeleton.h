/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a run needs in an image's file system and the image may lack: mount points (/proc, /dev,
 * /tmp …), places for generated files. Made once for each image, by overlayfs itself, as one more
 * layer on top; so that a read-only container needs no writable layer and nothing is created while
 * it starts. The image's passwd and group are copied beside it, read in-root, bounded, regular
 * files only: whatever else they are (a FIFO, a gigabyte, a link out) is an error here and never
 * blocks.
 */
#ifndef CAISSON_CONTAINER_SKELETON_H
#define CAISSON_CONTAINER_SKELETON_H

#include "base/buf.h"
#include "base/error.h"
#include "store/store.h"

#define SKELETON_FILE_MAX (4u << 20) /* bytes of passwd or group */

struct skeleton {
    int fs;    /* the layer, O_PATH; goes on top of the image's layers */
    int empty; /* an empty directory: the lowest layer where the image has none; -1 otherwise */
    struct buf passwd, group;
};

/* Opens the image's skeleton, making it when it is missing. The store is locked shared. */
int skeleton_open(struct store *store, const struct image *image, struct skeleton *out,
                  struct error *err);
/* The same without passwd and group: what starting a planned container needs. */
int skeleton_open_layers(struct store *store, const struct image *image, struct skeleton *out,
                         struct error *err);
/* Opens the layers that count, lowest first; `layers` has room for all. *count is right on failure
 * too: what is open is the caller's to close. */
int skeleton_layers(struct store *store, const struct strv *diff_ids, int *layers, size_t *count,
                    struct error *err);
/* The image as it is, without the skeleton: layers that count, lowest first, over an empty
 * directory; at least two, as an overlay that cannot be written wants. Room for OCI_LAYERS_MAX + 2.
 */
int skeleton_bare_layers(struct store *store, const struct image *image, int *layers, size_t *count,
                         struct error *err);
/* Whether nothing below this layer is to be seen: overlayfs does not heed that mark on a root. */
bool layer_hides_all_below(int layer);
void skeleton_close(struct skeleton *skeleton);

#endif
