/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a volume starts with: the image's files of the place where it is mounted first.
 *
 * They are copied into filling/, which becomes filled/ when it is complete and on disk, and from
 * there moved into data/, name by name, where another container may be at work already: what that
 * made stays. The file `fresh` goes last. So a kill leaves either something incomplete in filling/,
 * which is thrown away, or something complete in filled/, with whose moving the next one goes on. A
 * volume into which nothing came stays fresh: the next container's image may have something for it.
 */
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/io.h"
#include "base/text.h"
#include "container/tree_copy.h"
#include "container/volumes.h"
#include "path/inroot.h"
#include "runtime/rootfs.h"

#define FILLING "filling"
#define FILLED "filled"
#define LINKS "links"

struct filling {
    int home, data;
    const struct volume_start *start;
};

/* The image's directory at the volume's place; -ENOENT without a sentence when it has none. */
static int open_image_part(const struct volume_start *start, struct error *err)
{
    struct rootfs_source source = {.layers = start->layers,
                                   .count = start->layer_count,
                                   .upper = -1,
                                   .userns = -1,
                                   .no_devices = 1};
    autofd root = rootfs_mount(&source, err);
    if (root < 0)
        return root;
    int fd = inroot_open(root, start->target, O_RDONLY | O_DIRECTORY);
    if (fd == -ENOTDIR || fd == -ELOOP)
        return -ENOENT; /* mounting says what is wrong with it */
    if (fd < 0 && fd != -ENOENT)
        return error_set(err, fd, "cannot open %s in the image: %s", start->target,
                         error_describe(fd));
    return fd;
}

static int throw_away(const struct filling *f, struct error *err)
{
    int rc = remove_tree_at(f->home, FILLING, err);
    return rc < 0 ? rc : remove_tree_at(f->home, LINKS, err);
}

/* filling/ becomes filled/. */
static int copy(const struct filling *f, int from, struct error *err)
{
    if (mkdirat(f->home, FILLING, 0700) < 0 || mkdirat(f->home, LINKS, 0700) < 0)
        return error_errno(err, "cannot create a directory");
    autofd to = open_directory_at(f->home, FILLING, err);
    autofd links = to < 0 ? to : open_directory_at(f->home, LINKS, err);
    if (links < 0)
        return links;
    int rc = tree_copy(from, to, links, err);
    if (rc == 0 && f->start->durable && syncfs(to) < 0)
        rc = error_errno(err, "cannot write to disk");
    if (rc == 0)
        rc = remove_tree_at(f->home, LINKS, err);
    if (rc == 0 && renameat(f->home, FILLING, f->home, FILLED) < 0)
        rc = error_errno(err, "cannot rename a directory");
    if (rc < 0) /* the disk may be full of it */
        (void)throw_away(f, NULL);
    return rc;
}

/* What is in filled/, into data/; what has a name that is there already is left behind. */
static int move(const struct filling *f, struct error *err)
{
    int copy_fd = openat(f->home, FILLED, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    autodir d = copy_fd < 0 ? NULL : fdopendir(copy_fd);
    if (!d) {
        if (copy_fd >= 0)
            close(copy_fd);
        return error_errno(err, "cannot read a directory");
    }
    autostrv names = {0};
    const struct dirent *entry;
    while ((errno = 0, entry = readdir(d)))
        if (!streq(entry->d_name, ".") && !streq(entry->d_name, ".."))
            strv_add(&names, entry->d_name);
    if (errno)
        return error_errno(err, "cannot read a directory");
    for (size_t i = 0; i < names.len; i++)
        if (renameat2(dirfd(d), names.items[i], f->data, names.items[i], RENAME_NOREPLACE) < 0 &&
            errno != EEXIST && errno != ENOENT)
            return error_errno(err, "cannot move %.200s", names.items[i]);
    int rc = tree_copy_top(dirfd(d), f->data, err);
    return rc < 0 ? rc : remove_tree_at(f->home, FILLED, err);
}

/* Whoever the container runs as in the place of root has to be able to write to it. */
static int give_away(const struct filling *f, struct error *err)
{
    struct stat st;
    const struct volume_start *start = f->start;
    if (fstat(f->data, &st) < 0)
        return error_errno(err, "cannot look at it");
    if (start->uid == 0 || st.st_uid != 0)
        return 0;
    /* That clears the bits which it may have from the image. */
    if (fchown(f->data, start->uid, start->gid) < 0 || fchmod(f->data, st.st_mode & 07777) < 0)
        return error_errno(err, "cannot give it to its user");
    return 0;
}

static bool is_empty(int dir)
{
    int copy_fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    autodir d = copy_fd < 0 ? NULL : fdopendir(copy_fd);
    const struct dirent *entry;
    if (!d && copy_fd >= 0)
        close(copy_fd);
    while (d && (entry = readdir(d)))
        if (!streq(entry->d_name, ".") && !streq(entry->d_name, ".."))
            return false;
    return d != NULL;
}

/* `fresh` is locked and there. */
static int fill(const struct filling *f, struct error *err)
{
    int rc = 0;
    bool complete = faccessat(f->home, FILLED, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
    if (!complete && is_empty(f->data)) {
        rc = throw_away(f, err);
        autofd from = rc == 0 && f->start->copy ? open_image_part(f->start, err) : -ENOENT;
        if (rc == 0 && from != -ENOENT)
            rc = from < 0 ? from : copy(f, from, err);
        complete = rc == 0 && from >= 0;
    }
    if (rc == 0 && complete)
        rc = move(f, err);
    if (rc == 0)
        rc = give_away(f, err);
    if (rc == 0 && !is_empty(f->data) && unlinkat(f->home, VOLUME_FRESH, 0) < 0)
        rc = error_errno(err, "cannot note that it is in use");
    return rc;
}

static int fill_if_fresh(const struct filling *f, struct error *err)
{
    struct stat st;
    autofd fresh = openat(f->home, VOLUME_FRESH, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fresh < 0 && errno == ENOENT)
        return 0;
    if (fresh < 0)
        return error_errno(err, "cannot look at it");
    int rc = lock_fd(fresh, LOCK_EX);
    if (rc < 0 || fstat(fresh, &st) < 0)
        return error_set(err, rc < 0 ? rc : -errno, "cannot lock it");
    return st.st_nlink == 0 ? 0 : fill(f, err); /* 0: another was quicker */
}

int volume_open(const struct containers *all, const char *name, const struct volume_start *start,
                struct error *err)
{
    autofd home = volume_hold(all, name, err);
    if (home < 0)
        return home;
    autofd data = openat(home, VOLUME_DATA, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (data < 0)
        return error_errno(err, "cannot open volume %s", name);
    struct filling filling = {.home = home, .data = data, .start = start};
    int rc = fill_if_fresh(&filling, err);
    if (rc < 0)
        return error_prefix(err, "cannot put the image's files into volume %s", name);
    return take_fd(&data);
}
