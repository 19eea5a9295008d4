/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Datagrams: each client of a port has a socket inside the container for as long as it is heard of,
 * and what comes back by that goes to the client from the address that it wrote to. A client that
 * was silent for long is forgotten; when seats are short the one of the same port that was silent
 * longest is, so that a flood with many addresses only ever pushes out clients of its own port.
 */
#include <errno.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/uio.h>

#include "base/cleanup.h"
#include "base/memory.h"
#include "network/port_loop.h"

#define BUCKETS 256
#define SILENCE_MAX (90 * NSEC_PER_SEC)
#define DATAGRAMS (8 * PORT_TURN)

struct client {
    struct port_dead dead; /* the first, for port_bury() */
    struct port_watch watch;
    struct port_turn turn;
    struct port_listener *listener;
    struct socket_address from;
    struct ip_address to; /* ours, that it wrote to; family 0: that of the socket */
    uint64_t hash;
    struct client *next_in_bucket;
    struct client *older, *newer; /* by when they were last heard of */
    nanoseconds heard;
    int fd; /* inside; -1 when it is gone */
};

struct clients {
    struct client *buckets[BUCKETS];
    struct client *oldest, *newest;
};

static char datagram[64 << 10];
static uint64_t hash_start;

/* --- the table --- */

/* FNV-1a from a start that no client knows; how many can be in one bucket is bounded by seats. */
static uint64_t hash_of(const struct socket_address *from, const struct ip_address *to)
{
    uint64_t hash = hash_start;
    const unsigned char *parts[] = {(const unsigned char *)&from->any, to->bytes};
    const size_t sizes[] = {from->length, sizeof to->bytes};
    for (size_t p = 0; p < 2; p++)
        for (size_t i = 0; i < sizes[p]; i++)
            hash = (hash ^ parts[p][i]) * 0x100000001b3u;
    return hash;
}

static bool is_from(const struct client *c, uint64_t hash, const struct socket_address *from,
                    const struct ip_address *to)
{
    return c->hash == hash && c->from.length == from->length &&
           memcmp(&c->from.any, &from->any, from->length) == 0 && c->to.family == to->family &&
           memcmp(c->to.bytes, to->bytes, sizeof to->bytes) == 0;
}

static void take_out_of_row(struct clients *all, struct client *c)
{
    *(c->older ? &c->older->newer : &all->oldest) = c->newer;
    *(c->newer ? &c->newer->older : &all->newest) = c->older;
}

static void put_last_in_row(struct clients *all, struct client *c)
{
    c->newer = NULL;
    c->older = all->newest;
    *(all->newest ? &all->newest->newer : &all->oldest) = c;
    all->newest = c;
}

static void hear_of(struct port_loop *loop, struct client *c)
{
    struct clients *all = c->listener->clients;
    c->heard = loop->now;
    take_out_of_row(all, c);
    put_last_in_row(all, c);
}

static void forget(struct port_loop *loop, struct client *c)
{
    struct clients *all = c->listener->clients;
    struct client **at = &all->buckets[c->hash % BUCKETS];
    while (*at != c)
        at = &(*at)->next_in_bucket;
    *at = c->next_in_bucket;
    take_out_of_row(all, c);
    close(take_fd(&c->fd));
    port_leave_seat(loop, c->listener);
    port_bury(loop, &c->dead);
}

int port_udp_expire(struct port_loop *loop)
{
    nanoseconds soonest = INT64_MAX;
    for (size_t i = 0; i < loop->listener_count; i++) {
        struct clients *all = loop->listeners[i].clients;
        while (all && all->oldest && loop->now - all->oldest->heard >= SILENCE_MAX)
            forget(loop, all->oldest);
        if (all && all->oldest && all->oldest->heard + SILENCE_MAX < soonest)
            soonest = all->oldest->heard + SILENCE_MAX;
    }
    return soonest == INT64_MAX ? -1 : (int)((soonest - loop->now) / 1000000) + 1;
}

