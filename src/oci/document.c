/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/document.h"

#include <string.h>

#include "base/memory.h"

json_t *document_parse(const char *text, size_t length, const char *what, struct error *err)
{
    if (length > OCI_DOCUMENT_MAX) {
        error_set(err, -EFBIG, "%s is larger than %u bytes", what, OCI_DOCUMENT_MAX);
        return NULL;
    }
    json_t *json = json_parse(text, length, what, err);
    if (json && !json_is_object(json)) {
        json_decref(json);
        error_set(err, -EINVAL, "%s is not a JSON object", what);
        return NULL;
    }
    return json;
}

int document_map(const json_t *object, const char *key, struct strv *out, struct error *err)
{
    json_t *map = NULL, *item;
    const char *name;
    int rc = json_get_object(object, key, &map, err);
    if (rc < 0 || !map)
        return rc;
    if (json_object_size(map) > OCI_PAIRS_MAX)
        return error_set(err, -E2BIG, "\"%s\": more than %d", key, OCI_PAIRS_MAX);
    json_object_foreach(map, name, item)
    {
        const char *value = "";
        if (!*name)
            return error_set(err, -EINVAL, "\"%s\": a key may not be empty", key);
        if (strchr(name, '=')) /* "a=b": "c" and "a": "b=c" would be the same to us */
            return error_set(err, -EINVAL, "\"%s\": a key may not have '='", key);
        rc = json_get_string(map, name, &value, err);
        if (rc < 0)
            return error_prefix(err, "\"%s\"", key);
        strv_fmt(out, "%s=%s", name, value);
    }
    return 0;
}

int document_string(const json_t *object, const char *key, char **out, struct error *err)
{
    const char *value = NULL;
    int rc = json_get_string(object, key, &value, err);
    if (rc < 0)
        return rc;
    *out = value ? xstrdup(value) : NULL;
    return 0;
}

int document_descriptor(const json_t *object, struct descriptor *out, struct error *err)
{
    const char *digest = "";
    int64_t size = -1;
    int rc = document_string(object, "mediaType", &out->media_type, err);
    if (rc == 0)
        rc = json_get_string(object, "digest", &digest, err);
    if (rc == 0)
        rc = json_get_i64(object, "size", &size, err);
    if (rc == 0)
        rc = document_map(object, "annotations", &out->annotations, err);
    if (rc < 0)
        return rc;
    if (!digest_valid(digest))
        return error_set(err, -EINVAL, "\"digest\" must be \"sha256:\" and 64 hexadecimal digits");
    if (size < 0)
        return error_set(err, -EINVAL, "\"size\" must be a count of bytes");
    memcpy(out->digest, digest, DIGEST_MAX);
    out->size = size;
    return 0;
}

void descriptor_free(struct descriptor *d)
{
    free(d->media_type);
    strv_free(&d->annotations);
    *d = (struct descriptor){0};
}

void document_write_map(struct json_out *w, const char *key, const struct strv *pairs)
{
    if (pairs->len == 0)
        return;
    json_begin(w, key, '{');
    for (size_t i = 0; i < pairs->len; i++) {
        const char *equals = strchrnul(pairs->items[i], '=');
        autobuf name = {0};
        buf_add(&name, pairs->items[i], (size_t)(equals - pairs->items[i]));
        json_str(w, buf_text(&name), *equals ? equals + 1 : "");
    }
    json_end(w, '}');
}

void document_write_descriptor(struct json_out *w, const char *key, const struct descriptor *d)
{
    json_begin(w, key, '{');
    if (d->media_type)
        json_str(w, "mediaType", d->media_type);
    json_str(w, "digest", d->digest);
    json_i64(w, "size", d->size);
    document_write_map(w, "annotations", &d->annotations);
    json_end(w, '}');
}
