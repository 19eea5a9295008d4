/* SPDX-License-Identifier: Apache-2.0 */
#include "base/io.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/memory.h"

int write_all(int fd, const void *bytes, size_t length)
{
    const char *at = bytes;
    while (length > 0) {
        ssize_t n = write(fd, at, length);
        if (n < 0) {
            if (errno == EINTR)
                continue;
            return -errno;
        }
        at += n;
        length -= (size_t)n;
    }
    return 0;
}

ssize_t read_full(int fd, void *bytes, size_t length)
{
    size_t done = 0;
    while (done < length) {
        ssize_t n = read(fd, (char *)bytes + done, length - done);
        if (n < 0) {
            if (errno == EINTR)
                continue;
            return -errno;
        }
        if (n == 0)
            break;
        done += (size_t)n;
    }
    return (ssize_t)done;
}

/* `regular`: a file that gives less than was asked for has ended there. */
static int read_to_end(int fd, bool regular, size_t limit, struct buf *out)
{
    size_t start = out->len;
    for (;;) {
        char *at = buf_room(out, 16384);
        size_t room = out->cap - out->len - 1;
        ssize_t n = read(fd, at, room);
        if (n < 0) {
            if (errno == EINTR)
                continue;
            return -errno;
        }
        out->len += (size_t)n;
        out->data[out->len] = '\0';
        if (out->len - start > limit)
            return -EFBIG;
        if (n == 0 || (regular && (size_t)n < room))
            return 0;
    }
}

int read_fd(int fd, size_t limit, struct buf *out)
{
    return read_to_end(fd, false, limit, out);
}

int read_file_at(int dirfd, const char *name, size_t limit, struct buf *out, struct error *err)
{
    autofd fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return error_errno(err, "cannot open %s", name);
    struct stat st;
    if (fstat(fd, &st) < 0)
        return error_errno(err, "cannot stat %s", name);
    if (!S_ISREG(st.st_mode))
        return error_set(err, -EINVAL, "%s is not a regular file", name);
    if ((uint64_t)st.st_size > limit)
        return error_set(err, -EFBIG, "%s is larger than %zu bytes", name, limit);
    int rc = read_to_end(fd, true, limit, out);
    if (rc == -EFBIG)
        return error_set(err, rc, "%s is larger than %zu bytes", name, limit);
    if (rc < 0)
        return error_set(err, rc, "cannot read %s: %s", name, error_describe(rc));
    return 0;
}

ssize_t read_small_at(int dirfd, const char *name, char *out, size_t size)
{
    autofd fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return -errno;
    ssize_t n;
    do {
        n = read(fd, out, size);
    } while (n < 0 && errno == EINTR);
    if (n < 0)
        return -errno;
    if ((size_t)n == size)
        return -EFBIG;
    out[n] = '\0';
    return n;
}

int read_named_file(const char *path, size_t limit, struct buf *out)
{
    autofd fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    return fd < 0 ? -errno : read_fd(fd, limit, out);
}

int read_kernel_file(const char *path, size_t limit, struct buf *out, struct error *err)
{
    autofd fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return error_errno(err, "cannot open %s", path);
    int rc = read_fd(fd, limit, out);
    if (rc < 0)
        return error_set(err, rc, "cannot read %s: %s", path, error_describe(rc));
    return 0;
}

int write_kernel_file_at(int dirfd, const char *name, const char *value)
{
    autofd fd = openat(dirfd, name, O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY);
    if (fd < 0)
        return -errno;
    size_t length = strlen(value);
    ssize_t n;
    do {
        n = write(fd, value, length);
    } while (n < 0 && errno == EINTR);
    if (n < 0)
        return -errno;
    return (size_t)n == length ? 0 : -EIO;
}