/* --- answers --- */

/* So that the answer comes from where the question went to: only sockets of all addresses are told
 * which that was. */
static void say_source(struct msghdr *m, const struct ip_address *source)
{
    struct cmsghdr *c = CMSG_FIRSTHDR(m);
    if (source->family == AF_INET) {
        struct in_pktinfo info = {0};
        memcpy(&info.ipi_spec_dst, source->bytes, 4);
        *c = (struct cmsghdr){CMSG_LEN(sizeof info), IPPROTO_IP, IP_PKTINFO};
        memcpy(CMSG_DATA(c), &info, sizeof info);
        m->msg_controllen = CMSG_SPACE(sizeof info);
    } else {
        struct in6_pktinfo info = {0};
        memcpy(&info.ipi6_addr, source->bytes, 16);
        *c = (struct cmsghdr){CMSG_LEN(sizeof info), IPPROTO_IPV6, IPV6_PKTINFO};
        memcpy(CMSG_DATA(c), &info, sizeof info);
        m->msg_controllen = CMSG_SPACE(sizeof info);
    }
}

union control {
    struct cmsghdr align;
    char room[CMSG_SPACE(sizeof(struct in6_pktinfo)) + CMSG_SPACE(sizeof(struct in_pktinfo))];
};

static void answer(const struct client *c, size_t length)
{
    union control control = {0};
    struct socket_address to = c->from;
    struct iovec part = {datagram, length};
    struct msghdr m = {.msg_name = &to.any,
                       .msg_namelen = to.length,
                       .msg_iov = &part,
                       .msg_iovlen = 1,
                       .msg_control = control.room,
                       .msg_controllen = sizeof control.room};
    if (c->to.family != 0) {
        say_source(&m, &c->to);
    } else {
        m.msg_control = NULL;
        m.msg_controllen = 0;
    }
    (void)sendmsg(c->listener->socket.fd, &m, 0); /* datagrams may get lost */
}

static void answer_some(struct port_loop *loop, struct port_turn *turn)
{
    struct client *c = (struct client *)((char *)turn - offsetof(struct client, turn));
    for (int i = 0; c->fd >= 0 && i < DATAGRAMS; i++) {
        ssize_t n = recv(c->fd, datagram, sizeof datagram, 0);
        if (n < 0 && errno == EAGAIN)
            return;
        if (n < 0) /* nobody listens there (ICMP), which is said once */
            continue;
        hear_of(loop, c);
        answer(c, (size_t)n);
    }
    if (c->fd >= 0)
        port_want_turn(loop, turn);
}

static void client_ready(struct port_loop *loop, struct port_watch *w, uint32_t events)
{
    struct client *c = (struct client *)((char *)w - offsetof(struct client, watch));
    (void)events;
    if (c->fd >= 0)
        port_want_turn(loop, &c->turn);
}

/* --- questions --- */

static struct client *find(const struct port_listener *l, uint64_t hash,
                           const struct socket_address *from, const struct ip_address *to)
{
    const struct clients *all = l->clients;
    struct client *c = all->buckets[hash % BUCKETS];
    while (c && !is_from(c, hash, from, to))
        c = c->next_in_bucket;
    return c;
}

static bool find_seat(struct port_loop *loop, struct port_listener *l)
{
    struct clients *all = l->clients;
    if (port_take_seat(loop, l))
        return true;
    if (!all->oldest)
        return false;
    forget(loop, all->oldest);
    return port_take_seat(loop, l);
}

