/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Images into the store: layers unpacked side by side, digests compared, everything made visible at
 * the end.
 *
 * Order of publication: sync, layers, documents, ids, names. So whatever can be found is whole, and
 * a kill between two steps leaves only parts that nothing names, which the next collection takes.
 * For worker programs, after worker_confine(): this reads bytes that others wrote.
 */
#ifndef CAISSON_STORE_INGEST_H
#define CAISSON_STORE_INGEST_H

#include "archive/layer.h"
#include "store/staging.h"

struct ingest_layer;

/* Whoever has to fetch a layer before it can be read. Called in the thread that unpacks it. */
struct ingest_hooks {
    /* Before its source is read. 1: the store has the layer, there is nothing to do. */
    int (*begin)(struct ingest_layer *layer, struct error *err);
    /* After that, with what came of it; returns what counts. 1: unpack it again, from its
     * beginning (which is begun again). */
    int (*end)(struct ingest_layer *layer, int rc, struct error *err);
};

struct ingest_layer {
    struct stream_source source;
    const struct ingest_hooks *hooks; /* NULL: it lies ready */
    char digest[DIGEST_MAX];          /* of the blob as it comes; "" when nobody said */
    char diff_id[DIGEST_MAX];         /* "" before ingest_layers() when nobody said; then set */
    uint64_t tar_bytes;               /* set by ingest_layers(): of the decompressed tar */
    char entry[24]; /* its directory in the staging area; "" when the store has it */
};

struct ingest_limits {
    size_t workers; /* layers at once; 0: as many as there are processors */
    struct stream_limits stream;
    struct layer_limits layer;
};

/* Unpacks, several at a time, what the store does not have, and verifies all. The caller holds the
 * store's lock (shared) unless no diff_id is known yet. */
int ingest_layers(struct staging *staging, struct ingest_layer *layers, size_t count,
                  const struct ingest_limits *limits, struct error *err);

struct ingest_image {
    struct buf config;      /* the document, byte for byte */
    struct buf manifest;    /* the same; empty: one is made by ingest_manifest() */
    struct strv names;      /* full */
    char id[DIGEST_MAX];    /* digest of `config` */
    char index[DIGEST_MAX]; /* of the index that a registry has under its names; "": none */
    /* Set by ingest_publish(): for each name the id that it meant before, or "". */
    struct strv replaced;
};
void ingest_image_free(struct ingest_image *image);

/* A manifest for an image that came without one: its layers are the plain tars. */
void ingest_manifest(struct ingest_image *image, const struct ingest_layer *const *layers,
                     size_t count);

/* The caller holds the store's lock (shared). No id and no name may come twice. */
int ingest_publish(struct staging *staging, struct ingest_layer *layers, size_t layer_count,
                   struct ingest_image *images, size_t image_count, struct error *err);

#endif
