/* SPDX-License-Identifier: Apache-2.0 */
/* One container on a network: its cable and its elements. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "network/attach_parts.h"
#include "network/conntrack.h"

/* The container's end of the cable. */
static void inner_name(const struct network_port *port, char name[IFNAMSIZ])
{
    snprintf(name, IFNAMSIZ, "eth%u", port->number);
}

static void route_out(const struct network *network, const struct network_port *port, int index,
                      struct netlink_batch *b)
{
    for (size_t i = 0; i < 2; i++) {
        struct ip_prefix everything = {{.family = port->addresses[i].family}, 0};
        if (port->addresses[i].family != 0)
            link_add_route(b, index, &everything, &network->ranges[i].gateway);
    }
}

static int configure_inside(const struct network *network, const struct network_port *port,
                            const char *name, int inside, struct error *err)
{
    autobatch b = {0};
    int index = link_index(inside, name, err);
    if (index < 0)
        return error_set(err, index, "the container's interface %s went away", name);
    link_no_autoconfiguration(&b, name);
    link_up(&b, name);
    for (size_t i = 0; i < 2; i++) {
        const struct network_range *range = &network->ranges[i];
        if (port->addresses[i].family == 0)
            continue;
        struct ip_prefix own = {port->addresses[i], range->subnet.length};
        link_add_address(&b, index, &own);
    }
    if (port->default_route)
        route_out(network, port, index, &b);
    return send_links(inside, &b, "give the container its address", err);
}

int network_route_out(const struct network *network, const struct network_port *port, int inside,
                      struct error *err)
{
    autobatch b = {0};
    char name[IFNAMSIZ];
    inner_name(port, name);
    int index = link_index(inside, name, err);
    if (index < 0)
        return error_set(err, index, "the container's interface %s went away", name);
    route_out(network, port, index, &b);
    return send_links(inside, &b, "lead the container out by another network", err);
}

int network_pull(const struct network_host *host, const struct network_port *port,
                 struct error *err)
{
    autobatch b = {0};
    struct error why = {0};
    char cable[IFNAMSIZ];
    cable_name(port->owner, port->number, cable);
    link_remove(&b, cable);
    int rc = host->routes < 0 ? 0 : nl_send(host->routes, &b, NULL, &why);
    return rc == -ENODEV || rc == 0
               ? 0
               : error_set(err, rc, "cannot take the container's cable away: %s", why.text);
}

static struct lease lease_of(const struct network_port *port, size_t i)
{
    struct lease lease = {.address = port->addresses[i], .flags = port->flags};
    snprintf(lease.owner, sizeof lease.owner, "%s", port->owner);
    memcpy(lease.mac, port->mac, MAC_SIZE);
    return lease;
}

static int change_members(const struct network_host *host, const struct network *network,
                          const struct network_port *port,
                          void (*change)(struct nft *n, const struct firewall_member *member),
                          struct error *err)
{
    autonft n;
    char key[EGRESS_KEY_MAX];
    egress_key(port->owner, port->number, key);
    nft_begin(&n, host->table);
    if (port->flags & LEASE_EGRESS && change == firewall_add_member)
        egress_add(&n, key, port->egress, port->log_group);
    for (size_t i = 0; i < 2; i++) {
        struct passing p;
        struct lease lease = lease_of(port, i);
        if (lease.address.family == 0)
            continue;
        passing_of(network, &lease, &p);
        change(&n, &p.member);
    }
    autofd held = network_hold_firewall(host, err);
    return held < 0 ? held : nft_commit(&n, host->firewall, err);
}

/* When something was flushed between network_ready() and now, once more, and then again. */
#define LET_THROUGH_TRIES 5

static int let_through(const struct network_host *host, const struct network *network,
                       const struct network_port *port, struct error *err)
{
    struct error why = {0};
    int rc = -ENOENT;
    for (int i = 0; rc == -ENOENT && i < LET_THROUGH_TRIES; i++) {
        int ready = i > 0 ? network_ready(host, network, err) : 0;
        if (ready < 0)
            return ready;
        why = (struct error){0};
        rc = change_members(host, network, port, firewall_add_member, &why);
    }
    return rc < 0
               ? error_set(err, rc, "cannot let the container through the firewall: %s", why.text)
               : 0;
}

/* A cable of this name can only be that of the container's last run, whose namespace the kernel is
 * still taking apart. */
static int lay_cable(const struct network_host *host, const struct veth *veth, struct error *err)
{
    int rc = -EEXIST;
    for (int i = 0; rc == -EEXIST && i < 2; i++) {
        autobatch b = {0};
        struct error why = {0};
        if (i > 0)
            link_remove(&b, veth->name);
        link_add_veth(&b, veth);
        rc = nl_send(host->routes, &b, NULL, &why);
        if (rc == -ENODEV && i > 0) { /* it went by itself meanwhile */
            autobatch again = {0};
            link_add_veth(&again, veth);
            rc = nl_send(host->routes, &again, NULL, &why);
        }
        if (rc < 0)
            (void)error_set(err, rc, "cannot lay the container's cable: %s", why.text);
    }
    return rc;
}

