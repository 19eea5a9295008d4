/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Paths of which a part is missing, and is made.
 *
 * The kernel follows a path only where all of it is there: a link that leads to what is missing is
 * an error to it. So these are walked here, one part after the other, each opened beneath the
 * directory that was opened before it and through no link; links are read, and what they say is
 * walked on from where they lie, or from the root. No part is ever opened or made by more than its
 * name, ".." is taken off what was walked and never given to the kernel, and the way is as long as
 * one of the kernel's may be.
 */
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "base/cleanup.h"
#include "path/inroot.h"

#define LINKS_MAX 40 /* as the kernel's MAXSYMLINKS */

enum purpose { FIND, MAKE_DIRECTORY, MAKE_FILE };

struct walk {
    enum purpose purpose;
    int root;
    mode_t mode; /* MAKE_FILE */
    uid_t uid;   /* of what is made; -1: as it is */
    gid_t gid;
    bool made;
    unsigned links;
    int at;                     /* the directory that was walked to; FIND: -1 when it is missing */
    size_t there;               /* bytes of `done` that were there before */
    char done[INROOT_PATH_MAX]; /* relative, without links, "." and ".." */
    char rest[INROOT_PATH_MAX];
};

/* Takes the first part off the rest: 1, 0 at the end. */
static int next_part(struct walk *w, char name[NAME_MAX + 1])
{
    size_t before = strspn(w->rest, "/"), n = strcspn(w->rest + before, "/");
    if (n > NAME_MAX)
        return -ENAMETOOLONG;
    memcpy(name, w->rest + before, n);
    name[n] = '\0';
    const char *after = w->rest + before + n;
    memmove(w->rest, after, strlen(after) + 1);
    return n > 0;
}

static int stand_at(struct walk *w, int fd)
{
    if (w->at >= 0)
        close(w->at);
    w->at = fd;
    return fd < 0 ? fd : 0;
}

static int go_to_root(struct walk *w)
{
    w->done[0] = '\0';
    w->there = 0;
    return stand_at(w, inroot_open_beneath(w->root, ".", O_PATH | O_DIRECTORY));
}

static int go_up(struct walk *w)
{
    if (strlen(w->done) > w->there)
        return -EINVAL; /* out of what was missing: nobody can mean that */
    char *slash = strrchr(w->done, '/');
    *(slash ? slash : w->done) = '\0';
    w->there = strlen(w->done);
    return stand_at(w, inroot_open_beneath(w->root, w->done, O_PATH | O_DIRECTORY));
}

static int go_into(struct walk *w, const char *name, int fd, bool new)
{
    size_t length = strlen(w->done), n = strlen(name);
    if (length + 1 + n >= sizeof w->done) {
        if (fd >= 0)
            close(fd);
        return -ENAMETOOLONG;
    }
    if (length > 0)
        w->done[length++] = '/';
    memcpy(w->done + length, name, n + 1);
    if (!new)
        w->there = length + n;
    (void)stand_at(w, fd);
    return 0;
}

/* What the link says comes before the rest. Those of procfs say nothing that could be walked. */
static int follow(struct walk *w, int link)
{
    char target[INROOT_PATH_MAX];
    struct statfs fs;
    if (++w->links > LINKS_MAX || fstatfs(link, &fs) < 0 || fs.f_type == PROC_SUPER_MAGIC)
        return -ELOOP;
    ssize_t n = readlinkat(link, "", target, sizeof target);
    if (n < 0)
        return -errno;
    size_t left = strlen(w->rest);
    if ((size_t)n + left >= sizeof w->rest)
        return -ENAMETOOLONG;
    memmove(w->rest + n, w->rest, left + 1);
    memcpy(w->rest, target, (size_t)n);
    return target[0] == '/' ? go_to_root(w) : 0;
}

