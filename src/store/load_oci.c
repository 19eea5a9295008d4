/* SPDX-License-Identifier: Apache-2.0 */
/* OCI image layout: index.json leads by digests to everything else. */
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"
#include "store/choose.h"
#include "store/load.h"

#define INDEX_DEPTH_MAX 4

/* What is the same all the way down. */
struct reader {
    struct bundle *bundle;
    const struct platform *platform;
    struct load_plan *plan;
};

static void blob_path(char out[96], const char *digest)
{
    snprintf(out, 96, "blobs/sha256/%s", digest_hex(digest));
}

static int read_document(struct bundle *bundle, const struct descriptor *descriptor,
                         struct buf *out, struct error *err)
{
    char path[96], digest[DIGEST_MAX];
    blob_path(path, descriptor->digest);
    int rc = bundle_read(bundle, path, OCI_DOCUMENT_MAX, out, err);
    if (rc < 0)
        return rc;
    digest_of(out, digest);
    if (!streq(digest, descriptor->digest))
        return error_set(err, -EBADMSG, "%s is damaged: its content has the digest %s",
                         descriptor->digest, digest);
    return 0;
}

static int find_layer(void *closure, const struct descriptor *descriptor,
                      struct ingest_layer *layer, struct error *err)
{
    const struct reader *reader = closure;
    char path[96];
    blob_path(path, descriptor->digest);
    int rc = bundle_find(reader->bundle, path, &layer->source, err);
    if (rc == 0 && layer->source.length != (uint64_t)descriptor->size)
        rc = error_set(err, -EBADMSG, "layer %s is damaged: it has %llu bytes instead of %lld",
                       descriptor->digest, (unsigned long long)layer->source.length,
                       (long long)descriptor->size);
    return rc;
}

static int add_manifest(const struct reader *reader, const struct descriptor *descriptor,
                        const char *name, struct error *err)
{
    automanifest manifest = {0};
    autobuf text = {0}, config = {0};
    struct load_image *image = NULL;
    int rc = read_document(reader->bundle, descriptor, &text, err);
    if (rc == 0)
        rc = manifest_parse(buf_text(&text), text.len, &manifest, err);
    if (rc == 0 && !streq(manifest.config.media_type, MEDIA_CONFIG) &&
        !streq(manifest.config.media_type, MEDIA_DOCKER_CONFIG))
        rc = error_set(err, -EINVAL, "%s is no container image but \"%.100s\"", descriptor->digest,
                       manifest.config.media_type ? manifest.config.media_type : "untyped");
    if (rc == 0)
        rc = read_document(reader->bundle, &manifest.config, &config, err);
    if (rc == 0)
        rc = load_add_image(reader->plan, &config, reader->platform, &image, err);
    if (rc == 0 && name)
        rc = load_add_name(reader->plan, image, name, err);
    if (rc < 0)
        return rc;
    image->image.manifest = text;
    text = (struct buf){0};
    return load_add_layers(reader->plan, image, &manifest, find_layer,
                           (struct reader *)(uintptr_t)reader, err);
}

/* An index within: one image for several platforms. The first that fits is it. */
static int add_index(const struct reader *reader, const struct descriptor *descriptor,
                     const char *name, int depth, struct error *err)
{
    autoindex index = {0};
    autobuf text = {0};
    if (depth > INDEX_DEPTH_MAX)
        return error_set(err, -ELOOP, "indexes within indexes, more than %d deep", INDEX_DEPTH_MAX);
    int rc = read_document(reader->bundle, descriptor, &text, err);
    if (rc == 0)
        rc = index_parse(buf_text(&text), text.len, &index, err);
    if (rc < 0)
        return rc;
    const struct index_entry *chosen = index_choose(reader->platform, &index);
    if (!chosen)
        return index_no_match(reader->platform, &index, "the archive", err);
    if (descriptor_is_index(&chosen->descriptor))
        return add_index(reader, &chosen->descriptor, name, depth + 1, err);
    return add_manifest(reader, &chosen->descriptor, name, err);
}

