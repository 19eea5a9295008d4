/* SPDX-License-Identifier: Apache-2.0 */
#include "store/ingest.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/memory.h"
#include "base/text.h"
#include "oci/index.h"
#include "store/layout.h"
#include "store/names.h"

#define WORKERS_MAX 16

/* What the workers share; `next`, `failed` and `error` are guarded by `lock`. */
struct work {
    struct staging *staging;
    struct ingest_layer *layers;
    size_t *order; /* largest first, so that the last one to end is a small one */
    size_t count, next;
    const struct ingest_limits *limits;
    pthread_mutex_t lock;
    int failed;
    struct error error;
};

static int compare_digests(const struct ingest_layer *layer, const char *digest,
                           const char *diff_id, struct error *err)
{
    if (layer->digest[0] && !streq(layer->digest, digest))
        return error_set(err, -EBADMSG, "layer %s is damaged: its content has the digest %s",
                         layer->digest, digest);
    if (layer->diff_id[0] && !streq(layer->diff_id, diff_id))
        return error_set(err, -EBADMSG,
                         "layer %s is damaged: unpacked, its content has the digest %s",
                         layer->diff_id, diff_id);
    return 0;
}

static bool store_has_layer(struct store *store, const char *diff_id)
{
    char path[STORE_PATH_MAX];
    if (!diff_id[0])
        return false;
    layout_path(path, LAYERS_DIR, digest_hex(diff_id));
    return faccessat(store->root_fd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Reads a layer that the store has already only to see that it is what it says. */
static int verify_layer(struct stream *stream, struct ingest_layer *layer, struct error *err)
{
    struct stream_result result;
    int rc = stream_finish(stream, &result, err);
    if (rc == 0)
        rc = compare_digests(layer, result.compressed_digest, result.plain_digest, err);
    if (rc == 0)
        layer->tar_bytes = result.plain_bytes;
    return rc;
}

static int unpack_layer(struct work *work, struct stream *stream, struct ingest_layer *layer,
                        size_t number, struct error *err)
{
    struct layer_result result;
    char entry[sizeof layer->entry];
    snprintf(entry, sizeof entry, "layer-%zu", number);
    if (mkdirat(work->staging->fd, entry, 0700) < 0)
        return error_errno(err, "cannot create a directory below %s/" TMP_DIR,
                           work->staging->store->root);
    autofd fd = openat(work->staging->fd, entry, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return error_errno(err, "cannot open a directory below %s/" TMP_DIR,
                           work->staging->store->root);
    int rc = layer_unpack(stream, fd, &work->limits->layer, &result, err);
    if (rc == 0)
        rc = compare_digests(layer, result.blob, result.diff_id, err);
    if (rc < 0)
        return rc;
    char size[32];
    int length = snprintf(size, sizeof size, "%llu\n", (unsigned long long)result.tar_bytes);
    rc = write_file_at(fd, LAYER_TAR_SIZE, size, (size_t)length, 0600, VOLATILE, err);
    if (rc < 0)
        return rc;
    memcpy(layer->diff_id, result.diff_id, DIGEST_MAX);
    memcpy(layer->entry, entry, sizeof entry);
    layer->tar_bytes = result.tar_bytes;
    return 0;
}

static int read_layer(struct work *work, size_t number, struct error *err)
{
    struct ingest_layer *layer = &work->layers[number];
    autostream stream = stream_open(&layer->source, &work->limits->stream, err);
    if (!stream)
        return err->code;
    if (store_has_layer(work->staging->store, layer->diff_id))
        return verify_layer(stream, layer, err);
    return unpack_layer(work, stream, layer, number, err);
}

/* What a first try has left. */
static int clear_entry(const struct work *work, size_t number, struct error *err)
{
    char entry[sizeof work->layers->entry];
    snprintf(entry, sizeof entry, "layer-%zu", number);
    work->layers[number].entry[0] = '\0';
    return remove_tree_at(work->staging->fd, entry, err);
}

static int one_layer(struct work *work, size_t number, struct error *err)
{
    struct ingest_layer *layer = &work->layers[number];
    if (!layer->hooks)
        return read_layer(work, number, err);
    for (;;) {
        int rc = layer->hooks->begin(layer, err);
        if (rc != 0)
            return rc < 0 ? rc : 0;
        rc = layer->hooks->end(layer, read_layer(work, number, err), err);
        if (rc <= 0)
            return rc;
        rc = clear_entry(work, number, err);
        if (rc < 0)
            return rc;
    }
}

static void *work_on(void *closure)
{
    struct work *work = closure;
    for (;;) {
        struct error error = {0};
        pthread_mutex_lock(&work->lock);
        bool more = !work->failed && work->next < work->count;
        size_t number = more ? work->order[work->next++] : 0;
        pthread_mutex_unlock(&work->lock);
        if (!more)
            return NULL;
        int rc = one_layer(work, number, &error);
        if (rc == 0)
            continue;
        pthread_mutex_lock(&work->lock);
        if (!work->failed) {
            work->failed = rc;
            work->error = error;
            if (work->count > 1)
                error_prefix(&work->error, "layer %zu of %zu", number + 1, work->count);
        }
        pthread_mutex_unlock(&work->lock);
    }
}

static size_t *largest_first(const struct ingest_layer *layers, size_t count)
{
    size_t *order = xcalloc(count + 1, sizeof *order);
    for (size_t i = 0; i < count; i++) {
        size_t j = i;
        for (; j > 0 && layers[order[j - 1]].source.length < layers[i].source.length; j--)
            order[j] = order[j - 1];
        order[j] = i;
    }
    return order;
}

static size_t processors(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) < 0)
        return 1;
    return (size_t)CPU_COUNT(&set);
}

int ingest_layers(struct staging *staging, struct ingest_layer *layers, size_t count,
                  const struct ingest_limits *limits, struct error *err)
{
    autofree size_t *order = largest_first(layers, count);
    struct work work = {.staging = staging,
                        .layers = layers,
                        .order = order,
                        .count = count,
                        .limits = limits,
                        .lock = PTHREAD_MUTEX_INITIALIZER};
    pthread_t threads[WORKERS_MAX];
    size_t wanted = limits->workers > 0 ? limits->workers : processors(), started = 0;
    if (wanted > count)
        wanted = count;
    if (wanted > WORKERS_MAX)
        wanted = WORKERS_MAX;
    while (started + 1 < wanted && pthread_create(&threads[started], NULL, work_on, &work) == 0)
        started++;
    work_on(&work); /* also when not one thread could be started */
    for (size_t i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    if (work.failed)
        return error_set(err, work.failed, "%s", work.error.text);
    return 0;
}

void ingest_image_free(struct ingest_image *image)
{
    buf_free(&image->config);
    buf_free(&image->manifest);
    strv_free(&image->names);
    strv_free(&image->replaced);
    image->id[0] = '\0';
}

void ingest_manifest(struct ingest_image *image, const struct ingest_layer *const *layers,
                     size_t count)
{
    automanifest manifest = {.layer_count = count};
    manifest.config.media_type = xstrdup(MEDIA_CONFIG);
    memcpy(manifest.config.digest, image->id, DIGEST_MAX);
    manifest.config.size = (int64_t)image->config.len;
    manifest.layers = xcalloc(count + 1, sizeof *manifest.layers);
    for (size_t i = 0; i < count; i++) {
        struct descriptor *layer = &manifest.layers[i];
        layer->media_type = xstrdup(MEDIA_LAYER);
        memcpy(layer->digest, layers[i]->diff_id, DIGEST_MAX);
        layer->size = (int64_t)layers[i]->tar_bytes;
    }
    buf_clear(&image->manifest);
    manifest_write(&manifest, &image->manifest);
}

static void blob_entry(char out[STORE_PATH_MAX], const char *digest)
{
    snprintf(out, STORE_PATH_MAX, "blob-%s", digest_hex(digest));
}

static int stage_image(struct staging *staging, const struct ingest_image *image, struct error *err)
{
    char manifest[DIGEST_MAX], entry[STORE_PATH_MAX];
    digest_of(&image->manifest, manifest);
    blob_entry(entry, image->id);
    int rc = staging_write(staging, entry, image->config.data, image->config.len, err);
    blob_entry(entry, manifest);
    if (rc == 0)
        rc = staging_write(staging, entry, image->manifest.data, image->manifest.len, err);
    if (rc == 0)
        rc = names_stage_id(staging, manifest, image->id, err);
    for (size_t i = 0; rc == 0 && i < image->names.len; i++)
        rc = names_stage(staging, image->names.items[i], manifest, image->id, image->index, err);
    return rc;
}

/* Images of one archive may share documents: what was moved already is not there any more. */
static int publish_entry(struct staging *staging, const char *entry, const char *directory,
                         const char *digest, struct error *err)
{
    if (faccessat(staging->fd, entry, F_OK, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT)
        return 0;
    return staging_publish(staging, entry, directory, digest_hex(digest), err);
}

static int publish_documents(struct staging *staging, const struct ingest_image *image,
                             struct error *err)
{
    char manifest[DIGEST_MAX], entry[STORE_PATH_MAX];
    digest_of(&image->manifest, manifest);
    blob_entry(entry, image->id);
    int rc = publish_entry(staging, entry, BLOBS_DIR, image->id, err);
    blob_entry(entry, manifest);
    if (rc == 0)
        rc = publish_entry(staging, entry, BLOBS_DIR, manifest, err);
    return rc;
}

static int publish_names(struct staging *staging, struct ingest_image *image, struct error *err)
{
    int rc = names_publish_id(staging, image->id, err);
    for (size_t i = 0; rc == 0 && i < image->names.len; i++) {
        char replaced[DIGEST_MAX] = "";
        rc = names_publish(staging, image->names.items[i], image->id, replaced, err);
        strv_add(&image->replaced, replaced);
    }
    return rc;
}

int ingest_publish(struct staging *staging, struct ingest_layer *layers, size_t layer_count,
                   struct ingest_image *images, size_t image_count, struct error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < image_count; i++)
        rc = stage_image(staging, &images[i], err);
    if (rc == 0)
        rc = layer_sync(staging->fd, err);
    for (size_t i = 0; rc == 0 && i < layer_count; i++)
        if (layers[i].entry[0])
            rc = staging_publish_layer(staging, layers[i].entry, layers[i].diff_id, err);
    for (size_t i = 0; rc == 0 && i < image_count; i++)
        rc = publish_documents(staging, &images[i], err);
    for (size_t i = 0; rc == 0 && i < image_count; i++)
        rc = publish_names(staging, &images[i], err);
    return rc < 0 ? rc : names_sync(staging->store, err);
}
