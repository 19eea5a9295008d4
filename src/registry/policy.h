/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy.json (containers-policy.json(5)): which images may be pulled, and by whom they have to be
 * signed. A file of the person or the administrator; read, with the keys that it names, before this
 * process is confined. It is read strictly: a mistake in it refuses all, never less than was meant.
 *
 * Scopes of the transport "docker" are looked up, the most specific one alone counts. Those of
 * other transports are read, and never asked. What is known but not done here (GPG, certificates,
 * logs) refuses the images that it is about, by name, and no others.
 */
#ifndef CAISSON_REGISTRY_POLICY_H
#define CAISSON_REGISTRY_POLICY_H

#include "registry/identity.h"
#include "registry/keys.h"

#define POLICY_MAX (1u << 20)

enum requirement_kind {
    REQUIRE_NOTHING, /* insecureAcceptAnything */
    REQUIRE_REJECT,
    REQUIRE_SIGNATURE, /* sigstoreSigned */
    REQUIRE_UNKNOWN,   /* what is not done here */
};

struct requirement {
    enum requirement_kind kind;
    char *what;        /* REQUIRE_UNKNOWN: what it would take */
    struct strv files; /* of keys */
    struct public_key *keys;
    size_t key_count;
    char *broken; /* why its keys cannot be read; NULL */
    struct identity identity;
};

/* All of them have to hold. */
struct rules {
    char *scope; /* "registry.example.com/team"; "": of the transport; NULL: "default" */
    struct requirement *items;
    size_t count;
};

struct policy; /* one file, or what is shipped */

/* `named` (--signature-policy), $CONTAINERS_POLICY, ~/.config/containers/policy.json,
 * /etc/containers/policy.json: the first that is there, and its keys. None of the last two: what is
 * shipped, which accepts all. */
int policy_read(const char *named, struct policy **out, struct error *err);
/* Of a text; keys in files are not read yet. */
int policy_parse(const char *text, size_t length, const char *file, struct policy **out,
                 struct error *err);
/* One that wants a signature by one of these keys, of the same repository. */
struct policy *policy_of_keys(const struct public_key *keys, size_t count);
void policy_read_keys(struct policy *policy);
void policy_free(struct policy *policy);
static inline void cleanup_policy(struct policy **policy)
{
    policy_free(*policy);
}
#define autopolicy __attribute__((cleanup(cleanup_policy))) struct policy *

/* What holds for an image; never NULL. */
const struct rules *policy_rules(const struct policy *policy, const struct reference *ref);
/* The file's name; NULL: there is none. */
const char *policy_file(const struct policy *policy);

#endif
