/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/trust.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/memory.h"
#include "base/text.h"

_Static_assert(KEY_TEXT_MAX <= PULLED_SIGNER_MAX, "a key can be remembered");

struct checking {
    const struct trust *trust;
    struct attached attached[2]; /* for each document */
    bool asked;
    char name[600]; /* for messages */
};

static void checking_free(struct checking *c)
{
    for (size_t i = 0; i < 2; i++)
        attached_free(&c->attached[i]);
}

/* --- finding --- */

static int ask_endpoint(struct checking *c, size_t endpoint, struct error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < c->trust->count; i++)
        rc = attached_find(c->trust->client, endpoint, c->trust->documents[i]->digest,
                           &c->attached[i], err);
    return rc;
}

/* Where the image is from; a mirror need not have its signatures, the registry has. */
static int find(struct checking *c, struct error *err)
{
    size_t last = c->trust->client->endpoints->count - 1;
    size_t from = c->trust->documents[0]->endpoint;
    if (c->asked)
        return 0;
    c->asked = true;
    struct error why = {0};
    int rc = ask_endpoint(c, from, &why);
    if (from != last && c->attached[0].count + c->attached[1].count == 0)
        rc = ask_endpoint(c, last, &why);
    if (rc < 0)
        return error_set(err, -EACCES, "%s is not pulled, for its signatures cannot be had: %s",
                         c->name, why.text);
    return 0;
}

/* --- one signature --- */

static int read_claim(const struct signature *s, const char *digest, struct claim *out,
                      struct error *err)
{
    if (s->form == FORM_SIMPLE)
        return payload_parse(buf_text(&s->claim), s->claim.len, out, err);
    if (s->form == FORM_STATEMENT)
        return statement_parse(buf_text(&s->claim), s->claim.len, digest, out, err);
    memcpy(out->digest, s->digest, DIGEST_MAX);
    return 0;
}

/* What a signature that is good says is what is pulled. */
static int check_claim(const struct checking *c, const struct signature *s,
                       const struct identity *identity, const struct document *document,
                       struct error *err)
{
    autoclaim claim = {0};
    autobuf shown = {0};
    int rc = read_claim(s, document->digest, &claim, err);
    if (rc < 0)
        return rc;
    if (!streq(claim.digest, document->digest))
        return error_set(err, -EACCES, "the signature is of another image, %s", claim.digest);
    if (claim.name && identity_matches(identity, c->trust->ref, claim.name))
        return 0;
    /* A bundle that names nothing is of these bytes, wherever they are. */
    if (!claim.name && !identity->said)
        return 0;
    buf_printable(&shown, claim.name ? claim.name : "nothing that has a name");
    return error_set(err, -EACCES, "the signature is of %.300s, and the policy says %s",
                     buf_text(&shown), identity_name(identity));
}

/* 0: it is by this key, and of this image. -ENOKEY: it is not by this key. */
static int check_one(const struct checking *c, const struct signature *s,
                     const struct public_key *key, const struct identity *identity,
                     const struct document *document, struct error *err)
{
    autobuf message = {0};
    const struct buf *signed_text = &message;
    if (s->form == FORM_MANIFEST)
        signed_text = &document->text;
    else
        signature_message(s, &message);
    if (!public_key_verifies(key, buf_text(signed_text), signed_text->len, buf_text(&s->bytes),
                             s->bytes.len))
        return -ENOKEY;
    return check_claim(c, s, identity, document, err);
}

/* Notes the key of the first signature that holds, unless one is noted; false, and the sentence why
 * none does. */
static bool find_signer(const struct checking *c, const struct requirement *r, struct vouched *out,
                        struct error *why)
{
    size_t found = 0;
    for (size_t d = 0; d < c->trust->count; d++)
        for (size_t i = 0; i < c->attached[d].count; i++, found++)
            for (size_t k = 0; k < r->key_count; k++) {
                struct error other = {0};
                int rc = check_one(c, &c->attached[d].items[i], &r->keys[k], &r->identity,
                                   c->trust->documents[d], &other);
                if (rc == 0 && !out->signer[0]) {
                    public_key_remember(&r->keys[k], out->signer);
                    memcpy(out->digest, c->trust->documents[d]->digest, DIGEST_MAX);
                }
                if (rc == 0)
                    return true;
                if (rc != -ENOKEY && why->code == 0)
                    *why = other;
            }
    if (why->code)
        return false;
    const struct buf *damaged =
        c->attached[0].damaged.len ? &c->attached[0].damaged : &c->attached[1].damaged;
    if (found == 0)
        error_set(why, -EACCES, "it has no signature%s%.300s", damaged->len ? ": " : "",
                  buf_text(damaged));
    else
        error_set(why, -EACCES, "it has %zu signature%s, none by a key that the policy names",
                  found, found > 1 ? "s" : "");
    return false;
}

