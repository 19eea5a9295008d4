/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Containers on networks: bridges, cables and the firewall's elements, made and taken away.
 *
 * Everything that lies outside of the container can be made again from the books (networks.h): a
 * network_ready() that finds the bridge gone or the firewall flushed restores all of it, for every
 * network and every lease, in one transaction. What belongs to one container is added and removed
 * by one transaction of its own, whatever else there is.
 *
 * A container's network namespace takes its cable with it when it goes; only the elements and the
 * lease have to be taken back, and a lease whose owner is gone tells whoever comes by to do it.
 */
#ifndef CAISSON_NETWORK_ATTACH_H
#define CAISSON_NETWORK_ATTACH_H

#include "network/egress.h"
#include "network/link.h"
#include "network/networks.h"

#define NETWORK_TABLE_SIZE 48

/* Where bridges and the firewall are: in the host's network namespace, or in one that stands for it
 * (home.h). */
struct network_host {
    struct network_place place;
    int outside;          /* NETLINK_ROUTE of the host's own network: what is taken, who is it */
    int namespace;        /* what stands for the host; -1: nothing does */
    int home;             /* the connection that keeps that one there; -1 */
    int routes, firewall; /* netlink sockets there; -1: it does not exist now, and so no bridge */
    char table[NETWORK_TABLE_SIZE]; /* the firewall's: others' containers are none of ours */
};
/* In this process's network namespace. */
int network_host_open(const struct network_place *place, struct network_host *out,
                      struct error *err);
/* In `namespace`, which `home` keeps there; both are taken over. -1 and -1: it does not exist, and
 * what is to be taken away is gone. */
int network_host_open_home(const struct network_place *place, int home, int namespace,
                           struct network_host *out, struct error *err);
/* A socket where the bridges are, as of socket(2), O_CLOEXEC. The descriptor or a negative errno.
 */
int network_host_socket(const struct network_host *host, int domain, int type, int protocol);
void network_host_close(struct network_host *host);
#define NETWORK_HOST_NONE                                                                          \
    {                                                                                              \
        .outside = -1, .namespace = -1, .home = -1, .routes = -1, .firewall = -1                   \
    }

/* The bridge is there, forwards, and the firewall stands. */
int network_ready(const struct network_host *host, const struct network *network,
                  struct error *err);

/* Where something stands for the host: the firewall knows the host's own addresses as they are now.
 * No error while there is no firewall. */
int network_own_changed(const struct network_host *host, struct error *err);

/* How many networks a container can be on. */
#define NETWORK_PORTS_MAX 16

/* A container's end on one network. */
struct network_port {
    const char *owner; /* the container's id */
    unsigned number;   /* which of its networks, from 0: eth0 … */
    struct ip_address addresses[2];
    uint8_t mac[MAC_SIZE];
    unsigned flags;                   /* LEASE_* */
    const struct egress_list *egress; /* with LEASE_EGRESS, to plug it in: borrowed; else NULL */
    uint16_t log_group;               /* for what that list refuses */
    bool default_route;               /* by this network's gateways */
};

/* Lays the cable and lets it through the firewall. `inside`: a NETLINK_ROUTE socket of the
 * container's network namespace, `namespace`: that namespace. */
int network_plug(const struct network_host *host, const struct network *network,
                 const struct network_port *port, int inside, int namespace, struct error *err);
/* Only the cable, for one that runs on, when it went with what stood for the host; the firewall has
 * the container from the books. Nothing to do when it is there. */
int network_plug_again(const struct network_host *host, const struct network *network,
                       const struct network_port *port, int inside, int namespace,
                       struct error *err);
/* As long as this descriptor is open nobody makes the firewall's elements from the leases: for whom
 * has to take away both. */
int network_hold_firewall(const struct network_host *host, struct error *err);
/* Leads what it sends to far away to this network's gateways; it has no other such route. */
int network_route_out(const struct network *network, const struct network_port *port, int inside,
                      struct error *err);
/* Takes the cable away, both ends of it, from one that runs on; before network_unplug(). */
int network_pull(const struct network_host *host, const struct network_port *port,
                 struct error *err);
/* Takes the firewall's elements away and the cable down: nobody at its other end can take it up
 * again, and it goes with their network namespace (removing it would take the kernel 15 ms). What
 * is missing is no error. On one the addresses are not to be given to anybody else. */
int network_unplug(const struct network_host *host, const struct network *network,
                   const struct network_port *port, struct error *err);

/* Has the kernel forget the connections of those who had addresses of the network and have them no
 * more. Before such an address is somebody's again. */
int network_forget_left(const struct network_host *host, const struct network *network,
                        struct error *err);
/* The bridge and the network's elements; nobody is on it any more. */
int network_take_down(const struct network_host *host, const struct network *network,
                      struct error *err);
/* The table, when no network has a bridge any more; but not where the host forwards packets only
 * because there were some: nothing else would keep it from forwarding all. */
void network_tidy(const struct network_host *host);

#endif
