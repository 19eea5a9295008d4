/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bundle's device nodes, the links that the specification wants beside them, and its terminal.
 *
 * Every node is made, or a copy of the host's mounted, by the descriptor of its directory, and what
 * lies at its place already has to be that very device: an image or a volume could hold a link to a
 * file of the host in the place of /dev/null or /dev/console. The terminal is a pair of the
 * container's own devpts, whose kind is looked at before anything in it is opened.
 */
#include <linux/magic.h>
#include <linux/openat2.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

#include "base/io.h"
#include "base/text.h"
#include "path/inroot.h"
#include "runtime/bundle_child.h"
#include "runtime/ids.h"
#include "runtime/syscalls.h"

static const struct bundle_device standard[] = {
    {.path = (char *)(uintptr_t) "/dev/null", 'c', 1, 3, 0666, 0, 0},
    {.path = (char *)(uintptr_t) "/dev/zero", 'c', 1, 5, 0666, 0, 0},
    {.path = (char *)(uintptr_t) "/dev/full", 'c', 1, 7, 0666, 0, 0},
    {.path = (char *)(uintptr_t) "/dev/random", 'c', 1, 8, 0666, 0, 0},
    {.path = (char *)(uintptr_t) "/dev/urandom", 'c', 1, 9, 0666, 0, 0},
    {.path = (char *)(uintptr_t) "/dev/tty", 'c', 5, 0, 0666, 0, 0},
};

static const struct {
    const char *name, *target;
} links[] = {{"fd", "/proc/self/fd"},
             {"stdin", "/proc/self/fd/0"},
             {"stdout", "/proc/self/fd/1"},
             {"stderr", "/proc/self/fd/2"}};

/* The directory that a node lies in; *name is the rest. */
static int open_folder(struct bundle_child *b, const char *path, const char **name)
{
    struct child *c = &b->child;
    char folder[INROOT_PATH_MAX];
    const char *slash = strrchr(path, '/');
    snprintf(folder, sizeof folder, "%.*s", (int)(slash - path), path);
    *name = slash + 1;
    int fd = inroot_make_directory(c->root, folder);
    if (fd < 0)
        child_fail(c, fd, "cannot make the directory of device %s", path);
    return fd;
}

