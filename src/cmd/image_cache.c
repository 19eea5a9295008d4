/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The worker's part of build --cache-to and --cache-from: a directory with what steps have made,
 * for another machine or a later run.
 *
 *   steps/KEY             the record of a step, as in the store
 *   layers/HEX.tar.zst    a layer, by its diff id, which is checked when it comes back
 *   mounts/HEX.tar.zst    a cache of RUN --mount=type=cache
 *
 * What is there already is not written again; records come after the layers that they name.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include "archive/tree_give.h"
#include "archive/tree_take.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "base/memory.h"
#include "base/text.h"
#include "cmd/build_options.h"
#include "cmd/image_worker.h"
#include "store/steps.h"

#define KEYS_MAX (16u << 20) /* bytes of the list of keys */
#define LEVEL 3

/* --- zstd --- */

struct packing {
    int fd;
    ZSTD_CCtx *zstd;
    char *out;
    size_t size;
};

static int pack(void *closure, const void *bytes, size_t length, ZSTD_EndDirective end)
{
    struct packing *p = closure;
    ZSTD_inBuffer in = {.src = bytes, .size = length};
    size_t left;
    do {
        ZSTD_outBuffer out = {.dst = p->out, .size = p->size};
        left = ZSTD_compressStream2(p->zstd, &out, &in, end);
        if (ZSTD_isError(left))
            return -EIO;
        int rc = write_all(p->fd, out.dst, out.pos);
        if (rc < 0)
            return rc;
    } while (in.pos < in.size || (end == ZSTD_e_end && left > 0));
    return 0;
}

static int pack_sink(void *closure, const void *bytes, size_t length)
{
    return pack(closure, bytes, length, ZSTD_e_continue);
}

