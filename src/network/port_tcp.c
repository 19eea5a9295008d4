/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections: two sockets, and what goes from one to the other. Bytes are spliced through a pipe
 * and never seen by us; a pipe is borrowed only while there is something in it, so that a silent
 * connection costs two descriptors. Who reads slowly stops the other side: nothing is read that
 * was not delivered before. The end of one direction is passed on and leaves the other open; an
 * error of one side is a reset for the other.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/epoll.h>

#include "base/cleanup.h"
#include "base/memory.h"
#include "network/port_loop.h"

#define CHUNK (64u << 10) /* what a pipe holds */
#define IDLE_PIPES 64

enum { CLIENT, INSIDE, ENDS };

struct connection;

struct end {
    struct port_watch watch;
    struct connection *connection;
    int fd;
    bool readable, writable, failed;
};

/* From one end to the other. */
struct flow {
    int pipe[2]; /* -1 while nothing is on its way */
    size_t pending;
    bool ended;  /* the source has said all */
    bool closed; /* and the destination has been told */
};

struct connection {
    struct port_dead dead; /* the first, for port_bury() */
    struct port_turn turn;
    struct port_listener *listener;
    struct end ends[ENDS];
    struct flow flows[ENDS]; /* by their source */
    bool connected, gone;
};

/* --- pipes --- */

static int idle_pipes[IDLE_PIPES][2];
static size_t idle_count;

static int borrow_pipe(struct flow *f)
{
    if (f->pipe[0] >= 0)
        return 0;
    if (idle_count > 0) {
        idle_count--;
        f->pipe[0] = idle_pipes[idle_count][0];
        f->pipe[1] = idle_pipes[idle_count][1];
        return 0;
    }
    return pipe2(f->pipe, O_CLOEXEC | O_NONBLOCK) < 0 ? -errno : 0;
}

/* Only an empty one is of use to another connection. */
static void return_pipe(struct flow *f)
{
    if (f->pipe[0] < 0)
        return;
    if (f->pending == 0 && idle_count < IDLE_PIPES) {
        idle_pipes[idle_count][0] = f->pipe[0];
        idle_pipes[idle_count++][1] = f->pipe[1];
    } else {
        close(f->pipe[0]);
        close(f->pipe[1]);
    }
    f->pipe[0] = f->pipe[1] = -1;
}

/* --- the end of a connection --- */

