/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where signatures of a manifest lie in a registry: simple signing under the tag sha256-HEX.sig of
 * its repository, bundles among its referrers (GET /v2/…/referrers/DIGEST, or, where a registry has
 * no such thing, the index under the tag sha256-HEX).
 */
#ifndef CAISSON_REGISTRY_ATTACHED_H
#define CAISSON_REGISTRY_ATTACHED_H

#include "registry/documents.h"
#include "registry/keys.h"
#include "registry/signature.h"

#define ATTACHED_MAX 64 /* further ones are not looked at */

struct attached {
    struct signature *items;
    size_t count;
    struct buf damaged; /* why others could not be read; "" */
};
void attached_free(struct attached *attached);
#define autoattached __attribute__((cleanup(attached_free))) struct attached

/* Adds those of the manifest `digest` at an endpoint. None is no error. */
int attached_find(struct client *client, size_t endpoint, const char *digest, struct attached *out,
                  struct error *err);

/* Adds a signature, beside those that are there, at endpoint 0. 1: there is one that says the same
 * by the same key, so nothing was changed. */
int attach_simple(struct client *client, const struct document *of,
                  const struct signature *signature, const struct public_key *key,
                  struct error *err);
int attach_bundle(struct client *client, const struct document *of,
                  const struct signature *signature, const struct public_key *key,
                  struct error *err);

#endif
