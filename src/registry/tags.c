/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/tags.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"
#include "oci/reference.h"
#include "registry/documents.h"

#define PAGE_MAX (4u << 20)
#define PAGES_MAX 1000
#define REPOSITORY_MAX 255

char *link_next(const char *header)
{
    const char *open = strchr(header, '<'), *close = open ? strchr(open, '>') : NULL;
    if (!close || !strstr(close, "next"))
        return NULL;
    autofree char *target = xstrndup(open + 1, (size_t)(close - open - 1));
    const char *path = target, *scheme = strstr(target, "://");
    if (scheme && !strchr("/?#", *target) && !memchr(target, '?', (size_t)(scheme - target)))
        path = scheme + 3 + strcspn(scheme + 3, "/");
    return *path == '/' ? xstrdup(path) : NULL;
}

/* Small letters, digits and what may stand between them: enough for a name that is only shown. */
static bool repository_valid(const char *name)
{
    size_t length = strlen(name);
    return length > 0 && length <= REPOSITORY_MAX &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789._-/") == length;
}

struct listing {
    const char *key;                 /* "tags" */
    bool (*valid)(const char *item); /* what is no name is passed over */
    const char *text;                /* NULL: all */
    size_t most;
    struct strv *out;
};

static int take_page(const struct buf *text, const struct listing *l, struct error *err)
{
    autostrv items = {0};
    autojson json = json_parse(buf_text(text), text->len, "the registry's list", err);
    int rc = json ? json_get_strings(json, l->key, &items, err) : -EINVAL;
    for (size_t i = 0; rc == 0 && i < items.len; i++)
        if (l->out->len < l->most && l->valid(items.items[i]) &&
            (!l->text || strstr(items.items[i], l->text)))
            strv_add(l->out, items.items[i]);
    return rc;
}

static int read_pages(struct client *client, const struct ask *first, const struct listing *l,
                      const char *what, struct error *err)
{
    const struct endpoint *e = &client->endpoints->items[first->endpoint];
    autofree char *target = xstrdup(first->target);
    for (unsigned page = 0; target && page < PAGES_MAX && l->out->len < l->most; page++) {
        autobuf text = {0};
        struct answer answer;
        struct ask ask = *first;
        ask.target = target;
        int rc = client_document(client, &ask, &answer, &text, err);
        if (rc < 0)
            return rc;
        if (answer.status != 200)
            return client_refused(e, &answer, what, err);
        rc = take_page(&text, l, err);
        if (rc < 0)
            return error_prefix(err, "%s", e->name);
        free(target);
        target = link_next(answer.link);
    }
    return 0;
}

int tags_list(struct client *client, size_t endpoint, struct strv *out, struct error *err)
{
    const struct endpoint *e = &client->endpoints->items[endpoint];
    autofree char *scope = scope_of(e, "pull");
    autofree char *target = xasprintf("/v2/%s/tags/list?n=1000", e->repository);
    const struct listing l = {.key = "tags", .valid = tag_valid, .most = TAGS_MAX, .out = out};
    const struct ask ask = {
        .method = "GET", .endpoint = endpoint, .target = target, .scopes = scope, .most = PAGE_MAX};
    return read_pages(client, &ask, &l, e->repository, err);
}

int repositories_list(struct client *client, size_t endpoint, const char *text, size_t most,
                      struct strv *out, struct error *err)
{
    const struct listing l = {
        .key = "repositories", .valid = repository_valid, .text = text, .most = most, .out = out};
    const struct ask ask = {.method = "GET",
                            .endpoint = endpoint,
                            .target = "/v2/_catalog?n=1000",
                            .scopes = "registry:catalog:*",
                            .most = PAGE_MAX};
    return read_pages(client, &ask, &l, "a list of its repositories", err);
}