/* The part that is missing, made; its descriptor. */
static int make(struct walk *w, const char *name)
{
    const int exclusive = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    bool last = !w->rest[strspn(w->rest, "/")];
    bool file = last && w->purpose == MAKE_FILE;
    if (file && w->rest[0])
        return -EISDIR;
    autofd made = file ? openat(w->at, name, exclusive, w->mode) : -1;
    bool ours = file ? made >= 0 : mkdirat(w->at, name, 0755) == 0;
    if (!ours && errno != EEXIST)
        return -errno;
    autofd fd = inroot_open_beneath(w->at, name, O_PATH | O_NOFOLLOW);
    if (fd < 0 || !ours)
        return fd < 0 ? fd : take_fd(&fd);
    w->made = true;
    if ((w->uid != (uid_t)-1 || w->gid != (gid_t)-1) &&
        fchownat(fd, "", w->uid, w->gid, AT_EMPTY_PATH) < 0)
        return -errno;
    return take_fd(&fd);
}

static int go_down(struct walk *w, const char *name)
{
    struct stat st;
    autofd fd = w->at < 0 ? -ENOENT : inroot_open_beneath(w->at, name, O_PATH | O_NOFOLLOW);
    bool new = fd == -ENOENT;
    if (new && w->purpose == FIND)
        return go_into(w, name, -1, true);
    if (new)
        fd = make(w, name);
    if (fd < 0)
        return fd;
    if (fstat(fd, &st) < 0)
        return -errno;
    return S_ISLNK(st.st_mode) ? follow(w, fd) : go_into(w, name, take_fd(&fd), new);
}

static int walk(struct walk *w, const char *path)
{
    char name[NAME_MAX + 1];
    size_t length = strlen(path);
    if (length >= sizeof w->rest)
        return -ENAMETOOLONG;
    memcpy(w->rest, path, length + 1);
    int rc = go_to_root(w);
    while (rc == 0 && (rc = next_part(w, name)) > 0) {
        if (strcmp(name, ".") == 0)
            rc = 0;
        else
            rc = strcmp(name, "..") == 0 ? go_up(w) : go_down(w, name);
    }
    return rc;
}

static void walk_end(struct walk *w)
{
    if (w->at >= 0)
        close(w->at);
}
#define autowalk __attribute__((cleanup(walk_end))) struct walk

int inroot_find(int rootfd, const char *path, char out[INROOT_PATH_MAX], size_t *there)
{
    autowalk w = {.purpose = FIND, .root = rootfd, .at = -1};
    int rc = walk(&w, path);
    if (rc < 0)
        return rc;
    memcpy(out, w.done, strlen(w.done) + 1);
    *there = w.there;
    return 0;
}

int inroot_make_directory_for(int rootfd, const char *path, uid_t uid, gid_t gid, bool *made)
{
    struct stat st;
    *made = false;
    int fd = inroot_open(rootfd, path, O_PATH | O_DIRECTORY);
    if (fd != -ENOENT)
        return fd;
    autowalk w = {.purpose = MAKE_DIRECTORY, .root = rootfd, .uid = uid, .gid = gid, .at = -1};
    int rc = walk(&w, path);
    *made = w.made;
    if (rc < 0)
        return rc;
    if (fstat(w.at, &st) < 0)
        return -errno;
    return S_ISDIR(st.st_mode) ? take_fd(&w.at) : -ENOTDIR;
}

int inroot_make_directory(int rootfd, const char *path)
{
    bool made;
    return inroot_make_directory_for(rootfd, path, (uid_t)-1, (gid_t)-1, &made);
}

int inroot_make_file(int rootfd, const char *path, mode_t mode)
{
    struct stat st;
    autofd found = strlen(path) < INROOT_PATH_MAX ? inroot_open(rootfd, path, O_PATH) : -ENOENT;
    if (found == -ENOENT) {
        autowalk w = {.purpose = MAKE_FILE,
                      .root = rootfd,
                      .mode = mode,
                      .uid = (uid_t)-1,
                      .gid = (gid_t)-1,
                      .at = -1};
        found = walk(&w, path);
        if (found == 0)
            found = take_fd(&w.at);
    }
    if (found < 0)
        return found;
    if (fstat(found, &st) < 0)
        return -errno;
    return S_ISDIR(st.st_mode) ? -EISDIR : take_fd(&found);
}
