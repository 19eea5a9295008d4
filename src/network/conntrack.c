/* SPDX-License-Identifier: Apache-2.0 */
#include "network/conntrack.h"

#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/buf.h"

struct found {
    const struct ip_address *list;
    size_t count;
    int family;
    struct netlink_batch removals;
};

static void begin(struct netlink_batch *b, uint16_t message, uint16_t flags, int family)
{
    const struct nfgenmsg header = {.nfgen_family = (uint8_t)family, .version = NFNETLINK_V0};
    nl_begin(b, (uint16_t)(NFNL_SUBSYS_CTNETLINK << 8 | message), flags, &header, sizeof header);
}

static int in_order(const void *a, const void *b)
{
    const struct ip_address *x = a, *y = b;
    return x->family != y->family ? x->family - y->family
                                  : memcmp(x->bytes, y->bytes, sizeof x->bytes);
}

static bool is_from(const struct nlattr *tuple, const struct found *found)
{
    const struct nlattr *parts[CTA_TUPLE_IP + 1], *ips[CTA_IP_V6_DST + 1];
    struct ip_address a = {.family = found->family};
    nl_nested(tuple, parts, CTA_TUPLE_IP);
    if (!parts[CTA_TUPLE_IP])
        return false;
    nl_nested(parts[CTA_TUPLE_IP], ips, CTA_IP_V6_DST);
    const struct nlattr *source = ips[a.family == AF_INET ? CTA_IP_V4_SRC : CTA_IP_V6_SRC];
    if (!source || nl_size(source) != ip_size(&a))
        return false;
    memcpy(a.bytes, nl_value(source, ip_size(&a)), ip_size(&a));
    return bsearch(&a, found->list, found->count, sizeof a, in_order) != NULL;
}

/* By its tuple, its zone and its number: no other that has come in its place. */
static int note(const struct nlmsghdr *m, void *closure)
{
    static const uint16_t same[] = {CTA_TUPLE_ORIG, CTA_ZONE, CTA_ID};
    struct found *found = closure;
    const struct nlattr *table[CTA_MAX + 1];
    if (m->nlmsg_type != (NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_NEW))
        return 0;
    nl_attributes(m, sizeof(struct nfgenmsg), table, CTA_MAX);
    if (!table[CTA_TUPLE_ORIG] || !is_from(table[CTA_TUPLE_ORIG], found))
        return 0;
    begin(&found->removals, IPCTNL_MSG_CT_DELETE, 0, found->family);
    for (size_t i = 0; i < sizeof same / sizeof *same; i++)
        if (table[same[i]])
            nl_put(&found->removals, table[same[i]]->nla_type, nl_value(table[same[i]], 0),
                   nl_size(table[same[i]]));
    return 0;
}

/* One that ended by itself meanwhile, as was wanted, lets the others stay: then again. */
#define TRIES 8

static int forget_family(int fd, struct found *found, struct error *err)
{
    struct error why = {0};
    int rc = -ENOENT;
    for (int i = 0; i < TRIES && rc == -ENOENT; i++) {
        autobatch b = {0};
        why = (struct error){0};
        found->removals = (struct netlink_batch){0};
        begin(&b, IPCTNL_MSG_CT_GET, NLM_F_DUMP, found->family);
        rc = nl_ask(fd, &b, note, found, &why);
        if (rc == 0 && found->removals.count > 0)
            rc = nl_send(fd, &found->removals, NULL, &why);
        netlink_batch_free(&found->removals);
    }
    if (rc == -ENOENT || rc == -EINVAL ||
        rc == -EOPNOTSUPP) /* they end, or nothing answers there */
        return 0;
    return rc < 0 ? error_set(err, rc, "cannot end a container's connections: %s", why.text) : 0;
}

int conntrack_forget(int fd, struct ip_address *list, size_t count, struct error *err)
{
    static const int families[] = {AF_INET, AF_INET6};
    int rc = 0;
    qsort(list, count, sizeof *list, in_order);
    for (size_t f = 0; rc == 0 && f < 2; f++) {
        bool any = false;
        struct found found = {.list = list, .count = count, .family = families[f]};
        for (size_t i = 0; i < count; i++)
            any |= list[i].family == families[f];
        if (any)
            rc = forget_family(fd, &found, err);
    }
    return rc;
}
