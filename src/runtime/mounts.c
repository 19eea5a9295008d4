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
#include "runtime/child.h"
#include "runtime/files_dir.h"
#include "runtime/syscalls.h"

#define ATTR_COMMON (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV)

/* A directory of the new root that must be one: no symlink on the way. */
static int plain_directory(struct child *c, const char *path)
{
    struct open_how how = {
        .flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS,
    };
    int fd = (int)syscall(SYS_openat2, c->root, path, &how, sizeof how);
    if (fd < 0 && errno == ENOENT && mkdirat(c->root, path, 0755) == 0)
        fd = (int)syscall(SYS_openat2, c->root, path, &how, sizeof how);
    if (fd < 0)
        child_fail(c, -errno, "/%s of the image must be an ordinary directory", path);
    return fd;
}

static void attach(struct child *c, int mount, int target, const char *path)
{
    int rc = sys_move_mount(mount, target);
    if (rc < 0)
        child_fail(c, rc, "cannot mount %s", path);
}

/* "key=value,flag" given to a super block that is being made. */
static int configure(int fs, const char *data)
{
    char text[512];
    if (!data)
        return 0;
    if (strlen(data) >= sizeof text)
        return -E2BIG;
    memcpy(text, data, strlen(data) + 1);
    for (char *part = text; part && *part;) {
        char *next = strchr(part, ',');
        if (next)
            *next++ = '\0';
        char *value = strchr(part, '=');
        if (value)
            *value++ = '\0';
        int rc = value ? sys_fsconfig_string(fs, part, value) : sys_fsconfig_flag(fs, part);
        if (rc < 0)
            return rc;
        part = next;
    }
    return 0;
}

static int make_fs(struct child *c, const char *type, const char *data, unsigned attributes)
{
    autofd fs = sys_fsopen(type);
    int rc = fs < 0 ? fs : configure(fs, data);
    if (rc == 0)
        rc = sys_fsmount(fs, attributes);
    if (rc < 0)
        child_fail(c, rc, "cannot make a %s file system%s%s", type, data ? " with options " : "",
                   data ? data : "");
    return rc;
}

static void mount_fs(struct child *c, int target, const char *path, const char *type,
                     const char *data, unsigned attributes)
{
    autofd mount = make_fs(c, type, data, attributes);
    attach(c, mount, target, path);
}

/* --- /dev --------------------------------------------------------------------------------------
 */

