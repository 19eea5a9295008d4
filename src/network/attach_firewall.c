/* SPDX-License-Identifier: Apache-2.0 */
/* The firewall from the books. */
#include <stdio.h>
#include <string.h>
#include <sys/file.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/text.h"
#include "network/attach_parts.h"
#include "network/home.h"
#include "network/netd_start.h"
#include "network/networks_dir.h"
#include "network/own.h"
#include "network/senders.h"

void cable_name(const char *owner, unsigned number, char name[IFNAMSIZ])
{
    snprintf(name, IFNAMSIZ, SENDERS_CABLE_PREFIX "%.10s%u", owner, number % NETWORK_PORTS_MAX);
}

void passing_of(const struct network *network, const struct lease *lease, struct passing *out)
{
    unsigned number = LEASE_PORT_OF(lease->flags);
    cable_name(lease->owner, number, out->cable);
    egress_key(lease->owner, number, out->key);
    egress_chain(out->key, out->chain);
    out->owner = lease->owner;
    out->member = (struct firewall_member){
        .bridge = network->bridge,
        .cable = out->cable,
        .addresses = {lease->address},
        .host = lease->flags & LEASE_HOST,
        .metadata = lease->flags & LEASE_METADATA,
        .egress = lease->flags & LEASE_EGRESS ? out->chain : NULL,
    };
    memcpy(out->member.mac, lease->mac, MAC_SIZE);
}

/* A list that is not known lets nothing pass: who is about to join has its own added again. */
static void write_list(struct nft *n, const struct passing *p, const struct names *names)
{
    static const struct egress_list none = {.limited = true};
    const struct names_member *m = names_by_id(names, p->owner);
    egress_add(n, p->key, m && m->egress.limited ? &m->egress : &none, names->group);
}

/* Of its owner's leases: one list is for all of them. */
static bool is_first(const struct leases *leases, size_t i)
{
    for (size_t j = 0; j < i; j++)
        if (streq(leases->items[j].owner, leases->items[i].owner))
            return false;
    return true;
}

int write_network(const struct network_host *host, const struct network *network, struct nft *n,
                  struct error *err)
{
    struct firewall_network elements;
    autoleases leases = {0};
    autonames names = {0};
    int rc = lease_list(&host->place, network->name, &leases, err);
    if (rc < 0)
        return rc;
    (void)netd_names(&host->place, network->name, &names, NULL);
    network_firewall(network, &elements);
    elements.aside = names.aside;
    firewall_add_network(n, &elements);
    for (size_t i = 0; i < leases.count; i++) {
        struct passing p;
        passing_of(network, &leases.items[i], &p);
        if (p.member.egress && is_first(&leases, i))
            write_list(n, &p, &names);
        firewall_add_member(n, &p.member);
    }
    return 0;
}

/* Every network that has a bridge, whoever is on it. One that is damaged on disk stays closed. */
static int write_networks(const struct network_host *host, struct nft *n, struct error *err)
{
    autostrv names = {0};
    int rc = network_list(&host->place, &names, err);
    autofd top = rc < 0 ? rc : networks_open(host->place.root, false, err);
    for (size_t i = 0; rc == 0 && top >= 0 && i < names.len; i++) {
        autonetwork network = {0};
        if (network_read(top, names.items[i], &network, NULL) == 0 &&
            link_index(host->routes, network.bridge, NULL) > 0)
            rc = write_network(host, &network, n, err);
    }
    return rc;
}

unsigned table_flags(const struct network_host *host)
{
    return forwards_for_us(host) | (host->namespace < 0 ? 0 : FIREWALL_HIGH_PORTS);
}

/* In the same transaction as the rules, which are never there without. */
int write_own(const struct network_host *host, struct nft *n, struct error *err)
{
    autoown own = {0};
    int rc = host->namespace < 0 ? 0 : own_look(host->outside, &own, err);
    if (rc == 0 && own.count > 0)
        firewall_set_own(n, own.items, own.count);
    return rc;
}

int network_own_changed(const struct network_host *host, struct error *err)
{
    autonft n;
    autoown own = {0};
    struct error why = {0};
    int rc = own_look(host->outside, &own, err);
    if (rc < 0)
        return rc;
    nft_begin(&n, host->table);
    firewall_set_own(&n, own.items, own.count);
    rc = nft_commit(&n, host->firewall, &why);
    return rc < 0 && rc != -ENOENT
               ? error_set(err, rc, "cannot close the host's addresses: %s", why.text)
               : 0;
}

/* Whoever makes elements from the leases would bring back what is taken away meanwhile, and miss
 * what is added: it has to be alone. */
static int hold_firewall(const struct network_host *host, int kind, struct error *err)
{
    autofd fd = networks_open(host->place.state, true, err);
    int rc = fd < 0 ? fd : lock_fd(fd, kind);
    if (fd >= 0 && rc < 0)
        return error_set(err, rc, "cannot lock the directory of the networks' state: %s",
                         error_describe(rc));
    return rc < 0 ? rc : take_fd(&fd);
}

int network_hold_firewall(const struct network_host *host, struct error *err)
{
    return hold_firewall(host, LOCK_SH, err);
}

int restore_firewall(const struct network_host *host, bool anew, struct error *err)
{
    struct error why = {0};
    autofd held = hold_firewall(host, LOCK_EX, err);
    if (held < 0)
        return held;
    if (!anew && firewall_look(host->firewall, host->table, NULL) == FIREWALL_WHOLE)
        return 0; /* another command was quicker */
    autonft n;
    nft_begin(&n, host->table);
    firewall_delete_table(&n);
    firewall_add_table(&n, table_flags(host));
    int rc = write_own(host, &n, err);
    if (rc == 0)
        rc = write_networks(host, &n, err);
    if (rc < 0)
        return rc;
    rc = nft_commit(&n, host->firewall, &why);
    if (rc < 0)
        return error_set(err, rc, "cannot set up the firewall: %s", why.text);
    close(take_fd(&held)); /* home may want it */
    /* What changed since we looked was told to a table that is gone. */
    return host->home < 0 ? 0 : home_say(host->home, HOME_OWN, -1, err);
}

int admit_network(const struct network_host *host, const struct network *network, struct error *err)
{
    struct error why = {0};
    autonft n;
    nft_begin(&n, host->table);
    autofd held = hold_firewall(host, LOCK_EX, err);
    int rc = held < 0 ? held : write_network(host, network, &n, err);
    if (rc < 0)
        return rc;
    rc = nft_commit(&n, host->firewall, &why);
    return rc < 0 ? error_set(err, rc, "cannot let network %s through the firewall: %s",
                              network->name, why.text)
                  : 0;
}
