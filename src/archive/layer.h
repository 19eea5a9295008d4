/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Layers: a tar unpacked into a directory of the store, and given back from there.
 *
 * A layer directory holds `fs/` (the files, with the ids of the archive, in overlayfs's own form:
 * whiteouts are 0/0 character devices, opaque directories carry user.overlay.opaque=y), `recipe`
 * (what the archive has besides the files' contents, see recipe.h) and `size` (decimal bytes of the
 * files).
 *
 * Guards against: names that leave the tree ("..", a symlink or file as parent: every directory is
 * opened with openat2(2), beneath fs/ and through no symlink), hard links to anything but a file of
 * this layer, the same name twice, whiteouts forged as devices or xattrs, odd `.wh.` names, ids
 * that do not exist, and archives that are too large or too many.
 * Owns: nothing but what it makes in the directory it is given. On failure the caller removes that
 * directory; nothing was written outside it.
 */
#ifndef CAISSON_ARCHIVE_LAYER_H
#define CAISSON_ARCHIVE_LAYER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "archive/stream.h"
#include "base/error.h"
#include "oci/image.h"

struct layer_limits {
    uint64_t max_bytes;   /* of all files together, holes counted (--max-size); 0: the default */
    uint64_t max_entries; /* (--max-files); 0: the default */
};
#define LAYER_DEFAULT_MAX_BYTES STREAM_DEFAULT_MAX_BYTES
#define LAYER_DEFAULT_MAX_ENTRIES UINT64_C(5000000)

struct layer_result {
    char diff_id[DIGEST_MAX]; /* of the decompressed tar */
    char blob[DIGEST_MAX];    /* of the bytes as they came */
    uint64_t blob_bytes, tar_bytes;
    uint64_t size;                  /* bytes of the files */
    uint64_t entries;               /* in the archive */
    uint64_t skipped_devices;       /* not made, for this user may not make devices */
    enum stream_format compression; /* of the blob */
    bool opaque; /* the root itself is opaque: no layer below this one is to be seen. overlayfs does
                    not look for the mark on a root, whoever stacks layers has to stop here */
};

/* Unpacks all of `source` into the empty directory dir_fd. Sets the process's umask to 0 (this is a
 * worker's function). Safe to call in several threads for several layers. Does not sync. */
int layer_unpack(struct stream *source, int dir_fd, const struct layer_limits *limits,
                 struct layer_result *out, struct error *err);

/* Who looks at what goes into a layer while it is written: at each regular file of it, content in
 * pieces of any size. NULL functions are not called. */
struct layer_watch {
    int (*begin)(void *closure, const char *path, uint64_t bytes, struct error *err);
    int (*content)(void *closure, const void *bytes, size_t length, struct error *err);
    int (*end)(void *closure, struct error *err);
    void *closure;
};

/* Makes a layer of the tree `fs` in dir_fd, which is the writable layer of an overlay that nobody
 * mounts any more: writes `recipe`, `size` and `tar-size` beside it in one pass over the files.
 * Times are whole seconds, and not after *newest (NULL: any). out->entries is 0 where nothing was
 * written. Does not sync. */
int layer_make(int dir_fd, const int64_t *newest, const struct layer_watch *watch,
               struct layer_result *out, struct error *err);

/* syncfs(2) of the file system that dir_fd is on: once, before layers get their final names. */
int layer_sync(int dir_fd, struct error *err);

/* Gives the layer's tar back, byte for byte, to `sink` (0 or -errno), and compares its digest with
 * expected_diff_id at the end: -EBADMSG "layer X is damaged" when it is another, or when files are
 * missing or have another size. layer_dir_fd may be O_PATH. */
int layer_write_tar(int layer_dir_fd, int (*sink)(void *, const void *, size_t), void *closure,
                    const char *expected_diff_id, struct error *err);

#endif
