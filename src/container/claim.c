/* SPDX-License-Identifier: Apache-2.0 */
/* Who owns a container's directory and who owns a name: locks and symlinks. */
#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/text.h"
#include "container/disk.h"
#include "container/names.h"
#include "container/networks.h"
#include "runtime/ids.h"

#define CGROUP_PARENT_MAX 2048

bool id_valid(const char *id)
{
    return strlen(id) == CONTAINER_ID_MAX - 1 && is_hex(id, CONTAINER_ID_MAX - 1);
}

int disk_lock(const struct containers *all, const char *id, bool make, int kind, struct error *err)
{
    for (;;) {
        struct stat held, there;
        if (make && mkdirat(all->state_fd, id, 0700) < 0 && errno != EEXIST)
            return error_errno(err, "cannot create %s/containers/%s", all->state, id);
        autofd fd = openat(all->state_fd, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0 && errno == ENOENT && make)
            continue; /* a sweep took it for one that was left behind */
        if (fd < 0)
            return error_errno(err, "cannot open %s/containers/%s", all->state, id);
        int rc = lock_fd(fd, kind);
        if (rc < 0)
            return error_set(err, rc, "cannot lock container %.12s: %s", id, error_describe(rc));
        if (fstat(fd, &held) == 0 && fstatat(all->state_fd, id, &there, AT_SYMLINK_NOFOLLOW) == 0 &&
            held.st_ino == there.st_ino && held.st_dev == there.st_dev)
            return take_fd(&fd);
    }
}

bool disk_has_config(const struct containers *all, const char *id)
{
    char path[CONTAINER_ID_MAX + sizeof CONFIG_NAME];
    snprintf(path, sizeof path, "%s/%s", id, CONFIG_NAME);
    return faccessat(all->state_fd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0 ||
           faccessat(all->root_fd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

bool disk_alive(const struct containers *all, const char *id)
{
    if (!id_valid(id))
        return false;
    if (disk_has_config(all, id))
        return true;
    autofd lock = disk_lock(all, id, false, LOCK_EX | LOCK_NB, NULL);
    if (lock == -EWOULDBLOCK)
        return true; /* being made or being removed */
    /* Its maker may have finished between the two looks. */
    return lock >= 0 && disk_has_config(all, id);
}

void disk_sweep_group(const struct containers *all, const char *id, const char *parent)
{
    autocgroup group = CGROUP_EMPTY;
    if (cgroup_find(parent, id, &group, NULL) == 0) {
        (void)cgroup_kill(&group, NULL);
        (void)cgroup_remove(&group, NULL);
    }
    ids_forget(all->state_top, id);
    networks_sweep(all, id);
}

/* All names of a container of which nothing says what it was called. */
static void forget_names(int names, const char *id)
{
    int fd = openat(names, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    autodir stream = fd < 0 ? NULL : fdopendir(fd);
    if (!stream && fd >= 0)
        close(fd);
    const struct dirent *entry;
    char owner[CONTAINER_ID_MAX];
    while (stream && (entry = readdir(stream)))
        if (name_owner(names, entry->d_name, owner) && streq(owner, id))
            (void)unlinkat(names, entry->d_name, 0);
}

void disk_sweep(struct containers *all, const char *id)
{
    autofd lock = disk_lock(all, id, true, LOCK_EX | LOCK_NB, NULL);
    if (lock < 0 || disk_has_config(all, id))
        return;
    char parent[CGROUP_PARENT_MAX];
    ssize_t n = readlinkat(lock, PARENT_NAME, parent, sizeof parent - 1);
    parent[n > 0 ? n : 0] = '\0';
    disk_sweep_group(all, id, n > 0 ? parent : NULL);
    forget_names(all->state_names, id);
    forget_names(all->root_names, id);
    (void)disk_remove(all, id, NULL, true, NULL);
}

bool name_owner(int names, const char *name, char id[CONTAINER_ID_MAX])
{
    char owner[CONTAINER_ID_MAX + 1];
    ssize_t n = readlinkat(names, name, owner, sizeof owner);
    if (n != CONTAINER_ID_MAX - 1)
        return false;
    owner[n] = '\0';
    if (!is_hex(owner, (size_t)n))
        return false;
    memcpy(id, owner, CONTAINER_ID_MAX);
    return true;
}

/* Frees a name whose owner is gone. Under a lock: between a look and unlink(2) another may have
 * freed it and a third got it. */
static void drop_dead(int names, const char *name, const char *owner)
{
    char now[CONTAINER_ID_MAX];
    if (lock_fd(names, LOCK_EX) < 0)
        return;
    if (!name_owner(names, name, now) || streq(now, owner))
        (void)unlinkat(names, name, 0);
    (void)lock_fd(names, LOCK_UN);
}

static int taken(const char *name, const char *owner, struct error *err)
{
    return error_set(
        err, -EEXIST,
        "the name %s belongs to container %.12s: remove that (caisson rm %s) or choose "
        "another name",
        name, owner, name);
}

/* 0 when it became ours, -EEXIST. */
static int claim_in(struct containers *all, int names, const char *name, const char *id,
                    struct error *err)
{
    for (;;) {
        char owner[CONTAINER_ID_MAX] = "";
        if (symlinkat(id, names, name) == 0)
            return 0;
        if (errno != EEXIST)
            return error_errno(err, "cannot give the container its name %s", name);
        if (name_owner(names, name, owner) && disk_alive(all, owner)) {
            disk_tidy(all, owner);
            if (disk_alive(all, owner))
                return taken(name, owner, err);
        }
        drop_dead(names, name, owner);
    }
}

int name_claim(struct containers *all, const char *name, const char *id, bool in_root,
               struct error *err)
{
    char owner[CONTAINER_ID_MAX];
    int rc = container_check_name(name, err); /* it becomes the name of a file */
    if (rc == 0)
        rc = claim_in(all, all->state_names, name, id, err);
    if (rc < 0)
        return rc;
    if (in_root) {
        rc = claim_in(all, all->root_names, name, id, err);
    } else if (name_owner(all->root_names, name, owner)) {
        if (disk_alive(all, owner))
            rc = taken(name, owner, err);
        else
            drop_dead(all->root_names, name, owner);
    }
    if (rc < 0)
        name_release(all, name, id, false);
    return rc;
}

void name_release(const struct containers *all, const char *name, const char *id, bool in_root)
{
    char owner[CONTAINER_ID_MAX];
    if (name_owner(all->state_names, name, owner) && streq(owner, id))
        (void)unlinkat(all->state_names, name, 0);
    if (in_root && name_owner(all->root_names, name, owner) && streq(owner, id))
        (void)unlinkat(all->root_names, name, 0);
}
