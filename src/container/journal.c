/* SPDX-License-Identifier: Apache-2.0 */
#include "container/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"

#define PATIENCE NSEC_PER_SEC
#define PARTS 9
#define ALL_SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

int journal_connect(void)
{
    static const struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = JOURNAL_SOCKET};
    /* A send that waits comes back in time. */
    static const struct timeval patience = {.tv_sec = PATIENCE / NSEC_PER_SEC};
    autofd fd = (int)syscall(SYS_socket, AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 ||
        syscall(SYS_setsockopt, fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) < 0 ||
        syscall(SYS_connect, fd, &address, sizeof address) < 0)
        return -errno;
    return take_fd(&fd);
}

int journal_start(struct journal *journal, int fields)
{
    journal->socket = -1;
    journal->stalled = false;
    journal->stamp_time = -1;
    ssize_t n = pread(fields, journal->fields, sizeof journal->fields, 0);
    if (n < 0)
        return -errno;
    journal->fields_length = (size_t)n;
    /* Where it is not there now, it may be when there is something to say. */
    int socket = journal_connect();
    if (socket >= 0)
        journal->socket = socket;
    return 0;
}

void journal_turn(struct journal *journal)
{
    journal->patience = journal->stalled ? 0 : PATIENCE;
}

void journal_close(struct journal *journal)
{
    if (journal->socket >= 0)
        close(take_fd(&journal->socket));
}

static int send_parts(int socket, struct iovec *parts, size_t count, int flags)
{
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = count};
    return syscall(SYS_sendmsg, socket, &message, flags | MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* A message of nothing but a file. */
static int send_file(int socket, int fd, int flags)
{
    union {
        struct cmsghdr head;
        char space[CMSG_SPACE(sizeof(int))];
    } control;
    struct msghdr message = {.msg_control = &control, .msg_controllen = sizeof control};
    memset(&control, 0, sizeof control);
    control.head.cmsg_level = SOL_SOCKET;
    control.head.cmsg_type = SCM_RIGHTS;
    control.head.cmsg_len = CMSG_LEN(sizeof fd);
    memcpy(CMSG_DATA(&control.head), &fd, sizeof fd);
    return syscall(SYS_sendmsg, socket, &message, flags | MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* The journal reads it only when nobody can change it any more. */
static int send_long(int socket, struct iovec *parts, size_t count, int flags)
{
    size_t length = 0;
    for (size_t i = 0; i < count; i++)
        length += parts[i].iov_len;
    autofd fd = (int)syscall(SYS_memfd_create, "caisson-message", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return -errno;
    ssize_t n = syscall(SYS_writev, fd, parts, count);
    if (n != (ssize_t)length)
        return n < 0 ? -errno : -ENOSPC;
    if (fcntl(fd, F_ADD_SEALS, ALL_SEALS) < 0)
        return -errno;
    return send_file(socket, fd, flags);
}

static int send_once(struct journal *journal, struct iovec *parts, size_t count, int flags)
{
    if (journal->socket < 0) {
        int socket = journal_connect();
        if (socket < 0)
            return socket;
        journal->socket = socket;
    }
    int rc = send_parts(journal->socket, parts, count, flags);
    if (rc == -EMSGSIZE || rc == -ENOBUFS)
        rc = send_long(journal->socket, parts, count, flags);
    return rc;
}

/* Its socket was taken down, or whoever listened is another by now. */
static bool is_gone(int rc)
{
    return rc == -ECONNREFUSED || rc == -ENOTCONN || rc == -ECONNRESET || rc == -EPIPE;
}

static int deliver(struct journal *journal, struct iovec *parts, size_t count)
{
    int rc = send_once(journal, parts, count, MSG_DONTWAIT);
    if (is_gone(rc)) {
        journal_close(journal);
        rc = send_once(journal, parts, count, MSG_DONTWAIT);
    }
    if (rc == 0)
        journal->stalled = false;
    if (rc != -EAGAIN || journal->patience <= 0)
        return rc;
    nanoseconds before = clock_monotonic();
    rc = send_once(journal, parts, count, 0);
    journal->patience -= clock_monotonic() - before;
    if (rc == -EAGAIN) {
        journal->stalled = true;
        journal->patience = 0;
    }
    return rc;
}

/* What follows the name of a field whose value is told by its length. */
static void set_length(unsigned char out[8], uint64_t length)
{
    for (int i = 0; i < 8; i++)
        out[i] = (unsigned char)(length >> 8 * i);
}

#define TEXT(text)                                                                                 \
    (struct iovec)                                                                                 \
    {                                                                                              \
        .iov_base = (void *)(uintptr_t)(text), .iov_len = sizeof(text) - 1                         \
    }

int journal_send(struct journal *journal, bool is_stderr, const char *bytes, size_t length,
                 nanoseconds now)
{
    unsigned char size[8];
    bool whole = length > 0 && bytes[length - 1] == '\n';
    struct iovec parts[PARTS] = {
        {.iov_base = journal->fields, .iov_len = journal->fields_length},
        is_stderr ? TEXT(JOURNAL_PRIORITY "=" JOURNAL_PRIORITY_ERR "\n" JOURNAL_TIME "=")
                  : TEXT(JOURNAL_PRIORITY "=" JOURNAL_PRIORITY_OUT "\n" JOURNAL_TIME "="),
    };
    size_t count = 2;
    if (journal->stamp_time != now)
        format_rfc3339(now, journal->stamp);
    journal->stamp_time = now;
    set_length(size, whole ? length - 1 : length);
    parts[count++] = (struct iovec){.iov_base = journal->stamp, .iov_len = strlen(journal->stamp)};
    parts[count++] = TEXT("\n");
    if (!whole)
        parts[count++] = TEXT(JOURNAL_PARTIAL "=true\n");
    parts[count++] = TEXT(JOURNAL_MESSAGE "\n");
    parts[count++] = (struct iovec){.iov_base = size, .iov_len = sizeof size};
    parts[count++] = (struct iovec){.iov_base = (void *)(uintptr_t)bytes,
                                    .iov_len = whole ? length - 1 : length};
    parts[count++] = TEXT("\n");
    return deliver(journal, parts, count);
}
