/* SPDX-License-Identifier: Apache-2.0 */
#include "container/tree_copy.h"

#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/memory.h"
#include "base/strv.h"
#include "base/text.h"

#define BUFFER (256u << 10)
#define XATTRS_MAX (64u << 10) /* XATTR_LIST_MAX and XATTR_SIZE_MAX */

/* A directory on the way to where the copy is. */
struct level {
    struct stat from, to;
    struct strv names;
    size_t next;
};

struct copy {
    int from, to, links;
    struct level *levels;
    size_t depth;
    char *buffer; /* BUFFER bytes */
};

static void copy_end(struct copy *c)
{
    for (size_t i = 0; i < c->depth; i++)
        strv_free(&c->levels[i].names);
    free(c->levels);
    free(c->buffer);
    if (c->from >= 0)
        close(c->from);
    if (c->to >= 0)
        close(c->to);
}

/* --- what files have besides content --- */

/* Marks of overlayfs are the store's, and trusted ones are not an image's to give. */
static bool xattr_is_copied(const char *name)
{
    return (starts_with(name, "user.") && !starts_with(name, "user.overlay.")) ||
           streq(name, "security.capability") || streq(name, "system.posix_acl_access") ||
           streq(name, "system.posix_acl_default");
}

static int copy_xattrs(int from, int to)
{
    char names[XATTRS_MAX];
    ssize_t length = flistxattr(from, names, sizeof names);
    if (length <= 0)
        return length < 0 && errno != ENOTSUP ? -errno : 0;
    autofree char *value = xmalloc(XATTRS_MAX);
    for (const char *name = names; name < names + length; name += strlen(name) + 1) {
        if (!xattr_is_copied(name))
            continue;
        ssize_t n = fgetxattr(from, name, value, XATTRS_MAX);
        if (n < 0 && errno == ENODATA)
            continue;
        if (n < 0 || (fsetxattr(to, name, value, (size_t)n, 0) < 0 && errno != ENOTSUP))
            return -errno;
    }
    return 0;
}

/* The mode after the owner, whose change clears bits of it; times last. */
static int copy_meta(int from, int to, const struct stat *st)
{
    const struct timespec times[] = {st->st_atim, st->st_mtim};
    if (fchown(to, st->st_uid, st->st_gid) < 0 || fchmod(to, st->st_mode & 07777) < 0)
        return -errno;
    int rc = copy_xattrs(from, to);
    return rc < 0 ? rc : futimens(to, times) < 0 ? -errno : 0;
}

int tree_copy_top(int from, int to, struct error *err)
{
    struct stat st;
    int rc = fstat(from, &st) < 0 ? -errno : copy_meta(from, to, &st);
    return rc < 0 ? error_set(err, rc, "cannot copy a directory: %s", error_describe(rc)) : 0;
}

/* --- regular files --- */