static struct client *welcome(struct port_loop *loop, struct port_listener *l,
                              const struct socket_address *from, const struct ip_address *to)
{
    struct clients *all = l->clients;
    if (!find_seat(loop, l))
        return NULL;
    int fd = port_connect(&loop->place, from, &l->socket.at.inner);
    struct client *c = xcalloc(1, sizeof *c);
    c->watch.ready = client_ready;
    c->turn.go = answer_some;
    if (fd < 0 || port_watch(loop, fd, &c->watch, EPOLLIN) < 0) {
        if (fd >= 0)
            close(fd);
        free(c);
        port_leave_seat(loop, l);
        return NULL;
    }
    c->listener = l;
    c->from = *from;
    c->to = *to;
    c->fd = fd;
    c->heard = loop->now;
    c->hash = hash_of(from, to);
    c->next_in_bucket = all->buckets[c->hash % BUCKETS];
    all->buckets[c->hash % BUCKETS] = c;
    put_last_in_row(all, c);
    return c;
}

/* Which of our addresses it was sent to, where the socket has all of them. */
static struct ip_address sent_to(struct msghdr *m)
{
    struct ip_address to = {0};
    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
        struct in_pktinfo four;
        struct in6_pktinfo six;
        if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO &&
            c->cmsg_len >= CMSG_LEN(sizeof four)) {
            memcpy(&four, CMSG_DATA(c), sizeof four);
            to.family = AF_INET;
            memcpy(to.bytes, &four.ipi_spec_dst, 4);
        } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO &&
                   c->cmsg_len >= CMSG_LEN(sizeof six)) {
            memcpy(&six, CMSG_DATA(c), sizeof six);
            to.family = IN6_IS_ADDR_MULTICAST(&six.ipi6_addr) ? 0 : AF_INET6;
            if (to.family != 0)
                memcpy(to.bytes, &six.ipi6_addr, 16);
        }
    }
    return to;
}

/* false: there is no more. */
static bool pass_one(struct port_loop *loop, struct port_listener *l)
{
    union control control = {0};
    struct socket_address from = {.length = 0};
    struct iovec part = {datagram, sizeof datagram};
    struct msghdr m = {.msg_name = &from.any,
                       .msg_namelen = sizeof from.room,
                       .msg_iov = &part,
                       .msg_iovlen = 1,
                       .msg_control = control.room,
                       .msg_controllen = sizeof control.room};
    ssize_t n = recvmsg(l->socket.fd, &m, 0);
    if (n < 0)
        return errno != EAGAIN;
    from.length = m.msg_namelen;
    struct ip_address to = sent_to(&m);
    struct client *c = find(l, hash_of(&from, &to), &from, &to);
    if (!c)
        c = welcome(loop, l, &from, &to);
    else
        hear_of(loop, c);
    if (c)
        (void)send(c->fd, datagram, (size_t)n, 0);
    return true;
}

static void pass_some(struct port_loop *loop, struct port_turn *turn)
{
    struct port_listener *l =
        (struct port_listener *)((char *)turn - offsetof(struct port_listener, turn));
    for (int i = 0; i < DATAGRAMS; i++)
        if (!pass_one(loop, l))
            return;
    port_want_turn(loop, turn);
}

static void listener_ready(struct port_loop *loop, struct port_watch *w, uint32_t events)
{
    (void)events;
    port_want_turn(loop, &((struct port_listener *)w)->turn);
}

int port_udp_start(struct port_loop *loop, struct port_listener *l)
{
    int on = 1;
    const struct ip_address *a = &l->socket.at.address;
    static const struct ip_address none;
    bool any = memcmp(a->bytes, none.bytes, sizeof none.bytes) == 0;
    int rc = 0;
    if (any && a->family == AF_INET)
        rc = setsockopt(l->socket.fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof on);
    else if (any)
        rc = setsockopt(l->socket.fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof on);
    if (rc < 0)
        return -errno;
    if (hash_start == 0 &&
        getrandom(&hash_start, sizeof hash_start, 0) != (ssize_t)sizeof hash_start)
        return -errno;
    l->clients = xcalloc(1, sizeof(struct clients));
    l->watch.ready = listener_ready;
    l->turn.go = pass_some;
    return port_watch(loop, l->socket.fd, &l->watch, EPOLLIN);
}
