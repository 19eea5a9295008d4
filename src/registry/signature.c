/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/signature.h"

#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"

#define PAYLOAD_TYPE "cosign container image signature"
#define STATEMENT_TYPE "https://in-toto.io/Statement/v1"
#define STATEMENT_MEDIA "application/vnd.in-toto+json"
#define SUBJECTS_MAX 256

void signature_free(struct signature *signature)
{
    buf_free(&signature->claim);
    buf_free(&signature->bytes);
}

void claim_free(struct claim *claim)
{
    free(claim->name);
}

static json_t *parse(const char *text, size_t length, const char *what, struct error *err)
{
    if (length > SIGNED_MAX) {
        error_set(err, -EFBIG, "%s is larger than %u bytes", what, SIGNED_MAX);
        return NULL;
    }
    return json_parse(text, length, what, err);
}

static int want_string(const json_t *object, const char *key, const char **value, struct error *err)
{
    *value = NULL;
    int rc = json_get_string(object, key, value, err);
    return rc == 0 && !*value ? error_set(err, -EINVAL, "\"%s\" is missing", key) : rc;
}

static int want_object(const json_t *object, const char *key, json_t **value, struct error *err)
{
    *value = NULL;
    int rc = json_get_object(object, key, value, err);
    return rc == 0 && !*value ? error_set(err, -EINVAL, "\"%s\" is missing", key) : rc;
}

/* Exactly these members, as many as there are. */
static int exactly(const json_t *object, size_t count, const char *what, struct error *err)
{
    return json_object_size(object) == count
               ? 0
               : error_set(err, -EINVAL, "%s has other members than it should", what);
}

static int decode(const json_t *object, const char *key, struct buf *out, struct error *err)
{
    const char *text;
    int rc = want_string(object, key, &text, err);
    if (rc == 0 && base64_decode(text, strlen(text), out) < 0)
        rc = error_set(err, -EINVAL, "\"%s\" is no base 64", key);
    return rc;
}

/* --- simple signing --- */

/* Not of interest, but a signature that has it wrong is not read differently elsewhere. */
static int check_optional(const json_t *root, struct error *err)
{
    const json_t *optional = json_object_get(root, "optional"), *when;
    const char *creator = NULL;
    if (!optional)
        return error_set(err, -EINVAL, "\"optional\" is missing");
    if (json_is_null(optional))
        return 0;
    if (!json_is_object(optional))
        return error_set(err, -EINVAL, "\"optional\" must be an object");
    when = json_object_get(optional, "timestamp");
    if (when && !json_is_integer(when))
        return error_set(err, -EINVAL, "\"timestamp\" must be a whole number");
    return json_get_string(optional, "creator", &creator, err);
}

static int read_critical(const json_t *critical, struct claim *out, struct error *err)
{
    json_t *identity, *image;
    const char *type, *digest, *name;
    int rc = want_string(critical, "type", &type, err);
    if (rc == 0)
        rc = want_object(critical, "identity", &identity, err);
    if (rc == 0)
        rc = want_object(critical, "image", &image, err);
    if (rc == 0)
        rc = exactly(critical, 3, "\"critical\"", err);
    if (rc == 0 && !streq(type, PAYLOAD_TYPE))
        rc = error_set(err, -EINVAL, "its type is \"%.100s\"", type);
    if (rc == 0)
        rc = want_string(image, "docker-manifest-digest", &digest, err);
    if (rc == 0)
        rc = exactly(image, 1, "\"image\"", err);
    if (rc == 0)
        rc = want_string(identity, "docker-reference", &name, err);
    if (rc == 0)
        rc = exactly(identity, 1, "\"identity\"", err);
    if (rc == 0 && !digest_valid(digest))
        rc = error_set(err, -EINVAL, "\"docker-manifest-digest\" is no digest");
    if (rc < 0)
        return rc;
    memcpy(out->digest, digest, DIGEST_MAX);
    out->name = xstrdup(name);
    return 0;
}

int payload_parse(const char *text, size_t length, struct claim *out, struct error *err)
{
    json_t *critical;
    autojson root = parse(text, length, "a signature's payload", err);
    if (!root)
        return -EINVAL;
    int rc = want_object(root, "critical", &critical, err);
    if (rc == 0)
        rc = check_optional(root, err);
    if (rc == 0)
        rc = exactly(root, 2, "it", err);
    if (rc == 0)
        rc = read_critical(critical, out, err);
    return rc < 0 ? error_prefix(err, "a signature's payload") : 0;
}

