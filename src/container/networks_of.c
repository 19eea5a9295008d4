/* SPDX-License-Identifier: Apache-2.0 */
/* What a container's start and its end do on its networks; and removing networks. */
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/memory.h"
#include "base/text.h"
#include "container/disk.h"
#include "container/events.h"
#include "container/network_home.h"
#include "container/networks_parts.h"
#include "container/programs.h"
#include "container/summary.h"
#include "runtime/ids.h"

#define NAMESERVERS 3

static unsigned flags_of(const struct plan *plan, const struct egress_list *list, unsigned number)
{
    return (list->limited ? LEASE_EGRESS : 0) | (plan->host_access ? LEASE_HOST : 0) |
           (plan->metadata_access ? LEASE_METADATA : 0) | LEASE_PORT(number);
}

/* --- before the start --- */

/* An owner that is gone never gave it back: whoever wants the address takes it back for it. */
static int take_address(struct container *c, const struct network_host *host,
                        const struct network *network, size_t family, struct lease *lease,
                        struct error *err)
{
    struct error why = {0};
    int rc = lease_take(&host->place, network, family, lease, &why);
    if (rc == -EADDRINUSE || rc == -ENOSPC) {
        networks_sweep_dead(c->all, host, network);
        why = (struct error){0};
        rc = lease_take(&host->place, network, family, lease, &why);
    }
    return rc < 0 ? error_set(err, rc, "%s", why.text) : 0;
}

/* One of each family that the network has, all on one interface. */
static int take_addresses(struct container *c, const struct network_host *host,
                          const struct network *network, const struct plan_endpoint *endpoint,
                          struct network_port *port, struct error *err)
{
    const char *const texts[] = {endpoint->ip4, endpoint->ip6};
    if (endpoint->mac && mac_parse(endpoint->mac, port->mac) < 0)
        return error_set(err, -EINVAL, "%s is no hardware address", endpoint->mac);
    for (size_t f = 0; f < 2; f++) {
        struct lease lease = {.flags = port->flags};
        if (network->ranges[f].subnet.address.family == 0)
            continue;
        memcpy(lease.owner, c->id, sizeof lease.owner);
        memcpy(lease.mac, port->mac, MAC_SIZE);
        if (texts[f] && ip_parse(texts[f], &lease.address) < 0)
            return error_set(err, -EINVAL, "%s is no address", texts[f]);
        int rc = take_address(c, host, network, f, &lease, err);
        if (rc < 0)
            return rc;
        port->addresses[f] = lease.address;
        memcpy(port->mac, lease.mac, MAC_SIZE);
    }
    return 0;
}

/* Its own list, or that of the network. */
static int read_list(const struct container *c, const struct network *network,
                     struct egress_list *out, struct error *err)
{
    const struct strv *words = c->plan.egress.len > 0 ? &c->plan.egress : &network->egress;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < words->len; i++)
        rc = egress_parse(words->items[i], out, err);
    return rc;
}

int joining_add_names(const struct container *c, struct joining *j, size_t i, struct error *err)
{
    struct network_port *port = &j->ports[i];
    struct names_member m = {.name = c->plan.name,
                             .aliases = c->plan.endpoints[i].aliases,
                             .number = port->number,
                             .egress = j->lists[i]}; /* all borrowed */
    autostrv also = {0};
    for (size_t k = 0; k < c->plan.endpoint_count; k++)
        if (k != i)
            strv_add(&also, j->networks[k].name);
    m.also = also;
    snprintf(m.id, sizeof m.id, "%s", c->id);
    for (size_t f = 0; f < 2; f++)
        if (port->addresses[f].family != 0)
            m.addresses[m.address_count++] = port->addresses[f];
    for (size_t k = 0; k < c->plan.dns.len && m.upstreams.count < NAMES_UPSTREAMS; k++)
        m.upstreams.count +=
            ip_parse(c->plan.dns.items[k], &m.upstreams.list[m.upstreams.count]) == 0;
    autofree char *program = program_beside(j->publishing.front, "caisson-netd", err);
    if (!program)
        return -ENOENT;
    return netd_add(&j->host, &j->networks[i], &m, program, &port->log_group, &j->starts[i], err);
}