static void end_connection(struct port_loop *loop, struct connection *c, bool reset)
{
    const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    if (c->gone)
        return;
    c->gone = true;
    for (int i = 0; i < ENDS; i++) {
        return_pipe(&c->flows[i]);
        if (reset && c->ends[i].fd >= 0)
            (void)setsockopt(c->ends[i].fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
        if (c->ends[i].fd >= 0)
            close(take_fd(&c->ends[i].fd));
    }
    port_leave_seat(loop, c->listener);
    port_bury(loop, &c->dead);
}

/* --- what goes through it --- */

static bool try_again(void)
{
    return errno == EAGAIN || errno == EINTR;
}

/* Into the pipe. 1: something came, 0: nothing now, or -errno. */
static int take_in(struct end *from, struct flow *f)
{
    if (f->pending > 0)
        return 1;
    if (f->ended || !from->readable)
        return 0;
    int rc = borrow_pipe(f);
    if (rc < 0)
        return rc;
    ssize_t n = splice(from->fd, NULL, f->pipe[1], NULL, CHUNK, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    if (n > 0) {
        f->pending = (size_t)n;
        return 1;
    }
    if (n < 0 && !try_again())
        return -errno;
    f->ended = n == 0;
    from->readable = n == 0 || errno == EINTR;
    return_pipe(f);
    return 0;
}

/* Out of the pipe: 1: all went, 0: not all, or -errno. */
static int give_out(struct end *to, struct flow *f)
{
    while (f->pending > 0 && to->writable) {
        ssize_t n =
            splice(f->pipe[0], NULL, to->fd, NULL, f->pending, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
        if (n > 0)
            f->pending -= (size_t)n;
        else if (n < 0 && errno == EAGAIN)
            to->writable = false;
        else if (n == 0 || errno != EINTR)
            return n == 0 ? -EPIPE : -errno;
    }
    if (f->pending > 0)
        return 0;
    return_pipe(f);
    return 1;
}

/* 1: it would go on, 0: not before something happens, or -errno. */
static int pump(struct end *from, struct end *to, struct flow *f)
{
    for (int i = 0; i < PORT_TURN; i++) {
        int rc = take_in(from, f);
        if (rc > 0)
            rc = give_out(to, f);
        if (rc < 0)
            return rc;
        if (rc == 0)
            break;
    }
    if (f->ended && f->pending == 0 && !f->closed) {
        f->closed = true;
        if (shutdown(to->fd, SHUT_WR) < 0)
            return -errno;
    }
    return !f->ended && from->readable && (f->pending == 0 || to->writable);
}

static void go_on(struct port_loop *loop, struct connection *c)
{
    bool more = false, failed = false;
    if (c->gone || !c->connected)
        return;
    for (int i = 0; i < ENDS; i++) {
        int rc = pump(&c->ends[i], &c->ends[1 - i], &c->flows[i]);
        more |= rc > 0;
        failed |= rc < 0;
    }
    /* What a side sent before it failed is still delivered, as far as it can be. */
    for (int i = 0; i < ENDS; i++)
        failed |= c->ends[i].failed && c->flows[i].pending == 0 &&
                  (c->flows[i].ended || !c->ends[i].readable);
    if (failed)
        end_connection(loop, c, true);
    else if (c->flows[CLIENT].closed && c->flows[INSIDE].closed)
        end_connection(loop, c, false);
    else if (more)
        port_want_turn(loop, &c->turn);
}

static void go_on_turn(struct port_loop *loop, struct port_turn *turn)
{
    go_on(loop, (struct connection *)((char *)turn - offsetof(struct connection, turn)));
}

static int finish_connecting(const struct end *inside)
{
    int error = 0;
    socklen_t size = sizeof error;
    if (getsockopt(inside->fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
        return -errno;
    return -error;
}

static void end_ready(struct port_loop *loop, struct port_watch *w, uint32_t events)
{
    struct end *end = (struct end *)w;
    struct connection *c = end->connection;
    if (c->gone)
        return;
    end->readable |= (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
    end->writable |= (events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0;
    end->failed |= (events & EPOLLERR) != 0;
    if (!c->connected && end == &c->ends[INSIDE]) {
        int rc = finish_connecting(end);
        if (rc < 0) {
            end_connection(loop, c, true);
            return;
        }
        c->connected = (events & EPOLLOUT) != 0;
        end->readable = true;
    } else if (!c->connected && end->failed) { /* who asked is gone */
        end_connection(loop, c, true);
        return;
    }
    go_on(loop, c);
}

/* --- clients --- */

static void refuse(int client)
{
    const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    (void)setsockopt(client, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close(client);
}

static int open_end(struct port_loop *loop, struct connection *c, int which)
{
    const uint32_t events = EPOLLIN | EPOLLOUT | EPOLLRDHUP;
    struct end *end = &c->ends[which];
    end->watch.ready = end_ready;
    end->connection = c;
    return port_watch(loop, end->fd, &end->watch, events);
}

/* Takes the client over. */
static void begin(struct port_loop *loop, struct port_listener *l, int client,
                  const struct socket_address *from)
{
    int on = 1;
    int inside = port_connect(&loop->place, from, &l->socket.at.inner);
    if (inside < 0) {
        refuse(client);
        port_leave_seat(loop, l);
        return;
    }
    (void)setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct connection *c = xcalloc(1, sizeof *c);
    c->listener = l;
    c->turn.go = go_on_turn;
    c->ends[CLIENT].fd = client;
    c->ends[INSIDE].fd = inside;
    for (int i = 0; i < ENDS; i++)
        c->flows[i].pipe[0] = c->flows[i].pipe[1] = -1;
    if (open_end(loop, c, CLIENT) < 0 || open_end(loop, c, INSIDE) < 0)
        end_connection(loop, c, true);
}

/* Accepts some; waits for a seat where there is none, or no descriptor. */
static void accept_some(struct port_loop *loop, struct port_turn *turn)
{
    struct port_listener *l =
        (struct port_listener *)((char *)turn - offsetof(struct port_listener, turn));
    for (int i = 0; i < PORT_TURN; i++) {
        struct socket_address from = {.length = sizeof from.room};
        if (!port_take_seat(loop, l)) {
            l->waiting = true;
            return;
        }
        int client = accept4(l->socket.fd, &from.any, &from.length, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (client >= 0) {
            begin(loop, l, client, &from);
            continue;
        }
        int code = errno; /* before others are offered the seat */
        port_leave_seat(loop, l);
        if (code == EAGAIN)
            return;
        if (code == EMFILE || code == ENFILE || code == ENOBUFS || code == ENOMEM) {
            l->waiting = true;
            return;
        }
    }
    port_want_turn(loop, turn);
}

static void listener_ready(struct port_loop *loop, struct port_watch *w, uint32_t events)
{
    struct port_listener *l = (struct port_listener *)w;
    (void)events;
    if (!l->waiting)
        port_want_turn(loop, &l->turn);
}

int port_tcp_start(struct port_loop *loop, struct port_listener *l)
{
    int on = 1;
    l->watch.ready = listener_ready;
    l->turn.go = accept_some;
    /* Whose clients vanish is not to keep their seats for ever; what is accepted takes it over. */
    if (setsockopt(l->socket.fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on) < 0)
        return -errno;
    return port_watch(loop, l->socket.fd, &l->watch, EPOLLIN);
}