int write_file_at(int dirfd, const char *name, const void *bytes, size_t length, mode_t mode,
                  enum durability durability, struct error *err)
{
    uint64_t random = 0;
    if (getrandom(&random, sizeof random, 0) != (ssize_t)sizeof random)
        return error_errno(err, "cannot get random bytes");
    autofree char *temporary = xasprintf(".%s.%016llx.tmp", name, (unsigned long long)random);
    autofd fd =
        openat(dirfd, temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
    if (fd < 0)
        return error_errno(err, "cannot write %s", name);
    int rc = write_all(fd, bytes, length);
    if (rc == 0 && durability == DURABLE && fsync(fd) < 0)
        rc = -errno;
    if (rc == 0 && renameat(dirfd, temporary, dirfd, name) < 0)
        rc = -errno;
    if (rc < 0) {
        unlinkat(dirfd, temporary, 0);
        return error_set(err, rc, "cannot write %s: %s", name, error_describe(rc));
    }
    if (durability == DURABLE) {
        autofd dir = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (dir < 0 || fsync(dir) < 0)
            return error_errno(err, "cannot write %s: fsync of its directory", name);
    }
    return 0;
}

int make_directories(const char *path, mode_t mode, struct error *err)
{
    autofree char *copy = xstrdup(path);
    for (char *at = copy + 1;; at++) {
        if (*at != '/' && *at != '\0')
            continue;
        char kept = *at;
        *at = '\0';
        if (mkdir(copy, mode) < 0 && errno != EEXIST)
            return error_errno(err, "cannot create directory %s", copy);
        if (kept == '\0')
            break;
        *at = kept;
    }
    struct stat st;
    if (stat(path, &st) < 0)
        return error_errno(err, "cannot create directory %s", path);
    if (!S_ISDIR(st.st_mode))
        return error_set(err, -ENOTDIR, "%s exists and is not a directory", path);
    return 0;
}

static int check_owner(int fd, const char *path, const char *flag, struct error *err)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return error_errno(err, "cannot stat %s", path);
    if (st.st_uid != geteuid() && st.st_uid != 0)
        return error_set(err, -EPERM, "the directory %s belongs to user %u: use another one (%s)",
                         path, st.st_uid, flag);
    if (st.st_mode & (S_IWGRP | S_IWOTH))
        return error_set(err, -EPERM, "the directory %s can be written to by others: chmod 700 it",
                         path);
    return 0;
}

int open_own_directory(const char *path, const char *flag, struct error *err)
{
    autofd fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) {
        int rc = make_directories(path, 0700, err);
        if (rc < 0)
            return rc;
        fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    }
    if (fd < 0)
        return error_errno(err, "cannot open the directory %s", path);
    int rc = check_owner(fd, path, flag, err);
    return rc < 0 ? rc : take_fd(&fd);
}

int open_directory_at(int dirfd, const char *name, struct error *err)
{
    int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return error_errno(err, "cannot open directory %s", name);
    return fd;
}

/* A chain of open directories, so that depth costs descriptors and not stack; trees deeper than
 * this are flattened by moving the deep directory up to the top first. */
#define REMOVE_DEPTH 64

