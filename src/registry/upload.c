/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/upload.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/memory.h"
#include "base/text.h"

#define ANSWER_MOST (1u << 20)

static char *push_scopes(const struct endpoint *e, const char *from)
{
    return from ? xasprintf("repository:%s:pull,push repository:%s:pull", e->repository, from)
                : xasprintf("repository:%s:pull,push", e->repository);
}

/* Waits for the answer and reads it to its end. */
static int take_answer(int lane, struct answer *a, struct error *err)
{
    int rc = client_answer(lane, a, err);
    return rc < 0 ? rc : client_finish(lane, a, err);
}

static int ask_and_take(int lane, const struct ask *ask, struct answer *a, struct error *err)
{
    int rc = client_ask(lane, ask, err);
    return rc < 0 ? rc : take_answer(lane, a, err);
}

int upload_is_there(int lane, const struct endpoint *e, const char *digest, int64_t *size,
                    struct error *err)
{
    struct answer a;
    autofree char *target = xasprintf("/v2/%s/blobs/%s", e->repository, digest);
    autofree char *scopes = push_scopes(e, NULL);
    const struct ask ask = {
        .method = "HEAD", .target = target, .scopes = scopes, .most = INT64_MAX};
    int rc = ask_and_take(lane, &ask, &a, err);
    if (rc < 0)
        return rc;
    if (a.status == 200) {
        *size = a.length;
        return 1;
    }
    return a.status == 404 ? 0 : client_refused(e, &a, e->repository, err);
}

static int no_location(const struct endpoint *e, struct error *err)
{
    return error_set(err, -EPROTO, "%s begins an upload and does not say where", e->name);
}

int upload_begin(int lane, const struct endpoint *e, const char *digest, const char *from,
                 char **location, struct error *err)
{
    struct answer a;
    autofree char *target =
        from ? xasprintf("/v2/%s/blobs/uploads/?mount=%s&from=%s", e->repository, digest, from)
             : xasprintf("/v2/%s/blobs/uploads/", e->repository);
    autofree char *scopes = push_scopes(e, from);
    const struct ask ask = {
        .method = "POST", .target = target, .scopes = scopes, .most = ANSWER_MOST};
    int rc = ask_and_take(lane, &ask, &a, err);
    if (rc < 0)
        return rc;
    if (from && a.status == 201)
        return 1;
    if (a.status != 202)
        return client_refused(e, &a, e->repository, err);
    if (!a.location[0])
        return no_location(e, err);
    *location = xstrdup(a.location);
    return 0;
}

int upload_patch(int lane, const char *location, const struct endpoint *e, struct error *err)
{
    autofree char *scopes = push_scopes(e, NULL);
    const struct ask ask = {.method = "PATCH",
                            .target = location,
                            .scopes = scopes,
                            .type = "application/octet-stream",
                            .most = ANSWER_MOST,
                            .body = true,
                            .length = -1};
    return client_ask(lane, &ask, err);
}

int upload_sent(int lane, const struct endpoint *e, char **location, struct error *err)
{
    struct answer a;
    int rc = take_answer(lane, &a, err);
    if (rc < 0)
        return rc;
    if (a.status != 202 && a.status != 201 && a.status != 204)
        return client_refused(e, &a, e->repository, err);
    if (a.location[0]) {
        free(*location);
        *location = xstrdup(a.location);
    }
    return 0;
}

int upload_end(int lane, const struct endpoint *e, const char *location, const char *digest,
               struct error *err)
{
    struct answer a;
    autofree char *target =
        xasprintf("%s%cdigest=%s", location, strchr(location, '?') ? '&' : '?', digest);
    autofree char *scopes = push_scopes(e, NULL);
    const struct ask ask = {
        .method = "PUT", .target = target, .scopes = scopes, .most = ANSWER_MOST};
    int rc = ask_and_take(lane, &ask, &a, err);
    if (rc < 0)
        return rc;
    return a.status == 201 || a.status == 204 ? 0 : client_refused(e, &a, e->repository, err);
}

/* --- documents --- */

static int send_whole(int lane, const struct ask *ask, const struct buf *text, struct answer *a,
                      struct error *err)
{
    int rc = client_ask(lane, ask, err);
    if (rc == 0)
        rc = client_send(lane, buf_text(text), text->len, err);
    if (rc >= 0)
        rc = client_sent(lane, err);
    return rc < 0 ? rc : take_answer(lane, a, err);
}

static int send_document(int lane, const struct endpoint *e, const struct buf *text,
                         const char *digest, struct error *err)
{
    struct answer a;
    int64_t size;
    autofree char *location = NULL;
    int rc = upload_is_there(lane, e, digest, &size, err);
    if (rc != 0)
        return rc < 0 ? rc : 0;
    rc = upload_begin(lane, e, NULL, NULL, &location, err);
    if (rc < 0)
        return rc;
    autofree char *target =
        xasprintf("%s%cdigest=%s", location, strchr(location, '?') ? '&' : '?', digest);
    autofree char *scopes = push_scopes(e, NULL);
    const struct ask ask = {.method = "PUT",
                            .target = target,
                            .scopes = scopes,
                            .type = "application/octet-stream",
                            .most = ANSWER_MOST,
                            .body = true,
                            .length = (int64_t)text->len};
    rc = send_whole(lane, &ask, text, &a, err);
    if (rc < 0)
        return rc;
    return a.status == 201 || a.status == 204 ? 0 : client_refused(e, &a, e->repository, err);
}

int push_document(struct client *client, const struct buf *text, const char *digest,
                  struct error *err)
{
    int lane = client_take(client);
    if (lane < 0)
        return error_set(err, -EIO, "caisson-registry ended");
    int rc = send_document(lane, &client->endpoints->items[0], text, digest, err);
    client_give(client, lane, rc == -ECONNRESET);
    return rc;
}

int push_put_manifest(struct client *client, const char *reference, const char *type,
                      const struct buf *text, struct answer *answer, struct error *err)
{
    const struct endpoint *e = &client->endpoints->items[0];
    autofree char *target = xasprintf("/v2/%s/manifests/%s", e->repository, reference);
    autofree char *scopes = push_scopes(e, NULL);
    const struct ask ask = {.method = "PUT",
                            .target = target,
                            .scopes = scopes,
                            .type = type,
                            .most = ANSWER_MOST,
                            .body = true,
                            .length = (int64_t)text->len};
    int lane = client_take(client);
    if (lane < 0)
        return error_set(err, -EIO, "caisson-registry ended");
    int rc = send_whole(lane, &ask, text, answer, err);
    client_give(client, lane, rc == -ECONNRESET);
    if (rc < 0)
        return rc;
    autofree char *what = xasprintf("%s:%s", e->repository, reference);
    return answer->status == 201 || answer->status == 200 || answer->status == 202
               ? 0
               : client_refused(e, answer, what, err);
}
