/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Garbage collection by mark and sweep. Marked is what the books name (ids/ and images/) and what a
 * container uses; there is no count that could be wrong. When something that marks cannot be read,
 * nothing is swept.
 *
 * A container is a directory below ROOT/containers or STATE/containers with a file `image`: two
 * lines, the digest of its image's configuration and of its manifest, and two more for each image
 * that is mounted in it.
 */
#ifndef CAISSON_STORE_COLLECT_H
#define CAISSON_STORE_COLLECT_H

#include "store/store.h"

struct store_user {
    char *container; /* its id */
    char id[DIGEST_MAX], manifest[DIGEST_MAX];
};
struct store_users {
    struct store_user *items;
    size_t count;
};

/* Every container that uses an image; `state` is the path of the state directory. */
int store_users(struct store *store, const char *state, struct store_users *out, struct error *err);
void store_users_free(struct store_users *users);
#define autousers __attribute__((cleanup(store_users_free))) struct store_users
/* The first container that uses the image `id`, NULL when none does. */
const char *store_user_of(const struct store_users *users, const char *id);

struct collected {
    struct strv layers; /* diff_ids of the layers removed */
    uint64_t bytes;
};
void collected_free(struct collected *collected);
#define autocollected __attribute__((cleanup(collected_free))) struct collected

/* The caller holds the store's lock exclusively. */
int store_collect(struct store *store, const struct store_users *users, struct collected *out,
                  struct error *err);

#endif
