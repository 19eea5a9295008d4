/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The image store: content-addressed, on disk below the root directory, no daemon, no database.
 *
 *   blobs/sha256/HEX  manifests and image configurations, verified when written and when read
 *   layers/HEX/       one unpacked layer, by diff_id: `fs/` holds its files with the ids of the
 *                     archive (unshifted), in overlayfs's own form (whiteouts are 0/0 character
 *                     devices, opaque directories carry user.overlay.opaque=y: mount with
 *                     `userxattr`); `recipe` is what else it takes to give the layer's tar back
 *                     byte for byte; `size` the bytes of the files, `tar-size` of the tar
 *   ids/HEX           one file an image, by the digest of its configuration: the digest of its
 *                     manifest. An image is there as long as this file is, names or not
 *   images/NAME       one file a name (percent-encoded): digest of the manifest, image id, name
 *   build/            what builds keep: steps/KEY (steps.h), mounts/, contexts/
 *   skeletons/HEX/    by config digest: the mount points and files that a run needs and the image
 *                     lacks (made by the container module, collected here)
 *   tmp/              what is being written; every entry is flock'ed by its writer
 *   lock              flock'ed: shared by whoever uses or adds images, exclusive by the collector
 *
 * Whatever has its final name is complete: entries are written below tmp/, synced and renamed.
 * An entry of tmp/ whose lock can be had belongs to a dead writer and is removed by the next
 * command that writes. Collection is mark and sweep from ids/, images/ and the containers.
 */
#ifndef CAISSON_STORE_STORE_H
#define CAISSON_STORE_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/strv.h"
#include "oci/image.h"
#include "oci/reference.h"

struct store {
    char *root;  /* the root directory's path, for messages */
    int root_fd; /* all below is opened relative to it */
    int lock_fd; /* -1 while not locked */
};

/* Opens, creating the directories (0700) that are missing. Refuses a root directory that belongs to
 * somebody else or that others can write to. */
int store_open(const char *root, struct store *out, struct error *err);
/* Gives everything back; a zero-initialised struct that was never opened is left alone. */
void store_close(struct store *store);

/* Shared: held from resolving an image until the container that uses it is on disk, and by whoever
 * adds. Exclusive: by the collector. -EWOULDBLOCK only with LOCK_NB. */
int store_lock(struct store *store, int flock_kind, struct error *err);
void store_unlock(struct store *store);

#define autostore __attribute__((cleanup(store_close))) struct store

struct image {
    char id[DIGEST_MAX];       /* digest of the configuration */
    char manifest[DIGEST_MAX]; /* digest of the manifest */
    char *name;                /* full name it was asked by, NULL when by id */
    struct image_config config;
};

/* Finds an image by name ("alpine", "alpine:3.19", "name@sha256:…") or by id (any unambiguous
 * prefix of at least 1 hexadecimal digits, with or without "sha256:"; a name wins over an id
 * prefix). -ENOENT: "no such image: X" with what to do. Verifies the digests of what it reads:
 * damaged documents are -EBADMSG and named. Also checks that every layer is present. */
int store_resolve(struct store *store, const char *name_or_id, struct image *out,
                  struct error *err);
void image_free(struct image *image);
/* Only which image is meant, without reading it (so also for damaged ones): its id, and the full
 * name it was asked by (owned by the caller) or NULL. */
int store_find(struct store *store, const char *name_or_id, char id[DIGEST_MAX], char **name,
               struct error *err);

#define autoimage __attribute__((cleanup(image_free))) struct image

/* The directory of a layer's files, O_PATH | O_DIRECTORY; diff_id is a valid digest. */
int store_open_layer(struct store *store, const char *diff_id, struct error *err);

/* Appends a document of blobs/ to `out`, its digest verified; `what` ("manifest") for messages.
 * -ENOENT when it is missing, -EBADMSG when it is damaged. */
int store_read_blob(struct store *store, const char *digest, const char *what, struct buf *out,
                    struct error *err);
/* Bytes of a layer's files. */
int store_layer_size(struct store *store, const char *diff_id, uint64_t *size, struct error *err);
/* Bytes of the tar that it came as. */
int store_layer_tar_size(struct store *store, const char *diff_id, uint64_t *size,
                         struct error *err);

/* For listings: every name and every image with no name that is still there. */
struct image_entry {
    char id[DIGEST_MAX], manifest[DIGEST_MAX];
    struct strv names;     /* full names, sorted; empty for dangling images */
    struct strv manifests; /* of each name, in the same order: one configuration may have been
                              loaded with several manifests */
    struct strv digests;   /* of each name: what a registry knows it by, else the manifest's */
};
int store_list(struct store *store, struct image_entry **out, size_t *count, struct error *err);
void image_entries_free(struct image_entry *entries, size_t count);

#endif
