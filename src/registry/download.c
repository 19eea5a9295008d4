/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/download.h"

#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/memory.h"
#include "base/text.h"
#include "registry/known.h"
#include "store/layout.h"

#define PARTIAL_LEAST (UINT64_C(1) << 20) /* a blob of fewer bytes is not worth keeping half of */
#define PARTIAL_DAYS 7
#define TRIES 3
/* Another pull is waited for as long as it gets on: so many bytes in so many naps. */
#define NAP_MILLISECONDS 100
#define PATIENCE 200
#define PROGRESS (UINT64_C(64) << 10)

struct download {
    struct pull *pull;
    struct ingest_layer *layer;
    struct pull_layer *shown;
    char type[100]; /* media type */
    int partial;    /* the locked file; -1: none */
    uint64_t have;  /* bytes in it when it was opened */
    uint64_t at;    /* bytes given on */
    int lane;       /* -1: not asked yet */
    struct answer answer;
    bool interrupted; /* the bytes stopped coming; else it is their fault when there is one */
    unsigned tries;
};

/* --- what came before --- */

static int partial_directory(struct store *store, struct error *err)
{
    if (mkdirat(store->root_fd, PARTIAL_DIR, 0700) < 0 && errno != EEXIST)
        return error_errno(err, "cannot create %s/" PARTIAL_DIR, store->root);
    return open_directory_at(store->root_fd, PARTIAL_DIR, err);
}

/* For whoever has the lock. 0: it is ours; -EWOULDBLOCK: they do not get on, or nobody needs it any
 * more. */
static int wait_for_others(struct download *d, int fd)
{
    struct stat st;
    uint64_t seen = 0;
    d->shown->state = PULL_OTHERS;
    for (unsigned naps = 0; naps < PATIENCE && !d->pull->failed; naps++) {
        const struct timespec nap = {.tv_nsec = NAP_MILLISECONDS * 1000000L};
        nanosleep(&nap, NULL);
        int rc = lock_fd(fd, LOCK_EX | LOCK_NB);
        if (rc != -EWOULDBLOCK)
            return rc;
        if (fstat(fd, &st) == 0 && (uint64_t)st.st_size >= seen + PROGRESS) {
            seen = (uint64_t)st.st_size;
            naps = 0;
        }
    }
    return -EWOULDBLOCK;
}

/* Locked, and still there by its name: whoever had it before may have removed it. Waits for whoever
 * is at it, who may have put the layer into the store by then. */
static int open_partial(struct download *d, struct error *err)
{
    const char *file = digest_hex(d->layer->digest);
    struct store *store = d->pull->store;
    autofd directory = partial_directory(store, err);
    if (directory < 0)
        return directory;
    for (;;) {
        struct stat ours, named;
        autofd fd = openat(directory, file, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0)
            return error_errno(err, "cannot create %s/" PARTIAL_DIR "/%s", store->root, file);
        int rc = lock_fd(fd, LOCK_EX | LOCK_NB);
        if (rc == -EWOULDBLOCK) {
            rc = wait_for_others(d, fd);
            if (rc == -EWOULDBLOCK)
                return 0; /* without */
        }
        if (rc < 0 || fstat(fd, &ours) < 0)
            return error_set(err, rc < 0 ? rc : -errno, "cannot lock %s/" PARTIAL_DIR "/%s",
                             store->root, file);
        if (fstatat(directory, file, &named, AT_SYMLINK_NOFOLLOW) < 0 ||
            named.st_ino != ours.st_ino)
            continue;
        d->have = (uint64_t)ours.st_size;
        if (d->have > d->shown->size)
            d->have = ftruncate(fd, 0) < 0 ? d->shown->size : 0;
        d->partial = take_fd(&fd);
        return 0;
    }
}

/* `done`: nobody has use of it any more. */
static void close_partial(struct download *d, bool done)
{
    if (d->partial < 0)
        return;
    if (done) {
        autofree char *path = xasprintf(PARTIAL_DIR "/%s", digest_hex(d->layer->digest));
        (void)unlinkat(d->pull->store->root_fd, path, 0);
    }
    close(d->partial);
    d->partial = -1;
}

static int sweep_one(struct store *store, int directory, const char *name, bool all,
                     uint64_t *bytes, struct error *err)
{
    struct stat st;
    time_t now = time(NULL);
    autofd fd = openat(directory, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &st) < 0 || lock_fd(fd, LOCK_EX | LOCK_NB) < 0)
        return 0; /* gone, or somebody is at it */
    if (!all && st.st_mtime + PARTIAL_DAYS * 86400 > now)
        return 0;
    if (unlinkat(directory, name, 0) < 0 && errno != ENOENT)
        return error_errno(err, "cannot remove %s/" PARTIAL_DIR "/%s", store->root, name);
    *bytes += (uint64_t)st.st_size;
    return 0;
}

