/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An image of a registry into the store: its documents are found and held against their digests,
 * then layers are downloaded, hashed, inflated and unpacked as one stream each, several side by
 * side.
 *
 * What a kill leaves: layers that were whole are in the store (nothing leads to them until the next
 * pull, or the collector, comes by); of the others, the bytes that came are in partial/HEX, named
 * by the blob's digest and locked by whoever fetches it. A pull begins with these bytes, and asks
 * for the rest. What is in there is believed as little as what comes from the network.
 */
#ifndef CAISSON_REGISTRY_PULL_H
#define CAISSON_REGISTRY_PULL_H

#include "oci/reference.h"
#include "registry/documents.h"
#include "store/load.h"

enum pull_state { PULL_WAITING, PULL_OTHERS, PULL_FETCHING, PULL_DONE, PULL_THERE };

/* How far a layer is, for whoever shows it, in another thread. */
struct pull_layer {
    char digest[DIGEST_MAX];
    uint64_t size;
    _Atomic uint64_t bytes; /* that came, those of an earlier pull included */
    _Atomic int state;      /* enum pull_state */
    _Atomic uint64_t begun; /* bytes of an earlier pull */
};

struct pull {
    struct store *store;
    struct staging *staging;
    struct client *client;
    const struct reference *ref;
    const char *held; /* the digest that its tag has to have; NULL */
    bool by_digest;   /* `held` is the name under which it is filed, the tag stays what it is */
    const struct platform *platform;
    struct ingest_limits limits;
    /* found by pull_find() */
    struct document top;      /* what the name means there: index or manifest */
    struct document manifest; /* the image's; `text` is empty where it is `top` */
    struct load_plan plan;
    struct download *downloads;
    struct pull_layer *layers; /* each blob once */
    size_t layer_count;
    _Atomic bool failed;        /* one of them did: the others need not go on */
    pthread_mutex_t store_lock; /* of `store`'s lock: one thread at a time has it */
};

int pull_find(struct pull *pull, struct error *err);
/* The manifest that the image has. */
const struct document *pull_manifest(const struct pull *pull);
/* Without the store's lock. */
int pull_fetch(struct pull *pull, struct error *err);
void pull_free(struct pull *pull);
#define autopull __attribute__((cleanup(pull_free))) struct pull

/* Removes what unfinished pulls have left and nobody is at: all of it, or what is older than some
 * days. */
int partial_sweep(struct store *store, bool all, uint64_t *bytes, struct error *err);

#endif
