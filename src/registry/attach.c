/* SPDX-License-Identifier: Apache-2.0 */
/* Putting signatures beside an image: what attached.c finds. */
#include <string.h>

#include "base/base64.h"
#include "base/cleanup.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"
#include "registry/attached.h"
#include "registry/push.h"

#define EMPTY "{}"
#define BUNDLE_CONTENT "dev.sigstore.bundle.content"
#define BUNDLE_PREDICATE "dev.sigstore.bundle.predicateType"

static void describe(struct descriptor *out, const char *type, const struct buf *text)
{
    out->media_type = xstrdup(type);
    digest_of(text, out->digest);
    out->size = (int64_t)text->len;
}

static void write_descriptor(struct json_out *w, const char *key, const struct descriptor *d)
{
    json_begin(w, key, '{');
    json_str(w, "mediaType", d->media_type);
    json_i64(w, "size", d->size);
    json_str(w, "digest", d->digest);
    json_end(w, '}');
}

/* Whether one of them says the same, by the same key. */
static bool is_there(const struct attached *attached, const struct signature *signature,
                     const struct public_key *key)
{
    for (size_t i = 0; i < attached->count; i++) {
        const struct signature *s = &attached->items[i];
        autobuf message = {0};
        if (s->form != signature->form || s->claim.len != signature->claim.len ||
            memcmp(buf_text(&s->claim), buf_text(&signature->claim), s->claim.len) != 0)
            continue;
        signature_message(s, &message);
        if (public_key_verifies(key, buf_text(&message), message.len, buf_text(&s->bytes),
                                s->bytes.len))
            return true;
    }
    return false;
}

static int look(struct client *client, const struct document *of, const struct signature *signature,
                const struct public_key *key, struct error *err)
{
    autoattached there = {0};
    int rc = attached_find(client, 0, of->digest, &there, err);
    return rc < 0 ? rc : is_there(&there, signature, key);
}

/* --- simple signing --- */

/* cosign's: an image configuration that says nothing but which layers there are. */
static void write_config(const struct manifest *m, struct buf *out)
{
    struct json_out w = {.buf = out};
    json_begin(&w, NULL, '{');
    json_str(&w, "architecture", "");
    json_str(&w, "created", "0001-01-01T00:00:00Z");
    json_begin(&w, "history", '[');
    for (size_t i = 0; i < m->layer_count; i++) {
        json_begin(&w, NULL, '{');
        json_str(&w, "created", "0001-01-01T00:00:00Z");
        json_end(&w, '}');
    }
    json_end(&w, ']');
    json_str(&w, "os", "");
    json_begin(&w, "rootfs", '{');
    json_str(&w, "type", "layers");
    json_begin(&w, "diff_ids", '[');
    for (size_t i = 0; i < m->layer_count; i++)
        json_str(&w, NULL, m->layers[i].digest);
    json_end(&w, ']');
    json_end(&w, '}');
    json_begin(&w, "config", '{');
    json_end(&w, '}');
    json_end(&w, '}');
}

/* What lies under the tag; nothing is an empty one. */
static int read_manifest(struct client *client, const char *tag, struct manifest *out,
                         struct error *err)
{
    autodocument document = {0};
    int rc = document_fetch(client, 0, tag, &document, err);
    if (rc == -ENOENT)
        return 0;
    if (rc == 0)
        rc = manifest_parse(buf_text(&document.text), document.text.len, out, err);
    if (rc < 0)
        return error_prefix(err, "what is under the tag %s, where signatures are", tag);
    if (out->layer_count >= OCI_LAYERS_MAX)
        return error_set(err, -E2BIG, "there are %zu signatures already: remove the tag %s",
                         out->layer_count, tag);
    return 0;
}

static void add_layer(struct manifest *m, const struct signature *signature)
{
    autobuf encoded = {0};
    m->layers = xrealloc(m->layers, m->layer_count + 1, sizeof *m->layers);
    struct descriptor *layer = &m->layers[m->layer_count++];
    *layer = (struct descriptor){0};
    describe(layer, MEDIA_SIMPLE_SIGNING, &signature->claim);
    base64_encode(buf_text(&signature->bytes), signature->bytes.len, &encoded);
    strv_fmt(&layer->annotations, "%s=%s", ANNOTATION_SIGNATURE, buf_text(&encoded));
}

int attach_simple(struct client *client, const struct document *of,
                  const struct signature *signature, const struct public_key *key,
                  struct error *err)
{
    automanifest m = {0};
    autobuf config = {0}, text = {0};
    struct answer answer;
    autofree char *tag = xasprintf("sha256-%s.sig", digest_hex(of->digest));
    int rc = look(client, of, signature, key, err);
    if (rc != 0)
        return rc;
    rc = read_manifest(client, tag, &m, err);
    if (rc < 0)
        return rc;
    add_layer(&m, signature);
    write_config(&m, &config);
    descriptor_free(&m.config);
    m.config = (struct descriptor){0};
    describe(&m.config, MEDIA_CONFIG, &config);
    rc = push_document(client, &signature->claim, m.layers[m.layer_count - 1].digest, err);
    if (rc == 0)
        rc = push_document(client, &config, m.config.digest, err);
    manifest_write(&m, &text);
    return rc < 0 ? rc : push_put_manifest(client, tag, MEDIA_MANIFEST, &text, &answer, err);
}

