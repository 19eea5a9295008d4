/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "oci/document.h"
#include "oci/index.h"

static int check_version(const json_t *json, const char *what, struct error *err)
{
    int64_t version = 0;
    int rc = json_get_i64(json, "schemaVersion", &version, err);
    if (rc == 0 && version == 1)
        rc =
            error_set(err, -EINVAL,
                      "schema 1 is not supported: push or save the image anew with a current tool");
    else if (rc == 0 && version != 2)
        rc = error_set(err, -EINVAL, "\"schemaVersion\" must be 2");
    return rc < 0 ? error_prefix(err, "%s", what) : 0;
}

/* A document that says it is something else, or is two things at once, would be read as one thing
 * by one tool and as another by the next. */
static int check_type(const json_t *json, const char *const *types, const char *foreign,
                      const char *what, struct error *err)
{
    const char *type = NULL;
    int rc = json_get_string(json, "mediaType", &type, err);
    if (rc < 0)
        return error_prefix(err, "%s", what);
    if (json_object_get(json, foreign))
        return error_set(err, -EINVAL, "%s: it may not have \"%s\"", what, foreign);
    if (!type)
        return 0;
    for (; *types; types++)
        if (streq(type, *types))
            return 0;
    return error_set(err, -EINVAL, "%s: its \"mediaType\" is \"%.100s\"", what, type);
}

static int parse_layers(const json_t *json, struct manifest *out, struct error *err)
{
    json_t *layers = NULL, *item;
    int rc = json_get_array(json, "layers", &layers, err);
    if (rc < 0)
        return rc;
    if (!layers)
        return error_set(err, -EINVAL, "\"layers\" is missing");
    if (json_array_size(layers) > OCI_LAYERS_MAX)
        return error_set(err, -E2BIG, "more than %d layers", OCI_LAYERS_MAX);
    out->layers = xcalloc(json_array_size(layers) + 1, sizeof *out->layers);
    size_t i;
    json_array_foreach(layers, i, item)
    {
        rc = document_descriptor(item, &out->layers[out->layer_count++], err);
        if (rc < 0)
            return error_prefix(err, "layer %zu", i + 1);
    }
    return 0;
}

static int parse_manifest(const json_t *json, struct manifest *out, struct error *err)
{
    static const char *const types[] = {MEDIA_MANIFEST, MEDIA_DOCKER_MANIFEST, NULL};
    json_t *config = NULL;
    int rc = check_version(json, "manifest", err);
    if (rc == 0)
        rc = check_type(json, types, "manifests", "manifest", err);
    if (rc < 0)
        return rc;
    rc = json_get_object(json, "config", &config, err);
    if (rc == 0 && !config)
        rc = error_set(err, -EINVAL, "\"config\" is missing");
    if (rc == 0 && (rc = document_descriptor(config, &out->config, err)) < 0)
        error_prefix(err, "\"config\"");
    if (rc == 0)
        rc = parse_layers(json, out, err);
    if (rc == 0)
        rc = document_map(json, "annotations", &out->annotations, err);
    return rc < 0 ? error_prefix(err, "manifest") : 0;
}

int manifest_parse(const char *text, size_t length, struct manifest *out, struct error *err)
{
    autojson json = document_parse(text, length, "manifest", err);
    if (!json)
        return -EINVAL;
    struct manifest manifest = {0};
    int rc = parse_manifest(json, &manifest, err);
    if (rc < 0) {
        manifest_free(&manifest);
        return rc;
    }
    *out = manifest;
    return 0;
}

void manifest_write(const struct manifest *manifest, struct buf *out)
{
    struct json_out w = {.buf = out};
    json_begin(&w, NULL, '{');
    json_i64(&w, "schemaVersion", 2);
    json_str(&w, "mediaType", MEDIA_MANIFEST);
    document_write_descriptor(&w, "config", &manifest->config);
    json_begin(&w, "layers", '[');
    for (size_t i = 0; i < manifest->layer_count; i++)
        document_write_descriptor(&w, NULL, &manifest->layers[i]);
    json_end(&w, ']');
    document_write_map(&w, "annotations", &manifest->annotations);
    json_end(&w, '}');
}

