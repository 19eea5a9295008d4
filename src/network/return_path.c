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

static int route_back(bool ipv6, struct error *err)
{
    autofd fd = netlink_open(NETLINK_ROUTE, err);
    autobatch b = {0};
    struct error why = {0};
    if (fd < 0)
        return fd;
    int loopback = link_index(fd, "lo", err);
    if (loopback < 0)
        return loopback;
    for (int i = 0; i < (ipv6 ? 2 : 1); i++) {
        int family = i == 0 ? AF_INET : AF_INET6;
        link_add_mark_rule(&b, family, RETURN_MARK, RETURN_TABLE);
        link_add_everything_local(&b, family, loopback, RETURN_TABLE);
    }
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

int return_path_make(bool ipv6, bool datagrams, struct error *err)
{
    int rc = let_marks_return(ipv6, err);
    if (rc == 0)
        rc = route_back(ipv6, err);
    if (rc == 0 && datagrams)
        rc = remember_datagrams(err);
    return rc;
}