/* The full name an entry of index.json asks for, NULL when it has none. A reference name without
 * ':' or '/' is only a tag. */
static int entry_name(const struct index_entry *entry, char **out, struct error *err)
{
    const char *name = descriptor_annotation(&entry->descriptor, "io.containerd.image.name");
    if (!name) {
        name = descriptor_annotation(&entry->descriptor, "org.opencontainers.image.ref.name");
        if (!name || !strpbrk(name, ":/"))
            return 0;
    }
    return load_full_name(name, out, err);
}

/* Whether another entry of the same name fits this machine better than this one: several manifests
 * of one name are one image for several platforms. */
static bool is_outdone(const struct platform *platform, const struct index *index,
                       char *const *names, size_t number)
{
    if (index_entry_matches(platform, &index->entries[number]) ||
        !index->entries[number].architecture) {
        for (size_t i = 0; i < number; i++)
            if (names[i] && streq(names[i], names[number]) &&
                index_entry_matches(platform, &index->entries[i]))
                return true;
        return false;
    }
    for (size_t i = 0; i < index->count; i++)
        if (i != number && streq(names[i], names[number]) &&
            !index_entry_is_attachment(&index->entries[i]) &&
            index_entry_matches(platform, &index->entries[i]))
            return true;
    return false;
}

static int add_entries(const struct reader *reader, const struct index *index, char *const *names,
                       struct error *err)
{
    size_t added = 0;
    for (size_t i = 0; i < index->count; i++) {
        const struct index_entry *entry = &index->entries[i];
        int rc;
        if (index_entry_is_attachment(entry) || is_outdone(reader->platform, index, names, i))
            continue;
        if (reader->platform->chosen && entry->architecture &&
            !index_entry_matches(reader->platform, entry))
            continue;
        if (descriptor_is_index(&entry->descriptor))
            rc = add_index(reader, &entry->descriptor, names[i], 1, err);
        else
            rc = add_manifest(reader, &entry->descriptor, names[i], err);
        if (rc < 0)
            return rc;
        if (++added > LOAD_IMAGES_MAX)
            return error_set(err, -E2BIG, "index.json: more than %d images", LOAD_IMAGES_MAX);
    }
    return added ? 0 : index_no_match(reader->platform, index, "the archive", err);
}

static int check_layout(struct bundle *bundle, struct error *err)
{
    autobuf text = {0};
    const char *version = "";
    int rc = bundle_read(bundle, "oci-layout", 4096, &text, err);
    if (rc < 0)
        return rc;
    autojson json = json_parse(buf_text(&text), text.len, "oci-layout", err);
    if (!json)
        return -EINVAL;
    rc = json_get_string(json, "imageLayoutVersion", &version, err);
    if (rc == 0 && !starts_with(version, "1."))
        rc = error_set(err, -EINVAL, "oci-layout: version \"%.20s\" is not known", version);
    return rc;
}

int load_oci(struct bundle *bundle, const struct platform *platform, struct load_plan *plan,
             struct error *err)
{
    const struct reader reader = {.bundle = bundle, .platform = platform, .plan = plan};
    autoindex index = {0};
    autobuf text = {0};
    autostrv names = {0}; /* owns what `by_entry` points to */
    int rc = check_layout(bundle, err);
    if (rc == 0)
        rc = bundle_read(bundle, "index.json", OCI_DOCUMENT_MAX, &text, err);
    if (rc == 0)
        rc = index_parse(buf_text(&text), text.len, &index, err);
    if (rc < 0)
        return rc;
    autofree char **by_entry = xcalloc(index.count + 1, sizeof *by_entry);
    for (size_t i = 0; rc == 0 && i < index.count; i++) {
        rc = entry_name(&index.entries[i], &by_entry[i], err);
        if (by_entry[i])
            strv_take(&names, by_entry[i]);
    }
    return rc < 0 ? rc : add_entries(&reader, &index, by_entry, err);
}
