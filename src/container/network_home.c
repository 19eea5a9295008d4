/* SPDX-License-Identifier: Apache-2.0 */
#include "container/network_home.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/memory.h"
#include "base/process.h"
#include "base/text.h"
#include "container/disk.h"
#include "container/networks_parts.h"
#include "container/programs.h"
#include "network/elsewhere.h"
#include "network/home.h"
#include "network/netd_start.h"
#include "runtime/donor.h"
#include "runtime/syscalls.h"

int network_home_check(struct error *err)
{
    const char *path;
    int rc = home_pasta(&path, err);
    if (rc < 0)
        return rc;
    autofd tun = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
    return tun < 0 ? error_errno(err, "cannot open /dev/net/tun, by which pasta carries what an "
                                      "ordinary user's containers send")
                   : 0;
}

int network_home_keep_for(const struct network_host *host, int pidfd, struct error *err)
{
    return host->home < 0 ? 0 : home_say(host->home, HOME_MEMBER, pidfd, err);
}

struct ip_address network_home_host(const struct network_host *host)
{
    struct ip_address four = link_source(host->outside, AF_INET);
    return four.family ? four : link_source(host->outside, AF_INET6);
}

/* --- who was there before --- */

/* All of one container's leases on a network. */
static struct network_port port_of(const struct leases *leases, size_t first)
{
    const struct lease *lease = &leases->items[first];
    struct network_port port = {
        .owner = lease->owner, .number = LEASE_PORT_OF(lease->flags), .flags = lease->flags};
    memcpy(port.mac, lease->mac, MAC_SIZE);
    for (size_t i = first; i < leases->count; i++)
        if (streq(leases->items[i].owner, lease->owner))
            port.addresses[leases->items[i].address.family == AF_INET6] = leases->items[i].address;
    return port;
}

/* The first process of a container that runs, and no other with its number: a pidfd, or -ESRCH.
 * *addresses: as in its status, an allocation. */
static int first_process(const struct containers *all, const char *id, pid_t *pid, char **addresses)
{
    struct container_status status = {0};
    autofd state = openat(all->state_fd, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (state < 0 || status_read(state, STATUS_NAME, &status, NULL) < 0)
        return -ESRCH;
    autofd pidfd = status.pid > 0 ? sys_pidfd_open(status.pid) : -1;
    bool alive = pidfd >= 0 && process_alive(status.pid, status.start_time);
    *pid = status.pid;
    *addresses = take_ptr(status.addresses);
    status_free(&status);
    return alive ? take_fd(&pidfd) : -ESRCH;
}

/* Whether a container's way out is by this network: the first that has one. */
static bool leads_out(const struct network_host *host, const char *addresses, const char *network)
{
    autostrv parts = {0};
    strv_split(&parts, addresses ? addresses : "", ';');
    for (size_t i = 0; i < parts.len; i++) {
        autonetwork other = {0};
        parts.items[i][strcspn(parts.items[i], " ")] = '\0';
        if (network_find(&host->place, host->outside, parts.items[i], &other, NULL) == 0 &&
            !other.internal)
            return streq(parts.items[i], network);
    }
    return false;
}

static int bring_one(const struct containers *all, const struct network_host *host,
                     const struct network *network, struct network_port *port, struct error *err)
{
    pid_t pid;
    autofree char *addresses = NULL;
    autofd pidfd = first_process(all, port->owner, &pid, &addresses);
    if (pidfd < 0)
        return 0; /* it has ended, or is being started by somebody who lays its cable */
    int rc = network_ready(host, network, err);
    if (rc == 0)
        rc = network_home_keep_for(host, pidfd, err);
    if (rc < 0)
        return rc;
    port->default_route = leads_out(host, addresses, network->name);
    autofd insider = donor_insider(&pid, pidfd, NULL);
    autofd namespace = insider < 0 ? -1 : donor_namespace(pid, insider, "net", NULL);
    autofd inside = namespace < 0 ? -1 : elsewhere_netlink(namespace, NETLINK_ROUTE, NULL);
    if (inside >= 0) /* a container that cannot be reached keeps nobody else from its network */
        (void)network_plug_again(host, network, port, inside, namespace, NULL);
    return 0;
}

static bool seen_before(const struct leases *leases, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (streq(leases->items[k].owner, leases->items[i].owner))
            return true;
    return false;
}

int networks_answer_names(const struct network_host *host, const struct network *network,
                          const char *front, struct error *err)
{
    struct netd_start start = NETD_START_NONE;
    autofree char *program = program_beside(front, "caisson-netd", err);
    int rc = program ? netd_again(host, network, program, &start, err) : -ENOENT;
    if (rc == 0)
        rc = netd_wait(&start, network->name, err);
    netd_start_end(&start);
    return rc;
}

static int bring_network(const struct containers *all, const struct network_host *host,
                         const char *front, const char *name, struct error *err)
{
    autonetwork network = {0};
    autoleases leases = {0};
    if (lease_list(&host->place, name, &leases, NULL) < 0 || leases.count == 0 ||
        network_find(&host->place, host->outside, name, &network, NULL) < 0)
        return 0;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < leases.count; i++) {
        struct network_port port = port_of(&leases, i);
        if (!seen_before(&leases, i))
            rc = bring_one(all, host, &network, &port, err);
    }
    if (rc == 0 && link_index(host->routes, network.bridge, NULL) > 0) /* somebody came */
        rc = networks_answer_names(host, &network, front, err);
    return rc;
}

