/* SPDX-License-Identifier: Apache-2.0 */
#include "store/names.h"

#include <fcntl.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/text.h"
#include "store/layout.h"

int names_stage(struct staging *staging, const char *full_name, const char *manifest,
                const char *id, const char *index, struct error *err)
{
    char file[STORE_PATH_MAX];
    autobuf record = {0};
    layout_name_file(full_name, file);
    buf_fmt(&record, "%s\n%s\n%s\n", manifest, id, full_name);
    if (*index)
        buf_fmt(&record, "%s\n", index);
    return staging_write(staging, file, record.data, record.len, err);
}

/* In the staging directory, where configurations lie under their plain digests. */
static void id_entry(char out[STORE_PATH_MAX], const char *id)
{
    snprintf(out, STORE_PATH_MAX, "id-%s", digest_hex(id));
}

int names_stage_id(struct staging *staging, const char *manifest, const char *id, struct error *err)
{
    char entry[STORE_PATH_MAX];
    autobuf record = {0};
    id_entry(entry, id);
    buf_fmt(&record, "%s\n", manifest);
    return staging_write(staging, entry, record.data, record.len, err);
}

int names_publish(struct staging *staging, const char *full_name, const char *id,
                  char replaced[DIGEST_MAX], struct error *err)
{
    char file[STORE_PATH_MAX];
    struct name_record before;
    layout_name_file(full_name, file);
    replaced[0] = '\0';
    if (layout_read_name(staging->store, file, &before, NULL) == 0) {
        if (!streq(before.id, id))
            memcpy(replaced, before.id, DIGEST_MAX);
        free(before.name);
    }
    return staging_publish(staging, file, IMAGES_DIR, file, err);
}

int names_publish_id(struct staging *staging, const char *id, struct error *err)
{
    char entry[STORE_PATH_MAX];
    id_entry(entry, id);
    return staging_publish(staging, entry, IDS_DIR, digest_hex(id), err);
}

static int sync_directory(struct store *store, const char *directory, struct error *err)
{
    autofd fd = open_directory_at(store->root_fd, directory, err);
    if (fd < 0)
        return fd;
    if (fsync(fd) < 0)
        return error_errno(err, "cannot sync %s/%s", store->root, directory);
    return 0;
}

int names_sync(struct store *store, struct error *err)
{
    int rc = sync_directory(store, IDS_DIR, err);
    return rc < 0 ? rc : sync_directory(store, IMAGES_DIR, err);
}

int store_tag(struct store *store, const char *source, const struct reference *target,
              struct error *err)
{
    autoimage image = {0};
    autostaging staging = {0};
    autobuf full = {0};
    char file[STORE_PATH_MAX], replaced[DIGEST_MAX];
    if (target->digest[0])
        return error_set(
            err, -EINVAL,
            "a name with a digest cannot be given to an image: leave the '@%.20s…' out",
            target->digest);
    int rc = store_resolve(store, source, &image, err);
    if (rc == 0)
        rc = staging_open(store, &staging, err);
    if (rc < 0)
        return rc;
    reference_full(target, &full);
    layout_name_file(buf_text(&full), file);
    rc = names_stage(&staging, buf_text(&full), image.manifest, image.id, "", err);
    if (rc < 0)
        return rc;
    autofd fd = openat(staging.fd, file, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) < 0)
        return error_errno(err, "cannot sync a file below %s/" TMP_DIR, store->root);
    rc = names_publish(&staging, buf_text(&full), image.id, replaced, err);
    return rc < 0 ? rc : sync_directory(store, IMAGES_DIR, err);
}

static int drop(struct store *store, const char *directory, const char *file, struct error *err)
{
    char path[STORE_PATH_MAX];
    layout_path(path, directory, file);
    if (unlinkat(store->root_fd, path, 0) < 0 && errno != ENOENT)
        return error_errno(err, "cannot remove %s/%s", store->root, path);
    return sync_directory(store, directory, err);
}

int store_untag(struct store *store, const char *full_name, struct error *err)
{
    char file[STORE_PATH_MAX];
    layout_name_file(full_name, file);
    return drop(store, IMAGES_DIR, file, err);
}

int store_forget(struct store *store, const char *id, struct error *err)
{
    return drop(store, IDS_DIR, digest_hex(id), err);
}
