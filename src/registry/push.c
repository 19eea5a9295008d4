/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/push.h"

#include <fcntl.h>
#include <string.h>
#include <time.h>

#include "archive/encode.h"
#include "archive/layer.h"
#include "base/cleanup.h"
#include "base/hash.h"
#include "base/io.h"
#include "base/memory.h"
#include "base/text.h"
#include "registry/known.h"
#include "registry/upload.h"
#include "store/layout.h"

#define TRIES 3
#define MEDIA_LAYER_GZIP MEDIA_LAYER "+gzip"
#define MEDIA_LAYER_ZSTD MEDIA_LAYER "+zstd"

static const struct endpoint *endpoint_of(const struct push *p)
{
    return &p->client->endpoints->items[0];
}

/* --- which layers --- */

/* Whether it came as one that its maker lets nobody pass on (image-spec, "Non-Distributable
 * Layers"; Docker's foreign ones). */
static int check_distributable(const struct push *p, const char *diff_id, struct error *err)
{
    struct known_blob known[KNOWN_MAX];
    size_t count = p->nondistributable ? 0 : known_read(p->store, diff_id, known);
    for (size_t i = 0; i < count; i++)
        if (strstr(known[i].type, "foreign") || strstr(known[i].type, "nondistributable"))
            return error_set(err, -EPERM,
                             "the layer %s came from %s/%s as one that may not be passed on (%s); "
                             "--allow-nondistributable pushes it all the same",
                             known[i].digest, known[i].host, known[i].repository, known[i].type);
    return 0;
}

int push_prepare(struct push *p, struct error *err)
{
    const struct strv *ids = &p->image->config.diff_ids;
    int rc = store_read_blob(p->store, p->image->manifest, "manifest", &p->manifest, err);
    if (rc == 0)
        rc = store_read_blob(p->store, p->image->id, "image configuration", &p->config, err);
    p->layers = xcalloc(ids->len + 1, sizeof *p->layers);
    p->of_layer = xcalloc(ids->len + 1, sizeof *p->of_layer);
    pthread_mutex_init(&p->lock, NULL);
    for (size_t i = 0; rc == 0 && i < ids->len; i++) {
        size_t at = 0;
        while (at < p->layer_count && !streq(p->layers[at].diff_id, ids->items[i]))
            at++;
        p->of_layer[i] = at;
        if (at < p->layer_count)
            continue;
        struct push_layer *layer = &p->layers[p->layer_count++];
        memcpy(layer->diff_id, ids->items[i], DIGEST_MAX);
        rc = check_distributable(p, layer->diff_id, err);
        if (rc == 0)
            rc = store_layer_tar_size(p->store, layer->diff_id, &layer->size, err);
        if (rc == 0)
            rc = staging_uses(p->staging, layer->diff_id, err);
    }
    return rc;
}

void push_free(struct push *p)
{
    buf_free(&p->manifest);
    buf_free(&p->config);
    free(p->layers);
    free(p->of_layer);
}

/* --- a layer that is there already --- */

static void settle(struct push *p, struct push_layer *layer, const struct known_blob *blob,
                   enum push_state state)
{
    struct known_blob here = *blob;
    const struct endpoint *e = endpoint_of(p);
    memcpy(layer->digest, blob->digest, DIGEST_MAX);
    memcpy(layer->type, blob->type, sizeof layer->type);
    layer->blob_size = blob->size;
    layer->bytes = layer->size;
    snprintf(here.host, sizeof here.host, "%s", e->name);
    snprintf(here.repository, sizeof here.repository, "%s", e->repository);
    if (strlen(e->name) < sizeof here.host && strlen(e->repository) < sizeof here.repository)
        known_add(p->store, layer->diff_id, &here);
    layer->state = state;
}

/* 1: one of the digests that we know it by is there, or was mounted; *location is where an upload
 * that a refused mount has begun goes on; NULL: nowhere. */
static int try_known(struct push *p, struct push_layer *layer, int lane, char **location,
                     struct error *err)
{
    struct known_blob known[KNOWN_MAX];
    const struct endpoint *e = endpoint_of(p);
    size_t count = known_read(p->store, layer->diff_id, known);
    autostrv asked = {0};
    for (size_t i = 0; i < count; i++) {
        int64_t size = -1;
        if (strv_has(&asked, known[i].digest))
            continue;
        strv_add(&asked, known[i].digest);
        int rc = upload_is_there(lane, e, known[i].digest, &size, err);
        if (rc < 0)
            return rc;
        if (rc == 1 && (size < 0 || size == known[i].size)) {
            settle(p, layer, &known[i], PUSH_THERE);
            return 1;
        }
    }
    for (size_t i = 0; i < count && !*location; i++) {
        if (!streq(known[i].host, e->name) || streq(known[i].repository, e->repository))
            continue;
        int rc = upload_begin(lane, e, known[i].digest, known[i].repository, location, err);
        if (rc < 0)
            return rc;
        if (rc == 1) {
            snprintf(layer->from, sizeof layer->from, "%s", known[i].repository);
            settle(p, layer, &known[i], PUSH_MOUNTED);
            return 1;
        }
    }
    return 0;
}