static int bring_back(const struct containers *all, const struct network_host *host,
                      const char *front, struct error *err)
{
    autostrv names = {0};
    int rc = network_list(&host->place, &names, err);
    for (size_t i = 0; rc == 0 && i < names.len; i++)
        rc = bring_network(all, host, front, names.items[i], err);
    return rc < 0 ? rc : home_say(host->home, HOME_WHOLE, -1, err);
}

/* --- making it --- */

/* What the program needs of ours: by these systemd is found. */
static void environment_of(struct strv *out)
{
    static const char *const names[] = {"XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *value = getenv(names[i]);
        if (value)
            strv_fmt(out, "%s=%s", names[i], value);
    }
}

static int start_program(const struct containers *all, const char *front, int listener,
                         struct error *err)
{
    autofree char *program = program_beside(front, "caisson-home", err);
    autostrv words = {0}, environment = {0};
    int status = 0, keep[] = {all->state_top, listener};
    pid_t pid;
    if (!program)
        return -ENOENT;
    strv_add(&words, "caisson-home");
    strv_add(&words, "--state");
    strv_fmt(&words, "%d", all->state_top);
    strv_add(&words, "--listen");
    strv_fmt(&words, "%d", listener);
    strv_add(&words, all->state);
    environment_of(&environment);
    const struct process_spec spec = {.program = program,
                                      .argv = strv_argv(&words),
                                      .environment = strv_argv(&environment),
                                      .fds = {-1, -1, -1},
                                      .keep = keep,
                                      .keep_count = 2};
    int rc = process_start(&spec, &pid, NULL, err);
    if (rc == 0)
        rc = process_wait(pid, &status, err);
    if (rc == 0 && status != 0)
        rc = error_set(err, -ECHILD, "caisson-home could not begin");
    return rc;
}

/* Called before it is there: so it finds somebody who needs it. */
static int make(const struct containers *all, const char *front, int directory, struct home *out,
                struct error *err)
{
    int rc = network_home_check(err);
    autofd listener = rc < 0 ? rc : home_listen(directory, err);
    autofd connection = listener < 0 ? listener : home_call(directory, err);
    if (connection < 0)
        return connection;
    rc = start_program(all, front, listener, err);
    close(take_fd(&listener)); /* or nobody would hear that it has ended */
    if (rc == 0)
        rc = home_welcome(connection, out, err);
    if (rc == 0)
        (void)take_fd(&connection);
    return rc == -ENOTCONN ? error_set(err, -ECHILD, "caisson-home ended before it was ready") : rc;
}

static int open_host(const struct containers *all, struct home *home, struct network_host *out,
                     struct error *err)
{
    struct network_place place = {all->root_top, all->state_top};
    int connection = take_fd(&home->connection), namespace = take_fd(&home->namespace);
    return network_host_open_home(&place, connection, namespace, out, err);
}

/* For a container that is about to start: one with a way out, when the host has one. */
static int open_to_outside(const struct containers *all, struct home *home,
                           struct network_host *out, struct error *err)
{
    if (*home->silence)
        return error_set(err, -ENETUNREACH, "cannot connect your networks with the outside: %s",
                         home->silence);
    return open_host(all, home, out, err);
}

/* Where nobody else is at it. */
static int begin_alone(struct containers *all, const char *front, int directory,
                       struct network_host *out, struct error *err)
{
    autohome home = HOME_NONE;
    autofd lock = home_lock(directory, err);
    int rc = lock < 0 ? lock : home_connect(directory, &home, err);
    if (rc == -ENOTCONN)
        rc = make(all, front, directory, &home, err);
    bool whole = home.whole;
    if (rc == 0)
        rc = open_to_outside(all, &home, out, err);
    if (rc < 0 || whole)
        return rc;
    rc = bring_back(all, out, front, err);
    if (rc < 0)
        network_host_close(out);
    return rc;
}

int network_home_begin(struct containers *all, const char *front, struct network_host *out,
                       struct error *err)
{
    autohome home = HOME_NONE;
    autofd directory = home_directory(all->state_top, true, err);
    int rc = directory < 0 ? directory : home_connect(directory, &home, err);
    if (rc == 0 && home.whole)
        return open_to_outside(all, &home, out, err);
    return rc < 0 && rc != -ENOTCONN ? rc : begin_alone(all, front, directory, out, err);
}

int network_home_look(const struct containers *all, struct network_host *out, struct error *err)
{
    autohome home = HOME_NONE;
    autofd directory = home_directory(all->state_top, false, err);
    int rc = directory < 0 ? directory : home_connect(directory, &home, err);
    if (rc == -ENOTCONN || rc == -ENOENT)
        rc = 0;
    return rc < 0 ? rc : open_host(all, &home, out, err);
}
