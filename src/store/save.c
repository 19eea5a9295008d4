/* SPDX-License-Identifier: Apache-2.0 */
#include "store/save.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "archive/layer.h"
#include "archive/tar.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"
#include "oci/index.h"
#include "store/ingest.h"
#include "store/layout.h"

#define OUTPUT_BUFFER ((size_t)1 << 20)

/* One image of the archive. Names that mean the same image are gathered in it. */
struct item {
    struct image image;
    struct strv names;
    struct ingest_image documents; /* configuration as it is, manifest for plain layers */
    char manifest[DIGEST_MAX];
    struct buf index; /* of it and of its attestation; empty without one */
    char index_digest[DIGEST_MAX];
};

/* Where files go: entries of a tar, or files of a directory. Between file_begin() and file_end()
 * exactly the announced bytes go through file_bytes(). */
struct output {
    struct store *store;
    enum save_format format;
    int fd;
    struct tar_writer tar;
    char *buffer;
    size_t filled;
    int file; /* SAVE_OCI_DIR: the file being written, -1 */
    struct strv written;
    struct item *items;
    size_t count;
};

static void cleanup_output(struct output *out)
{
    for (size_t i = 0; i < out->count; i++) {
        image_free(&out->items[i].image);
        strv_free(&out->items[i].names);
        ingest_image_free(&out->items[i].documents);
        buf_free(&out->items[i].index);
    }
    free(out->items);
    free(out->buffer);
    strv_free(&out->written);
    if (out->file >= 0)
        close(out->file);
}

static int flush(struct output *out)
{
    int fd = out->format == SAVE_OCI_DIR ? out->file : out->fd;
    int rc = write_all(fd, out->buffer, out->filled);
    out->filled = 0;
    return rc;
}

static int sink(void *closure, const void *bytes, size_t length)
{
    struct output *out = closure;
    if (out->filled + length > OUTPUT_BUFFER) {
        int rc = flush(out);
        if (rc < 0)
            return rc;
    }
    if (length >= OUTPUT_BUFFER)
        return write_all(out->format == SAVE_OCI_DIR ? out->file : out->fd, bytes, length);
    memcpy(out->buffer + out->filled, bytes, length);
    out->filled += length;
    return 0;
}

