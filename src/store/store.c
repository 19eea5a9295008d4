/* SPDX-License-Identifier: Apache-2.0 */
#include "store/store.h"

#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/hash.h"
#include "base/io.h"
#include "base/memory.h"
#include "base/text.h"
#include "store/layout.h"

/* The lock file is made last: where it is, everything is. */
static int create_missing(int root_fd, const char *root, struct error *err)
{
    static const char *const directories[] = {"blobs", BLOBS_DIR, LAYERS_DIR,    IMAGES_DIR,
                                              IDS_DIR, TMP_DIR,   SKELETONS_DIR, NULL};
    if (faccessat(root_fd, LOCK_FILE, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        return 0;
    for (size_t i = 0; directories[i]; i++)
        if (mkdirat(root_fd, directories[i], 0700) < 0 && errno != EEXIST)
            return error_errno(err, "cannot create %s/%s", root, directories[i]);
    autofd fd = openat(root_fd, LOCK_FILE, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return error_errno(err, "cannot create %s/%s", root, LOCK_FILE);
    return 0;
}

int store_open(const char *root, struct store *out, struct error *err)
{
    autofd fd = open_own_directory(root, "--root", err);
    int rc = fd < 0 ? fd : 0;
    if (rc == 0)
        rc = create_missing(fd, root, err);
    if (rc < 0)
        return rc;
    *out = (struct store){.root = xstrdup(root), .root_fd = take_fd(&fd), .lock_fd = -1};
    return 0;
}

void store_close(struct store *store)
{
    if (!store->root)
        return;
    store_unlock(store);
    close(store->root_fd);
    free(store->root);
    *store = (struct store){.root_fd = -1, .lock_fd = -1};
}

int store_lock(struct store *store, int flock_kind, struct error *err)
{
    autofd fd = -1;
    if (store->lock_fd < 0) {
        fd = openat(store->root_fd, LOCK_FILE, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
        if (fd < 0)
            return error_errno(err, "cannot open %s/%s", store->root, LOCK_FILE);
    }
    int rc = lock_fd(fd >= 0 ? fd : store->lock_fd, flock_kind);
    if (rc == -EWOULDBLOCK)
        return error_set(err, rc, "the image store %s is in use by another command", store->root);
    if (rc < 0)
        return error_set(err, rc, "cannot lock %s/%s: %s", store->root, LOCK_FILE,
                         error_describe(rc));
    if (fd >= 0)
        store->lock_fd = take_fd(&fd);
    return 0;
}

void store_unlock(struct store *store)
{
    if (store->lock_fd < 0)
        return;
    /* Said aloud: a child that we made may still have the descriptor. */
    (void)flock(store->lock_fd, LOCK_UN);
    close(store->lock_fd);
    store->lock_fd = -1;
}

int store_read_blob(struct store *store, const char *digest, const char *what, struct buf *out,
                    struct error *err)
{
    char path[STORE_PATH_MAX], hex[SHA256_HEX];
    size_t start = out->len;
    layout_path(path, BLOBS_DIR, digest_hex(digest));
    int rc = read_file_at(store->root_fd, path, OCI_DOCUMENT_MAX, out, err);
    if (rc == -ENOENT)
        return error_set(err, rc, "%s %s is missing from %s: load the image again", what, digest,
                         store->root);
    if (rc < 0)
        return error_prefix(err, "%s in %s", what, store->root);
    sha256_hex(buf_text(out) + start, out->len - start, hex);
    if (!streq(hex, digest_hex(digest)))
        return error_set(err, -EBADMSG,
                         "%s %s in %s is damaged (its content has another digest): remove the "
                         "image with 'caisson rmi -f' and load it again",
                         what, digest, store->root);
    return 0;
}

int store_open_layer(struct store *store, const char *diff_id, struct error *err)
{
    char path[STORE_PATH_MAX];
    snprintf(path, sizeof path, LAYERS_DIR "/%s/fs", digest_hex(diff_id));
    int fd = openat(store->root_fd, path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return error_set(err, -ENOENT, "layer %s is missing from %s: load the image again", diff_id,
                         store->root);
    if (fd < 0)
        return error_errno(err, "cannot open layer %s in %s", diff_id, store->root);
    return fd;
}

int layout_read_number(struct store *store, const char *diff_id, const char *file, uint64_t *value,
                       struct error *err)
{
    char path[STORE_PATH_MAX];
    autobuf text = {0};
    snprintf(path, sizeof path, LAYERS_DIR "/%s/%s", digest_hex(diff_id), file);
    int rc = read_file_at(store->root_fd, path, 64, &text, err);
    if (rc == -ENOENT)
        return error_set(err, rc, "layer %s is missing from %s: load the image again", diff_id,
                         store->root);
    if (rc < 0)
        return error_prefix(err, "layer %s in %s", diff_id, store->root);
    if (text.len > 0 && text.data[text.len - 1] == '\n')
        text.data[--text.len] = '\0';
    if (parse_u64(buf_text(&text), INT64_MAX, value) < 0)
        return error_set(err, -EBADMSG,
                         "%s/%s is damaged: remove the image with 'caisson rmi -f' and load it "
                         "again",
                         store->root, path);
    return 0;
}

int store_layer_size(struct store *store, const char *diff_id, uint64_t *size, struct error *err)
{
    return layout_read_number(store, diff_id, LAYER_SIZE, size, err);
}

int store_layer_tar_size(struct store *store, const char *diff_id, uint64_t *size,
                         struct error *err)
{
    return layout_read_number(store, diff_id, LAYER_TAR_SIZE, size, err);
}
