/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/documents.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"

#define ACCEPT MEDIA_INDEX " " MEDIA_MANIFEST " " MEDIA_DOCKER_LIST " " MEDIA_DOCKER_MANIFEST

void document_free(struct document *document)
{
    buf_free(&document->text);
}

char *scope_of(const struct endpoint *endpoint, const char *actions)
{
    return xasprintf("repository:%s:%s", endpoint->repository, actions);
}

/* What it says it is has to be what it was sent as, where it says: a document that is read one way
 * here and another way elsewhere is two images with one digest (CVE-2021-41190). */
static int check_type(const struct endpoint *e, struct document *d, const char *reference,
                      struct error *err)
{
    const char *said = NULL;
    d->type[strcspn(d->type, "; ")] = '\0';
    if (strstr(d->type, "docker.distribution.manifest.v1"))
        return error_set(err, -EINVAL,
                         "%s has %s/%s in the old schema 1, which is not read any more: push it "
                         "again with a current tool",
                         e->name, e->repository, reference);
    struct error why = {0};
    autojson json = json_parse(buf_text(&d->text), d->text.len, "the manifest", &why);
    int rc = json ? json_get_string(json, "mediaType", &said, &why) : -EINVAL;
    if (rc < 0)
        return error_set(err, rc, "%s sent no manifest for %s/%s: %s", e->name, e->repository,
                         reference, why.text);
    if (!said && json_object_get(json, "manifests") && json_object_get(json, "layers"))
        return error_set(err, -EINVAL,
                         "%s sent a document for %s/%s that is both an index and a manifest",
                         e->name, e->repository, reference);
    if (said && d->type[0] && !streq(said, d->type))
        return error_set(err, -EINVAL,
                         "%s sent a manifest for %s/%s as \"%.100s\", and it says that it is "
                         "\"%.100s\"",
                         e->name, e->repository, reference, d->type, said);
    if (said)
        snprintf(d->type, sizeof d->type, "%s", said);
    return 0;
}

int document_fetch(struct client *client, size_t endpoint, const char *reference,
                   struct document *out, struct error *err)
{
    const struct endpoint *e = &client->endpoints->items[endpoint];
    autodocument d = {.endpoint = endpoint};
    struct answer answer;
    autofree char *scope = scope_of(e, "pull");
    autofree char *what =
        xasprintf("%s%s%s", e->repository, strchr(reference, ':') ? "@" : ":", reference);
    autofree char *target = xasprintf("/v2/%s/manifests/%s", e->repository, reference);
    const struct ask ask = {.method = "GET",
                            .endpoint = endpoint,
                            .target = target,
                            .accept = ACCEPT,
                            .scopes = scope,
                            .most = OCI_DOCUMENT_MAX};
    int rc = client_document(client, &ask, &answer, &d.text, err);
    if (rc < 0)
        return rc;
    if (answer.status != 200)
        return client_refused(e, &answer, what, err);
    snprintf(d.type, sizeof d.type, "%s", answer.type);
    digest_of(&d.text, d.digest);
    if (digest_valid(reference) && !streq(reference, d.digest))
        return error_set(err, -EBADMSG,
                         "%s sent something else for %s: its content has the digest %s", e->name,
                         what, d.digest);
    rc = check_type(e, &d, reference, err);
    if (rc < 0)
        return rc;
    *out = d;
    d = (struct document){0};
    return 0;
}

int document_find(struct client *client, const char *reference, struct document *out,
                  struct error *err)
{
    autobuf mirrors = {0};
    for (size_t i = 0;; i++) {
        struct error why = {0};
        int rc = document_fetch(client, i, reference, out, &why);
        if (rc == 0)
            return 0;
        if (i + 1 == client->endpoints->count)
            return error_set(err, rc, "%s%s%.400s", why.text, mirrors.len ? "; before that: " : "",
                             buf_text(&mirrors));
        buf_fmt(&mirrors, "%s%.200s", mirrors.len ? "; " : "", why.text);
    }
}

bool document_is_index(const struct document *d)
{
    if (d->type[0])
        return streq(d->type, MEDIA_INDEX) || streq(d->type, MEDIA_DOCKER_LIST);
    autojson json = json_parse(buf_text(&d->text), d->text.len, "a manifest", NULL);
    return json && json_object_get(json, "manifests");
}

int document_blob(struct client *client, size_t endpoint, const struct descriptor *descriptor,
                  const char *what, struct buf *out, struct error *err)
{
    const struct endpoint *e = &client->endpoints->items[endpoint];
    struct answer answer;
    char digest[DIGEST_MAX];
    autobuf text = {0};
    autofree char *scope = scope_of(e, "pull");
    autofree char *target = xasprintf("/v2/%s/blobs/%s", e->repository, descriptor->digest);
    if (descriptor->size < 0 || descriptor->size > OCI_DOCUMENT_MAX)
        return error_set(err, -EFBIG, "%s of %s/%s has %lld bytes, which is too many", what,
                         e->name, e->repository, (long long)descriptor->size);
    const struct ask ask = {.method = "GET",
                            .endpoint = endpoint,
                            .target = target,
                            .scopes = scope,
                            .most = (uint64_t)descriptor->size};
    int rc = client_document(client, &ask, &answer, &text, err);
    if (rc < 0)
        return rc;
    if (answer.status != 200)
        return client_refused(e, &answer, what, err);
    digest_of(&text, digest);
    if (!streq(digest, descriptor->digest))
        return error_set(err, -EBADMSG,
                         "%s sent something else for %s than the manifest names: its content has "
                         "the digest %s instead of %s",
                         e->name, what, digest, descriptor->digest);
    buf_add(out, buf_text(&text), text.len);
    return 0;
}
