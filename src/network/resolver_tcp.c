/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Clients that ask by TCP (RFC 7766): some connections in all and some for each sender, one
 * question of each at a time. A connection that asks nothing whole for a while is closed, whatever
 * trickles in meanwhile.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/cleanup.h"
#include "base/memory.h"
#include "network/resolver_internal.h"

#define CONNECTIONS 64
#define CONNECTIONS_EACH 8
#define IDLE_NS (10 * NSEC_PER_SEC)
#define QUESTION_MAX 1024
#define QUESTIONS_AT_ONCE 32
#define ACCEPTS_AT_ONCE 16

struct connection {
    int fd; /* 0: none, which is nobody's here */
    uint32_t turn;
    int listener;
    struct ip_address source;
    bool asked;      /* an answer is to come */
    bool over;       /* its other side sends no more */
    uint32_t events; /* that are watched for */
    uint8_t in[2 + QUESTION_MAX];
    size_t have;
    uint8_t *out; /* owned; NULL: nothing is to be sent */
    size_t size, sent;
    nanoseconds deadline;
};

static struct connection connections[CONNECTIONS];

static void end(struct connection *c)
{
    close(c->fd);
    free(c->out);
    *c = (struct connection){.turn = c->turn + 1};
}

static size_t count_of(const struct ip_address *source)
{
    size_t count = 0;
    for (size_t i = 0; i < CONNECTIONS; i++)
        count += connections[i].fd != 0 && ip_equal(&connections[i].source, source);
    return count;
}

/* When all are taken, one of who has most gives way, unless that is who comes now. */
static struct connection *find_place(const struct ip_address *source)
{
    struct connection *greediest = NULL;
    size_t own = count_of(source), most = own + 1;
    if (own >= CONNECTIONS_EACH)
        return NULL;
    for (size_t i = 0; i < CONNECTIONS; i++) {
        if (connections[i].fd == 0)
            return &connections[i];
        size_t count = count_of(&connections[i].source);
        if (count > most) {
            most = count;
            greediest = &connections[i];
        }
    }
    if (greediest)
        end(greediest);
    return greediest;
}

static void accept_one(int fd, int listener, const union address *from)
{
    struct ip_address source = resolver_address(from);
    struct connection *c = find_place(&source);
    if (!c) {
        close(fd);
        return;
    }
    *c = (struct connection){.fd = fd,
                             .turn = c->turn,
                             .listener = listener,
                             .source = source,
                             .events = EPOLLIN,
                             .deadline = resolver.now + IDLE_NS};
    if (resolver_watch(EVENT_CONNECTION, (uint32_t)(c - connections), fd, EPOLLIN) < 0)
        end(c);
}

void tcp_accept(int listener)
{
    for (unsigned i = 0; i < ACCEPTS_AT_ONCE; i++) {
        union address from;
        socklen_t size = sizeof from;
        int fd = accept4(listener, &from.any, &size, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0)
            return;
        accept_one(fd, listener, &from);
    }
}

/* What is waited for: room to write, or more of a question when there is room for it. */
static void watch(struct connection *c)
{
    bool hears = !c->out && !c->over && c->have < sizeof c->in;
    struct epoll_event event = {.events = c->out  ? EPOLLOUT
                                          : hears ? EPOLLIN
                                                  : 0U,
                                .data.u64 =
                                    (uint64_t)EVENT_CONNECTION << 32 | (uint32_t)(c - connections)};
    if (event.events != c->events)
        (void)epoll_ctl(resolver.epoll, EPOLL_CTL_MOD, c->fd, &event);
    c->events = event.events;
}

static void send_on(struct connection *c)
{
    ssize_t n = send(c->fd, c->out + c->sent, c->size - c->sent, MSG_NOSIGNAL);
    if (n < 0 && errno != EAGAIN && errno != EINTR) {
        end(c);
        return;
    }
    c->sent += n > 0 ? (size_t)n : 0;
    if (c->sent == c->size) {
        free(c->out);
        c->out = NULL;
        c->deadline = resolver.now + IDLE_NS;
    }
    watch(c);
}

static struct connection *connection_of(const struct asker *asker)
{
    struct connection *c = &connections[asker->connection];
    return c->fd != 0 && c->turn == asker->turn && c->asked ? c : NULL;
}

void tcp_give(const struct asker *asker, const uint8_t *bytes, size_t size)
{
    struct connection *c = connection_of(asker);
    if (!c)
        return;
    c->asked = false;
    c->out = xmalloc(size + 2);
    c->out[0] = (uint8_t)(size >> 8);
    c->out[1] = (uint8_t)size;
    memcpy(c->out + 2, bytes, size);
    c->size = size + 2;
    c->sent = 0;
    send_on(c);
}

void tcp_give_up(const struct asker *asker)
{
    struct connection *c = connection_of(asker);
    if (c)
        end(c);
}

/* Takes the next whole question. */
static bool take_question(struct connection *c)
{
    size_t size = c->have < 2 ? 0 : (size_t)(c->in[0] << 8 | c->in[1]);
    uint8_t bytes[QUESTION_MAX];
    if (c->asked || c->out || c->have < 2)
        return false;
    if (size > QUESTION_MAX) {
        end(c);
        return false;
    }
    if (c->have < size + 2)
        return false;
    memcpy(bytes, c->in + 2, size);
    c->have -= size + 2;
    memmove(c->in, c->in + size + 2, c->have);
    c->asked = true;
    c->deadline = resolver.now + IDLE_NS;
    struct asker asker = {.source = c->source,
                          .connection = (int)(c - connections),
                          .turn = c->turn,
                          .listener = c->listener};
    resolver_take(&asker, bytes, size);
    return true;
}

void tcp_event(uint32_t number)
{
    struct connection *c = &connections[number % CONNECTIONS];
    if (c->fd == 0)
        return;
    if (c->out) {
        send_on(c);
        return;
    }
    if (c->have == sizeof c->in || c->over) {
        end(c); /* nothing is watched for then: so it is gone altogether */
        return;
    }
    ssize_t n = recv(c->fd, c->in + c->have, sizeof c->in - c->have, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n < 0) {
        end(c);
        return;
    }
    c->over = n == 0;
    c->have += (size_t)n;
    watch(c);
}

int tcp_turn(void)
{
    nanoseconds first = INT64_MAX;
    for (size_t i = 0; i < CONNECTIONS; i++) {
        struct connection *c = &connections[i];
        if (c->fd == 0)
            continue;
        for (unsigned k = 0; k < QUESTIONS_AT_ONCE && take_question(c); k++)
            ;
        if (c->fd == 0)
            continue;
        bool done = c->over && !c->asked && !c->out;
        if (done || c->deadline <= resolver.now) {
            end(c);
            continue;
        }
        if (!c->asked && !c->out)
            watch(c);
        first = c->deadline < first ? c->deadline : first;
    }
    return first == INT64_MAX ? -1 : (int)((first - resolver.now) / 1000000) + 1;
}
