/* SPDX-License-Identifier: Apache-2.0 */
/* Where bridges and the firewall are: sockets there, and how they are closed. */
#include <linux/futex.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/cleanup.h"
#include "network/attach_parts.h"
#include "network/elsewhere.h"

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

int send_links(int fd, struct netlink_batch *b, const char *what, struct error *err)
{
    struct error why = {0};
    int rc = nl_send(fd, b, NULL, &why);
    return rc < 0 ? error_set(err, rc, "cannot %s: %s", what, why.text) : 0;
}