static int find_bridge(const struct network_host *host, const struct network *network,
                       struct error *err)
{
    int bridge = link_index(host->routes, network->bridge, err);
    return bridge < 0 ? error_set(err, bridge, "bridge %s of network %s went away", network->bridge,
                                  network->name)
                      : bridge;
}

static int connect_port(const struct network_host *host, const struct network *network,
                        const struct network_port *port, int bridge, int inside, int namespace,
                        struct error *err)
{
    char cable[IFNAMSIZ], name[IFNAMSIZ];
    cable_name(port->owner, port->number, cable);
    inner_name(port, name);
    struct veth veth = {.name = cable,
                        .bridge = bridge,
                        .isolated = !network->shared,
                        .peer = name,
                        .peer_namespace = namespace,
                        .mtu = network->mtu};
    memcpy(veth.peer_mac, port->mac, MAC_SIZE);
    int rc = lay_cable(host, &veth, err);
    return rc < 0 ? rc : configure_inside(network, port, name, inside, err);
}

int network_plug(const struct network_host *host, const struct network *network,
                 const struct network_port *port, int inside, int namespace, struct error *err)
{
    int bridge = find_bridge(host, network, err);
    int rc = bridge < 0 ? bridge : let_through(host, network, port, err);
    if (rc < 0)
        return rc;
    rc = connect_port(host, network, port, bridge, inside, namespace, err);
    if (rc < 0)
        (void)network_unplug(host, network, port, NULL);
    return rc;
}

/* An end that is still there leads to a bridge that is not, in a namespace that is about to go. */
int network_plug_again(const struct network_host *host, const struct network *network,
                       const struct network_port *port, int inside, int namespace,
                       struct error *err)
{
    char cable[IFNAMSIZ], name[IFNAMSIZ];
    autobatch b = {0};
    struct error why = {0};
    cable_name(port->owner, port->number, cable);
    if (link_index(host->routes, cable, NULL) >= 0)
        return 0;
    inner_name(port, name);
    link_remove(&b, name);
    int rc = nl_send(inside, &b, NULL, &why);
    if (rc < 0 && rc != -ENODEV)
        return error_set(err, rc, "cannot remove the container's old interface: %s", why.text);
    int bridge = find_bridge(host, network, err);
    return bridge < 0 ? bridge : connect_port(host, network, port, bridge, inside, namespace, err);
}

static int remove_one(const struct network_host *host, struct nft *n)
{
    int rc = nft_commit(n, host->firewall, NULL);
    return rc == -ENOENT ? 0 : rc;
}

/* One that is missing lets the others stay: then one by one. 0 once none is there any more. */
static int remove_singly(const struct network_host *host, const struct network *network,
                         const struct network_port *port)
{
    static const unsigned each[] = {LEASE_HOST, LEASE_METADATA, LEASE_EGRESS, 0, 0};
    size_t count = sizeof each / sizeof *each;
    int worst = 0;
    for (size_t i = 0; i < 2 * count; i++) {
        struct passing p;
        struct lease lease = lease_of(port, i / count);
        if (lease.address.family == 0)
            continue;
        lease.flags = each[i % count] | LEASE_PORT(port->number);
        passing_of(network, &lease, &p);
        if (i % count != count - 2)
            p.member.bridge = NULL;
        if (i % count != count - 1)
            p.member.cable = NULL;
        autonft n;
        nft_begin(&n, host->table);
        firewall_remove_member(&n, &p.member);
        int rc = remove_one(host, &n);
        worst = rc < 0 ? rc : worst;
    }
    return worst;
}

/* Once no element leads there. Where one still does, of another address, it goes with that. */
static void remove_list(const struct network_host *host, const struct network_port *port)
{
    char key[EGRESS_KEY_MAX];
    autonft n;
    egress_key(port->owner, port->number, key);
    nft_begin(&n, host->table);
    egress_remove(&n, key);
    (void)nft_commit(&n, host->firewall, NULL);
}

int network_forget_left(const struct network_host *host, const struct network *network,
                        struct error *err)
{
    struct ip_address *list = NULL;
    size_t count = 0;
    int rc = lease_list_left(&host->place, network->name, &list, &count, err);
    if (rc == 0 && count > 0 && host->firewall >= 0)
        rc = conntrack_forget(host->firewall, list, count, err);
    if (rc == 0)
        lease_unmark_left(&host->place, network->name, list, count);
    free(list);
    return rc;
}

int network_unplug(const struct network_host *host, const struct network *network,
                   const struct network_port *port, struct error *err)
{
    struct error why = {0};
    if (host->routes < 0)
        return 0;
    int rc = change_members(host, network, port, firewall_remove_member, &why);
    if (rc < 0)
        rc = remove_singly(host, network, port);
    if (port->flags & LEASE_EGRESS)
        remove_list(host, port);
    char name[IFNAMSIZ];
    autobatch b = {0};
    cable_name(port->owner, port->number, name);
    link_down(&b, name);
    int down = nl_send(host->routes, &b, NULL, rc < 0 ? NULL : &why);
    if (rc == 0 && down < 0 && down != -ENODEV)
        return error_set(err, down, "cannot take the container's cable down: %s", why.text);
    if (rc < 0)
        return error_set(err, rc, "cannot take the container out of the firewall: %s", why.text);
    return 0;
}
