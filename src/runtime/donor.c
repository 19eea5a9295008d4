/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/donor.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "runtime/syscalls.h"

static bool may_look_into(pid_t pid)
{
    char path[48];
    snprintf(path, sizeof path, "/proc/%d/ns/user", (int)pid);
    autofd fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd >= 0 || (errno != EACCES && errno != EPERM);
}

/* What --init started: it forks once, and whom it adopts comes after that. 0: nobody. */
static pid_t first_child(pid_t pid)
{
    char path[64], text[16] = "";
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)pid, (int)pid);
    autofd fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read_full(fd, text, sizeof text - 1);
    return n > 0 ? (pid_t)strtol(text, NULL, 10) : 0;
}

int donor_insider(pid_t *pid, int first, struct error *err)
{
    if (may_look_into(*pid)) {
        int same = fcntl(first, F_DUPFD_CLOEXEC, 3);
        return same < 0 ? error_errno(err, "cannot open its first process") : same;
    }
    pid_t child = first_child(*pid);
    autofd pidfd = child > 0 ? sys_pidfd_open(child) : -ESRCH;
    /* Its number may have become another's before it was opened, and that of its parent too. */
    if (pidfd < 0 || first_child(*pid) != child || sys_pidfd_send_signal(first, 0) < 0)
        return error_set(err, -ESRCH, "it has no command any more");
    *pid = child;
    return take_fd(&pidfd);
}

int donor_namespace(pid_t pid, int pidfd, const char *kind, struct error *err)
{
    char path[48];
    snprintf(path, sizeof path, "/proc/%d/ns/%s", (int)pid, kind);
    autofd fd = open(path, O_RDONLY | O_CLOEXEC);
    int code = fd < 0 ? -errno : sys_pidfd_send_signal(pidfd, 0);
    if (code == -ENOENT || code == -ESRCH)
        return error_set(err, -ESRCH, "it ended meanwhile");
    if (code < 0)
        return error_set(err, code, "cannot open its %s namespace: %s", kind, error_describe(code));
    return take_fd(&fd);
}

bool donor_same(int one, int other)
{
    struct stat a, b;
    return fstat(one, &a) == 0 && fstat(other, &b) == 0 && a.st_ino == b.st_ino &&
           a.st_dev == b.st_dev;
}

/* In the other's mount namespace. No symlink is followed, and nothing opened that could act. */
static int copy_there(int pidfd)
{
    const struct open_how how = {
        .flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
        .resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
    };
    struct statfs fs;
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 || setns(pidfd, CLONE_NEWNS) < 0)
        return -errno;
    autofd place = sys_result(syscall(SYS_openat2, AT_FDCWD, "/dev/shm", &how, sizeof how));
    if (place < 0)
        return take_fd(&place);
    if (fstatfs(place, &fs) < 0)
        return -errno;
    if (fs.f_type != TMPFS_MAGIC)
        return -EXDEV;
    autofd copy = sys_open_tree(place, "", AT_EMPTY_PATH);
    int rc = copy < 0 ? copy
                      : sys_mount_setattr(copy, 0,
                                          MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC,
                                          0, MS_PRIVATE, -1);
    return rc < 0 ? rc : take_fd(&copy);
}

/* Shares our table of descriptors, where the copy then is. */
static int ask_there(int pidfd)
{
    int *shared =
        mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        return -errno;
    struct clone_args args = {.flags = CLONE_FILES, .exit_signal = SIGCHLD};
    *shared = -ECHILD;
    int pid = sys_clone3(&args);
    if (pid == 0) {
        *shared = copy_there(pidfd);
        _exit(0);
    }
    while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
    int fd = pid < 0 ? pid : *shared;
    munmap(shared, sizeof *shared);
    return fd;
}

int donor_shared_memory(int pidfd, struct error *err)
{
    int fd = ask_there(pidfd);
    if (fd == -EXDEV)
        return error_set(err, fd, "what it has at /dev/shm is no memory to share");
    return fd < 0 ? error_set(err, fd, "cannot share its /dev/shm: %s", error_describe(fd)) : fd;
}