/* --- bundles --- */

static void write_annotations(struct json_out *w)
{
    json_begin(w, "annotations", '{');
    json_str(w, BUNDLE_CONTENT, "dsse-envelope");
    json_str(w, BUNDLE_PREDICATE, PREDICATE_SIGN);
    json_end(w, '}');
}

static void write_bundle_manifest(const struct descriptor *config, const struct descriptor *bundle,
                                  const struct descriptor *subject, struct buf *out)
{
    struct json_out w = {.buf = out};
    json_begin(&w, NULL, '{');
    json_i64(&w, "schemaVersion", 2);
    json_str(&w, "mediaType", MEDIA_MANIFEST);
    json_str(&w, "artifactType", MEDIA_BUNDLE);
    write_descriptor(&w, "config", config);
    json_begin(&w, "layers", '[');
    write_descriptor(&w, NULL, bundle);
    json_end(&w, ']');
    write_descriptor(&w, "subject", subject);
    write_annotations(&w);
    json_end(&w, '}');
}

/* The entries that an index has, as they are, and one more. */
static int write_index(const struct buf *before, const struct descriptor *manifest, struct buf *out,
                       struct error *err)
{
    json_t *entries = NULL, *entry;
    size_t i;
    struct json_out w = {.buf = out};
    autojson json = before->len ? json_parse(before->data, before->len, "a list of referrers", err)
                                : json_object();
    int rc = json ? json_get_array(json, "manifests", &entries, err) : -EINVAL;
    if (rc < 0)
        return rc;
    json_begin(&w, NULL, '{');
    json_i64(&w, "schemaVersion", 2);
    json_str(&w, "mediaType", MEDIA_INDEX);
    json_begin(&w, "manifests", '[');
    json_array_foreach(entries, i, entry) json_tree(&w, NULL, entry);
    json_begin(&w, NULL, '{');
    json_str(&w, "mediaType", manifest->media_type);
    json_i64(&w, "size", manifest->size);
    json_str(&w, "digest", manifest->digest);
    json_str(&w, "artifactType", MEDIA_BUNDLE);
    write_annotations(&w);
    json_end(&w, '}');
    json_end(&w, ']');
    json_end(&w, '}');
    return 0;
}

/* For registries that keep no list of referrers themselves (distribution-spec, "Referrers tag
 * schema"). */
static int add_to_tag(struct client *client, const struct document *of,
                      const struct descriptor *manifest, struct error *err)
{
    autodocument before = {0};
    autobuf text = {0};
    struct answer answer;
    autofree char *tag = xasprintf("sha256-%s", digest_hex(of->digest));
    int rc = document_fetch(client, 0, tag, &before, err);
    if (rc == -ENOENT)
        rc = 0;
    if (rc == 0)
        rc = write_index(&before.text, manifest, &text, err);
    return rc < 0 ? rc : push_put_manifest(client, tag, MEDIA_INDEX, &text, &answer, err);
}

/* SHA-256 of the key, in base 64. */
static char *hint_of(const struct public_key *key)
{
    unsigned char bytes[SHA256_BYTES];
    struct sha256 hash;
    autobuf text = {0};
    sha256_start(&hash);
    sha256_add(&hash, key->der, key->length);
    sha256_end(&hash, bytes);
    base64_encode(bytes, sizeof bytes, &text);
    return buf_take(&text);
}

static int put_bundle(struct client *client, const struct document *of, const struct buf *text,
                      struct descriptor parts[4], struct error *err)
{
    autobuf empty = {0}, manifest = {0};
    struct answer answer;
    struct descriptor *config = &parts[0], *bundle = &parts[1], *subject = &parts[2];
    buf_str(&empty, EMPTY);
    describe(config, MEDIA_EMPTY, &empty);
    describe(bundle, MEDIA_BUNDLE, text);
    describe(subject, of->type, &of->text);
    write_bundle_manifest(config, bundle, subject, &manifest);
    describe(&parts[3], MEDIA_MANIFEST, &manifest);
    int rc = push_document(client, &empty, config->digest, err);
    if (rc == 0)
        rc = push_document(client, text, bundle->digest, err);
    if (rc == 0)
        rc = push_put_manifest(client, parts[3].digest, parts[3].media_type, &manifest, &answer,
                               err);
    if (rc == 0 && !answer.subject[0])
        rc = add_to_tag(client, of, &parts[3], err);
    return rc;
}

int attach_bundle(struct client *client, const struct document *of,
                  const struct signature *signature, const struct public_key *key,
                  struct error *err)
{
    struct descriptor parts[4] = {0};
    autobuf text = {0};
    autofree char *hint = hint_of(key);
    int rc = look(client, of, signature, key, err);
    if (rc != 0)
        return rc;
    bundle_write(signature, hint, &text);
    rc = put_bundle(client, of, &text, parts, err);
    for (size_t i = 0; i < 4; i++)
        descriptor_free(&parts[i]);
    return rc;
}
