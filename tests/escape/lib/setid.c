/* SPDX-License-Identifier: Apache-2.0 */
/*
 * setid DIRECTORY: makes a set-user-ID and a set-group-ID file there by every call that gives a
 * file its mode, those of 32-bit programs included, and gives one a capability. One line per
 * attempt, "NAME<TAB>made" or "NAME<TAB>refused ERRNO", and "plain-NAME" for the same without the
 * bit, which has to work. What was made stays, so that the host can look at it.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#define TMPFILE_ONLY 020000000 /* O_TMPFILE without O_DIRECTORY, which the kernel wants as well */
#define CHMODAT2 452           /* younger than the oldest headers */
#define X32 0x40000000L

static const char *directory;

/* A fresh file for calls that change a mode. */
static int existing(const char *path)
{
    return open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
}

static int by_chmod(const char *path, unsigned mode)
{
#ifdef SYS_chmod
    return existing(path) < 0 ? -1 : (int)syscall(SYS_chmod, path, mode);
#else
    (void)path, (void)mode, errno = ENOSYS;
    return -1;
#endif
}

static int by_fchmod(const char *path, unsigned mode)
{
    int fd = existing(path);
    return fd < 0 ? -1 : (int)syscall(SYS_fchmod, fd, mode);
}

static int by_fchmodat(const char *path, unsigned mode)
{
    return existing(path) < 0 ? -1 : (int)syscall(SYS_fchmodat, AT_FDCWD, path, mode);
}

static int by_fchmodat2(const char *path, unsigned mode)
{
    return existing(path) < 0 ? -1 : (int)syscall(CHMODAT2, AT_FDCWD, path, mode, 0);
}

/* Bits above those that the kernel looks at. */
static int by_high_bits(const char *path, unsigned mode)
{
    return existing(path) < 0
               ? -1
               : (int)syscall(SYS_fchmodat, AT_FDCWD, path, INT64_C(0x7fff00010000) | mode);
}

static int by_creat(const char *path, unsigned mode)
{
#ifdef SYS_creat
    return (int)syscall(SYS_creat, path, mode);
#else
    (void)path, (void)mode, errno = ENOSYS;
    return -1;
#endif
}

static int by_open(const char *path, unsigned mode)
{
#ifdef SYS_open
    return (int)syscall(SYS_open, path, O_WRONLY | O_CREAT | O_CLOEXEC, mode);
#else
    (void)path, (void)mode, errno = ENOSYS;
    return -1;
#endif
}

static int by_openat(const char *path, unsigned mode)
{
    return (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_CLOEXEC, mode);
}

static int named(int fd, const char *path)
{
    char self[40];
    snprintf(self, sizeof self, "/proc/self/fd/%d", fd);
    return fd < 0 ? -1 : linkat(AT_FDCWD, self, AT_FDCWD, path, AT_SYMLINK_FOLLOW);
}

static int by_tmpfile(const char *path, unsigned mode)
{
    return named((int)syscall(SYS_openat, AT_FDCWD, directory,
                              O_WRONLY | O_DIRECTORY | TMPFILE_ONLY | O_CLOEXEC, mode),
                 path);
}

static int by_open_tmpfile(const char *path, unsigned mode)
{
#ifdef SYS_open
    return named(
        (int)syscall(SYS_open, directory, O_WRONLY | O_DIRECTORY | TMPFILE_ONLY | O_CLOEXEC, mode),
        path);
#else
    (void)path, (void)mode, errno = ENOSYS;
    return -1;
#endif
}

static int by_openat2(const char *path, unsigned mode)
{
    const struct open_how how = {.flags = O_WRONLY | O_CREAT | O_CLOEXEC, .mode = mode};
    return (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof how);
}

static int by_mknod(const char *path, unsigned mode)
{
#ifdef SYS_mknod
    return (int)syscall(SYS_mknod, path, S_IFREG | mode, 0);
#else
    (void)path, (void)mode, errno = ENOSYS;
    return -1;
#endif
}

static int by_mknod_short(const char *path, unsigned mode)
{
#ifdef SYS_mknod
    return (int)syscall(SYS_mknod, path, mode, 0);
#else
    (void)path, (void)mode, errno = ENOSYS;
    return -1;
#endif
}

static int by_mknodat(const char *path, unsigned mode)
{
    return (int)syscall(SYS_mknodat, AT_FDCWD, path, S_IFREG | mode, 0);
}

#if defined(__x86_64__)
/* chmod(2) of 32-bit programs. Its pointer has 32 bits. */
static int by_i386(const char *path, unsigned mode)
{
    char *low =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
    if (low == MAP_FAILED || existing(path) < 0)
        return -1;
    snprintf(low, 4096, "%s", path);
    long rc;
    __asm__ volatile("int $0x80"
                     : "=a"(rc)
                     : "a"(15L), "b"(low), "c"((long)mode)
                     : "memory", "r8", "r9", "r10", "r11");
    errno = rc < 0 ? (int)-rc : 0;
    return rc < 0 ? -1 : 0;
}

static int by_x32(const char *path, unsigned mode)
{
    return existing(path) < 0 ? -1 : (int)syscall(X32 | SYS_chmod, path, mode);
}
#endif

/* Permitted and effective: CAP_SETUID. The kernel writes down whose root may use it. */
static int by_capability(const char *path, unsigned mode)
{
    const struct vfs_cap_data data = {
        .magic_etc = VFS_CAP_REVISION_2 | VFS_CAP_FLAGS_EFFECTIVE,
        .data = {{.permitted = 1U << CAP_SETUID}},
    };
    if (existing(path) < 0)
        return -1;
    return mode & 07000 ? setxattr(path, "security.capability", &data, sizeof data, 0) : 0;
}

static const struct way {
    const char *name;
    int (*make)(const char *path, unsigned mode);
} ways[] = {
    {"chmod", by_chmod},
    {"fchmod", by_fchmod},
    {"fchmodat", by_fchmodat},
    {"fchmodat2", by_fchmodat2},
    {"high-bits", by_high_bits},
    {"creat", by_creat},
    {"open", by_open},
    {"openat", by_openat},
    {"open-tmpfile", by_open_tmpfile},
    {"openat-tmpfile", by_tmpfile},
    {"openat2", by_openat2},
    {"mknod", by_mknod},
    {"mknod-short", by_mknod_short},
    {"mknodat", by_mknodat},
    {"capability", by_capability},
#if defined(__x86_64__)
    {"i386", by_i386},
    {"x32", by_x32},
#endif
};

/* In a child: a call of another architecture kills. */
static void attempt(const struct way *way, const char *kind, unsigned mode)
{
    char path[4096];
    int status = 0;
    snprintf(path, sizeof path, "%s/%s-%s", directory, kind, way->name);
    printf("%s-%s\t", kind, way->name);
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        if (way->make(path, mode) < 0)
            printf("refused %s\n", strerrorname_np(errno));
        else
            printf("made\n");
        fflush(stdout);
        _exit(0);
    }
    if (pid < 0 || waitpid(pid, &status, 0) < 0)
        printf("unavailable\n");
    else if (WIFSIGNALED(status))
        printf("refused SIG%s\n", sigabbrev_np(WTERMSIG(status)));
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: setid DIRECTORY\n");
        return 2;
    }
    directory = argv[1];
    umask(0);
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        attempt(&ways[i], "plain", 0755);
        attempt(&ways[i], "user", 04755);
        attempt(&ways[i], "group", 02755);
    }
    return 0;
}
