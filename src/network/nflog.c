/* SPDX-License-Identifier: Apache-2.0 */
#include "network/nflog.h"

#include <arpa/inet.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_log.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#define COPIED 64 /* bytes of a packet: an IPv6 header and the ports behind it */
#define HUNDREDTHS 10
#define READS_MAX 16

static void begin(struct netlink_batch *b, uint16_t group)
{
    struct nfgenmsg header = {
        .nfgen_family = AF_UNSPEC, .version = NFNETLINK_V0, .res_id = htons(group)};
    nl_begin(b, NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_CONFIG, 0, &header, sizeof header);
}

int nflog_join(int fd, uint16_t group, struct error *err)
{
    autobatch b = {0};
    struct nfulnl_msg_config_cmd bind = {.command = NFULNL_CFG_CMD_BIND};
    struct nfulnl_msg_config_mode mode = {.copy_range = htonl(COPIED),
                                          .copy_mode = NFULNL_COPY_PACKET};
    begin(&b, group);
    nl_put(&b, NFULA_CFG_CMD, &bind, sizeof bind);
    begin(&b, group);
    nl_put(&b, NFULA_CFG_MODE, &mode, sizeof mode);
    nl_put_be32(&b, NFULA_CFG_TIMEOUT, HUNDREDTHS);
    if (nl_send(fd, &b, NULL, err) < 0)
        return error_prefix(err, "cannot read group %u of the kernel's log (another reads it?)",
                            group);
    return 0;
}

bool nflog_packet_parse(const uint8_t *bytes, size_t size, struct nflog_packet *p)
{
    size_t ports;
    if (size >= 20 && bytes[0] >> 4 == 4) {
        p->destination.family = AF_INET;
        memcpy(p->destination.bytes, bytes + 16, 4);
        p->protocol = bytes[9];
        ports = (bytes[0] & 15U) * 4U;
    } else if (size >= 40 && bytes[0] >> 4 == 6) {
        p->destination.family = AF_INET6;
        memcpy(p->destination.bytes, bytes + 24, 16);
        p->protocol = bytes[6];
        ports = 40;
    } else {
        return false;
    }
    if ((p->protocol == IPPROTO_TCP || p->protocol == IPPROTO_UDP) && ports + 4 <= size)
        p->port = (uint16_t)(bytes[ports + 2] << 8 | bytes[ports + 3]);
    return true;
}

static void one_message(const struct nlmsghdr *m, nflog_each *each, void *closure)
{
    const struct nlattr *table[NFULA_PREFIX + 1];
    struct nflog_packet p = {0};
    if (m->nlmsg_type != (NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_PACKET))
        return;
    nl_attributes(m, sizeof(struct nfgenmsg), table, NFULA_PREFIX);
    const char *prefix = nl_string(table[NFULA_PREFIX]);
    const uint8_t *bytes = nl_value(table[NFULA_PAYLOAD], 1);
    if (!prefix || !bytes || !nflog_packet_parse(bytes, nl_size(table[NFULA_PAYLOAD]), &p))
        return;
    memcpy(p.prefix, prefix, strnlen(prefix, sizeof p.prefix - 1));
    each(&p, closure);
}

void nflog_read(int fd, nflog_each *each, void *closure)
{
    static _Alignas(struct nlmsghdr) char bytes[64 << 10];
    for (unsigned i = 0; i < READS_MAX; i++) {
        struct sockaddr_nl from = {0};
        socklen_t length = sizeof from;
        ssize_t n =
            recvfrom(fd, bytes, sizeof bytes, MSG_DONTWAIT, (struct sockaddr *)&from, &length);
        if (n < 0 && errno == ENOBUFS)
            continue; /* some were lost */
        if (n < 0)
            return;
        if (from.nl_pid != 0)
            continue;
        size_t left = (size_t)n;
        const struct nlmsghdr *m = (const void *)bytes;
        while (left >= sizeof *m && m->nlmsg_len >= sizeof *m && m->nlmsg_len <= left) {
            one_message(m, each, closure);
            size_t step = NLMSG_ALIGN(m->nlmsg_len);
            left -= step < left ? step : left;
            m = (const void *)((const char *)m + step);
        }
    }
}