void payload_write(const char *name, const char *digest, struct buf *out)
{
    struct json_out w = {.buf = out};
    json_begin(&w, NULL, '{');
    json_begin(&w, "critical", '{');
    json_begin(&w, "identity", '{');
    json_str(&w, "docker-reference", name);
    json_end(&w, '}');
    json_begin(&w, "image", '{');
    json_str(&w, "docker-manifest-digest", digest);
    json_end(&w, '}');
    json_str(&w, "type", PAYLOAD_TYPE);
    json_end(&w, '}');
    json_str(&w, "optional", NULL);
    json_end(&w, '}');
}

/* --- statements --- */

static int read_subjects(const json_t *root, const char *digest, struct claim *out,
                         struct error *err)
{
    json_t *subjects = NULL, *item, *digests;
    const char *hex, *name;
    size_t i;
    int rc = json_get_array(root, "subject", &subjects, err);
    if (rc == 0 && (json_array_size(subjects) == 0 || json_array_size(subjects) > SUBJECTS_MAX))
        rc = error_set(err, -EINVAL, "\"subject\" names nothing, or too much");
    if (rc < 0)
        return rc;
    json_array_foreach(subjects, i, item)
    {
        name = NULL;
        rc = want_object(item, "digest", &digests, err);
        if (rc == 0)
            rc = want_string(digests, "sha256", &hex, err);
        if (rc == 0)
            rc = json_get_string(item, "name", &name, err);
        if (rc == 0 && (strlen(hex) != 64 || !is_hex(hex, 64)))
            rc = error_set(err, -EINVAL, "\"sha256\" is no digest");
        if (rc < 0)
            return rc;
        bool meant = streq(hex, digest_hex(digest));
        if (i > 0 && !meant)
            continue;
        claim_free(out);
        snprintf(out->digest, sizeof out->digest, "sha256:%s", hex);
        out->name = name && *name ? xstrdup(name) : NULL;
        if (meant)
            return 0;
    }
    return 0;
}

int statement_parse(const char *text, size_t length, const char *digest, struct claim *out,
                    struct error *err)
{
    const char *type, *predicate;
    autojson root = parse(text, length, "a signed statement", err);
    if (!root)
        return -EINVAL;
    int rc = want_string(root, "_type", &type, err);
    if (rc == 0)
        rc = want_string(root, "predicateType", &predicate, err);
    if (rc == 0 && !streq(type, STATEMENT_TYPE))
        rc = error_set(err, -EINVAL, "its type is \"%.100s\"", type);
    if (rc == 0 && !streq(predicate, PREDICATE_SIGN))
        rc = error_set(err, -EINVAL, "it is no signature, but about \"%.100s\"", predicate);
    if (rc == 0)
        rc = read_subjects(root, digest, out, err);
    return rc < 0 ? error_prefix(err, "a signed statement") : 0;
}

void statement_write(const char *name, const char *digest, struct buf *out)
{
    struct json_out w = {.buf = out};
    json_begin(&w, NULL, '{');
    json_str(&w, "_type", STATEMENT_TYPE);
    json_begin(&w, "subject", '[');
    json_begin(&w, NULL, '{');
    json_str(&w, "name", name);
    json_begin(&w, "digest", '{');
    json_str(&w, "sha256", digest_hex(digest));
    json_end(&w, '}');
    json_end(&w, '}');
    json_end(&w, ']');
    json_str(&w, "predicateType", PREDICATE_SIGN);
    json_begin(&w, "predicate", '{');
    json_end(&w, '}');
    json_end(&w, '}');
}

/* --- bundles --- */

/* DSSE, "pre-authentication encoding". */
void signature_message(const struct signature *s, struct buf *out)
{
    if (s->form == FORM_STATEMENT)
        buf_fmt(out, "DSSEv1 %zu %s %zu ", strlen(STATEMENT_MEDIA), STATEMENT_MEDIA, s->claim.len);
    buf_add(out, buf_text(&s->claim), s->claim.len);
}