/* --- a layer that is sent --- */

struct sending {
    struct push *push;
    struct push_layer *layer;
    struct encoder *encoder;
    int lane;
    struct sha256 hash;
    uint64_t bytes; /* compressed */
    bool early;     /* the registry has answered before all of it was there */
    struct error error;
};

static int send_piece(void *closure, const void *bytes, size_t length)
{
    struct sending *s = closure;
    sha256_add(&s->hash, bytes, length);
    s->bytes += length;
    int rc = client_send(s->lane, bytes, length, &s->error);
    s->early = rc == 1;
    return rc == 1 ? -ECANCELED : rc;
}

static int take_tar(void *closure, const void *bytes, size_t length)
{
    struct sending *s = closure;
    if (s->push->failed) /* a glance: whoever comes late stops a piece later */
        return -ECANCELED;
    s->layer->bytes += length;
    return encoder_write(s->encoder, bytes, length);
}

static int write_layer(struct sending *s, struct error *err)
{
    char path[STORE_PATH_MAX];
    struct push *p = s->push;
    layout_path(path, LAYERS_DIR, digest_hex(s->layer->diff_id));
    autofd directory = open_directory_at(p->store->root_fd, path, err);
    if (directory < 0)
        return directory;
    autoencoder encoder = encoder_open(p->format, p->level, send_piece, s, err);
    if (!encoder)
        return -ENOMEM;
    s->encoder = encoder;
    s->layer->bytes = 0;
    int rc = layer_write_tar(directory, take_tar, s, s->layer->diff_id, err);
    if (rc == 0)
        rc = encoder_finish(encoder);
    if (rc < 0 && s->error.code)
        return error_set(err, s->error.code, "%s", s->error.text);
    return rc < 0 && err && !err->code ? error_set(err, rc, "cannot compress a layer") : rc;
}

static void end_hash(struct sending *s, char digest[DIGEST_MAX])
{
    unsigned char bytes[SHA256_BYTES];
    char hex[SHA256_HEX];
    sha256_end(&s->hash, bytes);
    hex_encode(bytes, sizeof bytes, hex);
    snprintf(digest, DIGEST_MAX, "sha256:%s", hex);
}

static int send_body(struct sending *s, char **location, char digest[DIGEST_MAX], struct error *err)
{
    const struct endpoint *e = endpoint_of(s->push);
    struct error why = {0};
    int rc = upload_patch(s->lane, *location, e, err);
    if (rc < 0)
        return rc;
    sha256_start(&s->hash);
    int written = write_layer(s, &why);
    end_hash(s, digest);
    if (written == -ECONNRESET)
        return error_set(err, written, "%s", why.text);
    rc = client_sent(s->lane, err);
    if (rc == 0)
        rc = upload_sent(s->lane, e, location, err);
    if (rc == 0 && written < 0) /* whatever it took is not what we meant */
        rc = error_set(err, s->early ? -EIO : written, "%s",
                       s->early ? "the registry answered before it had all of a layer" : why.text);
    return rc;
}

static int send_layer(struct push *p, struct push_layer *layer, int lane, char **location,
                      struct error *err)
{
    const struct endpoint *e = endpoint_of(p);
    struct sending s = {.push = p, .layer = layer, .lane = lane};
    struct known_blob blob = {0};
    int rc = *location ? 0 : upload_begin(lane, e, NULL, NULL, location, err);
    layer->state = PUSH_SENDING;
    if (rc == 0)
        rc = send_body(&s, location, blob.digest, err);
    if (rc == 0)
        rc = upload_end(lane, e, *location, blob.digest, err);
    if (rc < 0)
        return rc;
    blob.size = (int64_t)s.bytes;
    snprintf(blob.type, sizeof blob.type, "%s",
             p->format == STREAM_ZSTD   ? MEDIA_LAYER_ZSTD
             : p->format == STREAM_GZIP ? MEDIA_LAYER_GZIP
                                        : MEDIA_LAYER);
    settle(p, layer, &blob, PUSH_DONE);
    return 0;
}

/* What may be another time. */
static bool is_passing(int rc)
{
    return rc == -EIO || rc == -ETIMEDOUT || rc == -EPROTO || rc == -ENOENT || rc == -ECONNREFUSED;
}

