/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses with ports as sockets want them. */
#ifndef CAISSON_NETWORK_SOCKET_ADDRESS_H
#define CAISSON_NETWORK_SOCKET_ADDRESS_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "network/address.h"

struct socket_address {
    union {
        struct sockaddr any;
        struct sockaddr_in four;
        struct sockaddr_in6 six;
        struct sockaddr_storage room;
    };
    socklen_t length;
};

static inline struct socket_address socket_address_of(const struct ip_address *a, uint16_t port)
{
    struct socket_address s = {.length = sizeof s.four};
    if (a->family == AF_INET6) {
        s.length = sizeof s.six;
        s.six = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons(port)};
        memcpy(&s.six.sin6_addr, a->bytes, 16);
    } else {
        s.four = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port)};
        memcpy(&s.four.sin_addr, a->bytes, 4);
    }
    return s;
}

static inline uint16_t socket_address_port(const struct socket_address *s)
{
    return ntohs(s->any.sa_family == AF_INET6 ? s->six.sin6_port : s->four.sin_port);
}

static inline struct ip_address socket_address_ip(const struct socket_address *s)
{
    struct ip_address a = {.family = s->any.sa_family};
    if (a.family == AF_INET6)
        memcpy(a.bytes, &s->six.sin6_addr, 16);
    else
        memcpy(a.bytes, &s->four.sin_addr, 4);
    return a;
}

#endif
