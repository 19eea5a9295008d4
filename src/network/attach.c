/* SPDX-License-Identifier: Apache-2.0 */
/* Bridges, and all of a network. */
#include "network/attach.h"

#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "network/attach_parts.h"
#include "network/netd_start.h"
#include "network/networks_dir.h"

/* --- bridges --- */

static void bridge_mac(const struct network *network, uint8_t mac[MAC_SIZE])
{
    const struct ip_address *a = &network->ranges[0].gateway;
    const uint8_t own[MAC_SIZE] = {2, 0xca, a->bytes[0], a->bytes[1], a->bytes[2], a->bytes[3]};
    memcpy(mac, own, MAC_SIZE);
}

static int give_addresses(const struct network_host *host, const struct network *network, int index,
                          struct error *err)
{
    autobatch b = {0};
    for (size_t i = 0; i < 2; i++) {
        const struct network_range *range = &network->ranges[i];
        struct ip_prefix own = {range->gateway, range->subnet.length};
        if (own.address.family != 0)
            link_add_address(&b, index, &own);
    }
    struct error why = {0};
    int rc = nl_send(host->routes, &b, NULL, &why);
    return rc == -EEXIST || rc == 0
               ? 0
               : error_set(err, rc, "cannot give bridge %s of network %s its address: %s",
                           network->bridge, network->name, why.text);
}

int make_bridge(const struct network_host *host, const struct network *network, struct error *err)
{
    uint8_t mac[MAC_SIZE];
    struct error why = {0};
    autobatch b = {0};
    bridge_mac(network, mac);
    link_add_bridge(&b, network->bridge, mac, network->mtu);
    link_no_autoconfiguration(&b, network->bridge);
    int rc = nl_send(host->routes, &b, NULL, &why);
    if (rc < 0 && rc != -EEXIST)
        return error_set(err, rc, "cannot make bridge %s of network %s: %s", network->bridge,
                         network->name, why.text);
    int index = link_index(host->routes, network->bridge, err);
    if (index < 0)
        return index == -ENODEV ? error_set(err, index, "bridge %s of network %s went away",
                                            network->bridge, network->name)
                                : index;
    rc = give_addresses(host, network, index, err);
    if (rc < 0)
        return rc;
    autobatch whole = {0}; /* up last: one that is not up lacks something, and is made again */
    link_up(&whole, network->bridge);
    rc = send_links(host->routes, &whole, "take a network's bridge up", err);
    return rc < 0 ? rc : index;
}

int plug_lease(const struct network_host *host, const struct network *network,
               const struct lease *lease, int bridge, struct error *err)
{
    char name[IFNAMSIZ];
    autobatch b = {0};
    cable_name(lease->owner, LEASE_PORT_OF(lease->flags), name);
    if (link_index(host->routes, name, NULL) < 0)
        return 0;
    link_plug(&b, name, bridge, !network->shared);
    return send_links(host->routes, &b, "plug a container's cable in again", err);
}

/* Cables of containers that were on a bridge which somebody removed. */
static int plug_again(const struct network_host *host, const struct network *network, int bridge,
                      struct error *err)
{
    autoleases leases = {0};
    int rc = lease_list(&host->place, network->name, &leases, err);
    for (size_t i = 0; rc == 0 && i < leases.count; i++)
        rc = plug_lease(host, network, &leases.items[i], bridge, err);
    return rc;
}

/* `made`: its bridge was; `noted`: the table may lack what keeps others from being forwarded. */
static int ready_firewall(const struct network_host *host, const struct network *network, bool made,
                          bool noted, struct error *err)
{
    int there = firewall_look(host->firewall, host->table, err);
    if (there < 0 || (there == FIREWALL_WHOLE && !made))
        return there < 0 ? there : 0;
    if (there != FIREWALL_WHOLE || noted)
        return restore_firewall(host, noted, err);
    return admit_network(host, network, err);
}

int network_ready(const struct network_host *host, const struct network *network, struct error *err)
{
    bool up = false;
    int bridge = link_look(host->routes, network->bridge, &up, err);
    bool made = bridge == -ENODEV || (bridge > 0 && !up);
    int noted = 0, rc = 0;
    if (made) {
        noted = note_forwarding(host, network, err);
        bridge = noted < 0 ? noted : make_bridge(host, network, err);
        if (bridge >= 0)
            rc = plug_again(host, network, bridge, err);
    }
    if (bridge < 0)
        return bridge;
    if (rc == 0)
        rc = ready_firewall(host, network, made, noted > 0, err);
    return rc == 0 && made ? forward(host, network, err) : rc;
}

/* --- a network's end --- */

int network_take_down(const struct network_host *host, const struct network *network,
                      struct error *err)
{
    struct error why = {0};
    struct firewall_network elements;
    autonames names = {0};
    autobatch b = {0};
    if (host->routes < 0)
        return 0;
    autofd held = network_hold_firewall(host, err);
    if (held < 0)
        return held;
    (void)network_forget_left(host, network, NULL); /* its subnet may be another's */
    link_remove(&b, network->bridge);
    int rc = nl_send(host->routes, &b, NULL, &why);
    if (rc < 0 && rc != -ENODEV)
        return error_set(err, rc, "cannot remove bridge %s of network %s: %s", network->bridge,
                         network->name, why.text);
    autonft n;
    nft_begin(&n, host->table);
    network_firewall(network, &elements);
    (void)netd_names(&host->place, network->name, &names, NULL);
    elements.aside = names.aside;
    firewall_remove_network(&n, &elements);
    rc = nft_commit(&n, host->firewall, &why);
    close(take_fd(&held));
    /* Not all there, and so of no use: the next container sets it up anew. */
    if (rc == -ENOENT && firewall_look(host->firewall, host->table, NULL) == FIREWALL_WHOLE)
        return restore_firewall(host, true, err);
    return rc < 0 && rc != -ENOENT
               ? error_set(err, rc, "cannot take network %s out of the firewall: %s", network->name,
                           why.text)
               : 0;
}

void network_tidy(const struct network_host *host)
{
    autostrv names = {0};
    if (host->routes < 0 || forwards_for_us(host) || network_list(&host->place, &names, NULL) < 0)
        return;
    autofd top = networks_open(host->place.root, false, NULL);
    for (size_t i = 0; top >= 0 && i < names.len; i++) {
        autonetwork network = {0};
        if (network_read(top, names.items[i], &network, NULL) < 0 ||
            link_index(host->routes, network.bridge, NULL) != -ENODEV)
            return;
    }
    autonft n;
    nft_begin(&n, host->table);
    firewall_delete_table(&n);
    (void)nft_commit(&n, host->firewall, NULL);
}
