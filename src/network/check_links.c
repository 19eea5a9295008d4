/* SPDX-License-Identifier: Apache-2.0 */
/* Bridges with their addresses, and cables, against the books. */
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/memory.h"
#include "base/text.h"
#include "network/attach_parts.h"
#include "network/check_parts.h"
#include "network/senders.h"

/* --- what there is --- */

struct interface {
    char name[IFNAMSIZ];
    int index, master; /* 0: it is no port of a bridge */
    bool up, isolated, bridge;
};

struct address {
    int index;
    struct ip_prefix prefix;
};

struct found {
    struct interface *interfaces;
    size_t count;
    struct address *addresses;
    size_t address_count;
};

static void found_free(struct found *found)
{
    free(found->interfaces);
    free(found->addresses);
    *found = (struct found){0};
}
#define autofound __attribute__((cleanup(found_free))) struct found

static void read_info(const struct nlattr *info, struct interface *out)
{
    const struct nlattr *in[IFLA_INFO_SLAVE_DATA + 1], *port[IFLA_BRPORT_ISOLATED + 1];
    nl_nested(info, in, IFLA_INFO_SLAVE_DATA);
    out->bridge = streq(nl_string(in[IFLA_INFO_KIND]), "bridge");
    if (!streq(nl_string(in[IFLA_INFO_SLAVE_KIND]), "bridge"))
        return;
    nl_nested(in[IFLA_INFO_SLAVE_DATA], port, IFLA_BRPORT_ISOLATED);
    const uint8_t *isolated = nl_value(port[IFLA_BRPORT_ISOLATED], 1);
    out->isolated = isolated && *isolated;
}

static int take_link(const struct nlmsghdr *message, void *closure)
{
    struct found *found = closure;
    const struct nlattr *in[IFLA_LINKINFO + 1];
    struct ifinfomsg link;
    if (message->nlmsg_type != RTM_NEWLINK || message->nlmsg_len < NLMSG_LENGTH(sizeof link))
        return 0;
    memcpy(&link, NLMSG_DATA(message), sizeof link);
    nl_attributes(message, sizeof link, in, IFLA_LINKINFO);
    const char *name = nl_string(in[IFLA_IFNAME]);
    if (!name || strlen(name) >= IFNAMSIZ)
        return 0;
    struct interface one = {.index = link.ifi_index,
                            .master = (int)nl_u32(in[IFLA_MASTER]),
                            .up = link.ifi_flags & IFF_UP};
    memcpy(one.name, name, strlen(name) + 1);
    read_info(in[IFLA_LINKINFO], &one);
    found->interfaces = xrealloc(found->interfaces, found->count + 1, sizeof *found->interfaces);
    found->interfaces[found->count++] = one;
    return 0;
}

static int take_address(const struct nlmsghdr *message, void *closure)
{
    struct found *found = closure;
    const struct nlattr *in[IFA_LOCAL + 1];
    struct ifaddrmsg head;
    if (message->nlmsg_type != RTM_NEWADDR || message->nlmsg_len < NLMSG_LENGTH(sizeof head))
        return 0;
    memcpy(&head, NLMSG_DATA(message), sizeof head);
    nl_attributes(message, sizeof head, in, IFA_LOCAL);
    struct address one = {.index = (int)head.ifa_index,
                          .prefix = {{.family = head.ifa_family}, head.ifa_prefixlen}};
    if (head.ifa_family != AF_INET && head.ifa_family != AF_INET6)
        return 0;
    size_t size = ip_size(&one.prefix.address);
    const void *bytes = nl_value(in[in[IFA_LOCAL] ? IFA_LOCAL : IFA_ADDRESS], size);
    if (!bytes)
        return 0;
    memcpy(one.prefix.address.bytes, bytes, size);
    found->addresses =
        xrealloc(found->addresses, found->address_count + 1, sizeof *found->addresses);
    found->addresses[found->address_count++] = one;
    return 0;
}