static int push_layer(struct push *p, struct push_layer *layer, int lane, struct error *err)
{
    autofree char *location = NULL;
    int rc = try_known(p, layer, lane, &location, err);
    if (rc != 0)
        return rc < 0 ? rc : 0;
    for (int try = 1;; try++) {
        struct error why = {0};
        rc = send_layer(p, layer, lane, &location, &why);
        if (rc == 0)
            return 0;
        if (try == TRIES || !is_passing(rc) || p->failed)
            return error_set(err, rc, "%s", why.text);
        const struct timespec nap = {.tv_sec = try};
        nanosleep(&nap, NULL);
        free(location);
        location = NULL;
    }
}

static void *work_on(void *closure)
{
    struct push *p = closure;
    int lane = client_take(p->client);
    int rc = lane < 0 ? lane : 0;
    while (rc == 0) {
        struct error err = {0};
        pthread_mutex_lock(&p->lock);
        size_t number = p->failed ? p->layer_count : p->next;
        p->next += number < p->layer_count;
        pthread_mutex_unlock(&p->lock);
        if (number >= p->layer_count)
            break;
        rc = push_layer(p, &p->layers[number], lane, &err);
        pthread_mutex_lock(&p->lock);
        if (rc < 0 && !p->failed) {
            p->failed = rc;
            p->error = err;
        }
        pthread_mutex_unlock(&p->lock);
    }
    if (lane >= 0)
        client_give(p->client, lane, rc == -ECONNRESET);
    return NULL;
}

int push_blobs(struct push *p, size_t workers, struct error *err)
{
    pthread_t threads[WIRE_LANES_MAX];
    size_t started = 0;
    while (started + 1 < workers && started + 1 < p->layer_count && started < WIRE_LANES_MAX &&
           pthread_create(&threads[started], NULL, work_on, p) == 0)
        started++;
    work_on(p);
    for (size_t i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    if (p->failed)
        return error_set(err, p->failed, "%s", p->error.text);
    for (size_t i = 0; i < p->layer_count; i++)
        if (p->layers[i].state < PUSH_DONE)
            return error_set(err, -EIO, "caisson-registry ended before all layers were sent");
    return push_document(p->client, &p->config, p->image->id, err);
}

/* --- the manifest --- */

/* Whether what the registry has is what the image's manifest names. */
static bool is_as_named(const struct push *p, const struct manifest *m)
{
    if (m->layer_count != p->image->config.diff_ids.len)
        return false;
    for (size_t i = 0; i < m->layer_count; i++)
        if (!streq(m->layers[i].digest, p->layers[p->of_layer[i]].digest))
            return false;
    return true;
}

static void put_text(char **out, const char *text)
{
    free(*out);
    *out = xstrdup(text);
}

static void rename_layers(const struct push *p, struct manifest *m)
{
    put_text(&m->config.media_type, MEDIA_CONFIG);
    for (size_t i = 0; i < m->layer_count; i++) {
        const struct push_layer *layer = &p->layers[p->of_layer[i]];
        struct descriptor *d = &m->layers[i];
        /* Docker's word for the same thing does not stand beside OCI's. */
        put_text(&d->media_type, strstr(layer->type, "zstd")   ? MEDIA_LAYER_ZSTD
                                 : strstr(layer->type, "gzip") ? MEDIA_LAYER_GZIP
                                                               : MEDIA_LAYER);
        memcpy(d->digest, layer->digest, DIGEST_MAX);
        d->size = layer->blob_size;
    }
}

static int make_manifest(const struct push *p, struct buf *out, const char **type,
                         struct error *err)
{
    automanifest m = {0};
    int rc = manifest_parse(buf_text(&p->manifest), p->manifest.len, &m, err);
    if (rc < 0)
        return rc;
    *type = MEDIA_MANIFEST;
    if (is_as_named(p, &m)) {
        if (streq(m.config.media_type, MEDIA_DOCKER_CONFIG))
            *type = MEDIA_DOCKER_MANIFEST;
        buf_add(out, p->manifest.data, p->manifest.len);
        return 0;
    }
    if (m.layer_count != p->image->config.diff_ids.len)
        return error_set(err, -EBADMSG, "the image's manifest and configuration do not agree");
    rename_layers(p, &m);
    manifest_write(&m, out);
    return 0;
}

int push_manifest(struct push *p, const char *tag, char digest[DIGEST_MAX], size_t *size,
                  struct error *err)
{
    autobuf text = {0};
    struct answer answer;
    const char *type;
    int rc = make_manifest(p, &text, &type, err);
    if (rc == 0)
        rc = push_put_manifest(p->client, tag, type, &text, &answer, err);
    if (rc < 0)
        return rc;
    digest_of(&text, digest);
    *size = text.len;
    if (digest_valid(answer.digest) && !streq(answer.digest, digest))
        return error_set(err, -EBADMSG, "%s has filed %s as %s, which is another manifest",
                         endpoint_of(p)->name, digest, answer.digest);
    return 0;
}
