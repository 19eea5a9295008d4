/* SPDX-License-Identifier: Apache-2.0 */
#include "container/attach_serve.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"

#define PATIENCE (ATTACH_PATIENCE_SECONDS * NSEC_PER_SEC)

/* --- sockets ---------------------------------------------------------------------------------- */

static int watch(const struct attach_server *server, size_t place, bool for_room)
{
    struct epoll_event event = {.events = EPOLLIN | (for_room ? EPOLLOUT : 0),
                                .data.u32 = server->tag + 1 + (uint32_t)place};
    int fd = server->clients[place].fd;
    if (epoll_ctl(server->epoll, EPOLL_CTL_MOD, fd, &event) == 0)
        return 0;
    return epoll_ctl(server->epoll, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

/* One message without waiting, with a descriptor when it is not -1. 0 or -errno. */
static int tell(int socket, char kind, const void *bytes, size_t length, int fd)
{
    union {
        struct cmsghdr head;
        char space[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec parts[] = {{.iov_base = &kind, .iov_len = 1},
                            {.iov_base = (void *)(uintptr_t)bytes, .iov_len = length}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = length ? 2 : 1};
    if (fd >= 0) {
        memset(&control, 0, sizeof control);
        control.head.cmsg_level = SOL_SOCKET;
        control.head.cmsg_type = SCM_RIGHTS;
        control.head.cmsg_len = CMSG_LEN(sizeof fd);
        memcpy(CMSG_DATA(&control.head), &fd, sizeof fd);
        message.msg_control = &control;
        message.msg_controllen = sizeof control;
    }
    return syscall(SYS_sendmsg, socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static void forget(struct attach_server *server, size_t place)
{
    struct attach_client *client = &server->clients[place];
    if (client->owed)
        server->owed--;
    close(client->fd);
    *client = (struct attach_client){.fd = -1};
    if (server->owner == (int)place)
        server->owner = -1;
}

static int say_hello(const struct attach_server *server, int socket)
{
    char what = server->terminal >= 0 ? 't' : server->into >= 0 ? 'p' : '-';
    return tell(socket, ATTACH_HELLO, &what, 1,
                server->terminal >= 0 ? server->terminal : server->into);
}

/* Its place, or -errno; `socket` is taken over. */
static int admit(struct attach_server *server, int socket)
{
    autofd held = socket;
    for (size_t i = 0; i < ATTACH_CLIENTS; i++) {
        if (server->clients[i].fd >= 0)
            continue;
        int rc = say_hello(server, socket);
        if (rc < 0)
            return rc;
        server->clients[i] = (struct attach_client){.fd = socket};
        rc = watch(server, i, false);
        if (rc < 0) {
            server->clients[i].fd = -1;
            return rc;
        }
        held = -1;
        return (int)i;
    }
    (void)tell(socket, ATTACH_FULL, NULL, 0, -1);
    return -EMFILE;
}

int attach_start(struct attach_server *server, int listening, int owner)
{
    for (size_t i = 0; i < ATTACH_CLIENTS; i++)
        server->clients[i] = (struct attach_client){.fd = -1};
    server->listening = listening;
    server->owner = -1;
    if (listening >= 0) {
        struct epoll_event event = {.events = EPOLLIN, .data.u32 = server->tag};
        if (epoll_ctl(server->epoll, EPOLL_CTL_ADD, listening, &event) < 0)
            return -errno;
    }
    if (owner < 0)
        return 0;
    int place = admit(server, owner);
    server->abandoned = place < 0; /* it is gone already */
    server->owner = place < 0 ? -1 : place;
    return 0;
}

/* --- output ----------------------------------------------------------------------------------- */

/* As much of the chunk as it takes. */
static void serve(struct attach_server *server, size_t place)
{
    struct attach_client *client = &server->clients[place];
    do {
        size_t length = server->length - client->sent;
        if (length > ATTACH_MESSAGE_MAX)
            length = ATTACH_MESSAGE_MAX;
        int rc = tell(client->fd, server->kind, server->bytes + client->sent, length, -1);
        if (rc == -EAGAIN || rc == -ENOBUFS || rc == -ENOMEM || rc == -EINTR) {
            (void)watch(server, place, true);
            return;
        }
        if (rc < 0) { /* gone: its own event will say how */
            client->sent = server->length;
            break;
        }
        client->sent += length;
        client->since = clock_monotonic();
    } while (client->sent < server->length);
    client->owed = false;
    server->owed--;
    (void)watch(server, place, false);
}

void attach_send(struct attach_server *server, enum attach_kind kind, const char *bytes,
                 size_t length)
{
    server->kind = (char)kind;
    server->bytes = bytes;
    server->length = length;
    for (size_t i = 0; i < ATTACH_CLIENTS; i++) {
        struct attach_client *client = &server->clients[i];
        if (client->fd < 0)
            continue;
        client->owed = true;
        client->sent = 0;
        client->since = clock_monotonic();
        server->owed++;
        serve(server, i);
    }
}

bool attach_blocked(const struct attach_server *server)
{
    return server->owed > 0;
}

nanoseconds attach_patience(struct attach_server *server)
{
    nanoseconds next = INT64_MAX;
    if (server->owed == 0)
        return next;
    nanoseconds now = clock_monotonic();
    for (size_t i = 0; i < ATTACH_CLIENTS; i++) {
        struct attach_client *client = &server->clients[i];
        if (client->fd < 0 || !client->owed || server->owner == (int)i)
            continue;
        nanoseconds left = client->since + PATIENCE - now;
        if (left <= 0) {
            forget(server, i);
        } else if (left < next) {
            next = left;
        }
    }
    return next;
}

/* --- events ----------------------------------------------------------------------------------- */

static void receive(struct attach_server *server, size_t place)
{
    struct attach_client *client = &server->clients[place];
    char kind = 0;
    if (client->owed)
        serve(server, place);
    long n = syscall(SYS_recvfrom, client->fd, &kind, 1L, (long)MSG_DONTWAIT, NULL, NULL);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (server->owner == (int)place && !(n == 1 && kind == ATTACH_LEAVE))
        server->abandoned = true;
    forget(server, place);
}

void attach_event(struct attach_server *server, uint32_t tag)
{
    if (tag > server->tag) {
        size_t place = tag - server->tag - 1;
        if (place < ATTACH_CLIENTS && server->clients[place].fd >= 0)
            receive(server, place);
        return;
    }
    int socket = (int)syscall(SYS_accept4, server->listening, NULL, NULL,
                              (long)(SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (socket >= 0)
        (void)admit(server, socket);
}

void attach_no_way_in(struct attach_server *server)
{
    server->terminal = server->into = -1;
}