void manifest_free(struct manifest *manifest)
{
    descriptor_free(&manifest->config);
    for (size_t i = 0; i < manifest->layer_count; i++)
        descriptor_free(&manifest->layers[i]);
    free(manifest->layers);
    strv_free(&manifest->annotations);
    *manifest = (struct manifest){0};
}

static int parse_platform(const json_t *item, struct index_entry *entry, struct error *err)
{
    json_t *platform = NULL;
    int rc = json_get_object(item, "platform", &platform, err);
    if (rc < 0 || !platform)
        return rc;
    rc = document_string(platform, "os", &entry->os, err);
    if (rc == 0)
        rc = document_string(platform, "architecture", &entry->architecture, err);
    if (rc == 0)
        rc = document_string(platform, "variant", &entry->variant, err);
    return rc;
}

static int parse_index(const json_t *json, struct index *out, struct error *err)
{
    static const char *const types[] = {MEDIA_INDEX, MEDIA_DOCKER_LIST, NULL};
    json_t *manifests = NULL, *item;
    int rc = check_version(json, "index", err);
    if (rc == 0)
        rc = check_type(json, types, "layers", "index", err);
    if (rc == 0)
        rc = json_get_array(json, "manifests", &manifests, err);
    if (rc < 0)
        return rc;
    if (!manifests)
        return error_set(err, -EINVAL, "index: \"manifests\" is missing");
    if (json_array_size(manifests) > INDEX_ENTRIES_MAX)
        return error_set(err, -E2BIG, "index: more than %d manifests", INDEX_ENTRIES_MAX);
    out->entries = xcalloc(json_array_size(manifests) + 1, sizeof *out->entries);
    size_t i;
    json_array_foreach(manifests, i, item)
    {
        struct index_entry *entry = &out->entries[out->count++];
        rc = document_descriptor(item, &entry->descriptor, err);
        if (rc == 0)
            rc = parse_platform(item, entry, err);
        if (rc < 0)
            return error_prefix(err, "index: manifest %zu", i + 1);
    }
    return 0;
}

int index_parse(const char *text, size_t length, struct index *out, struct error *err)
{
    autojson json = document_parse(text, length, "index", err);
    if (!json)
        return -EINVAL;
    struct index index = {0};
    int rc = parse_index(json, &index, err);
    if (rc < 0) {
        index_free(&index);
        return rc;
    }
    *out = index;
    return 0;
}

void index_free(struct index *index)
{
    for (size_t i = 0; i < index->count; i++) {
        descriptor_free(&index->entries[i].descriptor);
        free(index->entries[i].os);
        free(index->entries[i].architecture);
        free(index->entries[i].variant);
    }
    free(index->entries);
    *index = (struct index){0};
}

void index_write(const struct index *index, struct buf *out)
{
    struct json_out w = {.buf = out};
    json_begin(&w, NULL, '{');
    json_i64(&w, "schemaVersion", 2);
    json_str(&w, "mediaType", MEDIA_INDEX);
    json_begin(&w, "manifests", '[');
    for (size_t i = 0; i < index->count; i++) {
        const struct index_entry *entry = &index->entries[i];
        json_begin(&w, NULL, '{');
        json_str(&w, "mediaType", entry->descriptor.media_type);
        json_str(&w, "digest", entry->descriptor.digest);
        json_i64(&w, "size", entry->descriptor.size);
        document_write_map(&w, "annotations", &entry->descriptor.annotations);
        if (entry->os && entry->architecture) {
            json_begin(&w, "platform", '{');
            json_str(&w, "architecture", entry->architecture);
            json_str(&w, "os", entry->os);
            if (entry->variant)
                json_str(&w, "variant", entry->variant);
            json_end(&w, '}');
        }
        json_end(&w, '}');
    }
    json_end(&w, ']');
    json_end(&w, '}');
}

const char *descriptor_annotation(const struct descriptor *descriptor, const char *key)
{
    size_t length = strlen(key);
    for (size_t i = 0; i < descriptor->annotations.len; i++) {
        const char *pair = descriptor->annotations.items[i];
        if (strncmp(pair, key, length) == 0 && pair[length] == '=')
            return pair + length + 1;
    }
    return NULL;
}
