/* SPDX-License-Identifier: Apache-2.0 */
/*
 * caisson-port: one for each container that publishes ports, from its start to its end.
 *
 * It inherits the host's listening sockets and stands with one foot in the container's network:
 * what a client sends it passes on by a socket there that bears the client's own address
 * (network/port_client.h), and back. It owns nothing else and writes nothing: killed, it leaves the
 * container without its ports until that is started again.
 *
 * Guards against: bytes of clients and of the container (never looked at), readers that are slow
 * (network/port_tcp.c), floods (network/port_loop.h), its own mistakes (network/port_confine.h).
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/memory.h"
#include "base/process.h"
#include "network/netlink.h"
#include "network/port_confine.h"
#include "network/port_line.h"
#include "network/port_loop.h"
#include "network/return_path.h"

#define EXIT_USAGE 125
#define SEATS_MAX 32768
#define SEAT_DESCRIPTORS 6 /* two sockets, two pipes */
#define OWN_DESCRIPTORS 160

static void end_with(struct port_loop *loop, struct port_watch *w, uint32_t events)
{
    (void)w;
    (void)events;
    loop->over = true;
}

static struct port_watch container_end = {end_with};

/* As many descriptors as we may have; the rest follows from that. */
static size_t count_seats(size_t listeners)
{
    struct rlimit limit = {.rlim_cur = 1024, .rlim_max = 1024};
    (void)getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
    size_t held = OWN_DESCRIPTORS + listeners;
    if (limit.rlim_cur <= held + SEAT_DESCRIPTORS)
        return 1;
    rlim_t seats = (limit.rlim_cur - held) / SEAT_DESCRIPTORS;
    return seats < SEATS_MAX ? (size_t)seats : SEATS_MAX;
}

static int watch_all(const struct port_line *line, struct port_loop *loop, struct error *err)
{
    loop->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (loop->epoll < 0)
        return error_errno(err, "cannot watch sockets");
    int rc = port_watch(loop, line->pid, &container_end, EPOLLIN);
    for (size_t i = 0; rc == 0 && i < line->listeners.count; i++) {
        struct port_listener *l = &loop->listeners[i];
        l->socket = line->listeners.items[i];
        rc = l->socket.at.inner.protocol == IPPROTO_UDP ? port_udp_start(loop, l)
                                                        : port_tcp_start(loop, l);
    }
    return rc < 0 ? error_set(err, rc, "cannot watch sockets: %s", error_describe(rc)) : 0;
}

static int prepare(const struct port_line *line, struct port_loop *loop, struct error *err)
{
    *loop = (struct port_loop){
        .place = {.apart = line->apart, .outside = netlink_open(NETLINK_ROUTE, err)},
        .listener_count = line->listeners.count,
        .seats = count_seats(line->listeners.count),
        .last = &loop->first,
        .now = clock_monotonic()};
    loop->listeners = xcalloc(loop->listener_count, sizeof *loop->listeners);
    memcpy(loop->place.own, line->own, sizeof line->own);
    memcpy(loop->place.gateway, line->gateway, sizeof line->gateway);
    if (loop->place.outside < 0)
        return loop->place.outside;
    int rc = port_join(line->network, err);
    if (rc == 0)
        rc = return_path_make(line->own, &line->listeners, err);
    if (rc == 0)
        rc = loop->place.inside = netlink_open(NETLINK_ROUTE, err);
    close(line->network);
    if (rc >= 0)
        rc = watch_all(line, loop, err);
    return rc < 0 ? rc : port_confine(loop, err);
}

/* Away from who started us: whatever happens to that does not concern the container. */
static void become_quiet(void)
{
    signal(SIGPIPE, SIG_IGN);
    (void)setsid();
    umask(077);
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    (void)!chdir("/");
}

static int serve(const struct port_line *line)
{
    struct port_loop loop;
    struct error err = {0};
    autobuf words = {0};
    pid_t pid = getpid();
    become_quiet();
    int rc = prepare(line, &loop, &err);
    if (rc < 0)
        buf_str(&words, err.text);
    else
        buf_fmt(&words, "ready %d", (int)pid);
    (void)write_all(line->said, buf_text(&words), words.len);
    close(line->said);
    if (rc < 0)
        return EXIT_USAGE;
    port_loop_run(&loop);
    return 0;
}

int main(int argc, char **argv)
{
    struct port_line line;
    (void)argc;
    if (port_line_read(argv, &line) < 0)
        return EXIT_USAGE;
    pid_t pid = fork();
    if (pid == 0)
        _exit(serve(&line));
    return pid < 0 ? EXIT_USAGE : 0;
}