int joining_take(struct container *c, struct joining *j, size_t i, unsigned number,
                 struct error *err)
{
    const struct plan_endpoint *endpoint = &c->plan.endpoints[i];
    struct network *network = &j->networks[i];
    struct network_port *port = &j->ports[i];
    j->holds[i] = network_hold(&j->host.place, endpoint->network, LOCK_SH, err);
    if (j->holds[i] < 0)
        return j->holds[i];
    int rc = network_find(&j->host.place, j->host.outside, endpoint->network, network, err);
    if (rc == 0)
        rc = network_ready(&j->host, network, err);
    if (rc == 0)
        rc = read_list(c, network, &j->lists[i], err);
    *port = (struct network_port){.owner = c->id,
                                  .number = number,
                                  .flags = flags_of(&c->plan, &j->lists[i], number),
                                  .egress = &j->lists[i]};
    if (rc == 0)
        rc = take_addresses(c, &j->host, network, endpoint, port, err);
    bool left = false;
    for (size_t f = 0; rc == 0 && f < 2; f++)
        left |= port->addresses[f].family != 0 &&
                lease_was_left(&j->host.place, network->name, &port->addresses[f]);
    return rc == 0 && left ? network_forget_left(&j->host, network, err) : rc;
}

/* Where none has a way out, it is the first that is asked for names. */
void joining_choose_outward(struct joining *j)
{
    size_t found = j->count;
    for (size_t i = 0; i < j->count; i++)
        if (!j->networks[i].internal &&
            (found == j->count || j->ports[i].number < j->ports[found].number))
            found = i;
    j->outward = found == j->count ? 0 : found;
    if (found < j->count)
        j->ports[found].default_route = true;
}

/* All of them answer the same, but one that it is disconnected from no longer does. One address of
 * each is enough, and a C library asks no more than three: resolv.conf(5). */
void joining_servers(const struct joining *j, struct buf *out)
{
    for (size_t i = 0; i < j->count && i < NAMESERVERS; i++) {
        size_t at = i == 0 ? j->outward : i <= j->outward ? i - 1 : i;
        const struct network_range *ranges = j->networks[at].ranges;
        char text[IP_TEXT_MAX];
        ip_format(&ranges[ranges[0].subnet.address.family == 0].gateway, text);
        buf_fmt(out, "nameserver %s\n", text);
    }
}

void joining_note(struct container *c, const struct joining *j)
{
    autobuf out = {0};
    for (size_t i = 0; i < j->count; i++) {
        char texts[2][IP_TEXT_MAX], mac[MAC_TEXT_MAX];
        mac_format(j->ports[i].mac, mac);
        for (size_t f = 0; f < 2; f++)
            ip_format(&j->ports[i].addresses[f], texts[f]);
        buf_fmt(&out, "%s%s %s %s %u %s", i ? ";" : "", j->networks[i].name,
                *texts[0] ? texts[0] : "-", *texts[1] ? texts[1] : "-", j->ports[i].flags, mac);
    }
    free(c->status.addresses);
    c->status.addresses = out.len > 0 ? buf_take(&out) : NULL;
}

static void note_hosts(const struct container *c, const struct joining *j, struct buf *hosts)
{
    const char *name = c->plan.hostname ? c->plan.hostname : "caisson";
    for (size_t i = 0; i < 2 * j->count; i++) {
        char text[IP_TEXT_MAX];
        ip_format(&j->ports[i / 2].addresses[i % 2], text);
        if (*text)
            buf_fmt(hosts, "%s\t%s\n", text, name);
    }
    for (size_t i = 0; i < c->plan.extra_hosts.len; i++) {
        const char *word = c->plan.extra_hosts.items[i], *equals = strchr(word, '=');
        char text[IP_TEXT_MAX];
        if (!equals || !streq(equals + 1, "host-gateway") || j->count == 0)
            continue;
        struct ip_address host = j->host.namespace < 0 ? j->networks[j->outward].ranges[0].gateway
                                                       : network_home_host(&j->host);
        ip_format(&host, text);
        if (*text)
            buf_fmt(hosts, "%s\t%.*s\n", text, (int)(equals - word), word);
    }
}

int joining_open(struct container *c, struct joining *j, size_t count, struct error *err)
{
    int rc = ids_limited() ? network_home_begin(c->all, j->publishing.front, &j->host, err)
                           : networks_here(c->all, &j->host, err);
    if (rc < 0)
        return rc;
    j->networks = xcalloc(count, sizeof *j->networks);
    j->ports = xcalloc(count, sizeof *j->ports);
    j->holds = xcalloc(count, sizeof *j->holds);
    j->lists = xcalloc(count, sizeof *j->lists);
    j->starts = xcalloc(count, sizeof *j->starts);
    for (size_t i = 0; i < count; i++) {
        j->holds[i] = -1;
        j->starts[i] = (struct netd_start)NETD_START_NONE;
    }
    return 0;
}

