/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/rootfs.h"

#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/utsname.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/memory.h"
#include "runtime/attached.h"
#include "runtime/syscalls.h"

int rootfs_clone_mount(int fd, int userns, unsigned long set, unsigned long clear, int recursive,
                       struct error *err)
{
    unsigned flags = recursive ? AT_RECURSIVE : 0;
    autofd mount = sys_open_tree(fd, "", AT_EMPTY_PATH | flags);
    if (mount < 0)
        return error_set(err, mount, "cannot copy a mount: %s", error_describe(mount));
    if (userns >= 0)
        set |= MOUNT_ATTR_IDMAP;
    int rc = sys_mount_setattr(mount, flags, set, clear, MS_PRIVATE, userns);
    if (rc == -EINVAL && userns >= 0)
        return error_set(err, -EOPNOTSUPP,
                         "this kernel or file system cannot map ids at mount time");
    if (rc < 0)
        return error_set(err, rc, "cannot set a mount's attributes: %s", error_describe(rc));
    return take_fd(&mount);
}

struct stack {
    int *mounts; /* layers, lowest first, then the upper's `fs` and `work` */
    size_t count, layers;
    int home; /* the mount that both lie on; -1 */
    struct spent *spent;
};

void spent_add(struct spent *spent, int fd)
{
    if (fd < 0)
        return;
    spent->fds = xrealloc(spent->fds, spent->count + 1, sizeof *spent->fds);
    spent->fds[spent->count++] = fd;
}

void spent_close(struct spent *spent)
{
    for (size_t i = 0; i < spent->count; i++)
        close(spent->fds[i]);
    free(spent->fds);
    *spent = (struct spent){0};
}

static void stack_close(struct stack *stack)
{
    struct spent now = {0}, *spent = stack->spent ? stack->spent : &now;
    for (size_t i = 0; i < stack->count; i++)
        spent_add(spent, stack->mounts[i]);
    free(stack->mounts);
    spent_add(spent, stack->home);
    spent_close(&now);
}

static int add_by_path(int fs, const char *key, int fd)
{
    char path[40];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return sys_fsconfig_string(fs, key, path);
}

/* By descriptor since Linux 6.13. -EOPNOTSUPP is said by kernels before 6.5, where overlayfs had
 * not learnt this way of mounting yet. */
static int add_directory(int fs, const char *key, int fd)
{
    int rc = sys_fsconfig_fd(fs, key, fd);
    return rc == -EINVAL || rc == -EOPNOTSUPP ? add_by_path(fs, key, fd) : rc;
}

/* Kernels before 6.8 know only the one string of all lower directories, top first. */
static int add_lower_string(int fs, const struct stack *stack, size_t layers)
{
    autobuf list = {0};
    for (size_t i = layers; i-- > 0;)
        buf_fmt(&list, "%s/proc/self/fd/%d", list.len ? ":" : "", stack->mounts[i]);
    return sys_fsconfig_string(fs, "lowerdir", buf_text(&list));
}

static int add_lowers(int fs, const struct stack *stack, size_t layers)
{
    for (size_t i = layers; i-- > 0;) {
        int rc = sys_fsconfig_fd(fs, "lowerdir+", stack->mounts[i]);
        /* Before 6.5 every word is taken, and looked at only when all have been said. */
        if (rc == -EOPNOTSUPP)
            return add_lower_string(fs, stack, layers);
        if (rc == -EINVAL)
            rc = add_by_path(fs, "lowerdir+", stack->mounts[i]);
        if (rc == -EINVAL && i == layers - 1)
            return add_lower_string(fs, stack, layers);
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* Changing only the ids for file systems drops the capabilities for them from the effective set,
 * which are then taken back. capabilities(7), "Effect of user ID changes". It also takes away that
 * we go with our parent, prctl(2): whoever had that has it afterwards. */
int rootfs_act_as(unsigned id)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2];
    int with_parent = 0;
    pid_t parent = getppid();
    (void)prctl(PR_GET_PDEATHSIG, &with_parent, 0, 0, 0);
    syscall(SYS_setfsgid, id);
    syscall(SYS_setfsuid, id);
    if (syscall(SYS_capget, &header, data) < 0)
        return -errno;
    for (int i = 0; i < 2; i++)
        data[i].effective = data[i].permitted;
    int rc = syscall(SYS_capset, &header, data) < 0 ? -errno : 0;
    if (with_parent && (prctl(PR_SET_PDEATHSIG, with_parent, 0, 0, 0) < 0 || getppid() != parent))
        (void)raise(with_parent);
    return rc;
}

