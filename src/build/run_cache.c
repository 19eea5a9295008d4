/* SPDX-License-Identifier: Apache-2.0 */
/*
 * RUN --mount=type=cache: directories of the store, `mounts/HEX` by the digest of their ids, with
 * what steps see in `data`. Who uses one has its lock: alone (locked), with others (shared), or one
 * of several copies (private, `HEX.N`).
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/text.h"
#include "build/run_mounts.h"

#define COPIES 1000 /* of a private cache, in use at the same time */
#define TURN 2000   /* microseconds until it is looked whether another has made a cache */

static int own_cache(int dir, const struct step_mount *words, struct error *err)
{
    mode_t mode = words->mode >= 0 ? (mode_t)words->mode : 0755;
    uid_t uid = words->uid >= 0 ? (uid_t)words->uid : 0;
    gid_t gid = words->gid >= 0 ? (gid_t)words->gid : 0;
    if (fchown(dir, uid, gid) < 0 || fchmod(dir, mode) < 0)
        return error_errno(err, "cannot give a cache to its owner");
    return 0;
}

/* Only with the exclusive lock: until then it has another name, so nobody finds half of one. */
static int fill_cache(int home, struct run_mount *m, struct error *err)
{
    (void)remove_tree_at(home, "data.new", NULL);
    if (mkdirat(home, "data.new", 0700) < 0)
        return error_errno(err, "cannot create a cache");
    autofd data = open_directory_at(home, "data.new", err);
    int rc = data < 0 ? data : m->words->from ? copying_fill(&m->copying, data, err) : 0;
    if (rc == 0)
        rc = own_cache(data, m->words, err);
    if (rc == 0 && renameat(home, "data.new", home, "data") < 0)
        rc = error_errno(err, "cannot keep a cache");
    return rc;
}

static int lock_cache(int home, int kind, struct error *err)
{
    int rc = lock_fd(home, kind);
    return rc < 0 && rc != -EWOULDBLOCK
               ? error_set(err, rc, "cannot lock a cache: %s", error_describe(rc))
               : rc;
}

static int open_data(int home)
{
    int fd = openat(home, "data", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

static bool is_at(int parent, const char *name, int fd)
{
    struct stat named, opened;
    return fstatat(parent, name, &named, AT_SYMLINK_NOFOLLOW) == 0 && fstat(fd, &opened) == 0 &&
           named.st_ino == opened.st_ino && named.st_dev == opened.st_dev;
}

/* One of the directories of a cache: 0 when it is there and ours to use, -EWOULDBLOCK. */
static int try_cache_at(int parent, const char *name, int lock_kind, struct run_mount *m,
                        struct error *err)
{
    if (mkdirat(parent, name, 0700) < 0 && errno != EEXIST)
        return error_errno(err, "cannot create a cache");
    autofd home = open_directory_at(parent, name, err);
    if (home < 0)
        return home == -ENOENT ? -ESTALE : home;
    int rc = lock_cache(home, lock_kind, err);
    if (rc == 0 && !is_at(parent, name, home))
        return -ESTALE; /* it was removed before it was ours */
    autofd data = rc < 0 ? rc : open_data(home);
    if (rc == 0 && data == -ENOENT && lock_kind == LOCK_SH) {
        /* Who makes it has it alone meanwhile, and shares it then; who comes to wait for that looks
         * again. Waiting to have it alone would be waiting for all who use it. */
        (void)flock(home, LOCK_UN);
        if (lock_fd(home, LOCK_EX | LOCK_NB) < 0) {
            (void)usleep(TURN);
            return -ESTALE;
        }
        data = open_data(home);
    }
    if (rc == 0 && data == -ENOENT) {
        rc = fill_cache(home, m, err);
        data = rc < 0 ? rc : open_data(home);
    }
    if (rc == 0 && lock_kind == LOCK_SH)
        rc = lock_cache(home, LOCK_SH, err);
    if (rc == 0 && data < 0)
        rc = error_set(err, data, "cannot open a cache: %s", error_describe(data));
    if (rc < 0)
        return rc;
    m->source.fd = take_fd(&data);
    m->lock = take_fd(&home);
    return 0;
}

static int open_cache_at(int parent, const char *name, int lock_kind, struct run_mount *m,
                         struct error *err)
{
    int rc = -ESTALE; /* not -EAGAIN, which is what a lock says that somebody has */
    while (rc == -ESTALE)
        rc = try_cache_at(parent, name, lock_kind, m, err);
    return rc;
}

int run_cache_open(struct run_mounts *mounts, struct run_mount *m, struct error *err)
{
    char hex[SHA256_HEX], name[SHA256_HEX + 8];
    const char *id = m->words->id ? m->words->id : m->target;
    sha256_hex(id, strlen(id), hex);
    snprintf(name, sizeof name, "mount %s", hex);
    stage_used(mounts->run, name);
    autofd parent = steps_directory(mounts->run->build->place->store, "mounts", err);
    if (parent < 0)
        return parent;
    if (m->words->sharing != SHARING_PRIVATE)
        return open_cache_at(parent, hex, m->words->sharing == SHARING_LOCKED ? LOCK_EX : LOCK_SH,
                             m, err);
    int rc = -EWOULDBLOCK;
    for (unsigned i = 0; rc == -EWOULDBLOCK && i < COPIES; i++) {
        snprintf(name, sizeof name, i ? "%s.%u" : "%s", hex, i);
        rc = open_cache_at(parent, name, LOCK_EX | LOCK_NB, m, err);
    }
    return rc == -EWOULDBLOCK ? error_set(err, rc, "the cache %s is in use", id) : rc;
}