int partial_sweep(struct store *store, bool all, uint64_t *bytes, struct error *err)
{
    autostrv files = {0};
    if (faccessat(store->root_fd, PARTIAL_DIR, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
        return 0;
    autofd directory = open_directory_at(store->root_fd, PARTIAL_DIR, err);
    int rc = directory < 0 ? directory : layout_list(store, PARTIAL_DIR, &files, err);
    for (size_t i = 0; rc == 0 && i < files.len; i++)
        rc = sweep_one(store, directory, files.items[i], all, bytes, err);
    return rc;
}

/* --- what the store has --- */

/* 1: it has the layer, and the collector knows that we count on it. */
static int look_in_store(struct download *d, struct error *err)
{
    struct pull *p = d->pull;
    char path[STORE_PATH_MAX];
    layout_path(path, LAYERS_DIR, digest_hex(d->layer->diff_id));
    pthread_mutex_lock(&p->store_lock);
    int rc = store_lock(p->store, LOCK_SH, err);
    if (rc == 0 && faccessat(p->store->root_fd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
        rc = staging_uses(p->staging, d->layer->diff_id, err);
        rc = rc < 0 ? rc : 1;
    }
    store_unlock(p->store);
    pthread_mutex_unlock(&p->store_lock);
    return rc;
}

/* A layer that is whole is everybody's at once: whatever ends this pull, the next one has it. 1: it
 * was there when it was read, and is not any more. */
static int put_into_store(struct download *d, struct error *err)
{
    struct pull *p = d->pull;
    char path[STORE_PATH_MAX];
    layout_path(path, LAYERS_DIR, digest_hex(d->layer->diff_id));
    int rc = layer_sync(p->staging->fd, err);
    pthread_mutex_lock(&p->store_lock);
    if (rc == 0)
        rc = store_lock(p->store, LOCK_SH, err);
    if (rc == 0)
        rc = staging_uses(p->staging, d->layer->diff_id, err);
    if (rc == 0 && d->layer->entry[0]) {
        rc = staging_publish_layer(p->staging, d->layer->entry, d->layer->diff_id, err);
        if (rc == 0)
            d->layer->entry[0] = '\0';
    } else if (rc == 0 && faccessat(p->store->root_fd, path, F_OK, AT_SYMLINK_NOFOLLOW) < 0) {
        rc = 1;
    }
    store_unlock(p->store);
    pthread_mutex_unlock(&p->store_lock);
    return rc;
}

/* --- bytes --- */

static ssize_t read_partial(struct download *d, void *bytes, size_t length, struct error *err)
{
    if (length > d->have - d->at)
        length = (size_t)(d->have - d->at);
    ssize_t n = pread(d->partial, bytes, length, (off_t)d->at);
    if (n < 0)
        return error_errno(err, "cannot read %s/" PARTIAL_DIR, d->pull->store->root);
    return n;
}

/* The type of one that is to be had from its maker alone (Docker's foreign layers). */
static bool is_foreign(const char *type)
{
    return strstr(type, "foreign") || strstr(type, "nondistributable");
}

static int ask_for_rest(struct download *d, struct error *err)
{
    struct pull *p = d->pull;
    size_t endpoint = p->top.endpoint;
    const struct endpoint *e = &p->client->endpoints->items[endpoint];
    autofree char *scope = scope_of(e, "pull");
    autofree char *target = xasprintf("/v2/%s/blobs/%s", e->repository, d->layer->digest);
    const struct ask ask = {.method = "GET",
                            .endpoint = endpoint,
                            .target = target,
                            .scopes = scope,
                            .from = d->at,
                            .most = d->shown->size};
    d->lane = client_take(p->client);
    if (d->lane < 0)
        return error_set(err, -EIO, "caisson-registry ended before all layers were there");
    int rc = client_ask(d->lane, &ask, err);
    if (rc == 0)
        rc = client_answer(d->lane, &d->answer, err);
    if (rc < 0)
        return rc;
    if (d->answer.status == 200 || d->answer.status == 206)
        return 0;
    autofree char *what = xasprintf("layer %s", d->layer->digest);
    rc = client_finish(d->lane, &d->answer, err);
    if (rc == 0 && d->answer.status == 404 && is_foreign(d->type))
        return error_set(err, -ENOENT,
                         "%s has not the layer %s, which its maker keeps elsewhere (%s): other "
                         "places than registries are not asked",
                         e->name, d->layer->digest, d->type);
    return rc < 0 ? rc : client_refused(e, &d->answer, what, err);
}

/* What cannot be kept is fetched again if it has to be; no disk is full because of it. */
static void keep_bytes(struct download *d, const void *bytes, size_t length)
{
    ssize_t n = pwrite(d->partial, bytes, length, (off_t)d->at);
    if (n >= 0 && (size_t)n == length)
        return;
    close_partial(d, true);
}

static ssize_t pull_bytes(void *closure, void *bytes, size_t length, struct error *err)
{
    struct download *d = closure;
    ssize_t n;
    if (d->pull->failed) {
        d->interrupted = true;
        return error_set(err, -ECANCELED, "another layer failed");
    }
    if (d->at < d->have) {
        n = read_partial(d, bytes, length, err);
    } else {
        int rc = d->lane < 0 && d->at < d->shown->size ? ask_for_rest(d, err) : 0;
        n = rc < 0 ? rc : d->lane < 0 ? 0 : client_read(d->lane, &d->answer, bytes, length, err);
        d->interrupted = n < 0;
        if (n > 0 && d->partial >= 0)
            keep_bytes(d, bytes, (size_t)n);
    }
    if (n > 0) {
        d->at += (uint64_t)n;
        d->shown->bytes = d->at;
    }
    return n;
}

/* --- a layer's turn --- */

static struct download *of_layer(struct ingest_layer *layer)
{
    return layer->source.closure;
}

/* A push of it need not send it again. */
static void note_origin(const struct download *d)
{
    const struct endpoint *e = &d->pull->client->endpoints->items[d->pull->top.endpoint];
    struct known_blob blob = {.size = (int64_t)d->shown->size};
    memcpy(blob.digest, d->layer->digest, DIGEST_MAX);
    snprintf(blob.type, sizeof blob.type, "%s", d->type);
    snprintf(blob.host, sizeof blob.host, "%s", e->name);
    snprintf(blob.repository, sizeof blob.repository, "%s", e->repository);
    if (strlen(e->name) < sizeof blob.host && strlen(e->repository) < sizeof blob.repository)
        known_add(d->pull->store, d->layer->diff_id, &blob);
}

/* Whether these bytes were once seen to be this layer: what only a manifest says pairs nothing. */
static bool is_known(const struct download *d)
{
    struct known_blob known[KNOWN_MAX];
    size_t count = known_read(d->pull->store, d->layer->diff_id, known);
    for (size_t i = 0; i < count; i++)
        if (streq(known[i].digest, d->layer->digest))
            return true;
    return false;
}

static int begin(struct ingest_layer *layer, struct error *err)
{
    struct download *d = of_layer(layer);
    int rc = look_in_store(d, err);
    d->have = d->at = 0;
    d->interrupted = false;
    if (rc == 0 && d->shown->size >= PARTIAL_LEAST) {
        rc = open_partial(d, err);
        if (rc == 0) /* whoever we waited for may have been at the same layer */
            rc = look_in_store(d, err);
    }
    if (rc != 0) {
        close_partial(d, rc == 1);
        if (rc == 1 && is_known(d))
            note_origin(d);
        d->shown->state = rc == 1 ? PULL_THERE : d->shown->state;
        return rc;
    }
    d->shown->begun = d->have;
    d->shown->bytes = d->have;
    d->shown->state = PULL_FETCHING;
    return 0;
}

static int end(struct ingest_layer *layer, int rc, struct error *err)
{
    struct download *d = of_layer(layer);
    bool kept = d->have > 0;
    if (d->lane >= 0) {
        bool spoiled = !d->answer.ended;
        if (rc == 0 && spoiled) /* the last byte is there, its end was not read */
            spoiled = client_finish(d->lane, &d->answer, NULL) < 0;
        client_give(d->pull->client, d->lane, spoiled);
    }
    d->lane = -1;
    if (rc == 0)
        rc = put_into_store(d, err);
    /* Bytes that cannot be unpacked are of no use to the next pull, whoever sent them. */
    close_partial(d, rc >= 0 || !d->interrupted || d->at == 0);
    d->tries++;
    if (rc == 0) {
        note_origin(d);
        d->shown->state = PULL_DONE;
    }
    /* … and if they were of an earlier one, it is begun anew. So it is with a layer that was there
     * and was collected meanwhile. */
    bool anew = rc == 1 || (rc < 0 && !d->interrupted && kept);
    if (anew && d->tries < TRIES)
        return 1;
    if (rc == 1)
        rc = error_set(err, -EAGAIN, "a layer was removed again and again while it was fetched");
    if (rc < 0)
        d->pull->failed = true;
    return rc;
}

static const struct ingest_hooks hooks = {begin, end};

void downloads_prepare(struct pull *p, const struct manifest *manifest)
{
    size_t count = p->plan.layer_count;
    p->downloads = xcalloc(count + 1, sizeof *p->downloads);
    p->layers = xcalloc(count + 1, sizeof *p->layers);
    p->layer_count = count;
    pthread_mutex_init(&p->store_lock, NULL);
    for (size_t i = 0; i < count; i++) {
        struct ingest_layer *layer = &p->plan.layers[i];
        memcpy(p->layers[i].digest, layer->digest, DIGEST_MAX);
        p->layers[i].size = layer->source.length;
        p->downloads[i] = (struct download){
            .pull = p, .layer = layer, .shown = &p->layers[i], .partial = -1, .lane = -1};
        for (size_t n = 0; n < manifest->layer_count; n++)
            if (streq(manifest->layers[n].digest, layer->digest))
                snprintf(p->downloads[i].type, sizeof p->downloads[i].type, "%s",
                         manifest->layers[n].media_type);
        layer->source.pull = pull_bytes;
        layer->source.closure = &p->downloads[i];
        layer->hooks = &hooks;
    }
}
