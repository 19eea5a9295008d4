/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The child's mounts. Everything is made detached and then moved to a descriptor that was opened
 * inside the new root; the places of /proc, /sys and /dev may not be reached through a symlink at
 * all, and no mount of the user's may land on procfs or sysfs, whatever the path looked like.
 */
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

#include "base/io.h"
#include "base/text.h"
#include "path/inroot.h"
#include "runtime/assemble.h"
#include "runtime/child.h"
#include "runtime/devices_dir.h"
#include "runtime/syscalls.h"

/* Of the machine's 4096 (kernel.pty.max), which all containers share: more than a container has
 * terminals, fewer than would leave others without. */
#define PTYS_MAX "256"

#define ATTR_COMMON (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV)

void child_attach(struct child *c, int mount, int target, const char *path)
{
    struct error err = {0};
    if (assemble_attach(mount, target, path, &err) < 0)
        child_fail_error(c, &err);
}

static int make_fs(struct child *c, const char *type, const char *data, unsigned attributes)
{
    struct error err = {0};
    int fd = assemble_fs(type, data, attributes, NULL, &err);
    if (fd < 0)
        child_fail_error(c, &err);
    return fd;
}

static int plain_directory(struct child *c, const char *path)
{
    struct error err = {0};
    int fd = assemble_directory(c->root, path, &err);
    if (fd < 0)
        child_fail_error(c, &err);
    return fd;
}

/* --- /dev --------------------------------------------------------------------------------------
 */

static const struct own_fs {
    const char *name, *type;
    unsigned attributes;
} own_fs[CHILD_OWN_FS] = {{"pts", "devpts", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC},
                          {"shm", "tmpfs", ATTR_COMMON | MOUNT_ATTR_NOEXEC},
                          {"mqueue", "mqueue", ATTR_COMMON | MOUNT_ATTR_NOEXEC}};

/* With --ipc host shared memory and queues are the host's, at its places for them. */
static int host_fs(struct child *c, const struct own_fs *fs)
{
    char path[32];
    snprintf(path, sizeof path, "/dev/%s", fs->name);
    autofd copy = sys_open_tree(AT_FDCWD, path, 0);
    if (copy == -ENOENT)
        return -1;
    int rc = copy < 0 ? copy : sys_mount_setattr(copy, 0, fs->attributes, 0, MS_PRIVATE, -1);
    if (rc < 0)
        child_fail(c, rc, "cannot use %s of the host", path);
    return take_fd(&copy);
}

/* -1: there is none. With an IPC namespace come its shared memory and queues. */
static int make_one(struct child *c, size_t i, const char *data)
{
    const struct plan *p = c->plan;
    const struct own_fs *fs = &own_fs[i];
    bool shm = streq(fs->name, "shm");
    if (p->all_devices || (shm && p->ipc == PLAN_IPC_NONE))
        return -1;
    if (shm && p->ipc_container)
        return c->launch->join.shm;
    if (p->namespaces & PLAN_NS_IPC || p->ipc_container || streq(fs->name, "pts"))
        return make_fs(c, fs->type, data, fs->attributes);
    return host_fs(c, fs);
}

static void make_dev(struct child *c)
{
    char shm[64];
    snprintf(shm, sizeof shm, "mode=1777,size=%lld", (long long)c->plan->shm_size);
    const char *data[CHILD_OWN_FS] = {"newinstance,ptmxmode=0666,mode=0620,gid=5,max=" PTYS_MAX,
                                      shm, NULL};
    for (size_t i = 0; i < CHILD_OWN_FS; i++)
        c->own_fs[i] = make_one(c, i, data[i]);
}

/* An ordinary user's devices are the host's: a copy of the one mount of that file, which has to be
 * the device that it was for the plan. Found before the root is changed. */