static void mount_dev(struct child *c)
{
    autofd target = plain_directory(c, "dev");
    attach(c, c->fds[CHILD_DEV], target, "/dev");
    if (c->plan->all_devices)
        return;
    int dev = c->fds[CHILD_DEV];
    autofd pts = openat(dev, "pts", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    mount_fs(c, pts, "/dev/pts", "devpts", "newinstance,ptmxmode=0666,mode=0620,gid=5",
             MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
    autofd shm = openat(dev, "shm", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    char size[64];
    snprintf(size, sizeof size, "mode=1777,size=%lld", (long long)c->plan->shm_size);
    mount_fs(c, shm, "/dev/shm", "tmpfs", size, ATTR_COMMON | MOUNT_ATTR_NOEXEC);
    if (c->plan->namespaces & PLAN_NS_IPC) {
        autofd mqueue = openat(dev, "mqueue", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        mount_fs(c, mqueue, "/dev/mqueue", "mqueue", NULL, ATTR_COMMON | MOUNT_ATTR_NOEXEC);
    }
}

/* The container's terminal: a pty of its own devpts. The master goes to the parent; /dev/console is
 * a mount of the slave on a file that we made in a tmpfs of ours. Called before anything of the
 * image or the user can lie over /dev/pts: a symlink there would lead to a device of the host. */
static void make_terminal(struct child *c)
{
    const struct open_how how = {
        .flags = O_RDWR | O_NOCTTY | O_CLOEXEC,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS,
    };
    autofd master = (int)syscall(SYS_openat2, c->fds[CHILD_DEV], "pts/ptmx", &how, sizeof how);
    int unlock = 0;
    if (master < 0 || ioctl(master, TIOCSPTLCK, &unlock) < 0)
        child_fail(c, -errno, "cannot make a terminal");
    c->terminal = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (c->terminal < 0)
        child_fail(c, -errno, "cannot open the terminal");
    /* The process that opens a new session on it must be able to write to it. */
    if (fchown(c->terminal, c->plan->uid, (gid_t)-1) < 0)
        child_fail(c, -errno, "cannot give the terminal to user %u", c->plan->uid);
    autofd console = openat(c->fds[CHILD_DEV], "console", O_PATH | O_NOFOLLOW | O_CLOEXEC);
    autofd copy = sys_open_tree(c->terminal, "", AT_EMPTY_PATH);
    if (console >= 0 && copy >= 0)
        attach(c, copy, console, "/dev/console");
    struct child_message message = {.kind = CHILD_TERMINAL};
    int rc = send_fds(c->socket, &message, sizeof message, &(int){master}, 1);
    if (rc < 0)
        child_fail(c, rc, "cannot hand the terminal on");
}

/* --- /proc and /sys ----------------------------------------------------------------------------
 */

static void mount_proc(struct child *c)
{
    autofd target = plain_directory(c, "proc");
    attach(c, c->proc, target, "/proc");
}

static void mount_sys(struct child *c)
{
    autofd target = plain_directory(c, "sys");
    bool open =
        !(c->plan->namespaces & PLAN_NS_USER) && streq(c->plan->posture.level, "privileged");
    unsigned read_only = open ? 0 : MOUNT_ATTR_RDONLY;
    if (c->plan->namespaces & PLAN_NS_NET) {
        mount_fs(c, target, "/sys", "sysfs", NULL, ATTR_COMMON | MOUNT_ATTR_NOEXEC | read_only);
    } else {
        /* sysfs shows the network namespace and belongs to its owner: with the host's or another
         * container's, only a read-only copy of what is mounted can be had. */
        autofd copy = sys_open_tree(AT_FDCWD, "/sys", AT_RECURSIVE);
        if (copy < 0)
            child_fail(c, copy, "cannot copy /sys");
        int rc = sys_mount_setattr(copy, AT_RECURSIVE, ATTR_COMMON | MOUNT_ATTR_NOEXEC | read_only,
                                   0, MS_PRIVATE, -1);
        if (rc < 0)
            child_fail(c, rc, "cannot make /sys read-only");
        attach(c, copy, target, "/sys");
    }
}

/* Control groups, as the container sees its own: on v2 hosts only. On v1 hosts /sys/fs/cgroup stays
 * an empty directory: eight hierarchies more to guard for a view that few programs read. */
static void mount_cgroup(struct child *c)
{
    if (c->cgroup->layout != CGROUP_V2 || !(c->plan->namespaces & PLAN_NS_CGROUP) ||
        !(c->plan->namespaces & PLAN_NS_NET))
        return;
    autofd target = inroot_open(c->root, "sys/fs/cgroup", O_PATH | O_DIRECTORY);
    if (target < 0)
        return;
    mount_fs(c, target, "/sys/fs/cgroup", "cgroup2", NULL,
             ATTR_COMMON | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_RDONLY);
}

/* --- what the user asked for -------------------------------------------------------------------
 */

/* Where a mount goes, made when it is missing, and refused when the way led onto procfs or sysfs.
 */
static int user_target(struct child *c, const char *path, bool directory)
{
    struct statfs fs;
    struct stat at, root;
    int fd =
        directory ? inroot_make_directory(c->root, path) : inroot_make_file(c->root, path, 0644);
    if (fd == -EROFS)
        child_fail(c, fd, "mount point %s is missing in the image and its root is read-only", path);
    if (fd < 0)
        child_fail(c, fd, "cannot make the mount point %s in the container", path);
    if (fstatfs(fd, &fs) < 0)
        child_fail(c, -errno, "cannot look at the mount point %s", path);
    if (fs.f_type == PROC_SUPER_MAGIC || fs.f_type == SYSFS_MAGIC)
        child_fail(c, -EPERM, "mount point %s leads into /proc or /sys", path);
    /* What lies over the root is where setns(2) puts a process, beside /proc, masks and all. */
    if (fstat(fd, &at) < 0 || fstat(c->root, &root) < 0)
        child_fail(c, -errno, "cannot look at the mount point %s", path);
    if (at.st_ino == root.st_ino && at.st_dev == root.st_dev)
        child_fail(c, -EPERM, "mount point %s leads to the root of the container", path);
    return fd;
}

static unsigned attributes_of(const struct plan_mount *m)
{
    return (m->read_only ? MOUNT_ATTR_RDONLY : 0) | (m->no_exec ? MOUNT_ATTR_NOEXEC : 0) |
           (m->dev ? 0 : MOUNT_ATTR_NODEV) | (m->suid ? 0 : MOUNT_ATTR_NOSUID);
}

static void mount_asked(struct child *c, const struct plan_mount *m, int source)
{
    struct stat st = {.st_mode = S_IFDIR};
    if (m->kind != PLAN_TMPFS && fstat(source, &st) < 0)
        child_fail(c, -errno, "cannot look at the source of %s", m->target);
    autofd target = user_target(c, m->target, S_ISDIR(st.st_mode));
    if (m->kind == PLAN_TMPFS)
        mount_fs(c, target, m->target, "tmpfs", m->data, attributes_of(m));
    else
        attach(c, source, target, m->target);
}

static void mount_all_asked(struct child *c)
{
    size_t next = CHILD_FIXED;
    for (size_t i = 0; i < c->plan->mount_count; i++) {
        const struct plan_mount *m = &c->plan->mounts[i];
        mount_asked(c, m, m->kind == PLAN_TMPFS ? -1 : c->fds[next++]);
    }
}

/* --- generated files ---------------------------------------------------------------------------
 */

/* They lie in a tmpfs of the parent's; each is a mount of its own over the image's file. */
static void mount_generated(struct child *c)
{
    char line[256];
    struct generated_file files[GENERATED_FILES_MAX];
    size_t count = generated_files(c->plan, line, files);
    for (size_t i = 0; i < count; i++) {
        autofd copy = sys_open_tree(c->fds[CHILD_FILES], files[i].name, AT_SYMLINK_NOFOLLOW);
        if (copy < 0)
            child_fail(c, copy, "cannot mount %s", files[i].target);
        if (c->plan->root_read_only && sys_mount_setattr(copy, 0, MOUNT_ATTR_RDONLY, 0, 0, -1) < 0)
            child_fail(c, -errno, "cannot make %s read-only", files[i].target);
        autofd target = user_target(c, files[i].target, false);
        attach(c, copy, target, files[i].target);
    }
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
    int cover = sys_open_tree(c->fds[CHILD_DEV], "null", AT_SYMLINK_NOFOLLOW);
    if (cover >= 0 &&
        (fstat(cover, &st) < 0 || !S_ISCHR(st.st_mode) || st.st_rdev != (dev_t)makedev(1, 3)))
        child_fail(c, -EPERM, "cannot mask %s: /dev/null is not the null device", path);
    return cover;
}

static void mask_paths(struct child *c)
{
    autofd empty = -1;
    for (size_t i = 0; i < c->plan->masked.len; i++) {
        const char *path = c->plan->masked.items[i];
        struct stat st;
        autofd target = inroot_open(c->root, path, O_PATH | O_NOFOLLOW);
        if (target == -ENOENT || target == -ENOTDIR)
            continue;
        if (target < 0 || fstat(target, &st) < 0)
            child_fail(c, target < 0 ? target : -errno, "cannot mask %s", path);
        autofd cover = S_ISDIR(st.st_mode) ? empty_directory(c, &empty) : null_file(c, path);
        if (cover < 0)
            child_fail(c, cover, "cannot mask %s", path);
        attach(c, cover, target, path);
    }
}

static void read_only_paths(struct child *c)
{
    for (size_t i = 0; i < c->plan->read_only_paths.len; i++) {
        const char *path = c->plan->read_only_paths.items[i];
        autofd target = inroot_open(c->root, path, O_PATH | O_NOFOLLOW);
        if (target == -ENOENT || target == -ENOTDIR)
            continue;
        autofd copy = target < 0 ? target : sys_open_tree(target, "", AT_EMPTY_PATH | AT_RECURSIVE);
        if (copy < 0)
            child_fail(c, copy, "cannot make %s read-only", path);
        int rc = sys_mount_setattr(copy, AT_RECURSIVE, MOUNT_ATTR_RDONLY, 0, 0, -1);
        if (rc < 0)
            child_fail(c, rc, "cannot make %s read-only", path);
        attach(c, copy, target, path);
    }
}

/* --- all of it ---------------------------------------------------------------------------------
 */

/* WORKDIR may name a directory that the image lacks: made in-root, like a mount point. */
static void make_working_directory(struct child *c)
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

static void enter_root(struct child *c)
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

void child_mount_everything(struct child *c)
{
    c->root = c->fds[CHILD_ROOT];
    autofd host_root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (host_root < 0)
        child_fail(c, -errno, "cannot open /");
    autofd parking =
        open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC); /* our procfs is made already */
    if (parking < 0)
        child_fail(c, -errno, "cannot open /proc");
    park_spent(c, parking);
    attach(c, c->root, host_root, "the root file system");
    mount_proc(c);
    mount_sys(c);
    mount_cgroup(c);
    mount_dev(c);
    if (c->plan->terminal)
        make_terminal(c);
    mount_all_asked(c);
    mount_generated(c);
    (void)sys_move_mount(c->fds[CHILD_FILES], parking); /* spent as well */
    mask_paths(c);
    read_only_paths(c);
    make_working_directory(c);
    seal_root(c);
    enter_root(c);
}