static int read_envelope(const json_t *envelope, struct signature *out, struct error *err)
{
    json_t *signatures = NULL;
    const char *type;
    int rc = want_string(envelope, "payloadType", &type, err);
    if (rc == 0 && !streq(type, STATEMENT_MEDIA))
        rc = error_set(err, -EINVAL, "\"payloadType\" is \"%.100s\"", type);
    if (rc == 0)
        rc = decode(envelope, "payload", &out->claim, err);
    if (rc == 0)
        rc = json_get_array(envelope, "signatures", &signatures, err);
    if (rc == 0 && json_array_size(signatures) != 1)
        rc = error_set(err, -EINVAL, "an envelope in a bundle has one signature");
    out->form = FORM_STATEMENT;
    return rc < 0 ? rc : decode(json_array_get(signatures, 0), "sig", &out->bytes, err);
}

static int read_message(const json_t *message, struct signature *out, struct error *err)
{
    json_t *digest;
    const char *algorithm;
    autobuf bytes = {0};
    char hex[2 * 32 + 1];
    int rc = want_object(message, "messageDigest", &digest, err);
    if (rc == 0)
        rc = want_string(digest, "algorithm", &algorithm, err);
    if (rc == 0)
        rc = decode(digest, "digest", &bytes, err);
    if (rc == 0 && (!streq(algorithm, "SHA2_256") || bytes.len != 32))
        rc = error_set(err, -EINVAL, "\"messageDigest\" is none of SHA2_256");
    if (rc < 0)
        return rc;
    hex_encode(bytes.data, bytes.len, hex);
    snprintf(out->digest, sizeof out->digest, "sha256:%s", hex);
    out->form = FORM_MANIFEST;
    return decode(message, "signature", &out->bytes, err);
}

static int read_bundle(const json_t *root, struct signature *out, struct error *err)
{
    json_t *material, *key = NULL, *envelope = NULL, *message = NULL;
    const char *type;
    int rc = want_string(root, "mediaType", &type, err);
    if (rc == 0 && !streq(type, MEDIA_BUNDLE))
        rc = error_set(err, -EINVAL, "its type is \"%.100s\"", type);
    if (rc == 0)
        rc = want_object(root, "verificationMaterial", &material, err);
    if (rc == 0)
        rc = json_get_object(material, "publicKey", &key, err);
    if (rc == 0 && !key)
        rc = error_set(err, -EINVAL,
                       "it was signed with a certificate, and only signatures with keys are "
                       "verified here");
    if (rc == 0)
        rc = json_get_object(root, "dsseEnvelope", &envelope, err);
    if (rc == 0)
        rc = json_get_object(root, "messageSignature", &message, err);
    if (rc == 0 && !envelope == !message)
        rc = error_set(err, -EINVAL, "one of \"dsseEnvelope\" and \"messageSignature\" is needed");
    if (rc < 0)
        return rc;
    return envelope ? read_envelope(envelope, out, err) : read_message(message, out, err);
}

int signature_bundle_parse(const char *text, size_t length, struct signature *out,
                           struct error *err)
{
    autosignature signature = {0};
    autojson root = parse(text, length, "a sigstore bundle", err);
    if (!root)
        return -EINVAL;
    int rc = read_bundle(root, &signature, err);
    if (rc < 0)
        return error_prefix(err, "a sigstore bundle");
    *out = signature;
    signature = (struct signature){0};
    return 0;
}

static void write_base64(struct json_out *w, const char *key, const struct buf *bytes)
{
    autobuf text = {0};
    base64_encode(buf_text(bytes), bytes->len, &text);
    json_str(w, key, buf_text(&text));
}

void bundle_write(const struct signature *s, const char *hint, struct buf *out)
{
    struct json_out w = {.buf = out};
    json_begin(&w, NULL, '{');
    json_str(&w, "mediaType", MEDIA_BUNDLE);
    json_begin(&w, "verificationMaterial", '{');
    json_begin(&w, "publicKey", '{');
    json_str(&w, "hint", hint);
    json_end(&w, '}');
    json_end(&w, '}');
    json_begin(&w, "dsseEnvelope", '{');
    write_base64(&w, "payload", &s->claim);
    json_str(&w, "payloadType", STATEMENT_MEDIA);
    json_begin(&w, "signatures", '[');
    json_begin(&w, NULL, '{');
    write_base64(&w, "sig", &s->bytes);
    json_end(&w, '}');
    json_end(&w, ']');
    json_end(&w, '}');
    json_end(&w, '}');
}