static bool is_device(int folder, const char *name, const struct bundle_device *d)
{
    struct stat st;
    if (fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return false;
    if (d->type == 'p')
        return S_ISFIFO(st.st_mode);
    return (d->type == 'c' ? S_ISCHR(st.st_mode) : S_ISBLK(st.st_mode)) &&
           st.st_rdev == makedev(d->major, d->minor);
}

static void make_node(struct bundle_child *b, const struct bundle_device *d)
{
    struct child *c = &b->child;
    const char *name;
    autofd folder = open_folder(b, d->path, &name);
    mode_t kind = d->type == 'c' ? S_IFCHR : d->type == 'b' ? S_IFBLK : S_IFIFO;
    if (mknodat(folder, name, kind | d->mode, makedev(d->major, d->minor)) < 0) {
        int code = -errno;
        if (code == -EEXIST && is_device(folder, name, d))
            return;
        child_fail(c, code, "cannot make device %s (%c %u:%u)%s", d->path, d->type, d->major,
                   d->minor, code == -EEXIST ? ", something else is there" : "");
    }
    /* The mode is as it was made: the mask is 0, and a path could lead elsewhere by now. */
    if (fchownat(folder, name, d->uid, d->gid, AT_SYMLINK_NOFOLLOW) < 0)
        child_fail(c, -errno, "cannot set the owner of device %s", d->path);
}

/* Nodes are for the host's root to make; in a user namespace the host's own is mounted on a file.
 */
static void bind_node(struct bundle_child *b, const struct bundle_device *d, int source)
{
    struct child *c = &b->child;
    struct error err = {0};
    struct stat st;
    const char *name;
    autofd folder = open_folder(b, d->path, &name);
    if (is_device(folder, name, d))
        return;
    autofd copy = source <= SOURCE_DEVICE ? bundle_ask(b, source, d->path) : -1;
    if (copy < 0)
        copy = bundle_clone_device(d, &err);
    if (copy < 0)
        child_fail_error(c, &err);
    autofd made = openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (made < 0 && errno != EEXIST)
        child_fail(c, -errno, "cannot make a place for device %s", d->path);
    autofd target = openat(folder, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (target < 0 || fstat(target, &st) < 0 || !S_ISREG(st.st_mode))
        child_fail(c, -EEXIST, "cannot make device %s: something else is there", d->path);
    child_attach(c, copy, target, d->path);
}

/* A link that is there stays: an image may have its own. */
static void make_links(struct bundle_child *b, int dev)
{
    for (size_t i = 0; i < sizeof links / sizeof *links; i++)
        if (symlinkat(links[i].target, dev, links[i].name) < 0 && errno != EEXIST)
            child_fail(&b->child, -errno, "cannot make the link /dev/%s", links[i].name);
    struct stat st;
    if (fstatat(dev, "pts", &st, AT_SYMLINK_NOFOLLOW) < 0)
        return;
    if (unlinkat(dev, "ptmx", 0) < 0 && errno != ENOENT)
        child_fail(&b->child, -errno, "cannot replace /dev/ptmx");
    if (symlinkat("pts/ptmx", dev, "ptmx") < 0)
        child_fail(&b->child, -errno, "cannot make the link /dev/ptmx");
}

static int open_dev(struct bundle_child *b)
{
    const struct open_how how = {
        .flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS,
    };
    struct child *c = &b->child;
    int fd = (int)syscall(SYS_openat2, c->root, "dev", &how, sizeof how);
    if (fd < 0 && errno == ENOENT && mkdirat(c->root, "dev", 0755) == 0)
        fd = (int)syscall(SYS_openat2, c->root, "dev", &how, sizeof how);
    if (fd < 0)
        child_fail(c, -errno, "/dev of the root file system must be an ordinary directory");
    return fd;
}

/* Whatever the configuration says of it: /dev of the root file system itself, or what we mounted
 * there. Anything else is of the host or a part of it, and what is in it stays as it is. */
static bool is_ours(struct bundle_child *b, int dev)
{
    uint64_t id = assemble_mount_id(dev);
    return id != 0 && (id == b->own_dev || id == assemble_mount_id(b->child.root));
}

void bundle_make_devices(struct bundle_child *b)
{
    const struct bundle *bundle = b->bundle;
    bool bind = b->go.users || ids_limited();
    mode_t mask = umask(0);
    autofd dev = open_dev(b);
    if (is_ours(b, dev)) {
        for (size_t i = 0; i < sizeof standard / sizeof *standard; i++)
            if (bind)
                bind_node(b, &standard[i], 0);
            else
                make_node(b, &standard[i]);
        for (size_t i = 0; i < bundle->device_count; i++)
            if (bind && bundle->devices[i].type != 'p')
                bind_node(b, &bundle->devices[i], SOURCE_DEVICE - (int)i);
            else
                make_node(b, &bundle->devices[i]);
        make_links(b, dev);
    }
    umask(mask);
}

/* --- the terminal ------------------------------------------------------------------------------
 */

static int open_master(struct bundle_child *b)
{
    struct child *c = &b->child;
    struct statfs fs;
    autofd pts = inroot_open(c->root, "dev/pts", O_PATH | O_DIRECTORY);
    if (pts < 0)
        child_fail(c, pts, "process.terminal needs a devpts at /dev/pts in mounts");
    if (fstatfs(pts, &fs) < 0 || fs.f_type != DEVPTS_SUPER_MAGIC)
        child_fail(c, -EPERM,
                   "process.terminal needs a devpts at /dev/pts in mounts; what is there is none");
    int master = openat(pts, "ptmx", O_RDWR | O_NOCTTY | O_NOFOLLOW | O_CLOEXEC);
    if (master < 0)
        child_fail(c, -errno, "cannot make a terminal");
    return master;
}

/* On a file of ours, or one that is there and no link. */
static void mount_console(struct bundle_child *b)
{
    struct child *c = &b->child;
    struct stat st;
    autofd dev = open_dev(b);
    if (!is_ours(b, dev))
        return;
    autofd made =
        openat(dev, "console", O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (made < 0 && errno != EEXIST)
        child_fail(c, -errno, "cannot make a place for /dev/console");
    autofd target = openat(dev, "console", O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (target < 0 || fstat(target, &st) < 0 || S_ISLNK(st.st_mode) || S_ISDIR(st.st_mode))
        child_fail(c, -EPERM, "cannot mount /dev/console: what is there is no file");
    autofd copy = sys_open_tree(c->terminal, "", AT_EMPTY_PATH);
    if (copy < 0)
        child_fail(c, copy, "cannot mount /dev/console");
    child_attach(c, copy, target, "/dev/console");
}

void bundle_make_terminal(struct bundle_child *b)
{
    struct child *c = &b->child;
    const struct bundle_attributes *a = &b->bundle->attributes;
    int unlock = 0;
    autofd master = open_master(b);
    if (ioctl(master, TIOCSPTLCK, &unlock) < 0)
        child_fail(c, -errno, "cannot make a terminal");
    c->terminal = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (c->terminal < 0)
        child_fail(c, -errno, "cannot open the terminal");
    struct winsize size = {.ws_row = (unsigned short)a->rows, .ws_col = (unsigned short)a->columns};
    if (a->rows && a->columns && ioctl(master, TIOCSWINSZ, &size) < 0)
        child_fail(c, -errno, "cannot set process.consoleSize");
    /* Whoever opens it again in a session of their own must be able to write to it. */
    if (fchown(c->terminal, c->plan->uid, (gid_t)-1) < 0)
        child_fail(c, -errno, "cannot give the terminal to user %u", c->plan->uid);
    mount_console(b);
    struct child_message message = {.kind = CHILD_TERMINAL};
    int rc = send_fds(c->socket, &message, sizeof message, &(int){master}, 1);
    if (rc < 0)
        child_fail(c, rc, "cannot hand the terminal on");
}
