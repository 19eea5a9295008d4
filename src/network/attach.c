/* SPDX-License-Identifier: Apache-2.0 */
#include "network/attach.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/text.h"
#include "network/attach_parts.h"
#include "network/elsewhere.h"
#include "network/home.h"
#include "network/netd_start.h"
#include "network/networks_dir.h"
#include "network/own.h"
#include "network/senders.h"

#define CLOSER_STACK 16384
#define USUAL_STATE "/run/caisson"

/* One table for each state directory; that of the usual one has a name that people know. */
static void name_table(int state, char table[NETWORK_TABLE_SIZE])
{
    struct stat st = {0}, usual;
    (void)fstat(state, &st);
    if (stat(USUAL_STATE, &usual) == 0 && st.st_dev == usual.st_dev && st.st_ino == usual.st_ino)
        snprintf(table, NETWORK_TABLE_SIZE, "%s", FIREWALL_TABLE);
    else
        snprintf(table, NETWORK_TABLE_SIZE, FIREWALL_TABLE "-%llx-%llx",
                 (unsigned long long)st.st_dev, (unsigned long long)st.st_ino);
}

static int open_host(struct network_host *host, bool exists, struct error *err)
{
    name_table(host->place.state, host->table);
    host->outside = netlink_open(NETLINK_ROUTE, err);
    if (host->outside < 0 || !exists)
        return host->outside < 0 ? host->outside : 0;
    host->routes = host->namespace < 0 ? host->outside
                                       : elsewhere_netlink(host->namespace, NETLINK_ROUTE, err);
    if (host->routes >= 0)
        host->firewall = elsewhere_netlink(host->namespace, NETLINK_NETFILTER, err);
    return host->routes < 0 ? host->routes : host->firewall < 0 ? host->firewall : 0;
}

int network_host_open(const struct network_place *place, struct network_host *out,
                      struct error *err)
{
    struct network_host host = NETWORK_HOST_NONE;
    host.place = *place;
    int rc = open_host(&host, true, err);
    if (rc < 0)
        network_host_close(&host);
    else
        *out = host;
    return rc;
}

int network_host_open_home(const struct network_place *place, int home, int namespace,
                           struct network_host *out, struct error *err)
{
    struct network_host host = NETWORK_HOST_NONE;
    host.place = *place;
    host.home = home;
    host.namespace = namespace;
    int rc = open_host(&host, namespace >= 0, err);
    if (rc < 0)
        network_host_close(&host);
    else
        *out = host;
    return rc;
}

int network_host_socket(const struct network_host *host, int domain, int type, int protocol)
{
    return host->routes < 0 ? -ENOTCONN : elsewhere_socket(host->namespace, domain, type, protocol);
}

/* Whoever closes a socket of nf_tables waits until the kernel is done with what was removed a
 * moment ago, by anybody: some milliseconds in which nothing depends on it. So a process that does
 * nothing else closes it. It begins with all our descriptors, and locks among them, so we go on
 * only when it has let go of the others. */
struct closer {
    int fd;
    uint32_t alone; /* a futex: 1 when nothing else is open there */
    char stack[CLOSER_STACK] __attribute__((aligned(16)));
};

static int closer(void *argument)
{
    struct closer *c = argument;
    (void)close_range(0, (unsigned)c->fd - 1, 0);
    (void)close_range((unsigned)c->fd + 1, ~0U, 0);
    __atomic_store_n(&c->alone, 1, __ATOMIC_RELEASE);
    (void)syscall(SYS_futex, &c->alone, FUTEX_WAKE, 1, NULL, NULL, 0);
    return 0; /* and its end closes the socket */
}

/* Not for ever: it may have been killed. */
static void wait_until_alone(struct closer *c)
{
    struct timespec step = {.tv_nsec = 10 * 1000 * 1000};
    for (int i = 0; i < 100 && !__atomic_load_n(&c->alone, __ATOMIC_ACQUIRE); i++)
        (void)syscall(SYS_futex, &c->alone, FUTEX_WAIT, 0, &step, NULL, 0);
}

