/* SPDX-License-Identifier: Apache-2.0 */
/* signedIdentity of policy.json: whether the name that a signature is about is the one that is
 * pulled (containers-policy.json(5), "signedBy"). */
#ifndef CAISSON_REGISTRY_IDENTITY_H
#define CAISSON_REGISTRY_IDENTITY_H

#include "base/json.h"
#include "oci/reference.h"

enum identity_kind {
    MATCH_REPO_DIGEST_OR_EXACT, /* what holds where nothing is said */
    MATCH_EXACT,
    MATCH_REPOSITORY,
    EXACT_REFERENCE,
    EXACT_REPOSITORY,
    REMAP_IDENTITY,
};

struct identity {
    enum identity_kind kind;
    bool said;       /* it stands in the file */
    char *reference; /* that, or the repository, that has to be signed */
    char *prefix, *signed_prefix;
};
void identity_free(struct identity *identity);

int identity_parse(const json_t *object, struct identity *out, struct error *err);
/* `claimed`: the docker-reference of a signature, as it is there. */
bool identity_matches(const struct identity *identity, const struct reference *pulled,
                      const char *claimed);
/* For messages. */
const char *identity_name(const struct identity *identity);

/* Every key of an object is one of these, and none is null; the error names the key. */
int json_only(const json_t *object, const char *const *keys, struct error *err);

#endif
