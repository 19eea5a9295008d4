/* SPDX-License-Identifier: Apache-2.0 */
/*
 * System calls of the new mount interface and clone3(2), for C libraries that lack them, all with
 * the same convention: a value of 0 or more, or -errno. Every one is safe after clone3.
 */
#ifndef CAISSON_RUNTIME_SYSCALLS_H
#define CAISSON_RUNTIME_SYSCALLS_H

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <linux/types.h>
#include <sched.h>
#include <stdint.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef MOUNT_ATTR_IDMAP
#define MOUNT_ATTR_IDMAP 0x00100000
#endif
#ifndef MOUNT_ATTR_NOSYMFOLLOW
#define MOUNT_ATTR_NOSYMFOLLOW 0x00200000
#endif

static inline int sys_result(long value)
{
    return value < 0 ? -errno : (int)value;
}

/* clone(2); struct clone_args from <linux/sched.h>. */
static inline int sys_clone3(struct clone_args *args)
{
    return sys_result(syscall(SYS_clone3, args, sizeof *args));
}

static inline int sys_fsopen(const char *type)
{
    return sys_result(syscall(SYS_fsopen, type, FSOPEN_CLOEXEC));
}

static inline int sys_fsconfig_string(int fs, const char *key, const char *value)
{
    return sys_result(syscall(SYS_fsconfig, fs, FSCONFIG_SET_STRING, key, value, 0));
}

static inline int sys_fsconfig_flag(int fs, const char *key)
{
    return sys_result(syscall(SYS_fsconfig, fs, FSCONFIG_SET_FLAG, key, NULL, 0));
}

static inline int sys_fsconfig_fd(int fs, const char *key, int fd)
{
    return sys_result(syscall(SYS_fsconfig, fs, FSCONFIG_SET_FD, key, NULL, fd));
}

/* Makes the super block and a detached mount of it with MOUNT_ATTR_* `attributes`. */
static inline int sys_fsmount(int fs, unsigned attributes)
{
    if (syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
        return -errno;
    return sys_result(syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, attributes));
}

/* A detached copy of the mount at dirfd/path; flags: AT_EMPTY_PATH, AT_RECURSIVE … */
static inline int sys_open_tree(int dirfd, const char *path, unsigned flags)
{
    return sys_result(
        syscall(SYS_open_tree, dirfd, path, flags | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC));
}

static inline int sys_mount_setattr(int fd, unsigned flags, uint64_t set, uint64_t clear,
                                    uint64_t propagation, int userns)
{
    struct mount_attr attr = {
        .attr_set = set,
        .attr_clr = clear,
        .propagation = propagation,
        .userns_fd = (uint64_t)(userns < 0 ? 0 : userns),
    };
    return sys_result(
        syscall(SYS_mount_setattr, fd, "", flags | AT_EMPTY_PATH, &attr, sizeof attr));
}

/* Attaches a detached mount to what `target` is open on: no path is walked. */
static inline int sys_move_mount(int mount, int target)
{
    return sys_result(syscall(SYS_move_mount, mount, "", target, "",
                              MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH));
}

static inline int sys_pivot_root(const char *new_root, const char *put_old)
{
    return sys_result(syscall(SYS_pivot_root, new_root, put_old));
}

static inline int sys_pidfd_open(pid_t pid)
{
    return sys_result(syscall(SYS_pidfd_open, pid, 0));
}

static inline int sys_pidfd_send_signal(int pidfd, int number)
{
    return sys_result(syscall(SYS_pidfd_send_signal, pidfd, number, NULL, 0));
}

#endif
