/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Filling mounts: a tmpfs with the image's files of its place, and the directory of v1 control
 * groups. Both read what a container may have made: names are opened without following links, the
 * depth and number of files are bounded, and nothing but files, directories and links is copied.
 */
#include "runtime/bundle_copy.h"

#include <dirent.h>
#include <limits.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

#include "base/io.h"
#include "base/text.h"
#include "runtime/syscalls.h"

#define DEPTH_MAX 64
#define FILES_MAX 100000

struct copying {
    struct child *child;
    const char *path;
    unsigned files;
};

static void wrong(const struct copying *copying, const char *name)
{
    child_fail(copying->child, -errno, "cannot copy %.200s of %s into its tmpfs (tmpcopyup)", name,
               copying->path);
}

static void copy_file(struct copying *copying, int from, int to, const char *name,
                      const struct stat *st)
{
    autofd in = openat(from, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    autofd out = in < 0 ? -1
                        : openat(to, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                                 st->st_mode & 07777);
    struct stat now;
    if (in < 0 || out < 0 || fstat(in, &now) < 0)
        wrong(copying, name);
    if (!S_ISREG(now.st_mode)) {
        errno = EINVAL;
        wrong(copying, name);
    }
    for (ssize_t n = 1; n > 0;) {
        n = sendfile(out, in, NULL, 1 << 20);
        if (n < 0)
            wrong(copying, name);
    }
    if (fchown(out, st->st_uid, st->st_gid) < 0 || fchmod(out, st->st_mode & 07777) < 0)
        wrong(copying, name);
}

static void copy_link(struct copying *copying, int from, int to, const char *name,
                      const struct stat *st)
{
    char target[PATH_MAX];
    ssize_t n = readlinkat(from, name, target, sizeof target - 1);
    if (n < 0)
        wrong(copying, name);
    target[n] = '\0';
    if (symlinkat(target, to, name) < 0 ||
        fchownat(to, name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW) < 0)
        wrong(copying, name);
}

static void copy_tree(struct copying *copying, int from, int to, unsigned depth);

static void copy_directory(struct copying *copying, int from, int to, const char *name,
                           unsigned depth)
{
    autofd in = openat(from, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (in < 0 || mkdirat(to, name, 0700) < 0)
        wrong(copying, name);
    autofd out = openat(to, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (out < 0)
        wrong(copying, name);
    copy_tree(copying, in, out, depth + 1);
}

/* Takes on owner and mode of the directory itself, too. */
static void copy_tree(struct copying *copying, int from, int to, unsigned depth)
{
    struct stat st;
    int fd = openat(from, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    autodir stream = fd < 0 ? NULL : fdopendir(fd);
    const struct dirent *entry;
    if (!stream)
        wrong(copying, ".");
    while ((entry = readdir(stream))) {
        const char *name = entry->d_name;
        if (streq(name, ".") || streq(name, ".."))
            continue;
        if (depth > DEPTH_MAX || ++copying->files > FILES_MAX) {
            errno = E2BIG;
            wrong(copying, name);
        }
        if (fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
            wrong(copying, name);
        if (S_ISDIR(st.st_mode))
            copy_directory(copying, from, to, name, depth);
        else if (S_ISREG(st.st_mode))
            copy_file(copying, from, to, name, &st);
        else if (S_ISLNK(st.st_mode))
            copy_link(copying, from, to, name, &st);
    }
    if (fstat(from, &st) < 0 ||
        (depth > 0 && (fchown(to, st.st_uid, st.st_gid) < 0 || fchmod(to, st.st_mode & 07777) < 0)))
        wrong(copying, ".");
}

void bundle_copy_up(struct child *c, int from, int to, const char *path)
{
    struct copying copying = {.child = c, .path = path};
    autofd out = openat(to, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (out < 0)
        wrong(&copying, ".");
    copy_tree(&copying, from, out, 0);
}

/* --- v1 control groups -------------------------------------------------------------------------
 */

/* "cpu,cpuacct" is mounted once, and "cpu" a link to it: the word is what the kernel is told. */
static int fresh(const char *controllers, uint64_t attributes)
{
    bool named = streq(controllers, "systemd");
    autofd fs = sys_fsopen("cgroup");
    char word[256];
    snprintf(word, sizeof word, "%s", controllers);
    int rc = fs < 0 ? fs : sys_fsconfig_string(fs, "source", "cgroup");
    if (rc == 0 && named) {
        rc = sys_fsconfig_flag(fs, "none");
        if (rc == 0)
            rc = sys_fsconfig_string(fs, "name", "systemd");
    }
    for (char *at = word; rc == 0 && !named && *at;) {
        char *comma = strchrnul(at, ',');
        bool more = *comma;
        *comma = '\0';
        rc = sys_fsconfig_flag(fs, at);
        at = more ? comma + 1 : comma;
    }
    return rc < 0 ? rc : sys_fsmount(fs, (unsigned)attributes);
}

/* The container's own group, as the host has it mounted. */
static int own_group(int host, const char *controllers, const char *group, uint64_t attributes)
{
    char path[PATH_MAX];
    int n = snprintf(path, sizeof path, "sys/fs/cgroup/%s/%s", controllers, group);
    if (!*group || n >= (int)sizeof path)
        return -ENOENT;
    autofd copy = sys_open_tree(host, path, AT_SYMLINK_NOFOLLOW);
    int rc = copy < 0 ? copy : sys_mount_setattr(copy, 0, attributes, 0, MS_PRIVATE, -1);
    return rc < 0 ? rc : take_fd(&copy);
}

static void copy_group(struct child *c, const struct copied_groups *g, const char *name)
{
    autofd mount =
        g->own ? fresh(name, g->attributes) : own_group(g->host, name, g->group, g->attributes);
    if (mount < 0) /* not one that may be shown: the rest is shown all the same */
        return;
    if (mkdirat(g->top, name, 0755) < 0)
        child_fail(c, -errno, "cannot make a place for the control groups of %s", name);
    autofd target = openat(g->top, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int rc = target < 0 ? -errno : sys_move_mount(mount, target);
    if (rc < 0)
        child_fail(c, rc, "cannot mount the control groups of %s", name);
}

static void copy_group_link(int host, int top, const char *name)
{
    char path[300], target[256];
    snprintf(path, sizeof path, "sys/fs/cgroup/%s", name);
    ssize_t n = readlinkat(host, path, target, sizeof target - 1);
    if (n <= 0)
        return;
    target[n] = '\0';
    if (symlinkat(target, top, name) < 0)
        return; /* only another name for what is there */
}

void bundle_copy_groups(struct child *c, const struct copied_groups *g)
{
    int fd = openat(g->host, "sys/fs/cgroup", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    autodir stream = fd < 0 ? NULL : fdopendir(fd);
    const struct dirent *entry;
    while (stream && (entry = readdir(stream))) {
        if (entry->d_name[0] == '.' || streq(entry->d_name, "unified"))
            continue;
        if (entry->d_type == DT_LNK)
            copy_group_link(g->host, g->top, entry->d_name);
        else if (entry->d_type == DT_DIR)
            copy_group(c, g, entry->d_name);
    }
}
