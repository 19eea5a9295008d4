/* SPDX-License-Identifier: Apache-2.0 */
/* Where things lie below the root directory. For src/store only. */
#ifndef CAISSON_STORE_LAYOUT_H
#define CAISSON_STORE_LAYOUT_H

#include "store/store.h"

#define BLOBS_DIR "blobs/sha256"
#define LAYERS_DIR "layers"
#define IMAGES_DIR "images"
#define IDS_DIR "ids"
#define SKELETONS_DIR "skeletons"
#define TMP_DIR "tmp"
#define PARTIAL_DIR "partial"
#define PULLED_DIR "pulled"
#define BUILD_DIR "build"
#define STEPS_DIR BUILD_DIR "/steps"
#define LOCK_FILE "lock"
#define LAYER_SIZE "size"         /* of a layer: bytes of its files */
#define LAYER_TAR_SIZE "tar-size" /* bytes of the tar that it came as and that it is saved as */

#define STORE_PATH_MAX 320 /* a directory above, '/', a file name */
#define NAME_RECORD_MAX 1024

/* What a file of images/ says. */
struct name_record {
    char manifest[DIGEST_MAX], id[DIGEST_MAX];
    char index[DIGEST_MAX]; /* that a registry knows the name by; "": the manifest is it */
    char *name;             /* owned */
};

/* "blobs/sha256/HEX" and the like. */
void layout_path(char out[STORE_PATH_MAX], const char *directory, const char *file);
/* The file name in images/ for a full name: at most 200 bytes, never with a leading dot. */
void layout_name_file(const char *full_name, char out[STORE_PATH_MAX]);
/* One of a layer's two numbers; LAYER_SIZE or LAYER_TAR_SIZE. */
int layout_read_number(struct store *store, const char *diff_id, const char *file, uint64_t *value,
                       struct error *err);
/* -ENOENT when there is no such name, -EBADMSG when the file is not what was written. */
int layout_read_name(struct store *store, const char *file, struct name_record *out,
                     struct error *err);
/* Reads ids/HEX; `hex` is a file name of ids/. */
int layout_read_id(struct store *store, const char *hex, char manifest[DIGEST_MAX],
                   struct error *err);
/* The names in a directory of the store, sorted, those with a leading dot left out. */
int layout_list(struct store *store, const char *directory, struct strv *out, struct error *err);

#endif
