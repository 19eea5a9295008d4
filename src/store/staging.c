/* SPDX-License-Identifier: Apache-2.0 */
#include "store/staging.h"

#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/text.h"
#include "store/layout.h"

/* Removes dead writers' entries. Names with a leading dot count too: nothing of ours is hidden. */
static int clear_dead(struct store *store, struct error *err)
{
    autofd tmp = open_directory_at(store->root_fd, TMP_DIR, err);
    if (tmp < 0)
        return error_prefix(err, "image store %s", store->root);
    autostrv entries = {0};
    int rc = layout_list(store, TMP_DIR, &entries, err);
    for (size_t i = 0; rc == 0 && i < entries.len; i++) {
        const char *name = entries.items[i];
        autofd fd = openat(tmp, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
        if (fd < 0 || lock_fd(fd, LOCK_EX | LOCK_NB) < 0)
            continue; /* gone, or its writer lives */
        rc = remove_tree_at(tmp, name, err);
        if (rc < 0)
            error_prefix(err, "cannot clean up %s/" TMP_DIR, store->root);
    }
    return rc;
}

/* Between mkdir and flock a cleaner may take the new directory for a dead one: then it is gone when
 * the lock is ours, and we make another. */
static int make_locked(struct store *store, struct staging *out, struct error *err)
{
    for (;;) {
        uint64_t random;
        char path[STORE_PATH_MAX], name[sizeof out->name];
        struct stat ours, named;
        if (getrandom(&random, sizeof random, 0) != (ssize_t)sizeof random)
            return error_errno(err, "cannot get random bytes");
        snprintf(name, sizeof name, "%016llx", (unsigned long long)random);
        layout_path(path, TMP_DIR, name);
        if (mkdirat(store->root_fd, path, 0700) < 0)
            return error_errno(err, "cannot create %s/%s", store->root, path);
        autofd fd = openat(store->root_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0) {
            if (errno == ENOENT)
                continue;
            return error_errno(err, "cannot open %s/%s", store->root, path);
        }
        int rc = lock_fd(fd, LOCK_EX);
        if (rc < 0)
            return error_set(err, rc, "cannot lock %s/%s: %s", store->root, path,
                             error_describe(rc));
        if (fstat(fd, &ours) < 0 ||
            fstatat(store->root_fd, path, &named, AT_SYMLINK_NOFOLLOW) < 0 ||
            ours.st_ino != named.st_ino)
            continue;
        *out = (struct staging){.store = store, .fd = take_fd(&fd)};
        memcpy(out->name, name, sizeof name);
        return 0;
    }
}

int staging_open(struct store *store, struct staging *out, struct error *err)
{
    int rc = clear_dead(store, err);
    return rc < 0 ? rc : make_locked(store, out, err);
}

void staging_close(struct staging *staging)
{
    if (!staging->store)
        return;
    char path[STORE_PATH_MAX];
    layout_path(path, TMP_DIR, staging->name);
    (void)remove_tree_at(staging->store->root_fd, path, NULL); /* else the next writer does */
    close(staging->fd);
    *staging = (struct staging){.fd = -1};
}

int staging_create(struct staging *staging, const char *file, struct error *err)
{
    int fd = openat(staging->fd, file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return error_errno(err, "cannot write below %s/" TMP_DIR, staging->store->root);
    return fd;
}

int staging_write(struct staging *staging, const char *file, const void *bytes, size_t length,
                  struct error *err)
{
    autofd fd = staging_create(staging, file, err);
    if (fd < 0)
        return fd;
    int rc = write_all(fd, bytes, length);
    if (rc < 0)
        return error_set(err, rc, "cannot write below %s/" TMP_DIR ": %s", staging->store->root,
                         error_describe(rc));
    return 0;
}

int staging_publish(struct staging *staging, const char *entry, const char *directory,
                    const char *file, struct error *err)
{
    char path[STORE_PATH_MAX];
    layout_path(path, directory, file);
    if (renameat(staging->fd, entry, staging->store->root_fd, path) == 0)
        return 0;
    if (errno == EEXIST || errno == ENOTEMPTY)
        return 0;
    return error_errno(err, "cannot create %s/%s", staging->store->root, path);
}

int staging_withdraw(struct staging *staging, const char *directory, const char *file,
                     struct error *err)
{
    char path[STORE_PATH_MAX], grave[32];
    layout_path(path, directory, file);
    /* Numbered: the same name may come from several directories. */
    snprintf(grave, sizeof grave, "gone-%u", staging->graves++);
    if (renameat(staging->store->root_fd, path, staging->fd, grave) == 0 || errno == ENOENT)
        return 0;
    return error_errno(err, "cannot remove %s/%s", staging->store->root, path);
}

int staging_publish_layer(struct staging *staging, const char *entry, const char *diff_id,
                          struct error *err)
{
    if (faccessat(staging->fd, entry, F_OK, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT)
        return 0;
    return staging_publish(staging, entry, LAYERS_DIR, digest_hex(diff_id), err);
}

int staging_uses(struct staging *staging, const char *diff_id, struct error *err)
{
    char line[DIGEST_MAX + 1];
    int length = snprintf(line, sizeof line, "%s\n", diff_id);
    autofd fd = openat(staging->fd, STAGING_USES,
                       O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
    int rc = fd < 0 ? -errno : write_all(fd, line, (size_t)length);
    return rc < 0 ? error_set(err, rc, "cannot note that a layer is in use: %s", error_describe(rc))
                  : 0;
}