static void bind_devices(struct child *c)
{
    struct bound_device device;
    struct stat st;
    for (size_t i = 0; !c->plan->all_devices && devices_bound(c->plan, i, &device); i++) {
        autofd target = inroot_open(c->dev, device.path + strlen("/dev/"), O_PATH | O_NOFOLLOW);
        autofd copy = sys_open_tree(AT_FDCWD, device.host, 0);
        int rc = target < 0 ? target : copy;
        if (rc >= 0 && fstat(copy, &st) < 0)
            rc = -errno;
        if (rc >= 0 && (!(S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode)) ||
                        (device.number && st.st_rdev != device.number)))
            rc = -ENODEV;
        if (rc >= 0)
            rc = sys_mount_setattr(copy, 0, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, 0, MS_PRIVATE,
                                   -1);
        if (rc >= 0)
            rc = sys_move_mount(copy, target);
        if (rc < 0)
            child_fail(c, rc, "cannot use device %s of the host at %s", device.host, device.path);
    }
}

/* -EINVAL: not while /dev is detached, before Linux 6.15. */
static int fill_dev(struct child *c)
{
    for (size_t i = 0; i < CHILD_OWN_FS; i++) {
        if (c->own_fs[i] < 0)
            continue;
        autofd target =
            openat(c->dev, own_fs[i].name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        int rc = target < 0 ? -errno : sys_move_mount(c->own_fs[i], target);
        if (rc == -EINVAL && i == 0 && !c->attached)
            return rc;
        if (rc < 0)
            child_fail(c, rc, "cannot mount /dev/%s", own_fs[i].name);
        close(take_fd(&c->own_fs[i]));
    }
    bind_devices(c);
    return 0;
}

/* The container's terminal: a pty of its own devpts. The master goes to the parent; /dev/console is
 * a mount of the slave on a file that we made in a tmpfs of ours. Found below our own /dev, where
 * nothing of the image or the user lies yet: a symlink could lead to a device of the host. */
static void make_terminal(struct child *c)
{
    const struct open_how how = {
        .flags = O_RDWR | O_NOCTTY | O_CLOEXEC,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS,
    };
    autofd master = (int)syscall(SYS_openat2, c->dev, "pts/ptmx", &how, sizeof how);
    int unlock = 0;
    if (master < 0 || ioctl(master, TIOCSPTLCK, &unlock) < 0)
        child_fail(c, -errno, "cannot make a terminal");
    c->terminal = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (c->terminal < 0)
        child_fail(c, -errno, "cannot open the terminal");
    /* The process that opens a new session on it must be able to write to it. */
    if (fchown(c->terminal, c->plan->uid, (gid_t)-1) < 0)
        child_fail(c, -errno, "cannot give the terminal to user %u", c->plan->uid);
    autofd console = openat(c->dev, "console", O_PATH | O_NOFOLLOW | O_CLOEXEC);
    autofd copy = sys_open_tree(c->terminal, "", AT_EMPTY_PATH);
    if (console >= 0 && copy >= 0)
        child_attach(c, copy, console, "/dev/console");
    struct child_message message = {.kind = CHILD_TERMINAL};
    int rc = send_fds(c->socket, &message, sizeof message, &(int){master}, 1);
    if (rc < 0)
        child_fail(c, rc, "cannot hand the terminal on");
}

/* --- /proc and /sys ----------------------------------------------------------------------------
 */

static void make_sys(struct child *c)
{
    bool open =
        !(c->plan->namespaces & PLAN_NS_USER) && streq(c->plan->posture.level, "privileged");
    unsigned read_only = open ? 0 : MOUNT_ATTR_RDONLY;
    if (c->plan->namespaces & PLAN_NS_NET) {
        c->sys = make_fs(c, "sysfs", NULL, ATTR_COMMON | MOUNT_ATTR_NOEXEC | read_only);
        return;
    }
    /* sysfs shows the network namespace and belongs to its owner: with the host's or another
     * container's, only a read-only copy of what is mounted can be had. */
    c->sys = sys_open_tree(AT_FDCWD, "/sys", AT_RECURSIVE);
    if (c->sys < 0)
        child_fail(c, c->sys, "cannot copy /sys");
    int rc = sys_mount_setattr(c->sys, AT_RECURSIVE, ATTR_COMMON | MOUNT_ATTR_NOEXEC | read_only, 0,
                               MS_PRIVATE, -1);
    if (rc < 0)
        child_fail(c, rc, "cannot make /sys read-only");
}

static void mount_at(struct child *c, int mount, const char *path)
{
    autofd target = plain_directory(c, path);
    child_attach(c, mount, target, path);
}

/* Control groups, as the container sees its own: on v2 hosts only. On v1 hosts /sys/fs/cgroup stays
 * an empty directory: eight hierarchies more to guard for a view that few programs read. */
static void mount_cgroup(struct child *c)
{
    if (!c->unified_only || !(c->plan->namespaces & PLAN_NS_CGROUP) ||
        !(c->plan->namespaces & PLAN_NS_NET))
        return;
    autofd target = inroot_open(c->root, "sys/fs/cgroup", O_PATH | O_DIRECTORY);
    if (target < 0)
        return;
    autofd mount = make_fs(c, "cgroup2", NULL, ATTR_COMMON | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_RDONLY);
    child_attach(c, mount, target, "/sys/fs/cgroup");
}

/* --- masks -------------------------------------------------------------------------------------
 */

/* One empty read-only directory for all: the first masked directory gets the mount itself, the
 * others copies of it. A detached mount that is left over would cost its closing a wait for every
 * processor (synchronize_rcu). */
static int empty_directory(struct child *c, int *first)
{
    if (*first >= 0)
        return sys_open_tree(*first, "", AT_EMPTY_PATH);
    *first = make_fs(c, "tmpfs", "mode=0555,nr_inodes=2,size=4k",
                     ATTR_COMMON | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_RDONLY);
    return fcntl(*first, F_DUPFD_CLOEXEC, 3);
}

/* A file is covered by the container's own /dev/null, whose device number is checked. */
static int null_file(struct child *c, const char *path)
{
    struct stat st;
    int cover = sys_open_tree(c->dev, "null", AT_SYMLINK_NOFOLLOW);
    if (cover >= 0 &&
        (fstat(cover, &st) < 0 || !S_ISCHR(st.st_mode) || st.st_rdev != (dev_t)makedev(1, 3)))
        child_fail(c, -EPERM, "cannot mask %s: /dev/null is not the null device", path);
    return cover;
}

/* One path to be covered or made read-only, by itself or, while /proc and /sys are still detached,
 * below the one that it lies on. */
typedef int apply_fn(struct child *, int target, const char *path);

static int mask(struct child *c, int target, const char *path)
{
    struct stat st;
    if (fstat(target, &st) < 0)
        return -errno;
    autofd cover = S_ISDIR(st.st_mode) ? empty_directory(c, &c->empty) : null_file(c, path);
    return cover < 0 ? cover : sys_move_mount(cover, target);
}

static int make_read_only(struct child *c, int target, const char *path)
{
    (void)c, (void)path;
    autofd copy = sys_open_tree(target, "", AT_EMPTY_PATH | AT_RECURSIVE);
    int rc = copy < 0 ? copy : sys_mount_setattr(copy, AT_RECURSIVE, MOUNT_ATTR_RDONLY, 0, 0, -1);
    return rc < 0 ? rc : sys_move_mount(copy, target);
}

static void each_path(struct child *c, const struct strv *paths, apply_fn *apply, const char *what)
{
    for (size_t i = 0; i < paths->len; i++) {
        const char *path = paths->items[i];
        bool plain = !strstr(path, "/..");
        bool on_proc = plain && strncmp(path, "/proc/", 6) == 0;
        bool on_sys = plain && strncmp(path, "/sys/", 5) == 0;
        /* What lies elsewhere waits for the root; what lies here was done before it came. */
        if (c->attached ? c->masked && (on_proc || on_sys) : !on_proc && !on_sys)
            continue;
        int top = c->attached ? c->root : on_proc ? c->proc : c->sys;
        const char *below = c->attached ? path : path + (on_proc ? 6 : 5);
        autofd target = inroot_open(top, below, O_PATH | O_NOFOLLOW);
        if (target == -ENOENT || target == -ENOTDIR)
            continue;
        int rc = target < 0 ? target : apply(c, target, path);
        if (rc < 0)
            child_fail(c, rc, "cannot %s %s", what, path);
    }
}

void child_fence_paths(struct child *c)
{
    each_path(c, &c->plan->masked, mask, "mask");
    each_path(c, &c->plan->read_only_paths, make_read_only, "make read-only");
}

/* --- all of it ---------------------------------------------------------------------------------
 */

/* WORKDIR may name a directory that the image lacks: made in-root, like a mount point. */
void child_make_working_directory(struct child *c)
{
    autofd dir = inroot_open(c->root, c->plan->cwd, O_PATH | O_DIRECTORY);
    if (dir == -ENOENT)
        dir = inroot_make_directory(c->root, c->plan->cwd);
    if (dir < 0)
        child_fail(c, dir, "cannot use %s as the working directory", c->plan->cwd);
}

/* A root that was writable while mount points were made. */
static void seal_root(struct child *c)
{
    if (!c->plan->root_read_only || c->launch->upper < 0)
        return;
    int rc = sys_mount_setattr(c->root, 0, MOUNT_ATTR_RDONLY, 0, 0, -1);
    if (rc < 0)
        child_fail(c, rc, "cannot make the root file system read-only");
}

void child_enter_root(struct child *c)
{
    if (fchdir(c->root) < 0)
        child_fail(c, -errno, "cannot enter the root file system");
    int rc = sys_pivot_root(".", ".");
    if (rc == 0 && umount2(".", MNT_DETACH) < 0)
        rc = -errno;
    if (rc == 0 && chdir("/") < 0)
        rc = -errno;
    if (rc < 0)
        child_fail(c, rc, "cannot make the root file system the root");
}

/* Mounts that have served (the layers, once the overlay has copies of its own) go onto the old
 * root, and with it in one step. Closed as they are, each would cost a wait until every processor
 * has been quiet once: about a millisecond. */
static void park_spent(struct child *c, int parking)
{
    for (size_t i = c->fd_count - c->spent_count; i < c->fd_count; i++)
        (void)sys_move_mount(c->fds[i], parking); /* only time is lost */
}

/* What the parent did not get to: assemble.h. */
static void finish_assembly(struct child *c)
{
    struct error err = {0};
    struct assembly a = {
        .plan = c->plan,
        .root = c->root,
        .dev = c->dev,
        .files = c->fds[CHILD_FILES],
        .binds = c->fds + CHILD_FIXED,
        .by_child = true,
        .state = c->assembled,
    };
    if (assemble(&a, &err) < 0)
        child_fail_error(c, &err);
}

void child_make_own_mounts(struct child *c)
{
    c->empty = -1;
    make_sys(c);
    make_dev(c);
    if (fill_dev(c) < 0)
        return; /* all of it when the root is there */
    if (c->plan->terminal)
        make_terminal(c);
    child_fence_paths(c);
    c->masked = true;
}

void child_mount_everything(struct child *c)
{
    c->root = c->fds[CHILD_ROOT];
    c->attached = true;
    autofd host_root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (host_root < 0)
        child_fail(c, -errno, "cannot open /");
    autofd parking =
        open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC); /* our procfs is made already */
    if (parking < 0)
        child_fail(c, -errno, "cannot open /proc");
    park_spent(c, parking);
    child_attach(c, c->root, host_root, "the root file system");
    mount_at(c, c->proc, "proc");
    mount_at(c, c->sys, "sys");
    mount_cgroup(c);
    if (!c->masked) {
        if (!c->assembled.dev)
            mount_at(c, c->dev, "dev");
        c->assembled.dev = true;
        (void)fill_dev(c);
        if (c->plan->terminal)
            make_terminal(c);
    }
    /* Spent after this, and before Linux 6.15 only what is attached can be copied. */
    (void)sys_move_mount(c->fds[CHILD_FILES], parking);
    finish_assembly(c);
    child_fence_paths(c);
    child_make_working_directory(c);
    seal_root(c);
    child_enter_root(c);
}
