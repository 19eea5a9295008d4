/* SPDX-License-Identifier: Apache-2.0 */
/* image verify: what pull would say of an image's signatures. */
#include "archive/confine.h"
#include "base/cleanup.h"
#include "base/memory.h"
#include "cmd/print.h"
#include "cmd/trust_worker.h"

/* By the keys that were named, or by the policy. */
static int find_policy(const struct verify_options *o, struct policy **out, struct error *err)
{
    autofree struct public_key *keys = xcalloc(o->keys.len + 1, sizeof *keys);
    if (o->keys.len == 0)
        return policy_read(o->signature_policy, out, err);
    if (o->signature_policy)
        return error_set(err, -EINVAL, "--key and --signature-policy contradict each other");
    for (size_t i = 0; i < o->keys.len; i++) {
        int rc = public_key_read(o->keys.items[i], &keys[i], err);
        if (rc < 0)
            return rc;
    }
    *out = policy_of_keys(keys, o->keys.len);
    return 0;
}

static int verify(struct connection *c, const struct reference *ref, const struct policy *policy,
                  struct buf *said, struct error *err)
{
    autodocument document = {0};
    struct vouched vouched;
    int rc = document_find(&c->client, reference_version(ref), &document, err);
    const struct trust trust = {
        .client = &c->client, .ref = ref, .policy = policy, .documents = {&document}, .count = 1};
    if (rc == 0)
        rc = trust_check(&trust, &vouched, err);
    if (rc == 0 && !vouched.signer[0])
        rc = error_set(err, -EACCES,
                       "nothing was verified: the policy wants no signature of %s/%s; name a "
                       "public key with --key",
                       ref->domain, ref->path);
    if (rc < 0)
        return rc;
    buf_fmt(said, "Digest: %s\nSigned by: ", document.digest);
    trust_show(vouched.signer, said);
    buf_str(said, "\n");
    return 0;
}

int command_image_verify(const struct invocation *call, void *options, struct error *err)
{
    const struct verify_options *o = options;
    const struct confine_paths nothing = {0};
    autoconf conf = NULL;
    autoreference ref = {0};
    autopolicy policy = NULL;
    autoconnection c = {0};
    autobuf said = {0};
    int rc = conf_read(&conf, err);
    if (rc == 0)
        rc = conf_reference(conf, call->arguments[0], &ref, err);
    if (rc == 0)
        rc = find_policy(o, &policy, err);
    if (rc == 0)
        rc = connect_to_read(conf, &ref, &o->reach, 1, &c, err);
    if (rc == 0)
        rc = worker_confine(&nothing, err);
    if (rc >= 0)
        rc = verify(&c, &ref, policy, &said, err);
    return rc < 0 ? rc : print(&said);
}
