/* SPDX-License-Identifier: Apache-2.0 */
#include "network/conntrack.h"

#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <string.h>
#include <sys/socket.h>

#include "base/buf.h"

/* enum ctnetlink_filter_bits: compare the source only. Kernels before 5.8 tell of all. */
#define ONLY_SOURCE 1U

struct found {
    const struct ip_address *address;
    struct netlink_batch removals;
};

static void begin(struct netlink_batch *b, uint16_t message, uint16_t flags, int family)
{
    const struct nfgenmsg header = {.nfgen_family = (uint8_t)family, .version = NFNETLINK_V0};
    nl_begin(b, (uint16_t)(NFNL_SUBSYS_CTNETLINK << 8 | message), flags, &header, sizeof header);
}

static uint16_t source_of(const struct ip_address *a)
{
    return a->family == AF_INET ? CTA_IP_V4_SRC : CTA_IP_V6_SRC;
}

static bool is_from(const struct nlattr *tuple, const struct ip_address *a)
{
    const struct nlattr *parts[CTA_TUPLE_IP + 1], *ips[CTA_IP_V6_DST + 1];
    nl_nested(tuple, parts, CTA_TUPLE_IP);
    if (!parts[CTA_TUPLE_IP])
        return false;
    nl_nested(parts[CTA_TUPLE_IP], ips, CTA_IP_V6_DST);
    const struct nlattr *source = ips[source_of(a)];
    return source && nl_size(source) == ip_size(a) &&
           memcmp(nl_value(source, ip_size(a)), a->bytes, ip_size(a)) == 0;
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
    if (!table[CTA_TUPLE_ORIG] || !is_from(table[CTA_TUPLE_ORIG], found->address))
        return 0;
    begin(&found->removals, IPCTNL_MSG_CT_DELETE, 0, found->address->family);
    for (size_t i = 0; i < sizeof same / sizeof *same; i++)
        if (table[same[i]])
            nl_put(&found->removals, table[same[i]]->nla_type, nl_value(table[same[i]], 0),
                   nl_size(table[same[i]]));
    return 0;
}

static int ask(int fd, struct found *found, bool filtered, struct error *err)
{
    autobatch b = {0};
    begin(&b, IPCTNL_MSG_CT_GET, NLM_F_DUMP, found->address->family);
    if (filtered) {
        size_t tuple = nl_nest(&b, CTA_TUPLE_ORIG), ip = nl_nest(&b, CTA_TUPLE_IP);
        nl_put(&b, source_of(found->address), found->address->bytes, ip_size(found->address));
        nl_end(&b, ip);
        nl_end(&b, tuple);
        size_t filter = nl_nest(&b, CTA_FILTER);
        nl_put_u32(&b, CTA_FILTER_ORIG_FLAGS, ONLY_SOURCE);
        nl_put_u32(&b, CTA_FILTER_REPLY_FLAGS, 0);
        nl_end(&b, filter);
    }
    return nl_ask(fd, &b, note, found, err);
}

/* One that ended by itself meanwhile, as was wanted, lets the others stay: then again. */
#define TRIES 8

int conntrack_forget(int fd, const struct ip_address *address, struct error *err)
{
    struct error why = {0};
    int rc = -ENOENT;
    for (int i = 0; i < TRIES && rc == -ENOENT; i++) {
        struct found found = {.address = address};
        why = (struct error){0};
        rc = ask(fd, &found, true, &why);
        if (rc == -EINVAL || rc == -EOPNOTSUPP)
            rc = i == 0 ? ask(fd, &found, false, &why) : rc;
        if (rc == -EINVAL || rc == -EOPNOTSUPP) { /* nothing answers there at all */
            netlink_batch_free(&found.removals);
            return 0;
        }
        if (rc == 0 && found.removals.count > 0)
            rc = nl_send(fd, &found.removals, NULL, &why);
        netlink_batch_free(&found.removals);
    }
    return rc < 0 && rc != -ENOENT
               ? error_set(err, rc, "cannot end the container's connections: %s", why.text)
               : 0;
}