static int make_overlay(const struct rootfs_source *source, const struct stack *stack)
{
    autofd fs = sys_fsopen("overlay");
    if (fs < 0)
        return fs;
    int rc = sys_fsconfig_string(fs, "source", "caisson");
    if (rc == 0)
        rc = add_lowers(fs, stack, source->count);
    if (rc == 0 && source->upper >= 0) {
        rc = add_directory(fs, "upperdir", stack->mounts[source->count]);
        if (rc == 0)
            rc = add_directory(fs, "workdir", stack->mounts[source->count + 1]);
        if (rc == 0 && source->volatile_upper)
            (void)sys_fsconfig_flag(fs, "volatile"); /* only speed */
    }
    if (rc == 0)
        rc = sys_fsconfig_flag(fs, "userxattr");
    if (rc < 0)
        return rc;
    return sys_fsmount(fs, (source->read_only || source->upper < 0 ? MOUNT_ATTR_RDONLY : 0) |
                               (source->no_devices ? MOUNT_ATTR_NODEV : 0));
}

static int overlay(const struct rootfs_source *source, const struct stack *stack)
{
    if (source->userns < 0 || source->upper < 0)
        return make_overlay(source, stack);
    /* overlayfs keeps the identity of its maker and makes its own files with it. */
    int rc = rootfs_act_as(source->id_base);
    int fd = rc < 0 ? rc : make_overlay(source, stack);
    rc = rootfs_act_as(geteuid());
    if (rc < 0 && fd >= 0) {
        close(fd);
        return rc;
    }
    return fd;
}

struct part {
    int mount, dir;
    unsigned long set;
};

static int clone_placed(void *argument, struct error *err)
{
    const struct part *part = argument;
    int rc = attached_place(&part->mount, 1, err);
    return rc < 0 ? rc : rootfs_clone_mount(part->dir, -1, part->set, 0, 0, err);
}

int rootfs_clone_part(int mount, int dir, unsigned long set, struct error *err)
{
    int fd = rootfs_clone_mount(dir, -1, set, 0, 0, err);
    if (fd != -EINVAL)
        return fd;
    struct part part = {mount, dir, set};
    return attached_run(clone_placed, &part, err);
}

struct placing {
    const struct rootfs_source *source;
    const struct stack *stack;
};

/* In a process of its own (runtime/attached.h). The writable layer's two directories were opened
 * through its mount, and are on it wherever it lies. */
static int overlay_placed(void *argument, struct error *err)
{
    const struct placing *placing = argument;
    const struct stack *stack = placing->stack;
    int rc = attached_place(stack->mounts, stack->layers, err);
    if (rc == 0)
        rc = attached_place(&stack->home, 1, err);
    if (rc < 0)
        return rc;
    int fd = overlay(placing->source, stack);
    return fd < 0 ? error_set(err, fd, "cannot stack the image's layers: %s", error_describe(fd))
                  : fd;
}

/* Whether it is worth the try, which on older kernels is a line in the kernel's log each time. Only
 * that: a kernel of another number that does not know it either says so. */
static bool stacks_detached(void)
{
    struct utsname host;
    unsigned major, minor;
    return uname(&host) < 0 || sscanf(host.release, "%u.%u", &major, &minor) != 2 || major > 6 ||
           (major == 6 && minor >= 15);
}

int rootfs_mount(const struct rootfs_source *source, struct error *err)
{
    struct stack stack
        __attribute__((cleanup(stack_close))) = {.mounts = xcalloc(source->count + 2, sizeof(int)),
                                                 .layers = source->count,
                                                 .home = -1,
                                                 .spent = source->spent};
    for (size_t i = 0; i < source->count; i++) {
        int fd = rootfs_clone_mount(source->layers[i], source->userns, 0, 0, 0, err);
        if (fd < 0)
            return error_prefix(err, "layer %zu", i + 1);
        stack.mounts[stack.count++] = fd;
    }
    /* upperdir and workdir have to lie on one mount: both are opened below one copy. */
    if (source->upper >= 0) {
        stack.home = rootfs_clone_mount(source->upper, source->userns, 0, 0, 0, err);
        if (stack.home < 0)
            return error_prefix(err, "writable layer");
        for (int i = 0; i < 2; i++) {
            int fd = openat(stack.home, i == 0 ? "fs" : "work", O_PATH | O_DIRECTORY | O_CLOEXEC);
            if (fd < 0)
                return error_errno(err, "cannot open the writable layer");
            stack.mounts[stack.count++] = fd;
        }
    }
    int fd = stacks_detached() ? overlay(source, &stack) : -EINVAL;
    if (fd == -EINVAL || fd == -EXDEV || fd == -ENOENT) {
        struct placing placing = {source, &stack};
        return attached_run(overlay_placed, &placing, err);
    }
    if (fd < 0)
        return error_set(err, fd, "cannot stack the image's layers: %s", error_describe(fd));
    return fd;
}