/* One piece of data, from `at` to `end`, to the same place. */
static int copy_piece(struct copy *c, int in, int out, off_t at, off_t end)
{
    while (at < end) {
        size_t wanted = end - at < (off_t)BUFFER ? (size_t)(end - at) : BUFFER;
        ssize_t n = pread(in, c->buffer, wanted, at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : 0;
        for (ssize_t done = 0; done < n;) {
            ssize_t written = pwrite(out, c->buffer + done, (size_t)(n - done), at + done);
            if (written < 0 && errno != EINTR)
                return -errno;
            done += written > 0 ? written : 0;
        }
        at += n;
    }
    return 0;
}

static int copy_data(struct copy *c, int in, int out, off_t size)
{
    int rc = ftruncate(out, size) < 0 ? -errno : 0;
    for (off_t at = 0; rc == 0 && at < size;) {
        off_t data = lseek(in, at, SEEK_DATA);
        if (data < 0 && errno == ENXIO)
            break; /* a hole to the end */
        off_t hole = data < 0 ? size : lseek(in, data, SEEK_HOLE);
        data = data < 0 ? at : data; /* a file system that does not know its holes */
        hole = hole < 0 || hole > size ? size : hole;
        rc = copy_piece(c, in, out, data, hole);
        at = hole;
    }
    return rc;
}

static int copy_file(struct copy *c, const char *name, const struct stat *st)
{
    char key[48];
    struct stat opened;
    snprintf(key, sizeof key, "%llx.%llx", (unsigned long long)st->st_dev,
             (unsigned long long)st->st_ino);
    if (st->st_nlink > 1 && linkat(c->links, key, c->to, name, 0) == 0)
        return 0;
    autofd in = openat(c->from, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (in < 0 || fstat(in, &opened) < 0)
        return -errno;
    if (!S_ISREG(opened.st_mode))
        return -EINVAL;
    autofd out = openat(c->to, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (out < 0)
        return -errno;
    int rc = copy_data(c, in, out, opened.st_size);
    if (rc == 0)
        rc = copy_meta(in, out, &opened);
    /* Too many links: then the next one is a copy. */
    if (rc == 0 && st->st_nlink > 1 && linkat(c->to, name, c->links, key, 0) < 0 &&
        errno != EMLINK && errno != EEXIST)
        rc = -errno;
    return rc;
}

/* --- other files --- */

static int copy_symlink(struct copy *c, const char *name)
{
    char target[4096];
    ssize_t n = readlinkat(c->from, name, target, sizeof target);
    if (n < 0 || n == (ssize_t)sizeof target)
        return n < 0 ? -errno : -ENAMETOOLONG;
    target[n] = '\0';
    return symlinkat(target, c->to, name) < 0 ? -errno : 0;
}

static int copy_fifo(struct copy *c, const char *name, mode_t mode)
{
    return mknodat(c->to, name, S_IFIFO | (mode & 0777), 0) < 0 ||
                   fchmodat(c->to, name, mode & 07777, 0) < 0
               ? -errno
               : 0;
}

static int copy_other(struct copy *c, const char *name, const struct stat *st)
{
    const struct timespec times[] = {st->st_atim, st->st_mtim};
    int rc = S_ISLNK(st->st_mode) ? copy_symlink(c, name) : copy_fifo(c, name, st->st_mode);
    if (rc == 0 && (fchownat(c->to, name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW) < 0 ||
                    utimensat(c->to, name, times, AT_SYMLINK_NOFOLLOW) < 0))
        rc = -errno;
    return rc;
}

/* --- directories --- */

static int read_names(int dir, struct strv *names)
{
    int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    autodir d = fd < 0 ? NULL : fdopendir(fd);
    const struct dirent *entry;
    if (!d) {
        int rc = -errno;
        if (fd >= 0)
            close(fd);
        return rc;
    }
    while ((errno = 0, entry = readdir(d)))
        if (!streq(entry->d_name, ".") && !streq(entry->d_name, ".."))
            strv_add(names, entry->d_name);
    return -errno;
}

/* The copy goes on in these two, which it takes over. */
static int descend(struct copy *c, int from, int to)
{
    c->levels = xrealloc(c->levels, c->depth + 1, sizeof *c->levels);
    struct level *level = &c->levels[c->depth++];
    *level = (struct level){0};
    if (c->from >= 0)
        close(c->from);
    if (c->to >= 0)
        close(c->to);
    c->from = from;
    c->to = to;
    if (fstat(from, &level->from) < 0 || fstat(to, &level->to) < 0)
        return -errno;
    return read_names(from, &level->names);
}

static int copy_directory(struct copy *c, const char *name)
{
    int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    autofd from = openat(c->from, name, flags);
    if (from < 0 || mkdirat(c->to, name, 0700) < 0)
        return -errno;
    autofd to = openat(c->to, name, flags);
    return to < 0 ? -errno : descend(c, take_fd(&from), take_fd(&to));
}

static int step_up(int *fd, const struct stat *expected)
{
    struct stat st;
    autofd above = openat(*fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (above < 0 || fstat(above, &st) < 0)
        return -errno;
    if (st.st_ino != expected->st_ino || st.st_dev != expected->st_dev)
        return -ESTALE;
    close(*fd);
    *fd = take_fd(&above);
    return 0;
}

/* Everything in it is there: now it gets its own owner, mode and times. */
static int ascend(struct copy *c)
{
    struct level *level = &c->levels[c->depth - 1];
    int rc = copy_meta(c->from, c->to, &level->from);
    strv_free(&level->names);
    c->depth--;
    if (rc < 0 || c->depth == 0)
        return rc;
    rc = step_up(&c->from, &level[-1].from);
    return rc < 0 ? rc : step_up(&c->to, &level[-1].to);
}

static int copy_one(struct copy *c, const char *name)
{
    struct stat st;
    if (fstatat(c->from, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return -errno;
    switch (st.st_mode & S_IFMT) {
    case S_IFDIR:
        return copy_directory(c, name);
    case S_IFREG:
        return copy_file(c, name, &st);
    case S_IFLNK:
    case S_IFIFO:
        return copy_other(c, name, &st);
    default:
        return 0;
    }
}

int tree_copy(int from, int to, int links, struct error *err)
{
    struct copy c __attribute__((cleanup(copy_end))) = {.from = -1, .to = -1, .links = links};
    autofd source = openat(from, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    autofd target = openat(to, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (source < 0 || target < 0)
        return error_errno(err, "cannot open a directory");
    c.buffer = xmalloc(BUFFER);
    int rc = descend(&c, take_fd(&source), take_fd(&target));
    while (rc == 0 && c.depth > 0) {
        struct level *level = &c.levels[c.depth - 1];
        if (level->next == level->names.len) {
            rc = ascend(&c);
            continue;
        }
        const char *name = level->names.items[level->next++];
        rc = copy_one(&c, name);
        if (rc < 0)
            return error_set(err, rc, "cannot copy %.200s: %s", name, error_describe(rc));
    }
    return rc < 0 ? error_set(err, rc, "cannot copy a directory: %s", error_describe(rc)) : 0;
}
