/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Under which digests registries know a layer: the file `blobs` beside a layer's files, a line for
 * each place where it was seen, the last one first. So a layer that is there already is not sent,
 * and one that another repository has is mounted from there. It is a hint: every line is asked
 * about before it is believed.
 */
#ifndef CAISSON_REGISTRY_KNOWN_H
#define CAISSON_REGISTRY_KNOWN_H

#include "store/store.h"

#define KNOWN_MAX 24

struct known_blob {
    char digest[DIGEST_MAX]; /* of the compressed bytes */
    int64_t size;
    char type[100];
    char host[256], repository[256]; /* that it was pulled from or pushed to */
};

/* How many there are; never an error. */
size_t known_read(struct store *store, const char *diff_id, struct known_blob out[KNOWN_MAX]);
/* Notes one more. What fails is not worth an error. */
void known_add(struct store *store, const char *diff_id, const struct known_blob *blob);

#endif