int joining_begin(struct container *c, struct joining *j, struct error *err)
{
    autobuf hosts = {0}, servers = {0};
    size_t count = c->plan.endpoint_count;
    if (count == 0)
        return 0;
    int rc = publishing_begin(c, &j->publishing, err);
    if (rc == 0)
        rc = joining_open(c, j, count, err);
    if (rc < 0)
        return rc;
    for (; rc == 0 && j->count < count; j->count++)
        rc = joining_take(c, j, j->count, (unsigned)j->count, err);
    for (size_t i = 0; rc == 0 && i < count; i++) /* all of them have their directories now */
        rc = joining_add_names(c, j, i, err);
    if (rc < 0) {
        networks_sweep(c->all, c->id);
        return rc;
    }
    joining_choose_outward(j);
    joining_note(c, j);
    note_hosts(c, j, &hosts);
    joining_servers(j, &servers);
    free(c->plan.resolv_own);
    c->plan.resolv_own = buf_take(&servers);
    free(c->plan.hosts_own);
    c->plan.hosts_own = buf_take(&hosts);
    return 0;
}

int joining_connect(void *closure, int inside, int namespace, int pidfd, struct error *err)
{
    struct joining *j = closure;
    int rc = network_home_keep_for(&j->host, pidfd, err);
    for (size_t i = 0; rc == 0 && i < j->count; i++)
        rc = network_plug(&j->host, &j->networks[i], &j->ports[i], inside, namespace, err);
    if (rc < 0 || j->publishing.listeners.count == 0)
        return rc;
    j->publishing.apart = j->host.namespace >= 0;
    const struct ip_address gateways[] = {j->networks[0].ranges[0].gateway,
                                          j->networks[0].ranges[1].gateway};
    return publishing_start(&j->publishing, j->ports[0].addresses, gateways, namespace, pidfd, err);
}

int joining_finish(struct container *c, struct joining *j, struct error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < j->count; i++)
        rc = netd_wait(&j->starts[i], j->networks[i].name, err);
    if (rc == 0)
        rc = publishing_finish(c, &j->publishing, err);
    for (size_t i = 0; rc == 0 && !c->plan.step && i < j->count; i++)
        event_tell_network(c->all, &j->networks[i], "connect", c->id);
    return rc;
}

void joining_end(struct joining *j)
{
    for (size_t i = 0; i < j->count; i++) {
        network_free(&j->networks[i]);
        egress_free(&j->lists[i]);
        netd_start_end(&j->starts[i]);
        if (j->holds[i] >= 0)
            close(j->holds[i]);
    }
    free(j->networks);
    free(j->ports);
    free(j->holds);
    free(j->lists);
    free(j->starts);
    network_host_close(&j->host);
    publishing_end(&j->publishing);
    *j = (struct joining)JOINING_NONE;
}

/* --- after the end --- */

/* Before the address is free again: whoever else is in the network namespace (--network container:,
 * a socket that was handed on) would have it together with whoever gets it next. */
void network_leave(const struct network_host *host, const struct network *network,
                   const struct network_port *port)
{
    bool ours = false;
    for (size_t f = 0; f < 2; f++)
        ours |= port->addresses[f].family != 0 &&
                lease_is_of(&host->place, network->name, &port->addresses[f], port->owner);
    if (!ours) /* given back before: what there is now is another's */
        return;
    autofd held = network_hold_firewall(host, NULL);
    int rc = network_unplug(host, network, port, NULL);
    netd_remove(&host->place, network->name, port->owner);
    for (size_t f = 0; f < 2 && rc == 0; f++)
        if (port->addresses[f].family != 0 &&
            lease_mark_left(&host->place, network->name, &port->addresses[f]) == 0)
            lease_return(&host->place, network->name, &port->addresses[f], port->owner);
}

/* One part of the status's `addresses`. */
static int parse_addresses(const char *text, char name[NETWORK_NAME_SIZE],
                           struct network_port *port)
{
    char texts[2][IP_TEXT_MAX], mac[MAC_TEXT_MAX];
    if (sscanf(text, "%127s %63s %63s %u %17s", name, texts[0], texts[1], &port->flags, mac) != 5 ||
        mac_parse(mac, port->mac) < 0)
        return -EBADMSG;
    port->number = LEASE_PORT_OF(port->flags);
    for (size_t f = 0; f < 2; f++)
        if (!streq(texts[f], "-"))
            (void)ip_parse(texts[f], &port->addresses[f]);
    return 0;
}

