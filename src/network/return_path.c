/* SPDX-License-Identifier: Apache-2.0 */
#include "network/return_path.h"

#include <fcntl.h>
#include <linux/netfilter.h>
#include <linux/netfilter_ipv4.h>
#include <sys/socket.h>

#include "base/io.h"
#include "network/link.h"
#include "network/nft.h"

#define TABLE "caisson-ports"
#define CHAIN "out"

/* Who accepts takes the mark over (of both families), and so does a refusal, which has no socket.
 */
static int let_marks_return(bool ipv6, struct error *err)
{
    static const char *const switches[] = {"/proc/sys/net/ipv4/tcp_fwmark_accept",
                                           "/proc/sys/net/ipv4/fwmark_reflect",
                                           "/proc/sys/net/ipv6/fwmark_reflect"};
    for (size_t i = 0; i < (ipv6 ? 3 : 2); i++) {
        int rc = write_kernel_file_at(AT_FDCWD, switches[i], "1");
        if (rc < 0)
            return error_set(err, rc, "cannot set %s: %s", switches[i], error_describe(rc));
    }
    return 0;
}

static void add_routes(struct netlink_batch *b, const struct ip_address *own, int loopback,
                       const struct listeners *listeners)
{
    link_add_mark_rule(b, own->family, RETURN_MARK, RETURN_TABLE);
    link_add_everything_local(b, loopback, own, RETURN_TABLE);
    for (size_t i = 0; i < listeners->count; i++) {
        const struct port *inner = &listeners->items[i].at.inner;
        bool seen = inner->protocol != IPPROTO_UDP;
        for (size_t k = 0; k < i && !seen; k++)
            seen = listeners->items[k].at.inner.protocol == IPPROTO_UDP &&
                   listeners->items[k].at.inner.number == inner->number;
        if (!seen)
            link_add_last_port_rule(b, own->family, inner->number, RETURN_TABLE);
    }
}

static int route_back(const struct ip_address own[2], const struct listeners *listeners,
                      struct error *err)
{
    autofd fd = netlink_open(NETLINK_ROUTE, err);
    autobatch b = {0};
    struct error why = {0};
    if (fd < 0)
        return fd;
    int loopback = link_index(fd, "lo", err);
    if (loopback < 0)
        return loopback;
    for (int i = 0; i < 2; i++)
        if (own[i].family != 0)
            add_routes(&b, &own[i], loopback, listeners);
    int rc = nl_send(fd, &b, NULL, &why);
    return rc < 0 ? error_set(err, rc, "cannot make the container's way back: %s", why.text) : 0;
}

static void begin_datagram_rule(struct nft *n)
{
    static const uint8_t udp = IPPROTO_UDP;
    nft_rule_begin(n, CHAIN);
    nft_meta(n, NFT_META_L4PROTO, 0);
    nft_compare_u8(n, 0, NFT_CMP_EQ, udp);
}

static int remember_datagrams(struct error *err)
{
    static const uint32_t mark = RETURN_MARK;
    autofd fd = netlink_open(NETLINK_NETFILTER, err);
    struct error why = {0};
    if (fd < 0)
        return fd;
    autonft n;
    nft_begin(&n, TABLE);
    nft_add_table(&n, false, NULL, 0);
    nft_add_chain(&n,
                  &(struct nft_chain){CHAIN, NF_INET_LOCAL_OUT, NF_IP_PRI_MANGLE, "route", false});
    begin_datagram_rule(&n);
    nft_meta(&n, NFT_META_MARK, 0);
    nft_compare(&n, 0, NFT_CMP_EQ, &mark, sizeof mark);
    nft_set_ct_mark(&n, mark);
    nft_verdict(&n, NF_ACCEPT, NULL);
    nft_rule_end(&n);
    begin_datagram_rule(&n);
    nft_ct_mark(&n, 0);
    nft_compare(&n, 0, NFT_CMP_EQ, &mark, sizeof mark);
    nft_set_mark(&n, mark);
    nft_rule_end(&n);
    int rc = nft_commit(&n, fd, &why);
    return rc < 0
               ? error_set(err, rc, "cannot remember datagrams inside the container: %s", why.text)
               : 0;
}

static bool any_datagrams(const struct listeners *listeners)
{
    for (size_t i = 0; i < listeners->count; i++)
        if (listeners->items[i].at.inner.protocol == IPPROTO_UDP)
            return true;
    return false;
}

int return_path_make(const struct ip_address own[2], const struct listeners *listeners,
                     struct error *err)
{
    int rc = let_marks_return(own[1].family != 0, err);
    if (rc == 0)
        rc = route_back(own, listeners, err);
    if (rc == 0 && any_datagrams(listeners))
        rc = remember_datagrams(err);
    return rc;
}
