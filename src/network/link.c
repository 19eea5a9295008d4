/* SPDX-License-Identifier: Apache-2.0 */
#include "network/link.h"

#include <linux/fib_rules.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

/* --- interfaces --- */

static int take_link(const struct nlmsghdr *message, void *closure)
{
    struct ifinfomsg *link = closure;
    if (message->nlmsg_type == RTM_NEWLINK && message->nlmsg_len >= NLMSG_LENGTH(sizeof *link))
        memcpy(link, NLMSG_DATA(message), sizeof *link);
    return 0;
}

int link_look(int fd, const char *name, bool *up, struct error *err)
{
    autobatch b = {0};
    struct ifinfomsg any = {.ifi_family = AF_UNSPEC}, link = {0};
    struct error why = {0};
    nl_begin(&b, RTM_GETLINK, 0, &any, sizeof any);
    nl_put_string(&b, IFLA_IFNAME, name);
    nl_put_u32(&b, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
    int rc = nl_ask(fd, &b, take_link, &link, &why);
    if (rc == -ENODEV || (rc == 0 && link.ifi_index == 0))
        return -ENODEV;
    *up = link.ifi_flags & IFF_UP;
    return rc < 0 ? error_set(err, rc, "cannot look for interface %s: %s", name, why.text)
                  : link.ifi_index;
}

int link_index(int fd, const char *name, struct error *err)
{
    bool up;
    return link_look(fd, name, &up, err);
}

static void begin_turned(struct netlink_batch *b, uint16_t type, uint16_t flags, const char *name,
                         unsigned change, unsigned to)
{
    struct ifinfomsg link = {.ifi_family = AF_UNSPEC, .ifi_flags = to, .ifi_change = change};
    nl_begin(b, type, flags, &link, sizeof link);
    nl_put_string(b, IFLA_IFNAME, name);
}

static void begin_link(struct netlink_batch *b, uint16_t type, uint16_t flags, const char *name)
{
    begin_turned(b, type, flags, name, 0, 0);
}

void link_add_bridge(struct netlink_batch *b, const char *name, const uint8_t mac[MAC_SIZE],
                     uint32_t mtu)
{
    begin_link(b, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, name);
    nl_put(b, IFLA_ADDRESS, mac, MAC_SIZE);
    if (mtu)
        nl_put_u32(b, IFLA_MTU, mtu);
    size_t info = nl_nest(b, IFLA_LINKINFO);
    nl_put_string(b, IFLA_INFO_KIND, "bridge");
    size_t data = nl_nest(b, IFLA_INFO_DATA);
    nl_put_u32(b, IFLA_BR_STP_STATE, 0);
    nl_put_u32(b, IFLA_BR_FORWARD_DELAY, 0);
    nl_put_u8(b, IFLA_BR_MCAST_SNOOPING, 0);
    nl_end(b, data);
    nl_end(b, info);
}

static void put_peer(struct netlink_batch *b, const struct veth *v)
{
    struct ifinfomsg link = {.ifi_family = AF_UNSPEC};
    size_t peer = nl_nest(b, VETH_INFO_PEER);
    buf_add(&b->bytes, &link, sizeof link);
    nl_put_string(b, IFLA_IFNAME, v->peer);
    nl_put(b, IFLA_ADDRESS, v->peer_mac, MAC_SIZE);
    nl_put_u32(b, IFLA_NET_NS_FD, (uint32_t)v->peer_namespace);
    if (v->mtu)
        nl_put_u32(b, IFLA_MTU, v->mtu);
    nl_end(b, peer);
}

/* What a port of a bridge may do is said to the port, once it is one. */
static void isolate_port(struct netlink_batch *b, const char *name, bool isolated)
{
    begin_link(b, RTM_NEWLINK, 0, name);
    size_t info = nl_nest(b, IFLA_LINKINFO);
    nl_put_string(b, IFLA_INFO_SLAVE_KIND, "bridge");
    size_t data = nl_nest(b, IFLA_INFO_SLAVE_DATA);
    nl_put_u8(b, IFLA_BRPORT_ISOLATED, isolated);
    nl_end(b, data);
    nl_end(b, info);
}

/* It comes up only when it is isolated: nothing is carried before. */
void link_add_veth(struct netlink_batch *b, const struct veth *v)
{
    begin_link(b, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, v->name);
    nl_put_u32(b, IFLA_MASTER, (uint32_t)v->bridge);
    if (v->mtu)
        nl_put_u32(b, IFLA_MTU, v->mtu);
    size_t info = nl_nest(b, IFLA_LINKINFO);
    nl_put_string(b, IFLA_INFO_KIND, "veth");
    size_t data = nl_nest(b, IFLA_INFO_DATA);
    put_peer(b, v);
    nl_end(b, data);
    nl_end(b, info);
    if (v->isolated)
        isolate_port(b, v->name, true);
    link_no_autoconfiguration(b, v->name);
    link_up(b, v->name);
}

void link_remove(struct netlink_batch *b, const char *name)
{
    begin_link(b, RTM_DELLINK, 0, name);
}

void link_up(struct netlink_batch *b, const char *name)
{
    begin_turned(b, RTM_NEWLINK, 0, name, IFF_UP, IFF_UP);
}

void link_down(struct netlink_batch *b, const char *name)
{
    begin_turned(b, RTM_NEWLINK, 0, name, IFF_UP, 0);
}

void link_no_autoconfiguration(struct netlink_batch *b, const char *name)
{
    begin_link(b, RTM_NEWLINK, 0, name);
    size_t families = nl_nest(b, IFLA_AF_SPEC);
    size_t six = nl_nest(b, AF_INET6);
    nl_put_u8(b, IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE);
    nl_end(b, six);
    nl_end(b, families);
}

void link_plug(struct netlink_batch *b, const char *name, int bridge, bool isolated)
{
    begin_turned(b, RTM_NEWLINK, 0, name, IFF_UP, 0);
    nl_put_u32(b, IFLA_MASTER, (uint32_t)bridge);
    isolate_port(b, name, isolated);
    link_up(b, name);
}

void link_unplug(struct netlink_batch *b, const char *name)
{
    begin_link(b, RTM_NEWLINK, 0, name);
    nl_put_u32(b, IFLA_MASTER, 0);
}

/* --- addresses and routes --- */

void link_add_address(struct netlink_batch *b, int index, const struct ip_prefix *p)
{
    struct ifaddrmsg address = {
        .ifa_family = (uint8_t)p->address.family,
        .ifa_prefixlen = (uint8_t)p->length,
        .ifa_flags = p->address.family == AF_INET6 ? IFA_F_NODAD : 0,
        .ifa_index = (uint32_t)index,
    };
    size_t size = ip_size(&p->address);
    nl_begin(b, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, &address, sizeof address);
    nl_put(b, IFA_LOCAL, p->address.bytes, size);
    nl_put(b, IFA_ADDRESS, p->address.bytes, size);
    if (p->address.family == AF_INET && p->length < 31) {
        struct ip_address last = ip_last(p);
        nl_put(b, IFA_BROADCAST, last.bytes, size);
    }
}

void link_remove_address(struct netlink_batch *b, int index, const struct ip_prefix *p)
{
    struct ifaddrmsg address = {.ifa_family = (uint8_t)p->address.family,
                                .ifa_prefixlen = (uint8_t)p->length,
                                .ifa_index = (uint32_t)index};
    nl_begin(b, RTM_DELADDR, 0, &address, sizeof address);
    nl_put(b, IFA_LOCAL, p->address.bytes, ip_size(&p->address));
}

void link_add_route(struct netlink_batch *b, int index, const struct ip_prefix *to,
                    const struct ip_address *gateway)
{
    bool by_gateway = gateway && gateway->family != 0;
    struct ip_address first = ip_first(to);
    struct rtmsg route = {
        .rtm_family = (uint8_t)to->address.family,
        .rtm_dst_len = (uint8_t)to->length,
        .rtm_table = RT_TABLE_MAIN,
        .rtm_protocol = RTPROT_STATIC,
        .rtm_scope = by_gateway ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK,
        .rtm_type = RTN_UNICAST,
    };
    nl_begin(b, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, &route, sizeof route);
    if (to->length > 0)
        nl_put(b, RTA_DST, first.bytes, ip_size(&first));
    if (by_gateway)
        nl_put(b, RTA_GATEWAY, gateway->bytes, ip_size(gateway));
    nl_put_u32(b, RTA_OIF, (uint32_t)index);
}

void link_add_dead_end(struct netlink_batch *b, const struct ip_prefix *to)
{
    struct ip_address first = ip_first(to);
    struct rtmsg route = {
        .rtm_family = (uint8_t)to->address.family,
        .rtm_dst_len = (uint8_t)to->length,
        .rtm_table = RT_TABLE_MAIN,
        .rtm_protocol = RTPROT_STATIC,
        .rtm_type = RTN_UNREACHABLE,
    };
    nl_begin(b, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, &route, sizeof route);
    nl_put(b, RTA_DST, first.bytes, ip_size(&first));
}

void link_add_mark_rule(struct netlink_batch *b, int family, uint32_t mark, uint32_t table)
{
    struct fib_rule_hdr rule = {
        .family = (uint8_t)family, .table = RT_TABLE_UNSPEC, .action = FR_ACT_TO_TBL};
    nl_begin(b, RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, &rule, sizeof rule);
    nl_put_u32(b, FRA_FWMARK, mark);
    nl_put_u32(b, FRA_TABLE, table);
    nl_put_u8(b, FRA_PROTOCOL, RTPROT_STATIC);
}

#define AFTER_ALL_OTHERS 40000 /* the default table's rule is 32767 */

void link_add_last_port_rule(struct netlink_batch *b, int family, uint16_t port, uint32_t table)
{
    struct fib_rule_hdr rule = {
        .family = (uint8_t)family, .table = RT_TABLE_UNSPEC, .action = FR_ACT_TO_TBL};
    struct fib_rule_port_range range = {port, port};
    nl_begin(b, RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, &rule, sizeof rule);
    nl_put_u32(b, FRA_PRIORITY, AFTER_ALL_OTHERS);
    nl_put_u8(b, FRA_IP_PROTO, IPPROTO_UDP);
    nl_put(b, FRA_SPORT_RANGE, &range, sizeof range);
    nl_put_u32(b, FRA_TABLE, table);
    nl_put_u8(b, FRA_PROTOCOL, RTPROT_STATIC);
}

void link_add_everything_local(struct netlink_batch *b, int loopback,
                               const struct ip_address *source, uint32_t table)
{
    struct rtmsg route = {
        .rtm_family = (uint8_t)source->family,
        .rtm_table = RT_TABLE_UNSPEC,
        .rtm_protocol = RTPROT_STATIC,
        .rtm_scope = RT_SCOPE_HOST,
        .rtm_type = RTN_LOCAL,
    };
    nl_begin(b, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, &route, sizeof route);
    nl_put_u32(b, RTA_TABLE, table);
    nl_put_u32(b, RTA_OIF, (uint32_t)loopback);
    nl_put(b, RTA_PREFSRC, source->bytes, ip_size(source));
}

/* The way to one address. */
struct way {
    uint8_t type; /* RTN_* */
    bool by_gateway;
    struct ip_address source;
};

static int take_way(const struct nlmsghdr *message, void *closure)
{
    struct way *way = closure;
    const struct nlattr *table[RTA_VIA + 1];
    struct rtmsg route;
    if (message->nlmsg_type != RTM_NEWROUTE || message->nlmsg_len < NLMSG_LENGTH(sizeof route))
        return 0;
    memcpy(&route, NLMSG_DATA(message), sizeof route);
    nl_attributes(message, sizeof route, table, RTA_VIA);
    way->type = route.rtm_type;
    way->by_gateway = table[RTA_GATEWAY] || table[RTA_VIA];
    struct ip_address source = {.family = route.rtm_family};
    const void *bytes = nl_value(table[RTA_PREFSRC], ip_size(&source));
    if (bytes) {
        memcpy(source.bytes, bytes, ip_size(&source));
        way->source = source;
    }
    return 0;
}

static struct way find_way(int fd, const struct ip_address *address)
{
    autobatch b = {0};
    struct way way = {.type = RTN_UNSPEC};
    struct rtmsg route = {.rtm_family = (uint8_t)address->family,
                          .rtm_dst_len = (uint8_t)(8 * ip_size(address))};
    nl_begin(&b, RTM_GETROUTE, 0, &route, sizeof route);
    nl_put(&b, RTA_DST, address->bytes, ip_size(address));
    (void)nl_ask(fd, &b, take_way, &way, NULL); /* no way to it: then it is not our own */
    return way;
}

bool link_is_own(int fd, const struct ip_address *address)
{
    return find_way(fd, address).type == RTN_LOCAL;
}

bool link_is_near(int fd, const struct ip_address *address)
{
    struct way way = find_way(fd, address);
    return way.type == RTN_LOCAL || (way.type == RTN_UNICAST && !way.by_gateway);
}

/* Addresses for documentation are nobody's, and so behind the default route: RFC 5737, RFC 3849. */
struct ip_address link_source(int fd, int family)
{
    static const struct ip_address far[] = {{AF_INET, {203, 0, 113, 1}},
                                            {AF_INET6, {0x20, 0x01, 0x0d, 0xb8, 0xff, [15] = 1}}};
    return find_way(fd, &far[family == AF_INET6]).source;
}

struct route_walk {
    int family;
    uint32_t number; /* of the table */
    uint8_t type;
    route_each *each;
    void *closure;
};

static int one_route(const struct nlmsghdr *message, void *closure)
{
    const struct route_walk *walk = closure;
    const struct nlattr *table[RTA_TABLE + 1];
    struct rtmsg route;
    if (message->nlmsg_type != RTM_NEWROUTE || message->nlmsg_len < NLMSG_LENGTH(sizeof route))
        return 0;
    memcpy(&route, NLMSG_DATA(message), sizeof route);
    nl_attributes(message, sizeof route, table, RTA_TABLE);
    uint32_t number = table[RTA_TABLE] ? nl_u32(table[RTA_TABLE]) : route.rtm_table;
    if (number != walk->number || route.rtm_type != walk->type || route.rtm_family != walk->family)
        return 0;
    struct ip_prefix to = {.address = {.family = walk->family}, .length = route.rtm_dst_len};
    const void *bytes = nl_value(table[RTA_DST], ip_size(&to.address));
    if (bytes)
        memcpy(to.address.bytes, bytes, ip_size(&to.address));
    else if (to.length > 0)
        return 0;
    return walk->each(&to, (int)nl_u32(table[RTA_OIF]), walk->closure);
}

/* The kernel gives only that table, where it is asked strictly (netlink_open). */
static int walk_routes(int fd, struct route_walk *walk, struct error *err)
{
    autobatch b = {0};
    struct rtmsg route = {.rtm_family = (uint8_t)walk->family, .rtm_table = (uint8_t)walk->number};
    nl_begin(&b, RTM_GETROUTE, NLM_F_DUMP, &route, sizeof route);
    return nl_ask(fd, &b, one_route, walk, err);
}

int link_routes(int fd, int family, route_each *each, void *closure, struct error *err)
{
    struct route_walk walk = {family, RT_TABLE_MAIN, RTN_UNICAST, each, closure};
    return walk_routes(fd, &walk, err);
}

int link_own(int fd, int family, route_each *each, void *closure, struct error *err)
{
    struct route_walk walk = {family, RT_TABLE_LOCAL, RTN_LOCAL, each, closure};
    return walk_routes(fd, &walk, err);
}