int container_port(const struct container *c, const char *network, struct network_port *out)
{
    char name[NETWORK_NAME_SIZE];
    autostrv parts = {0};
    if (c->status.addresses)
        strv_split(&parts, c->status.addresses, ';');
    for (size_t i = 0; i < parts.len; i++) {
        *out = (struct network_port){.owner = c->id};
        if (parse_addresses(parts.items[i], name, out) == 0 && streq(name, network))
            return 0;
    }
    return -ENOENT;
}

/* Its networks as they are now, into `j`, as far as they are still there. */
static void look(const struct container *c, struct joining *j)
{
    struct network_place place = {c->all->root_top, c->all->state_top};
    autostrv parts = {0};
    if (c->status.addresses)
        strv_split(&parts, c->status.addresses, ';');
    j->networks = xcalloc(parts.len + 1, sizeof *j->networks);
    j->ports = xcalloc(parts.len + 1, sizeof *j->ports);
    for (size_t i = 0; i < parts.len; i++) {
        char name[NETWORK_NAME_SIZE];
        struct network_port *port = &j->ports[j->count];
        *port = (struct network_port){.owner = c->id};
        j->count += parse_addresses(parts.items[i], name, port) == 0 &&
                    network_find(&place, -1, name, &j->networks[j->count], NULL) == 0;
    }
}

void container_network_files(const struct container *c, struct buf *hosts, struct buf *resolv)
{
    struct joining j = JOINING_NONE;
    look(c, &j);
    buf_str(hosts, c->plan.hosts ? c->plan.hosts : "");
    buf_str(resolv, c->plan.resolv_conf ? c->plan.resolv_conf : "");
    if (j.count > 0) {
        joining_choose_outward(&j);
        note_hosts(c, &j, hosts);
        joining_servers(&j, resolv);
    }
    for (size_t i = 0; i < j.count; i++)
        network_free(&j.networks[i]);
    free(j.networks);
    free(j.ports);
}

void container_networks_rename(const struct container *c)
{
    struct network_place place = {c->all->root_top, c->all->state_top};
    autostrv parts = {0};
    if (c->status.addresses)
        strv_split(&parts, c->status.addresses, ';');
    for (size_t i = 0; i < parts.len; i++) {
        struct network_port port = {.owner = c->id};
        char name[NETWORK_NAME_SIZE];
        if (parse_addresses(parts.items[i], name, &port) == 0)
            netd_rename(&place, name, c->id, c->plan.name);
    }
}

static void leave_one(const struct container *c, const struct network_host *host, const char *text)
{
    autonetwork network = {0};
    struct network_port port = {.owner = c->id};
    char name[NETWORK_NAME_SIZE];
    if (parse_addresses(text, name, &port) < 0 ||
        network_find(&host->place, host->outside, name, &network, NULL) < 0)
        return;
    network_leave(host, &network, &port);
    if (c->status.pid > 0 && !c->plan.step)
        event_tell_network(c->all, &network, "disconnect", c->id);
}

void container_networks_leave(struct container *c)
{
    struct network_host host = NETWORK_HOST_NONE;
    autostrv parts = {0};
    if (!c->status.addresses || networks_here(c->all, &host, NULL) < 0)
        return;
    strv_split(&parts, c->status.addresses, ';');
    for (size_t i = 0; i < parts.len; i++)
        leave_one(c, &host, parts.items[i]);
    free(take_ptr(c->status.addresses));
    network_host_close(&host);
}

static bool same_port(const struct lease *a, const struct lease *b)
{
    return streq(a->owner, b->owner) && LEASE_PORT_OF(a->flags) == LEASE_PORT_OF(b->flags);
}

/* Its two addresses are given back together, by the lease of the IPv4 one: they have one list. A
 * second address of one family, from a command that was killed, is given back by itself. */