/* --- rules --- */

static void show_rules(const struct policy *policy, const struct rules *rules, struct buf *out)
{
    if (!policy_file(policy))
        buf_str(out, "the keys given");
    else if (rules->scope)
        buf_fmt(out, "%s (scope \"%s\")", policy_file(policy), rules->scope);
    else
        buf_fmt(out, "%s (\"default\")", policy_file(policy));
}

static int check_signature(struct checking *c, const struct requirement *r, const char *whose,
                           struct vouched *out, struct error *err)
{
    struct error why = {0};
    if (r->broken)
        return error_set(err, -EACCES, "%s has to be signed, says %s, but %s", c->name, whose,
                         r->broken);
    int rc = find(c, err);
    if (rc < 0)
        return rc;
    if (!find_signer(c, r, out, &why))
        return error_set(err, -EACCES, "%s has to be signed, says %s, but %s", c->name, whose,
                         why.text);
    return 0;
}

static int check_rules(struct checking *c, struct vouched *out, struct error *err)
{
    const struct rules *rules = policy_rules(c->trust->policy, c->trust->ref);
    autobuf whose = {0};
    show_rules(c->trust->policy, rules, &whose);
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < rules->count; i++) {
        const struct requirement *r = &rules->items[i];
        if (r->kind == REQUIRE_REJECT)
            rc = error_set(err, -EACCES, "%s is refused by %s", c->name, buf_text(&whose));
        else if (r->kind == REQUIRE_UNKNOWN)
            rc = error_set(err, -EACCES,
                           "%s may not be pulled: %s asks for %s, which are not verified here; "
                           "sigstoreSigned with keys is",
                           c->name, buf_text(&whose), r->what);
        else if (r->kind == REQUIRE_SIGNATURE)
            rc = check_signature(c, r, buf_text(&whose), out, err);
    }
    return rc;
}

/* --- who signed before --- */

/* Nobody who asks now says who has to sign, so it is who did. */
static int check_remembered(struct checking *c, struct vouched *out, struct error *err)
{
    const struct pulled *before = c->trust->before;
    struct public_key key;
    struct requirement r = {.kind = REQUIRE_SIGNATURE, .keys = &key, .key_count = 1};
    struct error why = {0};
    char when[RFC3339_MAX];
    autobuf who = {0};
    r.identity.kind = MATCH_REPOSITORY;
    int rc = public_key_recall(before->signer, &key);
    if (rc == 0)
        rc = find(c, &why);
    if (rc == 0 && find_signer(c, &r, out, &why))
        return 0;
    trust_show(before->signer, &who);
    format_rfc3339(before->when, when);
    return error_set(err, -EACCES,
                     "%s was signed by %s when it was pulled on %.10s, and is not now: %s. If that "
                     "is meant, pull it with --accept-unsigned",
                     c->name, buf_text(&who), when, why.text);
}

void trust_show(const char *signer, struct buf *out)
{
    struct public_key key;
    if (public_key_recall(signer, &key) == 0)
        public_key_show(&key, out);
    else
        buf_str(out, "a key that cannot be read any more");
}

int trust_check(const struct trust *trust, struct vouched *out, struct error *err)
{
    struct checking c __attribute__((cleanup(checking_free))) = {.trust = trust};
    autobuf name = {0};
    if (trust->ref->digest[0])
        reference_exact(trust->ref, &name);
    else
        reference_familiar(trust->ref, &name);
    snprintf(c.name, sizeof c.name, "%s", buf_text(&name));
    *out = (struct vouched){0};
    int rc = check_rules(&c, out, err);
    if (rc == 0 && !out->signer[0] && trust->before && trust->before->signer[0])
        rc = check_remembered(&c, out, err);
    return rc;
}
