/* SPDX-License-Identifier: Apache-2.0 */
#include "network/listen.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/memory.h"
#include "network/socket_address.h"

#define FREE_PORT_TRIES 64

void listeners_close(struct listeners *listeners)
{
    for (size_t i = 0; i < listeners->count; i++)
        close(listeners->items[i].fd);
    free(listeners->items);
    *listeners = (struct listeners){0};
}

static void drop_last(struct listeners *l)
{
    close(l->items[--l->count].fd);
}

/* A socket at p->address and p->host, where 0 becomes the port that it got. The descriptor or
 * -errno. */
static int open_at(struct published *p)
{
    struct socket_address to = socket_address_of(&p->address, p->host);
    bool stream = p->inner.protocol == IPPROTO_TCP;
    int on = 1;
    autofd fd = socket(p->address.family,
                       (stream ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    if (p->address.family == AF_INET6 &&
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) < 0)
        return -errno;
    /* Connections that have ended do not keep the port; who still listens does. */
    if (stream && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0)
        return -errno;
    if (bind(fd, &to.any, to.length) < 0 || (stream && listen(fd, SOMAXCONN) < 0))
        return -errno;
    to.length = sizeof to.room;
    if (getsockname(fd, &to.any, &to.length) < 0)
        return -errno;
    p->host = socket_address_port(&to);
    return take_fd(&fd);
}

static int add(struct listeners *l, struct published *p)
{
    int fd = open_at(p);
    if (fd < 0)
        return fd;
    l->items = xrealloc(l->items, l->count + 1, sizeof *l->items);
    l->items[l->count++] = (struct listener){.fd = fd, .at = *p};
    return 0;
}

/* On both loopback addresses, where there is IPv6. */
static int add_loopback(struct listeners *l, struct published *p)
{
    uint16_t wanted = p->host;
    for (int i = 0; i < FREE_PORT_TRIES; i++) {
        p->host = wanted;
        (void)ip_parse("127.0.0.1", &p->address);
        int rc = add(l, p);
        if (rc < 0)
            return rc;
        (void)ip_parse("::1", &p->address);
        rc = add(l, p);
        if (rc == 0 || rc == -EADDRNOTAVAIL || rc == -EAFNOSUPPORT)
            return 0;
        drop_last(l);
        if (rc != -EADDRINUSE || wanted != 0)
            return rc;
    }
    return -EADDRINUSE;
}

static int add_any(struct listeners *l, const struct port_binding *b, struct published *p)
{
    int rc = -EADDRINUSE;
    for (uint32_t port = b->first; rc == -EADDRINUSE && port <= b->last; port++) {
        *p = (struct published){.address = b->host, .host = (uint16_t)port, .inner = b->inner};
        rc = b->host.family == 0 ? add_loopback(l, p) : add(l, p);
    }
    return rc;
}

static int refuse(int rc, const struct published *p, struct error *err)
{
    char place[PORT_TEXT_MAX];
    port_place_format(&p->address, p->host, place);
    if (rc == -EADDRNOTAVAIL)
        return error_set(err, rc, "cannot bind %s: the host has no such address", place);
    if (rc == -EMFILE)
        return error_set(err, rc,
                         "cannot bind %s: too many open files; publish fewer ports, or raise the "
                         "limit (ulimit -n)",
                         place);
    return error_set(err, rc, "cannot bind %s: %s", place, error_describe(rc));
}

int listeners_open(const struct port_bindings *bindings, struct listeners *out,
                   struct published *wanted, struct error *err)
{
    struct listeners l = {0};
    for (size_t i = 0; i < bindings->count; i++) {
        int rc = add_any(&l, &bindings->items[i], wanted);
        if (rc == 0)
            continue;
        listeners_close(&l);
        return rc == -EADDRINUSE ? rc : refuse(rc, wanted, err);
    }
    *out = l;
    return 0;
}