static void leave_lease(const struct network_host *host, const struct network *network,
                        const struct leases *leases, size_t at)
{
    const struct lease *lease = &leases->items[at];
    bool six = lease->address.family == AF_INET6, alone = false;
    struct network_port port = {
        .owner = lease->owner, .number = LEASE_PORT_OF(lease->flags), .flags = lease->flags};
    memcpy(port.mac, lease->mac, MAC_SIZE);
    port.addresses[six] = lease->address;
    for (size_t i = 0; i < leases->count; i++) {
        const struct lease *other = &leases->items[i];
        if (i == at || !same_port(lease, other))
            continue;
        if (six && other->address.family == AF_INET)
            return;
        alone |= !six && other->address.family == AF_INET && i < at;
        if (!six && !alone && other->address.family == AF_INET6)
            port.addresses[1] = other->address;
    }
    if (alone)
        port.addresses[1] = (struct ip_address){0};
    network_leave(host, network, &port);
}

void networks_sweep_dead(const struct containers *all, const struct network_host *host,
                         const struct network *network)
{
    autoleases leases = {0};
    if (lease_list(&host->place, network->name, &leases, NULL) < 0)
        return;
    for (size_t i = 0; i < leases.count; i++)
        if (networks_owner_gone(all, leases.items[i].owner))
            leave_lease(host, network, &leases, i);
}

void networks_sweep_one(const struct containers *all, struct network_host *host, const char *name,
                        const char *id)
{
    struct network_place place = {all->root_top, all->state_top};
    autonetwork network = {0};
    autoleases leases = {0};
    if (lease_list(&place, name, &leases, NULL) < 0)
        return;
    for (size_t i = 0; i < leases.count; i++) {
        if (!streq(leases.items[i].owner, id))
            continue;
        if (host->outside < 0 && networks_here(all, host, NULL) < 0)
            return;
        if (*network.id || network_find(&place, host->outside, name, &network, NULL) == 0)
            leave_lease(host, &network, &leases, i);
    }
}

/* Nearly always there is nothing, and nothing is opened for it. */
void networks_sweep(const struct containers *all, const char *id)
{
    struct network_place place = {all->root_top, all->state_top};
    struct network_host host = NETWORK_HOST_NONE;
    autostrv names = {0};
    (void)network_list(&place, &names, NULL);
    for (size_t i = 0; i < names.len; i++)
        networks_sweep_one(all, &host, names.items[i], id);
    network_host_close(&host);
}

/* --- removing a network --- */

static int refuse_running(struct containers *all, const struct network_host *host,
                          const struct network *network, struct error *err)
{
    autoleases leases = {0};
    networks_sweep_dead(all, host, network);
    int rc = lease_list(&host->place, network->name, &leases, err);
    if (rc < 0 || leases.count == 0)
        return rc;
    struct container_summary summary = {0};
    (void)container_summary(all, leases.items[0].owner, &summary, NULL);
    rc = error_set(
        err, -EBUSY, "network %s is used by container %.60s%s: stop it first (caisson stop %.60s)",
        network->name, summary.name ? summary.name : leases.items[0].owner,
        leases.count > 1 ? " and others" : "", summary.name ? summary.name : leases.items[0].owner);
    summary_free(&summary);
    return rc;
}

static int refuse_used(struct containers *all, const struct network *network, struct error *err)
{
    autostrv ids = {0};
    int rc = container_list(all, &ids, err);
    for (size_t i = 0; rc == 0 && i < ids.len; i++) {
        autocontainer c = CONTAINER_EMPTY;
        if (container_open(all, ids.items[i], &c, NULL) < 0)
            continue;
        for (size_t e = 0; e < c.plan.endpoint_count; e++)
            if (streq(c.plan.endpoints[e].network, network->name))
                return error_set(err, -EBUSY, "network %s is used by container %s", network->name,
                                 c.plan.name);
    }
    return rc;
}

int container_network_remove(struct containers *all, const char *word, bool unused,
                             struct error *err)
{
    struct network_host host = NETWORK_HOST_NONE;
    autonetwork network = {0};
    int rc = networks_here(all, &host, err);
    if (rc == 0)
        rc = network_find(&host.place, host.outside, word, &network, err);
    autofd held = rc < 0 ? -1 : network_hold(&host.place, network.name, LOCK_EX | LOCK_NB, err);
    if (rc == 0 && held < 0)
        rc = held;
    if (rc == 0)
        rc = refuse_running(all, &host, &network, err);
    if (rc == 0 && unused)
        rc = refuse_used(all, &network, err);
    if (rc == 0)
        rc = network_take_down(&host, &network, err);
    if (rc == 0)
        rc = network_forget(&host.place, network.name, err);
    if (rc == 0) {
        event_tell_network(all, &network, "destroy", NULL);
        network_tidy(&host);
    }
    network_host_close(&host);
    return rc;
}
