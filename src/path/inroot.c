/* SPDX-License-Identifier: Apache-2.0 */
#include "path/inroot.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>

#include "base/cleanup.h"

/* The kernel's headers leave these out. */
#define CONFIGFS_MAGIC 0x62656570
#define MQUEUE_MAGIC 0x19800202

static int resolve(int dirfd, const char *path, int flags, uint64_t how_to)
{
    struct open_how how = {.flags = (uint64_t)(unsigned)(flags | O_CLOEXEC), .resolve = how_to};
    for (int tries = 0; tries < 1000; tries++) {
        int fd = (int)syscall(SYS_openat2, dirfd, path, &how, sizeof how);
        if (fd >= 0)
            return fd;
        if (errno != EAGAIN && errno != EINTR) /* EAGAIN: something was renamed under the walk */
            return -errno;
    }
    return -EAGAIN;
}

int inroot_open(int rootfd, const char *path, int flags)
{
    if (!*path)
        path = ".";
    return resolve(rootfd, path, flags, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
}

int inroot_open_beneath(int dirfd, const char *path, int flags)
{
    if (!*path)
        path = ".";
    return resolve(dirfd, path, flags,
                   RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);
}

int inroot_open_or_say(int rootfd, const char *path, int flags, struct error *err)
{
    int fd = inroot_open(rootfd, path, flags);
    if (fd < 0)
        return error_set(err, fd, "cannot open %s in the container: %s", path, error_describe(fd));
    return fd;
}

/* File systems in which reading a file does something, or may never end, or shows what only the one
 * who reads may see. */
static bool holds_plain_files(int fd)
{
    static const unsigned long others[] = {
        PROC_SUPER_MAGIC, SYSFS_MAGIC,       CGROUP_SUPER_MAGIC, CGROUP2_SUPER_MAGIC,
        DEBUGFS_MAGIC,    TRACEFS_MAGIC,     SECURITYFS_MAGIC,   SELINUX_MAGIC,
        SMACK_MAGIC,      BPF_FS_MAGIC,      PSTOREFS_MAGIC,     EFIVARFS_MAGIC,
        BINFMTFS_MAGIC,   NSFS_MAGIC,        DEVPTS_SUPER_MAGIC, RDTGROUP_SUPER_MAGIC,
        FUSE_SUPER_MAGIC, XENFS_SUPER_MAGIC, CONFIGFS_MAGIC,     MQUEUE_MAGIC,
    };
    struct statfs fs;
    if (fstatfs(fd, &fs) < 0)
        return false;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if ((unsigned long)fs.f_type == others[i])
            return false;
    return true;
}

int inroot_open_file(int rootfd, const char *path)
{
    struct stat st;
    char self[40];
    autofd found = inroot_open(rootfd, path, O_PATH);
    if (found < 0)
        return found;
    if (fstat(found, &st) < 0)
        return -errno;
    if (!S_ISREG(st.st_mode) || !holds_plain_files(found))
        return -EINVAL;
    snprintf(self, sizeof self, "/proc/self/fd/%d", found);
    /* Not waiting until somebody gives up a lease (fcntl(2), F_SETLEASE). */
    int fd = open(self, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

static int name_of(int fd, char out[INROOT_PATH_MAX])
{
    char link[40];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, out, INROOT_PATH_MAX);
    if (n < 0)
        return -errno;
    if (n == INROOT_PATH_MAX)
        return -ENAMETOOLONG;
    out[n] = '\0';
    return 0;
}

int inroot_where(int rootfd, int fd, char out[INROOT_PATH_MAX])
{
    char top[INROOT_PATH_MAX];
    int rc = name_of(rootfd, top);
    if (rc == 0)
        rc = name_of(fd, out);
    if (rc < 0)
        return rc;
    size_t n = strcmp(top, "/") == 0 ? 0 : strlen(top);
    if (strncmp(out, top, n) != 0 || (out[n] != '/' && out[n] != '\0'))
        return -EXDEV;
    n += out[n] == '/';
    memmove(out, out + n, strlen(out + n) + 1);
    return 0;
}

int inroot_clean(const char *path, const char *what, char *out, struct error *err)
{
    size_t n = 0;
    if (path[0] != '/')
        return error_set(err, -EINVAL, "%s: \"%s\" must be an absolute path", what, path);
    for (const char *part = path; *part;) {
        while (*part == '/')
            part++;
        size_t length = strcspn(part, "/");
        if (length == 0)
            break;
        if ((length == 1 && part[0] == '.') || (length == 2 && part[0] == '.' && part[1] == '.'))
            return error_set(err, -EINVAL, "%s: \"%s\" may not contain \".\" or \"..\"", what,
                             path);
        if (length > 255 || n + 1 + length >= INROOT_PATH_MAX)
            return error_set(err, -ENAMETOOLONG, "%s: the path is too long", what);
        out[n++] = '/';
        memcpy(out + n, part, length);
        n += length;
        part += length;
    }
    if (n == 0)
        out[n++] = '/';
    out[n] = '\0';
    return 0;
}