/* A file of `dir` under another name first; `fill` writes it through `sink`. */
static int write_packed(int dir, const char *name,
                        int (*fill)(void *closure, struct packing *packing, struct error *err),
                        void *closure, struct error *err)
{
    autofree char *temporary = xasprintf(".%s.%d", name, (int)getpid());
    autofd fd = openat(dir, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (fd < 0)
        return error_errno(err, "cannot write %s", name);
    struct packing p = {.fd = fd, .zstd = ZSTD_createCCtx(), .size = ZSTD_CStreamOutSize()};
    if (!p.zstd)
        return error_set(err, -ENOMEM, "cannot start to compress");
    ZSTD_CCtx_setParameter(p.zstd, ZSTD_c_compressionLevel, LEVEL);
    ZSTD_CCtx_setParameter(p.zstd, ZSTD_c_checksumFlag, 1);
    p.out = xmalloc(p.size);
    int rc = fill(closure, &p, err);
    if (rc == 0) {
        rc = pack(&p, NULL, 0, ZSTD_e_end);
        if (rc < 0)
            error_set(err, rc, "cannot write %s: %s", name, error_describe(rc));
    }
    if (rc == 0 && renameat(dir, temporary, dir, name) < 0)
        rc = error_errno(err, "cannot keep %s", name);
    if (rc < 0)
        (void)unlinkat(dir, temporary, 0);
    ZSTD_freeCCtx(p.zstd);
    free(p.out);
    return rc;
}

/* --- directories --- */

struct cache {
    struct store *store;
    struct staging staging; /* of what comes back */
    int steps, layers, mounts;
    int our_mounts; /* the store's */
};

static void cache_close(struct cache *c)
{
    const int fds[] = {c->steps, c->layers, c->mounts, c->our_mounts};
    staging_close(&c->staging);
    for (size_t i = 0; i < sizeof fds / sizeof *fds; i++)
        if (fds[i] >= 0)
            close(fds[i]);
}

static int open_part(int dir, const char *name, bool make)
{
    if (make && mkdirat(dir, name, 0755) < 0 && errno != EEXIST)
        return -errno;
    int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

static int cache_open(struct store *store, int dir, bool make, struct cache *out, struct error *err)
{
    *out = (struct cache){.store = store,
                          .steps = open_part(dir, "steps", make),
                          .layers = open_part(dir, "layers", make),
                          .mounts = open_part(dir, "mounts", make)};
    out->our_mounts = steps_directory(store, "mounts", err);
    if (out->our_mounts < 0)
        return out->our_mounts;
    if (out->steps < 0 || out->layers < 0 || out->mounts < 0)
        return make ? error_set(err, -EIO, "cannot make the directories of a cache")
                    : error_set(err, -ENOENT, "there is no cache of caisson build");
    return 0;
}

static bool is_key(const char *text)
{
    return strlen(text) == STEP_KEY_MAX - 1 && is_hex(text, STEP_KEY_MAX - 1);
}

/* --- writing --- */

struct layer_to_write {
    int fs;
    const char *diff_id;
};

static int fill_layer(void *closure, struct packing *packing, struct error *err)
{
    const struct layer_to_write *l = closure;
    return layer_write_tar(l->fs, pack_sink, packing, l->diff_id, err);
}

static int save_layer(struct cache *c, const char *diff_id, struct error *err)
{
    char name[STEP_KEY_MAX + 16], path[STEP_KEY_MAX + 16];
    snprintf(name, sizeof name, "%s.tar.zst", digest_hex(diff_id));
    if (faccessat(c->layers, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        return 0;
    snprintf(path, sizeof path, "layers/%s", digest_hex(diff_id));
    autofd dir = openat(c->store->root_fd, path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (dir < 0)
        return error_errno(err, "cannot open layer %s", diff_id);
    struct layer_to_write layer = {dir, diff_id};
    return write_packed(c->layers, name, fill_layer, &layer, err);
}

static int fill_tree(void *closure, struct packing *packing, struct error *err)
{
    autofd descriptors = open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);
    struct tar_writer tar = {.sink = pack_sink, .closure = packing};
    struct tree_give give = {.tar = &tar, .descriptors = descriptors, .name = ""};
    int rc = descriptors < 0 ? error_errno(err, "cannot open /proc/self/fd")
                             : tree_give(&give, *(const int *)closure, err);
    return rc < 0 ? rc : tar_write_end(&tar, err);
}

/* Always anew: what is in a cache changes. */
static int save_mount(struct cache *c, const char *key, struct error *err)
{
    char name[STEP_KEY_MAX + 16], path[STEP_KEY_MAX + 16];
    snprintf(name, sizeof name, "%s.tar.zst", key);
    snprintf(path, sizeof path, "%s/data", key);
    int data = openat(c->our_mounts, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (data < 0)
        return errno == ENOENT ? 0 : error_errno(err, "cannot open a cache");
    int rc = write_packed(c->mounts, name, fill_tree, &data, err);
    close(data);
    return rc;
}

static int save_step(struct cache *c, const char *key, struct error *err)
{
    struct step_record record;
    autobuf text = {0};
    if (!steps_find(c->store, key, &record))
        return 0;
    int rc = record.layer[0] ? save_layer(c, record.layer, err) : 0;
    steps_write(&record, &text);
    return rc < 0 ? rc : write_file_at(c->steps, key, text.data, text.len, 0644, VOLATILE, err);
}

/* --- reading --- */

static int load_layer(struct cache *c, const char *diff_id, struct error *err)
{
    char name[STEP_KEY_MAX + 16];
    uint64_t size;
    struct ingest_limits limits = {0};
    if (store_layer_size(c->store, diff_id, &size, NULL) == 0)
        return 0;
    snprintf(name, sizeof name, "%s.tar.zst", digest_hex(diff_id));
    autofd fd = openat(c->layers, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return error_errno(err, "cannot read layer %s of the cache", diff_id);
    struct ingest_layer layer = {.source = {.fd = fd, .seekable = true, .length = STREAM_TO_END}};
    memcpy(layer.diff_id, diff_id, DIGEST_MAX);
    int rc = ingest_layers(&c->staging, &layer, 1, &limits, err);
    return rc < 0 ? rc : ingest_publish(&c->staging, &layer, 1, NULL, 0, err);
}

static int load_step(struct cache *c, const char *key, struct error *err)
{
    struct step_record record, known;
    autobuf text = {0};
    if (steps_find(c->store, key, &known))
        return 0;
    int rc = read_file_at(c->steps, key, 4096, &text, err);
    if (rc < 0)
        return rc;
    if (!steps_read(buf_text(&text), &record))
        return 0; /* damaged, or of another version: then it is not known */
    rc = record.layer[0] ? load_layer(c, record.layer, err) : 0;
    return rc < 0 ? rc : steps_keep(&c->staging, key, &record, err);
}

static int take_mount(struct cache *c, int from, int into, struct error *err)
{
    const struct stream_limits limits = {0};
    const struct stream_source source = {
        .fd = from, .seekable = true, .length = STREAM_TO_END, .no_digests = true};
    (void)c;
    autostream stream = stream_open(&source, &limits, err);
    if (!stream)
        return err->code;
    autotar tar = tar_open(stream, NULL, NULL);
    struct tree_take take = {.tar = tar, .into = into, .keep_ids = true, .harmless = true};
    return tree_take(&take, err);
}

/* Only where there is none of this name: one that is here is newer, or in use. */
static int load_mount(struct cache *c, const char *file, struct error *err)
{
    autofree char *key = xstrndup(file, strcspn(file, "."));
    if (!is_key(key) || !ends_with(file, ".tar.zst"))
        return 0;
    autofd from = openat(c->mounts, file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (from < 0)
        return error_errno(err, "cannot read %s of the cache", file);
    if (mkdirat(c->our_mounts, key, 0700) < 0)
        return errno == EEXIST ? 0 : error_errno(err, "cannot create a cache");
    autofd home = open_directory_at(c->our_mounts, key, err);
    int rc = home < 0 ? home : lock_fd(home, LOCK_EX);
    if (rc == 0 && mkdirat(home, "data.new", 0755) < 0)
        rc = error_errno(err, "cannot create a cache");
    autofd data = rc < 0 ? -1 : open_directory_at(home, "data.new", err);
    if (rc == 0)
        rc = data < 0 ? data : take_mount(c, from, data, err);
    /* A step may have made one between our two looks: that is as good. */
    if (rc == 0 && renameat(home, "data.new", home, "data") < 0 && errno != EEXIST &&
        errno != ENOTEMPTY)
        rc = error_errno(err, "cannot keep a cache");
    if (home >= 0)
        (void)remove_tree_at(home, "data.new", NULL);
    return rc;
}

static int names_in(int dir, struct strv *out, struct error *err)
{
    int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    autodir d = fd < 0 ? NULL : fdopendir(fd);
    const struct dirent *entry;
    if (!d)
        return error_errno(err, "cannot read a cache");
    while ((entry = readdir(d)))
        if (entry->d_name[0] != '.')
            strv_add(out, entry->d_name);
    return 0;
}

/* --- the verb --- */

static int save_all(struct cache *c, struct error *err)
{
    autobuf text = {0};
    autostrv keys = {0};
    int rc = read_fd(STDIN_FILENO, KEYS_MAX, &text);
    strv_split(&keys, buf_text(&text), '\n');
    for (size_t i = 0; rc == 0 && i < keys.len; i++) {
        const char *key = keys.items[i];
        if (starts_with(key, "mount ") && is_key(key + 6))
            rc = save_mount(c, key + 6, err);
        else if (is_key(key))
            rc = save_step(c, key, err);
    }
    return rc;
}

static int load_all(struct cache *c, struct error *err)
{
    autostrv steps = {0}, mounts = {0};
    int rc = names_in(c->steps, &steps, err);
    if (rc == 0)
        rc = names_in(c->mounts, &mounts, err);
    if (rc == 0)
        rc = staging_open(c->store, &c->staging, err);
    for (size_t i = 0; rc == 0 && i < steps.len; i++)
        rc = is_key(steps.items[i]) ? load_step(c, steps.items[i], err) : 0;
    for (size_t i = 0; rc == 0 && i < mounts.len; i++)
        rc = load_mount(c, mounts.items[i], err);
    return rc;
}

int command_cache(const struct invocation *call, void *options, struct error *err)
{
    autostore store = {0};
    struct cache cache __attribute__((cleanup(cache_close))) = {
        .steps = -1, .layers = -1, .mounts = -1, .our_mounts = -1};
    const char *path = call->arguments[1];
    bool save = streq(call->arguments[0], "save");
    (void)options;
    int rc = save ? make_directories(path, 0755, err) : 0;
    autofd dir = rc < 0 ? rc : open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (rc == 0 && dir < 0)
        rc = error_errno(err, "cannot open the cache %s", path);
    if (rc == 0)
        rc = open_store(&store, err);
    if (rc == 0)
        rc = store_lock(&store, LOCK_SH, err);
    if (rc == 0)
        rc = cache_open(&store, dir, save, &cache, err);
    if (rc == 0)
        rc = confine_to_store(&store, save ? -1 : dir, save ? dir : -1, err);
    if (rc == 0)
        rc = save ? save_all(&cache, err) : load_all(&cache, err);
    return rc < 0 ? error_prefix(err, "%s", path) : 0;
}
