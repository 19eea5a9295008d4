/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An image of the store to a registry (distribution-spec, "Push"). Layers that are there already
 * are not sent; those that another repository of the registry has are mounted from there; the
 * others are made a tar, compressed, hashed and sent in one pass, several side by side. An image
 * all of whose blobs were found as its manifest names them keeps its manifest, and so its digest.
 */
#ifndef CAISSON_REGISTRY_PUSH_H
#define CAISSON_REGISTRY_PUSH_H

#include "archive/stream.h"
#include "registry/documents.h"
#include "store/staging.h"

enum push_state { PUSH_WAITING, PUSH_SENDING, PUSH_DONE, PUSH_MOUNTED, PUSH_THERE };

struct push_layer {
    char diff_id[DIGEST_MAX];
    uint64_t size;          /* bytes of its tar */
    _Atomic uint64_t bytes; /* of it that were sent */
    _Atomic int state;      /* enum push_state */
    /* Set when it is done: what the registry has. */
    char digest[DIGEST_MAX], type[100];
    int64_t blob_size;
    char from[256]; /* the repository that it was mounted from */
};

struct push {
    struct store *store;
    struct staging *staging;
    struct client *client; /* endpoint 0 */
    const struct image *image;
    enum stream_format format; /* gzip, zstd */
    int level;                 /* 0: the format's default */
    bool nondistributable;     /* layers that may not be passed on are pushed as well */
    /* Set by push_prepare(). */
    struct buf manifest;       /* the image's own, as it is in the store */
    struct push_layer *layers; /* each once */
    size_t layer_count;
    size_t *of_layer; /* for each layer of the image, which of them */
    struct buf config;
    pthread_mutex_t lock; /* of the following */
    size_t next;
    _Atomic int failed; /* read without it, too */
    struct error error;
};

/* Reads documents and takes the layers into use, so that the collector spares them: the caller
 * holds the store's lock (shared), and need not any more. */
int push_prepare(struct push *push, struct error *err);
/* Layers and configuration. */
int push_blobs(struct push *push, size_t workers, struct error *err);
/* The manifest under a tag; *size of it. */
int push_manifest(struct push *push, const char *tag, char digest[DIGEST_MAX], size_t *size,
                  struct error *err);
void push_free(struct push *push);
#define autopush __attribute__((cleanup(push_free))) struct push

/* A small blob of ours, unless it is there already. */
int push_document(struct client *client, const struct buf *text, const char *digest,
                  struct error *err);
/* A manifest under a tag or digest; *answer of the registry's. */
int push_put_manifest(struct client *client, const char *reference, const char *type,
                      const struct buf *text, struct answer *answer, struct error *err);

#endif
