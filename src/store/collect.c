/* SPDX-License-Identifier: Apache-2.0 */
#include "store/collect.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/memory.h"
#include "base/text.h"
#include "store/layout.h"
#include "store/staging.h"
#include "store/steps.h"

#define USES_MAX (64u << 10) /* bytes of a container's file `image` */

static int add_user(int containers_fd, const char *where, const char *container,
                    struct store_users *out, struct error *err)
{
    autofree char *path = xasprintf("%s/image", container);
    autobuf text = {0};
    struct error why = {0};
    int rc = read_file_at(containers_fd, path, USES_MAX, &text, &why);
    if (rc == -ENOENT || rc == -ENOTDIR)
        return 0; /* not (yet, or any more) a container with an image */
    if (rc < 0)
        return error_set(err, rc, "%s: %s", where, why.text);
    autostrv lines = {0};
    strv_split(&lines, buf_text(&text), '\n');
    size_t i = 0;
    do {
        if (i + 1 >= lines.len || !digest_valid(lines.items[i]) ||
            !digest_valid(lines.items[i + 1]))
            return error_set(err, -EBADMSG,
                             "%s/%s is damaged: remove the container with 'caisson rm -f %s'",
                             where, path, container);
        out->items = xrealloc(out->items, out->count + 1, sizeof *out->items);
        struct store_user *user = &out->items[out->count++];
        user->container = xstrdup(container);
        memcpy(user->id, lines.items[i], DIGEST_MAX);
        memcpy(user->manifest, lines.items[i + 1], DIGEST_MAX);
        i += 2;
    } while (i < lines.len && *lines.items[i]);
    return 0;
}

