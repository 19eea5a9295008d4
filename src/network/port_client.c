/* SPDX-License-Identifier: Apache-2.0 */
#include "network/port_client.h"

#include <errno.h>
#include <netinet/tcp.h>

#include "base/cleanup.h"
#include "network/link.h"
#include "network/return_path.h"

static bool nobodys_alone(const struct ip_address *a)
{
    static const struct ip_prefix shared[] = {
        {{AF_INET, {127}}, 8},          /* loopback */
        {{AF_INET, {0}}, 8},            /* this network */
        {{AF_INET, {224}}, 3},          /* groups, broadcast */
        {{AF_INET6, {0}}, 8},           /* loopback, unspecified, IPv4 in disguise */
        {{AF_INET6, {0xfe, 0x80}}, 10}, /* of one link, which is none of the container's */
        {{AF_INET6, {0xff}}, 8},        /* groups */
    };
    for (size_t i = 0; i < sizeof shared / sizeof *shared; i++)
        if (shared[i].address.family == a->family && ip_within(&shared[i], a))
            return true;
    return false;
}

/* Where a client of ours is to come from; port 0: any. The family is that in which the container is
 * reached. */
static struct socket_address appearance(const struct port_place *place,
                                        const struct socket_address *client)
{
    struct ip_address a = socket_address_ip(client);
    bool same = place->own[a.family == AF_INET6].family != 0;
    if (same && !nobodys_alone(&a) && !link_is_own(place->outside, &a) &&
        !(place->apart ? link_is_near : link_is_own)(place->inside, &a))
        return socket_address_of(&a, socket_address_port(client));
    return socket_address_of(&place->gateway[place->own[0].family == 0], 0);
}

static int make_socket(const struct port *to, int family)
{
    static const char loopback[] = "lo";
    int kind = to->protocol == IPPROTO_TCP ? SOCK_STREAM : SOCK_DGRAM, on = 1, mark = RETURN_MARK;
    autofd fd = socket(family, kind | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int transparent = family == AF_INET
                          ? setsockopt(fd, IPPROTO_IP, IP_TRANSPARENT, &on, sizeof on)
                          : setsockopt(fd, IPPROTO_IPV6, IPV6_TRANSPARENT, &on, sizeof on);
    if (fd < 0 || transparent < 0 || setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof mark) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0)
        return -errno;
    /* Whatever the container does to its addresses, nothing of this ever leaves it; and the kernel
     * gives ports of ended connections again sooner there. */
    if (setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, loopback, sizeof loopback) < 0)
        return -errno;
    /* Of connections only all four numbers have to be new. */
    if (kind == SOCK_STREAM &&
        (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) < 0 ||
         setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on) < 0))
        return -errno;
    return take_fd(&fd);
}

static int connect_from(const struct port_place *place, const struct socket_address *from,
                        const struct port *to)
{
    int family = from->any.sa_family;
    struct socket_address there = socket_address_of(&place->own[family == AF_INET6], to->number);
    autofd fd = make_socket(to, family);
    if (fd < 0)
        return fd;
    if (bind(fd, &from->any, from->length) < 0 ||
        (connect(fd, &there.any, there.length) < 0 && errno != EINPROGRESS))
        return -errno;
    return take_fd(&fd);
}

int port_connect(const struct port_place *place, const struct socket_address *client,
                 const struct port *to)
{
    struct socket_address from = appearance(place, client);
    int fd = connect_from(place, &from, to);
    /* Its own port may be taken, by an older connection of the same client to another of the
     * container's ports, or not be ours to take. */
    if ((fd == -EADDRINUSE || fd == -EADDRNOTAVAIL || fd == -EACCES) &&
        socket_address_port(&from) != 0) {
        struct ip_address a = socket_address_ip(&from);
        from = socket_address_of(&a, 0);
        fd = connect_from(place, &from, to);
    }
    return fd;
}