static void close_later(int fd)
{
    /* It may still use its stack when we are long elsewhere, so it is never given back. */
    struct closer *c = fd > 2 ? malloc(sizeof *c) : NULL;
    if (c) {
        c->fd = fd;
        c->alone = 0;
    }
    if (!c || clone(closer, c->stack + sizeof c->stack, CLONE_VM, c) < 0)
        free(c);
    else
        wait_until_alone(c);
    close(fd);
}

void network_host_close(struct network_host *host)
{
    int routes = host->routes == host->outside ? -1 : host->routes;
    int fds[] = {host->outside, routes, host->namespace, host->home};
    if (host->firewall >= 0)
        close_later(host->firewall);
    for (size_t i = 0; i < sizeof fds / sizeof *fds; i++)
        if (fds[i] >= 0)
            close(fds[i]);
    *host = (struct network_host)NETWORK_HOST_NONE;
}

static int send_links(int fd, struct netlink_batch *b, const char *what, struct error *err)
{
    struct error why = {0};
    int rc = nl_send(fd, b, NULL, &why);
    return rc < 0 ? error_set(err, rc, "cannot %s: %s", what, why.text) : 0;
}

/* --- forwarding --- */

static bool is_on(const char *path)
{
    autobuf text = {0};
    return read_kernel_file(path, 64, &text, NULL) == 0 && !starts_with(buf_text(&text), "0");
}

/* A host that forwards IPv6 no longer listens to routers (accept_ra), and would lose its own
 * address: those interfaces that listen now are told to go on. sysctl ip-sysctl. */
static void keep_listening_to_routers(void)
{
    autodir d = opendir("/proc/sys/net/ipv6/conf");
    const struct dirent *entry;
    while (d && (entry = readdir(d))) {
        char path[300];
        autobuf text = {0};
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "/proc/sys/net/ipv6/conf/%s/accept_ra", entry->d_name);
        if (read_kernel_file(path, 64, &text, NULL) == 0 && starts_with(buf_text(&text), "1"))
            (void)write_kernel_file_at(AT_FDCWD, path, "2");
    }
}

const struct forwarding forwardings[2] = {
    {"/proc/sys/net/ipv4/ip_forward", ".forwarding4"},
    {"/proc/sys/net/ipv6/conf/all/forwarding", ".forwarding6"},
};

static bool has_family(const struct network *network, size_t i)
{
    return network->ranges[i].subnet.address.family != 0;
}

static int look_forwarding(void *closure)
{
    const struct network *network = closure;
    int off = 0;
    for (size_t i = 0; i < 2; i++)
        if (has_family(network, i) && !is_on(forwardings[i].path))
            off |= 1 << i;
    return off;
}

int not_forwarded(const struct network_host *host, const struct network *network)
{
    return elsewhere_do(host->namespace, look_forwarding, (void *)network);
}

/* What is off, and will be on because of us: noted before the firewall is made, which then forwards
 * nothing but ours, and that before it is on. 1 when something was noted. */
int note_forwarding(const struct network_host *host, const struct network *network,
                    struct error *err)
{
    int off = not_forwarded(host, network);
    if (off < 0)
        return error_set(err, off, "cannot look whether the host forwards packets: %s",
                         error_describe(off));
    autofd top = networks_open(host->place.state, true, err);
    int rc = top < 0 ? top : 0;
    bool noted = false;
    for (size_t i = 0; rc == 0 && i < 2; i++) {
        if (!(off >> i & 1))
            continue;
        rc = write_file_at(top, forwardings[i].note, "", 0, 0600, VOLATILE, err);
        noted = true;
    }
    return rc < 0 ? rc : noted;
}

static int turn_forwarding_on(void *closure)
{
    int off = look_forwarding(closure), rc = 0;
    for (size_t i = 0; rc == 0 && i < 2; i++) {
        if (!(off >> i & 1))
            continue;
        if (i == 1)
            keep_listening_to_routers();
        rc = write_kernel_file_at(AT_FDCWD, forwardings[i].path, "1");
    }
    return rc;
}

int forward(const struct network_host *host, const struct network *network, struct error *err)
{
    int rc = elsewhere_do(host->namespace, turn_forwarding_on, (void *)network);
    return rc < 0 ? error_set(err, rc, "cannot let the host forward packets (%s, %s): %s",
                              forwardings[0].path, forwardings[1].path, error_describe(rc))
                  : 0;
}