static int look(const struct network_host *host, struct found *out, struct error *err)
{
    struct error why = {0};
    autobatch links = {0}, addresses = {0};
    struct ifinfomsg any = {.ifi_family = AF_UNSPEC};
    struct ifaddrmsg of_any = {.ifa_family = AF_UNSPEC};
    nl_begin(&links, RTM_GETLINK, NLM_F_DUMP, &any, sizeof any);
    nl_put_u32(&links, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
    nl_begin(&addresses, RTM_GETADDR, NLM_F_DUMP, &of_any, sizeof of_any);
    int rc = nl_ask(host->routes, &links, take_link, out, &why);
    if (rc == 0)
        rc = nl_ask(host->routes, &addresses, take_address, out, &why);
    return rc < 0 ? error_set(err, rc, "cannot list the host's interfaces: %s", why.text) : 0;
}

static const struct interface *interface_named(const struct found *found, const char *name)
{
    for (size_t i = 0; i < found->count; i++)
        if (streq(found->interfaces[i].name, name))
            return &found->interfaces[i];
    return NULL;
}

/* --- bridges --- */

static bool has_address(const struct found *found, int index, const struct ip_prefix *p)
{
    for (size_t i = 0; i < found->address_count; i++) {
        const struct address *a = &found->addresses[i];
        if (a->index == index && a->prefix.length == p->length &&
            ip_equal(&a->prefix.address, &p->address))
            return true;
    }
    return false;
}

static struct ip_prefix own_address(const struct network *network, size_t f)
{
    return (struct ip_prefix){network->ranges[f].gateway, network->ranges[f].subnet.length};
}

static bool is_surplus(const struct network *network, int index, const struct address *a)
{
    struct ip_prefix own = own_address(network, a->prefix.address.family == AF_INET6);
    return a->index == index && (own.address.family == 0 || own.length != a->prefix.length ||
                                 !ip_equal(&own.address, &a->prefix.address));
}

static void check_addresses(const struct found *found, const struct network *network, int index,
                            struct network_differences *out)
{
    char text[IP_TEXT_MAX];
    for (size_t f = 0; f < 2; f++) {
        struct ip_prefix own = own_address(network, f);
        if (own.address.family == 0 || has_address(found, index, &own))
            continue;
        ip_prefix_format(&own, text);
        network_differs(out, NETWORK_BY_REPAIR, network->name, NULL,
                        "bridge %s lacks its address %s", network->bridge, text);
    }
    for (size_t i = 0; i < found->address_count; i++) {
        if (!is_surplus(network, index, &found->addresses[i]))
            continue;
        ip_prefix_format(&found->addresses[i].prefix, text);
        network_differs(out, NETWORK_BY_REPAIR, network->name, NULL,
                        "bridge %s has the address %s, which is not caisson's", network->bridge,
                        text);
    }
}

static const struct lease *lease_of_cable(const struct book *book, const char *name)
{
    for (size_t i = 0; i < book->leases.count; i++) {
        char cable[IFNAMSIZ];
        const struct lease *lease = &book->leases.items[i];
        cable_name(lease->owner, LEASE_PORT_OF(lease->flags), cable);
        if (streq(cable, name))
            return lease;
    }
    return NULL;
}

/* A cable that is down is one whose container has ended: it goes with the last of those who are in
 * its network namespace. */
static bool is_stranger(const struct book *book, const struct interface *bridge,
                        const struct interface *port)
{
    bool over = starts_with(port->name, SENDERS_CABLE_PREFIX) && !port->up;
    return port->master == bridge->index && !over && !lease_of_cable(book, port->name);
}

static void check_bridge(const struct found *found, const struct book *book,
                         const struct interface *bridge, struct network_differences *out)
{
    const struct network *network = &book->network;
    if (!bridge->up)
        network_differs(out, NETWORK_BY_REPAIR, network->name, NULL, "bridge %s is down",
                        network->bridge);
    check_addresses(found, network, bridge->index, out);
    for (size_t i = 0; i < found->count; i++)
        if (is_stranger(book, bridge, &found->interfaces[i]))
            network_differs(out, NETWORK_BY_REPAIR, network->name, NULL,
                            "interface %s is on bridge %s, and no container's",
                            found->interfaces[i].name, network->bridge);
}

/* --- cables --- */

/* What is wrong with it, or NULL. */
static const char *wrong_with(const struct interface *cable, const struct network *network,
                              const struct interface *bridge)
{
    if (bridge && cable->master != bridge->index)
        return "is not on its bridge";
    if (bridge && cable->isolated != !network->shared)
        return network->shared ? "is kept apart from those of the other containers"
                               : "is not kept apart from those of the other containers";
    return cable->up ? NULL : "is down";
}

/* An owner has a lease for each family, on one cable. */
static bool is_first_of_cable(const struct leases *leases, size_t at)
{
    for (size_t i = 0; i < at; i++)
        if (streq(leases->items[i].owner, leases->items[at].owner) &&
            LEASE_PORT_OF(leases->items[i].flags) == LEASE_PORT_OF(leases->items[at].flags))
            return false;
    return true;
}

static void check_cable(const struct found *found, const struct book *book,
                        const struct interface *bridge, const struct lease *lease,
                        struct network_differences *out)
{
    char name[IFNAMSIZ];
    cable_name(lease->owner, LEASE_PORT_OF(lease->flags), name);
    const struct interface *cable = interface_named(found, name);
    const char *wrong = cable ? wrong_with(cable, &book->network, bridge) : NULL;
    if (!cable)
        network_differs(out, NETWORK_BY_RESTART, book->network.name, lease->owner,
                        "its cable %s is missing", name);
    else if (wrong)
        network_differs(out, bridge ? NETWORK_BY_REPAIR : NETWORK_BY_RUN, book->network.name,
                        lease->owner, "its cable %s %s", name, wrong);
}

/* --- all of them --- */

int check_links(const struct network_host *host, const struct books *books,
                struct network_differences *out, struct error *err)
{
    autofound found = {0};
    int rc = look(host, &found, err);
    for (size_t i = 0; rc == 0 && i < books->count; i++) {
        const struct book *book = &books->items[i];
        const struct interface *bridge = interface_named(&found, book->network.bridge);
        if (!bridge)
            network_differs(out, NETWORK_BY_RUN, book->network.name, NULL, "bridge %s is missing",
                            book->network.bridge);
        else if (!bridge->bridge)
            network_differs(out, NETWORK_BY_REPAIR, book->network.name, NULL,
                            "interface %s is no bridge", book->network.bridge);
        else
            check_bridge(&found, book, bridge, out);
        for (size_t j = 0; j < book->leases.count; j++)
            if (is_first_of_cable(&book->leases, j))
                check_cable(&found, book, bridge, &book->leases.items[j], out);
    }
    return rc;
}

/* --- repairing --- */

/* An address, or a port, that is none of ours goes; it is only taken off, not removed. */
static void repair_bridge(const struct found *found, const struct book *book,
                          const struct interface *bridge, struct netlink_batch *b)
{
    for (size_t i = 0; i < found->address_count; i++)
        if (is_surplus(&book->network, bridge->index, &found->addresses[i]))
            link_remove_address(b, bridge->index, &found->addresses[i].prefix);
    for (size_t i = 0; i < found->count; i++) {
        const struct interface *port = &found->interfaces[i];
        if (!is_stranger(book, bridge, port))
            continue;
        if (starts_with(port->name, SENDERS_CABLE_PREFIX))
            link_down(b, port->name);
        else
            link_unplug(b, port->name);
    }
}

static int repair_cables(const struct network_host *host, const struct found *found,
                         const struct book *book, int index, struct error *err)
{
    const struct interface bridge = {.index = index};
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < book->leases.count; i++) {
        const struct lease *lease = &book->leases.items[i];
        char name[IFNAMSIZ];
        cable_name(lease->owner, LEASE_PORT_OF(lease->flags), name);
        const struct interface *cable = interface_named(found, name);
        if (cable && wrong_with(cable, &book->network, &bridge))
            rc = plug_lease(host, &book->network, lease, index, err);
    }
    return rc;
}

static int repair_network(const struct network_host *host, const struct found *found,
                          const struct book *book, struct error *err)
{
    autobatch b = {0};
    struct error why = {0};
    const struct network *network = &book->network;
    const struct interface *bridge = interface_named(found, network->bridge);
    if (bridge && !bridge->bridge)
        return error_set(err, -EEXIST,
                         "interface %s of network %s is no bridge; somebody gave another interface "
                         "its name",
                         network->bridge, network->name);
    if (bridge)
        repair_bridge(found, book, bridge, &b);
    int rc = b.count > 0 ? nl_send(host->routes, &b, NULL, &why) : 0;
    if (rc < 0 && rc != -ENODEV && rc != -EADDRNOTAVAIL)
        return error_set(err, rc, "cannot take what is not caisson's off bridge %s: %s",
                         network->bridge, why.text);
    int index = make_bridge(host, network, err);
    return index < 0 ? index : repair_cables(host, found, book, index, err);
}

int repair_links(const struct network_host *host, const struct books *books, struct error *err)
{
    autofound found = {0};
    int rc = look(host, &found, err);
    for (size_t i = 0; rc == 0 && i < books->count; i++)
        rc = repair_network(host, &found, &books->items[i], err);
    return rc;
}
