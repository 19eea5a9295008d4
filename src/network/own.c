/* SPDX-License-Identifier: Apache-2.0 */
#include "network/own.h"

#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/memory.h"
#include "base/text.h"
#include "network/firewall.h"
#include "network/link.h"

void own_free(struct own *own)
{
    free(own->items);
    *own = (struct own){0};
}

static bool loopback(const struct ip_address *a)
{
    static const struct ip_address six = {AF_INET6, {[15] = 1}};
    return a->family == AF_INET ? a->bytes[0] == 127 : ip_equal(a, &six);
}

/* Of two that overlap one contains the other, and stays. */
static int add(const struct ip_prefix *prefix, int index, void *closure)
{
    struct own *own = closure;
    (void)index;
    if (loopback(&prefix->address))
        return 0;
    for (size_t i = 0; i < own->count; i++) {
        if (!ip_overlap(&own->items[i], prefix))
            continue;
        if (own->items[i].length <= prefix->length)
            return 0;
        own->items[i--] = own->items[--own->count];
    }
    own->items = xrealloc(own->items, own->count + 1, sizeof *own->items);
    own->items[own->count++] = *prefix;
    return 0;
}

static int add_bridged(const struct ip_prefix *prefix, int index, void *closure)
{
    char name[IFNAMSIZ];
    bool ours = if_indextoname((unsigned)index, name) && starts_with(name, FIREWALL_BRIDGE_PREFIX);
    return ours ? add(prefix, index, closure) : 0;
}

int own_look(int outside, struct own *out, struct error *err)
{
    static const int families[] = {AF_INET, AF_INET6};
    struct own own = {0};
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < 2; i++) {
        rc = link_own(outside, families[i], add, &own, err);
        if (rc == 0)
            rc = link_routes(outside, families[i], add_bridged, &own, err);
    }
    if (rc < 0)
        own_free(&own);
    else
        *out = own;
    return rc;
}

int own_watch(struct error *err)
{
    struct sockaddr_nl groups = {.nl_family = AF_NETLINK,
                                 .nl_groups = RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR |
                                              RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE};
    autofd fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
    if (fd < 0 || bind(fd, (struct sockaddr *)&groups, sizeof groups) < 0)
        return error_errno(err, "cannot watch the host's addresses");
    return take_fd(&fd);
}

/* That something was lost (ENOBUFS) is a change too, and all there is to know. */
void own_heard(int fd)
{
    char bytes[16 << 10];
    while (recv(fd, bytes, sizeof bytes, 0) >= 0 || errno == ENOBUFS || errno == EINTR)
        ;
}
