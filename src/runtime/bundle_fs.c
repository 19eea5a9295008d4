/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bundle's mounts, in the order of its configuration. Each is made detached, with all its
 * attributes, and then moved to a descriptor that was opened in-root.
 *
 * Guards against what the root file system and volumes hold, which other containers may change at
 * any moment: a symlink at the place of /proc, /sys or /dev, a mount point whose parents lead out
 * of the root or into procfs, anything but a procfs as /proc.
 */
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "base/io.h"
#include "base/memory.h"
#include "base/text.h"
#include "path/inroot.h"
#include "runtime/assemble.h"
#include "runtime/bundle_child.h"
#include "runtime/bundle_copy.h"
#include "runtime/syscalls.h"

#define PROC_ROOT_INODE 1

/* --- the root ----------------------------------------------------------------------------------
 */

/* At its own path, where hooks look for it; over everything where the container's root may not go
 * there. */
void bundle_mount_root(struct bundle_child *b)
{
    struct child *c = &b->child;
    struct error err = {0};
    c->root = bundle_ask(b, SOURCE_ROOT, "root");
    if (c->root < 0)
        c->root = bundle_clone_root(b->bundle, &err);
    if (c->root < 0)
        child_fail_error(c, &err);
    autofd place = open(b->bundle->rootfs, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (place >= 0 && sys_move_mount(c->root, place) == 0) {
        c->attached = true;
        return;
    }
    child_attach(c, c->root, b->host, "the root file system");
    c->attached = true;
}

/* --- targets -----------------------------------------------------------------------------------
 */

/* Files of /proc that show a container its own limits instead of the host's: what lxcfs gives. */
static bool may_be_replaced(const char *name)
{
    static const char *const names[] = {
        "/proc/cpuinfo",
        "/proc/diskstats",
        "/proc/loadavg",
        "/proc/meminfo",
        "/proc/net/dev",
        "/proc/slabinfo",
        "/proc/stat",
        "/proc/swaps",
        "/proc/uptime",
        "/proc/sys/kernel/ns_last_pid",
        "/proc/sys/crypto/fips_enabled",
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (streq(names[i], name))
            return true;
    return false;
}

/* What `fd` is open on, as a path below the new root: whatever the configuration called it. */
static void path_of(struct bundle_child *b, int fd, char *out, size_t size)
{
    struct child *c = &b->child;
    char self[40], top[INROOT_PATH_MAX], path[INROOT_PATH_MAX];
    snprintf(self, sizeof self, "proc/self/fd/%d", c->root);
    ssize_t n = readlinkat(b->host, self, top, sizeof top - 1);
    snprintf(self, sizeof self, "proc/self/fd/%d", fd);
    ssize_t m = readlinkat(b->host, self, path, sizeof path - 1);
    if (n < 0 || m < 0)
        child_fail(c, -errno, "cannot tell where a mount point is (is /proc of the host mounted?)");
    top[n] = path[m] = '\0';
    size_t length = streq(top, "/") ? 0 : (size_t)n;
    if (strncmp(path, top, length) != 0)
        child_fail(c, -EPERM, "a mount point leads out of the container: %s", path);
    snprintf(out, size, "%s", path[length] ? path + length : "/");
}

static bool is_below(const char *path, const char *top)
{
    size_t length = strlen(top);
    return strncmp(path, top, length) == 0 && path[length] == '/';
}

/* The root of a procfs, and not of a part of it. */
static bool is_procfs(int fd)
{
    struct statfs fs;
    struct stat st;
    return fstatfs(fd, &fs) == 0 && fs.f_type == PROC_SUPER_MAGIC && fstat(fd, &st) == 0 &&
           st.st_ino == PROC_ROOT_INODE;
}

static bool is_within(const char *path, const char *top)
{
    return streq(path, top) || is_below(path, top);
}

/* Nodes and the kernel's files are only where the configuration wanted them, not where a symlink of
 * the image makes them of a volume. */
static void check_led(struct child *c, const char *where, const struct bundle_mount *m)
{
    static const char *const tops[] = {"/dev", "/sys"};
    for (size_t i = 0; i < sizeof tops / sizeof *tops; i++)
        if (is_within(where, tops[i]) && !is_within(m->target, tops[i]))
            child_fail(c, -EPERM, "mount point %s leads into %s", m->target, tops[i]);
}

/* `source`: a detached mount, -1 while there is none yet. */
static void check_target(struct bundle_child *b, int target, const struct bundle_mount *m,
                         int source)
{
    struct child *c = &b->child;
    char where[INROOT_PATH_MAX];
    struct statfs fs;
    path_of(b, target, where, sizeof where);
    if (streq(where, "/"))
        child_fail(c, -EPERM, "mount point %s leads to the root of the container", m->target);
    if (streq(where, "/proc") && source >= 0 && !is_procfs(source))
        child_fail(c, -EPERM, "mount point %s: only a procfs may be mounted at /proc", m->target);
    check_led(c, where, m);
    bool on_proc = fstatfs(target, &fs) == 0 && fs.f_type == PROC_SUPER_MAGIC;
    if ((on_proc && !streq(where, "/proc")) || is_below(where, "/proc"))
        if (!m->bind || !may_be_replaced(where))
            child_fail(c, -EPERM, "mount point %s leads into /proc", m->target);
}

/* The places of these may not be reached through a symlink at all. */
static int plain_target(struct bundle_child *b, const char *path)
{
    struct error err = {0};
    int fd = assemble_directory(b->child.root, path + 1, &err);
    if (fd < 0)
        child_fail_error(&b->child, &err);
    return fd;
}

static bool is_system(const struct bundle_mount *m)
{
    return streq(m->target, "/proc") || streq(m->target, "/sys") || streq(m->target, "/dev");
}

static int open_target(struct bundle_child *b, const struct bundle_mount *m, bool directory)
{
    struct child *c = &b->child;
    if (directory && is_system(m))
        return plain_target(b, m->target);
    int fd = directory ? inroot_make_directory(c->root, m->target)
                       : inroot_make_file(c->root, m->target, 0644);
    if (fd == -EISDIR)
        child_fail(c, fd, "cannot mount a file at %s, which is a directory", m->target);
    if (fd < 0)
        child_fail(c, fd, "cannot make the mount point %s in the container", m->target);
    return fd;
}

/* --- binds -------------------------------------------------------------------------------------
 */

static void settle_unbindable(struct child *c, int mount, const struct bundle_mount *m)
{
    if (m->propagation != MS_UNBINDABLE)
        return;
    int rc =
        sys_mount_setattr(mount, m->propagation_all ? AT_RECURSIVE : 0, 0, 0, MS_UNBINDABLE, -1);
    if (rc < 0)
        child_fail(c, rc, "cannot make %s unbindable", m->target);
}

static void mount_bind(struct bundle_child *b, size_t i)
{
    struct child *c = &b->child;
    const struct bundle_mount *m = &b->bundle->mounts[i];
    struct error err = {0};
    struct stat st;
    autofd copy = bundle_ask(b, (int)i, m->target);
    if (copy < 0)
        copy = bundle_clone_bind(m, -1, &err);
    if (copy < 0)
        child_fail_error(c, &err);
    if (fstat(copy, &st) < 0)
        child_fail(c, -errno, "cannot look at the source of %s", m->target);
    autofd target = open_target(b, m, S_ISDIR(st.st_mode));
    check_target(b, target, m, copy);
    child_attach(c, copy, target, m->target);
    settle_unbindable(c, copy, m);
}

/* --- file systems ------------------------------------------------------------------------------
 */

static bool is_kernel_fs(const char *type)
{
    static const char *const types[] = {"proc", "sysfs", "mqueue", "cgroup", "cgroup2"};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (streq(types[i], type))
            return true;
    return false;
}

static int configure(int fs, const struct bundle_mount *m)
{
    int rc = m->source && *m->source ? sys_fsconfig_string(fs, "source", m->source) : 0;
    autofree char *text = m->data ? xstrdup(m->data) : NULL;
    for (char *part = text; rc == 0 && part && *part;) {
        char *next = strchr(part, ',');
        if (next)
            *next++ = '\0';
        char *value = strchr(part, '=');
        if (value)
            *value++ = '\0';
        rc = value ? sys_fsconfig_string(fs, part, value) : sys_fsconfig_flag(fs, part);
        if (rc == -EINVAL && streq(m->type, "devpts") && streq(part, "newinstance"))
            rc = 0; /* what every devpts is */
        part = next;
    }
    /* A medium that cannot be written is not even to be tried. */
    if (rc == 0 && m->set & MOUNT_ATTR_RDONLY && !is_kernel_fs(m->type) && !streq(m->type, "tmpfs"))
        rc = sys_fsconfig_flag(fs, "ro");
    return rc;
}

/* What a file system that was configured in vain said about it. */
static void complaint(int fs, char *out, size_t size)
{
    ssize_t n = read(fs, out, size - 1);
    out[n > 0 ? n : 0] = '\0';
    out[strcspn(out, "\n")] = '\0';
}

/* -EPERM where the container's root has no right to: the caller knows another way. */
static int make_fs(struct bundle_child *b, const struct bundle_mount *m, uint64_t attributes)
{
    struct child *c = &b->child;
    char said[160] = "";
    autofd fs = sys_fsopen(m->type);
    if (fs == -ENODEV)
        child_fail(c, fs, "cannot mount %s: this kernel has no file system called %s", m->target,
                   m->type);
    int rc = fs < 0 ? fs : configure(fs, m);
    if (rc == 0)
        rc = sys_fsmount(fs, (unsigned)attributes);
    if (rc == -EPERM || rc == -EBUSY)
        return rc;
    if (rc < 0) {
        complaint(fs, said, sizeof said);
        child_fail(c, rc, "cannot mount a %s at %s%s%s%s%s", m->type, m->target,
                   m->data ? " with options " : "", m->data ? m->data : "", *said ? ": " : "",
                   said);
    }
    if (m->set_all | m->clear_all) {
        int all = sys_mount_setattr(rc, AT_RECURSIVE, m->set_all, m->clear_all, 0, -1);
        if (all < 0)
            child_fail(c, all, "cannot set the options of %s", m->target);
    }
    return rc;
}

/* sysfs shows the network namespace and belongs to its owner, and mqueue the ipc namespace: with
 * somebody else's only a copy of what the host has mounted can be had, which stays read-only where
 * it was asked to be. */
static int copy_of_host(struct bundle_child *b, const struct bundle_mount *m, uint64_t attributes)
{
    struct child *c = &b->child;
    const char *path = streq(m->type, "sysfs")    ? "sys"
                       : streq(m->type, "mqueue") ? "dev/mqueue"
                       : streq(m->type, "proc")   ? "proc"
                                                  : NULL;
    if (!path || !b->go.users)
        child_fail(c, -EPERM, "cannot mount a %s at %s", m->type, m->target);
    int copy = sys_open_tree(b->host, path, AT_RECURSIVE);
    int rc = copy < 0 ? copy : sys_mount_setattr(copy, AT_RECURSIVE, attributes, 0, MS_PRIVATE, -1);
    if (rc < 0)
        child_fail(c, rc, "cannot mount a %s at %s, nor copy /%s of the host", m->type, m->target,
                   path);
    return copy;
}

static void keep_late(struct bundle_child *b, int mount)
{
    b->late = xrealloc(b->late, b->late_count + 1, sizeof *b->late);
    int copy = fcntl(mount, F_DUPFD_CLOEXEC, 3);
    if (copy < 0)
        child_fail(&b->child, -errno, "cannot keep a mount");
    b->late[b->late_count++] = copy;
}

static void mount_fs(struct bundle_child *b, const struct bundle_mount *m)
{
    struct child *c = &b->child;
    uint64_t attributes = m->set & ~(m->clear & ~(uint64_t)MOUNT_ATTR__ATIME);
    /* Other mounts, and nodes, are still to be made in it. */
    bool late = streq(m->type, "tmpfs") && attributes & MOUNT_ATTR_RDONLY;
    autofd target = open_target(b, m, true);
    autofd mount = make_fs(b, m, late ? attributes & ~(uint64_t)MOUNT_ATTR_RDONLY : attributes);
    if (mount < 0)
        mount = copy_of_host(b, m, attributes);
    check_target(b, target, m, mount);
    if (m->copy_up)
        bundle_copy_up(c, target, mount, m->target);
    child_attach(c, mount, target, m->target);
    if (streq(m->target, "/dev") && streq(m->type, "tmpfs"))
        b->own_dev = assemble_mount_id(mount);
    int rc = m->propagation && m->propagation != MS_UNBINDABLE
                 ? sys_mount_setattr(mount, 0, 0, 0, m->propagation, -1)
                 : 0;
    if (rc < 0)
        child_fail(c, rc, "cannot set the propagation of %s", m->target);
    settle_unbindable(c, mount, m);
    if (late)
        keep_late(b, mount);
}

/* --- control groups ----------------------------------------------------------------------------
 */

static bool is_v2(int host)
{
    struct statfs fs;
    autofd top = openat(host, "sys/fs/cgroup", O_PATH | O_DIRECTORY | O_CLOEXEC);
    return top >= 0 && fstatfs(top, &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC;
}

/* The host's hierarchies (or, in a namespace of its own, what of them the container is below) on a
 * small tmpfs, as the host has them. Where none may be mounted the place stays empty. */
static void mount_cgroup_v1(struct bundle_child *b, const struct bundle_mount *m)
{
    struct child *c = &b->child;
    struct error err = {0};
    uint64_t attributes = m->set & ~m->clear;
    uint64_t open = attributes & ~(uint64_t)MOUNT_ATTR_RDONLY;
    autofd target = open_target(b, m, true);
    check_target(b, target, m, -1);
    autofd top = assemble_fs("tmpfs", "mode=0755,size=64k", (unsigned)open, NULL, &err);
    if (top < 0)
        child_fail_error(c, &err);
    child_attach(c, top, target, m->target);
    struct copied_groups groups = {
        .host = b->host,
        .top = top,
        .own = b->bundle->namespaces[BUNDLE_CGROUP].listed,
        .group = b->go.group,
        .attributes = attributes,
    };
    bundle_copy_groups(c, &groups);
    if (attributes & MOUNT_ATTR_RDONLY)
        keep_late(b, top);
}

static void mount_cgroup(struct bundle_child *b, const struct bundle_mount *m)
{
    struct bundle_mount two = *m;
    if (!is_v2(b->host) && streq(m->type, "cgroup")) {
        mount_cgroup_v1(b, m);
        return;
    }
    two.type = (char *)(uintptr_t) "cgroup2";
    two.source = (char *)(uintptr_t) "cgroup";
    two.data = NULL;
    mount_fs(b, &two);
}

/* --- all of it ---------------------------------------------------------------------------------
 */

void bundle_mount_all(struct bundle_child *b)
{
    for (size_t i = 0; i < b->bundle->mount_count; i++) {
        const struct bundle_mount *m = &b->bundle->mounts[i];
        if (m->bind)
            mount_bind(b, i);
        else if (streq(m->type, "cgroup") || streq(m->type, "cgroup2"))
            mount_cgroup(b, m);
        else
            mount_fs(b, m);
    }
}

static void seal(struct bundle_child *b)
{
    struct child *c = &b->child;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < b->late_count; i++) {
        rc = sys_mount_setattr(b->late[i], 0, MOUNT_ATTR_RDONLY, 0, 0, -1);
        close(b->late[i]);
    }
    if (rc < 0)
        child_fail(c, rc, "cannot make a tmpfs read-only");
    if (c->plan->root_read_only)
        rc = sys_mount_setattr(c->root, 0, MOUNT_ATTR_RDONLY, 0, 0, -1);
    if (rc < 0)
        child_fail(c, rc, "cannot make the root file system read-only");
}

/* Once it is the root: a shared one could not become it. */
static void propagate(struct bundle_child *b)
{
    struct child *c = &b->child;
    int rc = 0;
    unsigned long type = b->bundle->root_propagation & ~(unsigned long)MS_REC;
    bool all = b->bundle->root_propagation & MS_REC;
    if (type == MS_SHARED || type == MS_UNBINDABLE)
        rc =
            sys_mount_setattr(c->root, all && type == MS_SHARED ? AT_RECURSIVE : 0, 0, 0, type, -1);
    if (rc < 0)
        child_fail(c, rc, "cannot set linux.rootfsPropagation");
}

void bundle_mount_finish(struct bundle_child *b)
{
    struct child *c = &b->child;
    c->empty = -1;
    /* What covers files is the host's null device, found where no container could put another. */
    c->dev = openat(b->host, "dev", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (c->dev < 0)
        child_fail(c, -errno, "cannot open /dev of the host");
    child_fence_paths(c);
    child_make_working_directory(c);
    seal(b);
    child_enter_root(c);
    propagate(b);
}