unsigned forwards_for_us(const struct network_host *host)
{
    autofd top = networks_open(host->place.state, false, NULL);
    unsigned ours = 0;
    for (size_t i = 0; top >= 0 && i < 2; i++)
        if (faccessat(top, forwardings[i].note, F_OK, 0) == 0)
            ours |= 1U << i;
    return ours;
}

/* --- the firewall from the books --- */

void cable_name(const char *owner, unsigned number, char name[IFNAMSIZ])
{
    snprintf(name, IFNAMSIZ, SENDERS_CABLE_PREFIX "%.10s%u", owner, number % NETWORK_PORTS_MAX);
}

/* A member of the firewall, with room for what it points to. */
struct passing {
    struct firewall_member member;
    const char *owner; /* borrowed */
    char cable[IFNAMSIZ], key[EGRESS_KEY_MAX], chain[EGRESS_CHAIN_MAX];
};

static void passing_of(const struct network *network, const struct lease *lease,
                       struct passing *out)
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
    link_up(&b, network->bridge);
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
    struct error why = {0};
    int there = firewall_look(host->firewall, host->table, err);
    if (there < 0 || (there == FIREWALL_WHOLE && !made))
        return there < 0 ? there : 0;
    if (there != FIREWALL_WHOLE || noted)
        return restore_firewall(host, noted, err);
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

int network_ready(const struct network_host *host, const struct network *network, struct error *err)
{
    int bridge = link_index(host->routes, network->bridge, err);
    bool made = bridge == -ENODEV;
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

/* --- a container --- */

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
    bool adds = change == firewall_add_member, listed = port->flags & LEASE_EGRESS;
    egress_key(port->owner, port->number, key);
    nft_begin(&n, host->table);
    if (listed && adds)
        egress_add(&n, key, port->egress, port->log_group);
    for (size_t i = 0; i < 2; i++) {
        struct passing p;
        struct lease lease = lease_of(port, i);
        if (lease.address.family == 0)
            continue;
        passing_of(network, &lease, &p);
        change(&n, &p.member);
    }
    if (listed && !adds)
        egress_remove(&n, key);
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

/* One that is missing lets the others stay: then one by one. */
static void remove_singly(const struct network_host *host, const struct network *network,
                          const struct network_port *port)
{
    static const unsigned each[] = {LEASE_HOST, LEASE_METADATA, LEASE_EGRESS, 0, 0};
    size_t count = sizeof each / sizeof *each;
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
        (void)nft_commit(&n, host->firewall, NULL);
    }
    char key[EGRESS_KEY_MAX];
    autonft n;
    egress_key(port->owner, port->number, key);
    nft_begin(&n, host->table);
    egress_remove(&n, key);
    if (port->flags & LEASE_EGRESS)
        (void)nft_commit(&n, host->firewall, NULL);
}

int network_unplug(const struct network_host *host, const struct network *network,
                   const struct network_port *port, struct error *err)
{
    struct error why = {0};
    if (host->routes < 0)
        return 0;
    int rc = change_members(host, network, port, firewall_remove_member, &why);
    if (rc == -ENOENT)
        remove_singly(host, network, port);
    else if (rc < 0)
        return error_set(err, rc, "cannot take the container out of the firewall: %s", why.text);
    char name[IFNAMSIZ];
    autobatch b = {0};
    cable_name(port->owner, port->number, name);
    link_down(&b, name);
    rc = nl_send(host->routes, &b, NULL, &why);
    return rc == -ENODEV || rc == 0
               ? 0
               : error_set(err, rc, "cannot take the container's cable down: %s", why.text);
}

/* --- a network's end --- */

int network_take_down(const struct network_host *host, const struct network *network,
                      struct error *err)
{
    struct error why = {0};
    struct firewall_network elements;
    autobatch b = {0};
    if (host->routes < 0)
        return 0;
    autofd held = network_hold_firewall(host, err);
    if (held < 0)
        return held;
    link_remove(&b, network->bridge);
    int rc = nl_send(host->routes, &b, NULL, &why);
    if (rc < 0 && rc != -ENODEV)
        return error_set(err, rc, "cannot remove bridge %s of network %s: %s", network->bridge,
                         network->name, why.text);
    autonft n;
    nft_begin(&n, host->table);
    network_firewall(network, &elements);
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
