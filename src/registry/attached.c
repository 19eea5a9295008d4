/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/attached.h"

#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"
#include "registry/tags.h"

#define ENCODED_MAX 1024         /* of a signature, in base 64 */
#define REFERRERS_MAX (1u << 20) /* of a page */
#define PAGES_MAX 16

void attached_free(struct attached *attached)
{
    for (size_t i = 0; i < attached->count; i++)
        signature_free(&attached->items[i]);
    free(attached->items);
    buf_free(&attached->damaged);
}

/* Takes what is in `signature`. */
static void add(struct attached *a, struct signature *signature)
{
    a->items = xrealloc(a->items, a->count + 1, sizeof *a->items);
    a->items[a->count++] = *signature;
    *signature = (struct signature){0};
}

static void note(struct attached *a, const struct error *why)
{
    if (a->damaged.len == 0)
        buf_str(&a->damaged, why->text);
}

/* --- simple signing --- */

static int read_layer(struct client *client, size_t endpoint, const struct descriptor *layer,
                      struct attached *out, struct error *err)
{
    autosignature s = {.form = FORM_SIMPLE};
    const char *text = descriptor_annotation(layer, ANNOTATION_SIGNATURE);
    if (!streq(layer->media_type, MEDIA_SIMPLE_SIGNING) || !text)
        return 0;
    if (layer->size > SIGNED_MAX || strlen(text) > ENCODED_MAX ||
        base64_decode(text, strlen(text), &s.bytes) < 0)
        return error_set(err, -EINVAL, "a signature is no base 64, or too long");
    int rc = document_blob(client, endpoint, layer, "a signature's payload", &s.claim, err);
    if (rc == 0)
        add(out, &s);
    return rc;
}

static int find_simple(struct client *client, size_t endpoint, const char *digest,
                       struct attached *out, struct error *err)
{
    autodocument document = {0};
    automanifest manifest = {0};
    autofree char *tag = xasprintf("sha256-%s.sig", digest_hex(digest));
    int rc = document_fetch(client, endpoint, tag, &document, err);
    if (rc < 0)
        return rc == -ENOENT ? 0 : rc;
    struct error why = {0};
    rc = manifest_parse(buf_text(&document.text), document.text.len, &manifest, &why);
    if (rc < 0)
        note(out, &why);
    for (size_t i = 0; rc == 0 && i < manifest.layer_count && out->count < ATTACHED_MAX; i++)
        if (read_layer(client, endpoint, &manifest.layers[i], out, &why) < 0)
            note(out, &why);
    return 0;
}

/* --- bundles --- */

/* Digests of the manifests with bundles that an index lists. */
static int list_bundles(const struct buf *text, struct strv *out, struct error *err)
{
    json_t *entries = NULL, *entry;
    size_t i;
    autojson json = json_parse(buf_text(text), text->len, "a list of referrers", err);
    int rc = json ? json_get_array(json, "manifests", &entries, err) : -EINVAL;
    json_array_foreach(entries, i, entry)
    {
        const char *type = NULL, *digest = NULL;
        if (json_get_string(entry, "artifactType", &type, NULL) == 0 &&
            json_get_string(entry, "digest", &digest, NULL) == 0 && streq(type, MEDIA_BUNDLE) &&
            digest && digest_valid(digest) && out->len < ATTACHED_MAX)
            strv_add(out, digest);
    }
    return rc;
}

/* A page of the list, and where the next one is. 1: the registry has no such list. */
static int ask_page(struct client *client, size_t endpoint, const char *target, struct buf *out,
                    char **next, struct error *err)
{
    const struct endpoint *e = &client->endpoints->items[endpoint];
    struct answer answer;
    autofree char *scope = scope_of(e, "pull");
    const struct ask ask = {.method = "GET",
                            .endpoint = endpoint,
                            .target = target,
                            .accept = MEDIA_INDEX,
                            .scopes = scope,
                            .most = REFERRERS_MAX};
    int rc = client_document(client, &ask, &answer, out, err);
    if (rc < 0)
        return rc;
    if (answer.status == 200 && starts_with(answer.type, MEDIA_INDEX)) {
        *next = link_next(answer.link);
        return 0;
    }
    if (answer.status == 401 || answer.status == 403 || answer.status == 429 ||
        answer.status >= 500)
        return client_refused(e, &answer, "a list of what refers to an image", err);
    return 1;
}

static int ask_referrers(struct client *client, size_t endpoint, const char *digest,
                         struct strv *out, struct error *err)
{
    const struct endpoint *e = &client->endpoints->items[endpoint];
    autofree char *target = xasprintf("/v2/%s/referrers/%s?artifactType=%s", e->repository, digest,
                                      "application%2Fvnd.dev.sigstore.bundle.v0.3%2Bjson");
    int rc = 0;
    for (unsigned page = 0; rc == 0 && target && page < PAGES_MAX; page++) {
        autobuf text = {0};
        char *next = NULL;
        rc = ask_page(client, endpoint, target, &text, &next, err);
        if (rc == 0)
            rc = list_bundles(&text, out, err);
        free(target);
        target = next;
    }
    return rc;
}

static int find_referrers(struct client *client, size_t endpoint, const char *digest,
                          struct strv *out, struct error *err)
{
    int rc = ask_referrers(client, endpoint, digest, out, err);
    if (rc <= 0)
        return rc;
    autodocument document = {0};
    autofree char *tag = xasprintf("sha256-%s", digest_hex(digest));
    rc = document_fetch(client, endpoint, tag, &document, err);
    if (rc == 0)
        rc = list_bundles(&document.text, out, err);
    return rc == -ENOENT ? 0 : rc;
}

static int read_bundle(struct client *client, size_t endpoint, const char *digest,
                       struct attached *out, struct error *err)
{
    autodocument document = {0};
    automanifest manifest = {0};
    autobuf text = {0};
    autosignature s = {0};
    int rc = document_fetch(client, endpoint, digest, &document, err);
    if (rc == 0)
        rc = manifest_parse(buf_text(&document.text), document.text.len, &manifest, err);
    if (rc == 0 &&
        (manifest.layer_count != 1 || !streq(manifest.layers[0].media_type, MEDIA_BUNDLE) ||
         manifest.layers[0].size > SIGNED_MAX))
        rc = error_set(err, -EINVAL, "%s is said to have a sigstore bundle, and has none", digest);
    if (rc == 0)
        rc = document_blob(client, endpoint, &manifest.layers[0], "a sigstore bundle", &text, err);
    if (rc == 0)
        rc = signature_bundle_parse(buf_text(&text), text.len, &s, err);
    if (rc == 0)
        add(out, &s);
    return rc;
}

int attached_find(struct client *client, size_t endpoint, const char *digest, struct attached *out,
                  struct error *err)
{
    autostrv bundles = {0};
    struct error why = {0};
    int rc = find_simple(client, endpoint, digest, out, err);
    if (rc == 0)
        rc = find_referrers(client, endpoint, digest, &bundles, err);
    for (size_t i = 0; rc == 0 && i < bundles.len && out->count < ATTACHED_MAX; i++)
        if (read_bundle(client, endpoint, bundles.items[i], out, &why) < 0)
            note(out, &why);
    return rc;
}
