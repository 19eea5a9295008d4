/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether an image of a registry may be used: the policy's rules for its name, held against the
 * signatures that lie beside it. Between finding an image and fetching it, in a process that is
 * confined: policy and keys were read before.
 *
 * An image whose signature was verified once is remembered with the key (registry/pulled.h). Later
 * the same name has to be signed by that key, or by one that the policy names, even where the
 * policy accepts anything: whoever can move a tag could else take the signature away.
 */
#ifndef CAISSON_REGISTRY_TRUST_H
#define CAISSON_REGISTRY_TRUST_H

#include "registry/attached.h"
#include "registry/policy.h"
#include "registry/pulled.h"

struct trust {
    struct client *client;
    const struct reference *ref;
    const struct policy *policy;
    /* What a signature may be of: what the name means, and of an index the manifest chosen. */
    const struct document *documents[2];
    size_t count;
    const struct pulled *before; /* NULL: nothing is remembered */
};

/* Who vouches for what. */
struct vouched {
    char signer[PULLED_SIGNER_MAX]; /* to be remembered; "": nobody */
    char digest[DIGEST_MAX];        /* of the document that was signed: one of two */
};

/* -EACCES: it may not be used. */
int trust_check(const struct trust *trust, struct vouched *out, struct error *err);
/* A signer that was remembered, for people. */
void trust_show(const char *signer, struct buf *out);

#endif