static int remove_below(int topfd, int dirfd, dev_t device, unsigned depth, struct error *err)
{
    int copy = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (copy < 0)
        return error_errno(err, "cannot open a directory to remove it");
    autodir d = fdopendir(copy);
    if (!d) {
        close(copy);
        return error_errno(err, "cannot read a directory to remove it");
    }
    struct dirent *entry;
    while ((errno = 0, entry = readdir(d))) {
        const char *name = entry->d_name;
        if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
            continue;
        if (unlinkat(dirfd, name, 0) == 0 || errno == ENOENT)
            continue;
        if (errno != EISDIR && errno != EPERM)
            return error_errno(err, "cannot remove %s", name);
        if (unlinkat(dirfd, name, AT_REMOVEDIR) == 0)
            continue;
        if (errno != ENOTEMPTY && errno != EEXIST && errno != EACCES)
            return error_errno(err, "cannot remove %s", name);
        if (depth >= REMOVE_DEPTH) {
            uint64_t random = 0;
            if (getrandom(&random, sizeof random, 0) < 0)
                return error_errno(err, "cannot get random bytes");
            char flat[32];
            snprintf(flat, sizeof flat, ".deep.%016llx", (unsigned long long)random);
            if (renameat(dirfd, name, topfd, flat) < 0)
                return error_errno(err, "cannot remove %s", name);
            continue;
        }
        autofd child = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (child < 0 && errno == EACCES && fchmodat(dirfd, name, 0700, 0) == 0)
            child = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (child < 0)
            return error_errno(err, "cannot open %s to remove it", name);
        struct stat st;
        if (fstat(child, &st) < 0)
            return error_errno(err, "cannot stat %s", name);
        if (st.st_dev != device)
            return error_set(err, -EXDEV, "cannot remove %s: another file system is mounted there",
                             name);
        int rc = remove_below(topfd, child, device, depth + 1, err);
        if (rc < 0)
            return rc;
        if (unlinkat(dirfd, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
            return error_errno(err, "cannot remove %s", name);
    }
    if (errno)
        return error_errno(err, "cannot read a directory to remove it");
    return 0;
}

int remove_tree_at(int dirfd, const char *name, struct error *err)
{
    if (unlinkat(dirfd, name, 0) == 0 || errno == ENOENT)
        return 0;
    if (errno != EISDIR && errno != EPERM)
        return error_errno(err, "cannot remove %s", name);
    autofd fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return error_errno(err, "cannot open %s to remove it", name);
    struct stat st;
    if (fstat(fd, &st) < 0)
        return error_errno(err, "cannot stat %s", name);
    /* Flattened directories appear in the top while it is read: go round until it is empty. */
    for (unsigned round = 0;; round++) {
        int rc = remove_below(fd, fd, st.st_dev, 0, err);
        if (rc < 0)
            return error_prefix(err, "%s", name);
        if (unlinkat(dirfd, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
            return 0;
        if (errno != ENOTEMPTY || round > 100000)
            return error_errno(err, "cannot remove %s", name);
    }
}

int lock_fd(int fd, int kind)
{
    while (flock(fd, kind) < 0)
        if (errno != EINTR)
            return -errno;
    return 0;
}

#define FDS_MAX 250 /* below the kernel's SCM_MAX_FD, unix(7) */

int send_fds(int socket, const void *bytes, size_t length, const int *fds, size_t count)
{
    if (count > FDS_MAX)
        return -E2BIG;
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(FDS_MAX * sizeof(int))];
    } control;
    struct iovec iov = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = length};
    struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};
    if (count > 0) {
        memset(&control, 0, sizeof control);
        message.msg_control = control.space;
        message.msg_controllen = CMSG_SPACE(count * sizeof(int));
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(count * sizeof(int));
        memcpy(CMSG_DATA(header), fds, count * sizeof(int));
    }
    ssize_t n;
    do {
        n = sendmsg(socket, &message, MSG_NOSIGNAL);
    } while (n < 0 && errno == EINTR);
    if (n < 0)
        return -errno;
    return (size_t)n == length ? 0 : -EIO;
}

ssize_t receive_fds(int socket, void *bytes, size_t length, int *fds, size_t capacity,
                    size_t *count)
{
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(FDS_MAX * sizeof(int))];
    } control;
    struct iovec iov = {.iov_base = bytes, .iov_len = length};
    struct msghdr message = {
        .msg_iov = &iov,
        .msg_iovlen = 1,
        .msg_control = control.space,
        .msg_controllen = sizeof control.space,
    };
    ssize_t n;
    do {
        n = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
    } while (n < 0 && errno == EINTR);
    if (n < 0)
        return -errno;
    *count = 0;
    int rc = message.msg_flags & MSG_CTRUNC ? -EMSGSIZE : 0;
    for (struct cmsghdr *h = CMSG_FIRSTHDR(&message); h; h = CMSG_NXTHDR(&message, h)) {
        if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS)
            continue;
        size_t got = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < got; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(h) + i * sizeof(int), sizeof fd);
            if (rc == 0 && *count < capacity) {
                fds[(*count)++] = fd;
            } else {
                close(fd);
                rc = -EMSGSIZE;
            }
        }
    }
    if (rc < 0) {
        for (size_t i = 0; i < *count; i++)
            close(fds[i]);
        *count = 0;
        return rc;
    }
    return n;
}

int reserve_standard_fds(struct error *err)
{
    for (int fd = 0; fd <= 2; fd++) {
        if (fcntl(fd, F_GETFD) >= 0)
            continue;
        int null =
            open("/dev/null", fd == 0 ? O_RDONLY : O_WRONLY); /* the lowest free: fd itself */
        if (null != fd)
            return error_set(err, -EBADF,
                             "cannot open /dev/null in the place of closed descriptor %d", fd);
    }
    return 0;
}