static int add_users(const char *where, struct store_users *out, struct error *err)
{
    int fd = open(where, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return 0;
    if (fd < 0)
        return error_errno(err, "cannot open %s", where);
    autodir d = fdopendir(fd);
    if (!d) {
        close(fd);
        return error_errno(err, "cannot read %s", where);
    }
    const struct dirent *entry;
    while ((errno = 0, entry = readdir(d))) {
        if (entry->d_name[0] == '.')
            continue;
        int rc = add_user(dirfd(d), where, entry->d_name, out, err);
        if (rc < 0)
            return rc;
    }
    return errno ? error_errno(err, "cannot read %s", where) : 0;
}

int store_users(struct store *store, const char *state, struct store_users *out, struct error *err)
{
    autousers users = {0};
    autofree char *kept = xasprintf("%s/containers", store->root);
    autofree char *volatile_ = xasprintf("%s/containers", state);
    int rc = add_users(kept, &users, err);
    if (rc == 0)
        rc = add_users(volatile_, &users, err);
    if (rc < 0)
        return rc;
    *out = users;
    users = (struct store_users){0};
    return 0;
}

void store_users_free(struct store_users *users)
{
    for (size_t i = 0; i < users->count; i++)
        free(users->items[i].container);
    free(users->items);
    *users = (struct store_users){0};
}

const char *store_user_of(const struct store_users *users, const char *id)
{
    for (size_t i = 0; i < users->count; i++)
        if (streq(users->items[i].id, id))
            return users->items[i].container;
    return NULL;
}

void collected_free(struct collected *collected)
{
    strv_free(&collected->layers);
    collected->bytes = 0;
}

/* What stays, as hexadecimal digests. */
struct marks {
    struct strv blobs, layers, skeletons;
};

static void cleanup_marks(struct marks *marks)
{
    strv_free(&marks->blobs);
    strv_free(&marks->layers);
    strv_free(&marks->skeletons);
}

static int mark(struct store *store, struct marks *marks, const char *manifest, struct error *err)
{
    automanifest document = {0};
    autoconfig config = {0};
    autobuf text = {0}, more = {0};
    if (strv_has(&marks->blobs, digest_hex(manifest)))
        return 0;
    int rc = store_read_blob(store, manifest, "manifest", &text, err);
    if (rc == 0)
        rc = manifest_parse(buf_text(&text), text.len, &document, err);
    if (rc == 0)
        rc = store_read_blob(store, document.config.digest, "image configuration", &more, err);
    if (rc == 0)
        rc = image_config_parse(buf_text(&more), more.len, &config, err);
    if (rc < 0)
        return rc;
    strv_add(&marks->blobs, digest_hex(manifest));
    strv_add(&marks->blobs, digest_hex(document.config.digest));
    strv_add(&marks->skeletons, digest_hex(document.config.digest));
    for (size_t i = 0; i < config.diff_ids.len; i++)
        if (!strv_has(&marks->layers, digest_hex(config.diff_ids.items[i])))
            strv_add(&marks->layers, digest_hex(config.diff_ids.items[i]));
    return 0;
}

/* By builds that are going on. */
static int layers_in_use(struct store *store, struct strv *out, struct error *err)
{
    autostrv entries = {0};
    int rc = layout_list(store, TMP_DIR, &entries, err);
    for (size_t i = 0; rc == 0 && i < entries.len; i++) {
        autofree char *path = xasprintf(TMP_DIR "/%s/" STAGING_USES, entries.items[i]);
        autostrv lines = {0};
        autobuf text = {0};
        struct error why = {0};
        int read = read_file_at(store->root_fd, path, USES_MAX * 16, &text, &why);
        if (read == -ENOENT || read == -ENOTDIR)
            continue;
        if (read < 0)
            return error_set(err, read, "nothing was cleaned up: %s", why.text);
        strv_split(&lines, buf_text(&text), '\n');
        for (size_t n = 0; n < lines.len; n++)
            if (digest_valid(lines.items[n]) && !strv_has(out, lines.items[n]))
                strv_add(out, lines.items[n]);
    }
    return rc;
}

static int mark_all(struct store *store, const struct store_users *users, struct marks *marks,
                    struct error *err)
{
    struct image_entry *entries = NULL;
    size_t count = 0;
    int rc = store_list(store, &entries, &count, err);
    for (size_t i = 0; rc == 0 && i < count; i++) {
        rc = mark(store, marks, entries[i].manifest, err);
        for (size_t j = 0; rc == 0 && j < entries[i].manifests.len; j++)
            rc = mark(store, marks, entries[i].manifests.items[j], err);
        if (rc < 0)
            error_prefix(err, "nothing was cleaned up, for image %.19s cannot be read",
                         entries[i].id);
    }
    image_entries_free(entries, count);
    for (size_t i = 0; rc == 0 && i < users->count; i++) {
        rc = mark(store, marks, users->items[i].manifest, err);
        if (rc < 0)
            error_prefix(err,
                         "nothing was cleaned up, for the image of container %s cannot be read",
                         users->items[i].container);
    }
    autostrv built = {0};
    if (rc == 0)
        rc = steps_layers(store, &built, err);
    if (rc == 0)
        rc = layers_in_use(store, &built, err);
    for (size_t i = 0; rc == 0 && i < built.len; i++)
        if (!strv_has(&marks->layers, digest_hex(built.items[i])))
            strv_add(&marks->layers, digest_hex(built.items[i]));
    return rc;
}

/* Withdraws whatever in `directory` is not marked; `gone`, when given, learns the digests. */
static int sweep(struct staging *staging, const char *directory, const struct strv *marked,
                 struct strv *gone, uint64_t *bytes, struct error *err)
{
    struct store *store = staging->store;
    autostrv files = {0};
    int rc = layout_list(store, directory, &files, err);
    for (size_t i = 0; rc == 0 && i < files.len; i++) {
        const char *file = files.items[i];
        char digest[DIGEST_MAX];
        if (strv_has(marked, file))
            continue;
        if (strlen(file) != 64 || !is_hex(file, 64))
            continue; /* not ours: left to whoever put it there */
        snprintf(digest, sizeof digest, "sha256:%.64s", file);
        uint64_t size = 0;
        if (gone) {
            if (store_layer_size(store, digest, &size, NULL) == 0)
                *bytes += size;
            strv_add(gone, digest);
        } else {
            struct stat st;
            char path[STORE_PATH_MAX];
            layout_path(path, directory, file);
            if (fstatat(store->root_fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode))
                *bytes += (uint64_t)st.st_size;
        }
        rc = staging_withdraw(staging, directory, file, err);
    }
    return rc;
}

int store_collect(struct store *store, const struct store_users *users, struct collected *out,
                  struct error *err)
{
    __attribute__((cleanup(cleanup_marks))) struct marks marks = {0};
    autostaging staging = {0};
    autocollected gone = {0};
    int rc = mark_all(store, users, &marks, err);
    if (rc == 0)
        rc = staging_open(store, &staging, err);
    /* Documents first: at no moment does one lead to a layer that is gone. */
    if (rc == 0)
        rc = sweep(&staging, BLOBS_DIR, &marks.blobs, NULL, &gone.bytes, err);
    if (rc == 0)
        rc = sweep(&staging, SKELETONS_DIR, &marks.skeletons, NULL, &gone.bytes, err);
    if (rc == 0)
        rc = sweep(&staging, LAYERS_DIR, &marks.layers, &gone.layers, &gone.bytes, err);
    if (rc < 0)
        return rc;
    *out = gone;
    gone = (struct collected){0};
    return 0;
}