static int file_begin(struct output *out, const char *path, uint64_t size, struct error *err)
{
    if (out->format == SAVE_OCI_DIR) {
        out->file = openat(out->fd, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
        if (out->file < 0)
            return error_errno(err, "cannot create %s", path);
        return 0;
    }
    struct tar_entry entry = {
        .type = TAR_FILE, .flag = '0', .path = path, .link = "", .mode = 0644, .size = size};
    return tar_write_entry(&out->tar, &entry, err);
}

static int file_bytes(void *closure, const void *bytes, size_t length)
{
    struct output *out = closure;
    if (out->format == SAVE_OCI_DIR)
        return sink(out, bytes, length);
    return tar_write_data(&out->tar, bytes, length, NULL);
}

static int file_end(struct output *out, struct error *err)
{
    if (out->format != SAVE_OCI_DIR)
        return 0;
    int rc = flush(out);
    if (rc < 0)
        return error_set(err, rc, "cannot write: %s", error_describe(rc));
    close(take_fd(&out->file));
    return 0;
}

static int whole_file(struct output *out, const char *path, const struct buf *text,
                      struct error *err)
{
    int rc = file_begin(out, path, text->len, err);
    if (rc < 0)
        return rc;
    rc = file_bytes(out, text->data, text->len);
    if (rc < 0)
        return error_set(err, rc, "cannot write: %s", error_describe(rc));
    return file_end(out, err);
}

/* Each blob once, however many images have it. */
static bool is_new(struct output *out, const char *digest)
{
    if (strv_has(&out->written, digest))
        return false;
    strv_add(&out->written, digest);
    return true;
}

static void blob_path(char path[96], const char *digest)
{
    snprintf(path, 96, BLOBS_DIR "/%s", digest_hex(digest));
}

static int write_blob(struct output *out, const char *digest, const struct buf *text,
                      struct error *err)
{
    char path[96];
    blob_path(path, digest);
    return is_new(out, digest) ? whole_file(out, path, text, err) : 0;
}

static int write_layer(struct output *out, const char *diff_id, struct error *err)
{
    char path[96], layer[STORE_PATH_MAX];
    uint64_t size;
    if (!is_new(out, diff_id))
        return 0;
    int rc = layout_read_number(out->store, diff_id, LAYER_TAR_SIZE, &size, err);
    if (rc < 0)
        return rc;
    layout_path(layer, LAYERS_DIR, digest_hex(diff_id));
    autofd fd = open_directory_at(out->store->root_fd, layer, err);
    if (fd < 0)
        return fd;
    blob_path(path, diff_id);
    rc = file_begin(out, path, size, err);
    if (rc == 0)
        rc = layer_write_tar(fd, file_bytes, out, diff_id, err);
    return rc < 0 ? rc : file_end(out, err);
}

static int write_item(struct output *out, const struct item *item, struct error *err)
{
    int rc = write_blob(out, item->image.id, &item->documents.config, err);
    if (rc == 0)
        rc = write_blob(out, item->manifest, &item->documents.manifest, err);
    for (size_t i = 0; rc == 0 && i < item->image.config.diff_ids.len; i++)
        rc = write_layer(out, item->image.config.diff_ids.items[i], err);
    return rc;
}

static void add_platform(struct json_out *w, const char *architecture, const char *os,
                         const char *variant)
{
    json_begin(w, "platform", '{');
    json_str(w, "architecture", architecture);
    json_str(w, "os", os);
    if (variant)
        json_str(w, "variant", variant);
    json_end(w, '}');
}

static void index_entry(struct json_out *w, const struct item *item, const char *name)
{
    bool nested = item->index.len > 0;
    json_begin(w, NULL, '{');
    json_str(w, "mediaType", nested ? MEDIA_INDEX : MEDIA_MANIFEST);
    json_str(w, "digest", nested ? item->index_digest : item->manifest);
    json_u64(w, "size", nested ? item->index.len : item->documents.manifest.len);
    if (name) {
        const char *tag = strrchr(name, ':');
        json_begin(w, "annotations", '{');
        json_str(w, "io.containerd.image.name", name);
        json_str(w, "org.opencontainers.image.ref.name", tag ? tag + 1 : name);
        json_end(w, '}');
    }
    const struct image_config *config = &item->image.config;
    if (!nested)
        add_platform(w, config->architecture, config->os, config->variant);
    json_end(w, '}');
}

/* --- attestations: an index of the image and of what is said of it ---
 * https://docs.docker.com/build/metadata/attestations/attestation-storage/ */

static void write_statement(const struct item *item, const struct save_attestation *a,
                            struct buf *out)
{
    struct json_out w = {.buf = out};
    json_begin(&w, NULL, '{');
    json_str(&w, "_type", "https://in-toto.io/Statement/v1");
    json_str(&w, "predicateType", a->type);
    json_begin(&w, "subject", '[');
    json_begin(&w, NULL, '{');
    json_str(&w, "name", item->names.len > 0 ? item->names.items[0] : "_");
    json_begin(&w, "digest", '{');
    json_str(&w, "sha256", digest_hex(item->manifest));
    json_end(&w, '}');
    json_end(&w, '}');
    json_end(&w, ']');
    json_raw(&w, "predicate", buf_text(&a->predicate));
    json_end(&w, '}');
}

static void add_descriptor(struct json_out *w, const char *key, const char *type,
                           const char *digest, const struct buf *text)
{
    json_begin(w, key, '{');
    json_str(w, "mediaType", type);
    json_str(w, "digest", digest);
    json_u64(w, "size", text->len);
}

static void write_attestation_manifest(const char *type, const struct buf *config,
                                       const struct buf *statement, struct buf *out)
{
    char digest[DIGEST_MAX];
    struct json_out w = {.buf = out};
    json_begin(&w, NULL, '{');
    json_i64(&w, "schemaVersion", 2);
    json_str(&w, "mediaType", MEDIA_MANIFEST);
    digest_of(config, digest);
    add_descriptor(&w, "config", MEDIA_CONFIG, digest, config);
    json_end(&w, '}');
    json_begin(&w, "layers", '[');
    digest_of(statement, digest);
    add_descriptor(&w, NULL, "application/vnd.in-toto+json", digest, statement);
    json_begin(&w, "annotations", '{');
    json_str(&w, "in-toto.io/predicate-type", type);
    json_end(&w, '}');
    json_end(&w, '}');
    json_end(&w, ']');
    json_end(&w, '}');
}

static void write_nested_index(struct item *item, const struct buf *attestation)
{
    char digest[DIGEST_MAX];
    const struct image_config *config = &item->image.config;
    struct json_out w = {.buf = &item->index};
    json_begin(&w, NULL, '{');
    json_i64(&w, "schemaVersion", 2);
    json_str(&w, "mediaType", MEDIA_INDEX);
    json_begin(&w, "manifests", '[');
    add_descriptor(&w, NULL, MEDIA_MANIFEST, item->manifest, &item->documents.manifest);
    add_platform(&w, config->architecture, config->os, config->variant);
    json_end(&w, '}');
    digest_of(attestation, digest);
    add_descriptor(&w, NULL, MEDIA_MANIFEST, digest, attestation);
    json_begin(&w, "annotations", '{');
    json_str(&w, "vnd.docker.reference.digest", item->manifest);
    json_str(&w, "vnd.docker.reference.type", "attestation-manifest");
    json_end(&w, '}');
    add_platform(&w, "unknown", "unknown", NULL);
    json_end(&w, '}');
    json_end(&w, ']');
    json_end(&w, '}');
    digest_of(&item->index, item->index_digest);
}

static int write_attestation(struct output *out, struct item *item,
                             const struct save_attestation *a, struct error *err)
{
    char digest[DIGEST_MAX];
    autobuf statement = {0}, config = {0}, manifest = {0};
    write_statement(item, a, &statement);
    digest_of(&statement, digest);
    buf_fmt(&config,
            "{\"architecture\":\"unknown\",\"os\":\"unknown\",\"config\":{},\"rootfs\":{\"type\":"
            "\"layers\",\"diff_ids\":[\"%s\"]}}",
            digest);
    int rc = write_blob(out, digest, &statement, err);
    digest_of(&config, digest);
    if (rc == 0)
        rc = write_blob(out, digest, &config, err);
    write_attestation_manifest(a->type, &config, &statement, &manifest);
    digest_of(&manifest, digest);
    if (rc == 0)
        rc = write_blob(out, digest, &manifest, err);
    write_nested_index(item, &manifest);
    return rc < 0 ? rc : write_blob(out, item->index_digest, &item->index, err);
}

static int write_index(struct output *out, struct error *err)
{
    autobuf text = {0}, layout = {0};
    struct json_out w = {.buf = &text};
    json_begin(&w, NULL, '{');
    json_i64(&w, "schemaVersion", 2);
    json_str(&w, "mediaType", MEDIA_INDEX);
    json_begin(&w, "manifests", '[');
    for (size_t i = 0; i < out->count; i++) {
        const struct item *item = &out->items[i];
        for (size_t j = 0; j < item->names.len; j++)
            index_entry(&w, item, item->names.items[j]);
        if (item->names.len == 0)
            index_entry(&w, item, NULL);
    }
    json_end(&w, ']');
    json_end(&w, '}');
    buf_str(&layout, "{\"imageLayoutVersion\":\"1.0.0\"}");
    int rc = whole_file(out, "index.json", &text, err);
    return rc < 0 ? rc : whole_file(out, "oci-layout", &layout, err);
}

static int write_docker_manifest(struct output *out, struct error *err)
{
    autobuf text = {0};
    struct json_out w = {.buf = &text};
    json_begin(&w, NULL, '[');
    for (size_t i = 0; i < out->count; i++) {
        const struct item *item = &out->items[i];
        char path[96];
        json_begin(&w, NULL, '{');
        blob_path(path, item->image.id);
        json_str(&w, "Config", path);
        /* Whole names: docker takes them as short ones, podman would take short ones as its own. */
        if (item->names.len > 0)
            json_strs(&w, "RepoTags", &item->names);
        else
            json_raw(&w, "RepoTags", "null");
        json_begin(&w, "Layers", '[');
        for (size_t j = 0; j < item->image.config.diff_ids.len; j++) {
            blob_path(path, item->image.config.diff_ids.items[j]);
            json_str(&w, NULL, path);
        }
        json_end(&w, ']');
        json_end(&w, '}');
    }
    json_end(&w, ']');
    return whole_file(out, "manifest.json", &text, err);
}

/* The oldest readers look for names here. */
static int write_repositories(struct output *out, struct error *err)
{
    autojson all = json_object();
    autobuf text = {0};
    struct json_out w = {.buf = &text};
    for (size_t i = 0; i < out->count; i++) {
        const struct item *item = &out->items[i];
        const struct strv *layers = &item->image.config.diff_ids;
        for (size_t j = 0; j < item->names.len && layers->len > 0; j++) {
            autofree char *name = xstrdup(item->names.items[j]);
            char *tag = strrchr(name, ':');
            *tag++ = '\0';
            json_t *tags = json_object_get(all, name);
            if (!tags) {
                tags = json_object();
                json_object_set_new(all, name, tags);
            }
            json_object_set_new(tags, tag, json_string(digest_hex(layers->items[layers->len - 1])));
        }
    }
    if (json_object_size(all) == 0)
        return 0;
    json_tree(&w, NULL, all);
    return whole_file(out, "repositories", &text, err);
}

/* The image's own manifest, with its annotations, where its layers are the plain tars that are
 * written. */
static void take_own_manifest(struct output *out, struct item *item)
{
    autobuf text = {0};
    automanifest manifest = {0};
    const struct strv *diff_ids = &item->image.config.diff_ids;
    if (store_read_blob(out->store, item->image.manifest, "manifest", &text, NULL) < 0 ||
        manifest_parse(buf_text(&text), text.len, &manifest, NULL) < 0 ||
        manifest.layer_count != diff_ids->len)
        return;
    for (size_t i = 0; i < diff_ids->len; i++)
        if (!streq(manifest.layers[i].digest, diff_ids->items[i]) ||
            !streq(manifest.layers[i].media_type, MEDIA_LAYER))
            return;
    buf_clear(&item->documents.manifest);
    buf_add(&item->documents.manifest, text.data, text.len);
}

static int read_documents(struct output *out, struct item *item, struct error *err)
{
    struct strv *diff_ids = &item->image.config.diff_ids;
    autofree struct ingest_layer *layers = xcalloc(diff_ids->len + 1, sizeof *layers);
    autofree const struct ingest_layer **pointers = xcalloc(diff_ids->len + 1, sizeof *pointers);
    memcpy(item->documents.id, item->image.id, DIGEST_MAX);
    int rc = store_read_blob(out->store, item->image.id, "image configuration",
                             &item->documents.config, err);
    for (size_t i = 0; rc == 0 && i < diff_ids->len; i++) {
        memcpy(layers[i].diff_id, diff_ids->items[i], DIGEST_MAX);
        pointers[i] = &layers[i];
        rc = layout_read_number(out->store, diff_ids->items[i], LAYER_TAR_SIZE,
                                &layers[i].tar_bytes, err);
    }
    if (rc < 0)
        return rc;
    ingest_manifest(&item->documents, pointers, diff_ids->len);
    take_own_manifest(out, item);
    digest_of(&item->documents.manifest, item->manifest);
    return 0;
}

static struct item *item_of(struct output *out, const char *id)
{
    for (size_t i = 0; i < out->count; i++)
        if (streq(out->items[i].image.id, id))
            return &out->items[i];
    return NULL;
}

static int add_item(struct output *out, const char *name, struct error *err)
{
    autoimage image = {0};
    int rc = store_resolve(out->store, name, &image, err);
    if (rc < 0)
        return rc;
    autofree char *full = take_ptr(image.name);
    struct item *item = item_of(out, image.id);
    if (!item) {
        out->items = xrealloc(out->items, out->count + 1, sizeof *out->items);
        item = &out->items[out->count++];
        *item = (struct item){.image = image};
        image = (struct image){0};
        rc = read_documents(out, item, err);
    }
    if (full && !strchr(full, '@') && !strv_has(&item->names, full))
        strv_add(&item->names, full);
    return rc;
}

static int make_blob_directories(struct output *out, struct error *err)
{
    if (out->format != SAVE_OCI_DIR)
        return 0;
    if (mkdirat(out->fd, "blobs", 0755) < 0 || mkdirat(out->fd, BLOBS_DIR, 0755) < 0)
        return error_errno(err, "cannot create the directory for blobs");
    return 0;
}

int store_save(struct store *store, char *const *names, size_t count, enum save_format format,
               int fd, const struct save_attestation *attestation, struct error *err)
{
    __attribute__((cleanup(cleanup_output))) struct output out = {
        .store = store, .format = format, .fd = fd, .file = -1, .buffer = xmalloc(OUTPUT_BUFFER)};
    out.tar = (struct tar_writer){.sink = sink, .closure = &out};
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < count; i++)
        rc = add_item(&out, names[i], err);
    if (rc == 0)
        rc = make_blob_directories(&out, err);
    for (size_t i = 0; rc == 0 && i < out.count; i++)
        rc = write_item(&out, &out.items[i], err);
    if (rc == 0 && attestation && out.count == 1 && format != SAVE_DOCKER_ARCHIVE)
        rc = write_attestation(&out, &out.items[0], attestation, err);
    if (rc == 0)
        rc = write_index(&out, err);
    if (rc == 0 && format == SAVE_DOCKER_ARCHIVE)
        rc = write_docker_manifest(&out, err);
    if (rc == 0 && format == SAVE_DOCKER_ARCHIVE)
        rc = write_repositories(&out, err);
    if (rc < 0 || format == SAVE_OCI_DIR)
        return rc;
    rc = tar_write_end(&out.tar, err);
    if (rc == 0 && (rc = flush(&out)) < 0)
        error_set(err, rc, "cannot write: %s", error_describe(rc));
    return rc;
}
