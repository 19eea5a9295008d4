/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Containers on networks: from words to endpoints, and what a start and an end do with them.
 *
 * Addresses are chosen when a container starts (leases, network/networks.h) and given back when it
 * has ended; in between the status says which they are. The order makes a kill harmless: the lease
 * is written first and says whose the firewall's elements are, and whoever cleans up after a
 * container takes back what its leases and its status name.
 */
#ifndef CAISSON_CONTAINER_NETWORKS_H
#define CAISSON_CONTAINER_NETWORKS_H

#include "container/container.h"
#include "container/plan_make.h"
#include "container/ports.h"
#include "network/attach.h"
#include "network/netd_start.h"

/* The networks of --root and --state, and sockets of this process's network namespace. */
int networks_here(const struct containers *all, struct network_host *out, struct error *err);

/* --network and what belongs to it, but for container:NAME, into endpoints of the plan. */
int plan_network(struct planning *p, struct error *err);
/* One network, and what is said with it; all borrowed, NULL or "" for what is not said. */
struct endpoint_words {
    const char *network, *ip, *ip6, *mac;
    struct strv aliases;
};
/* As an endpoint of the plan. -EEXIST: it has one on this network. */
int plan_endpoint(const struct containers *all, struct plan *plan,
                  const struct endpoint_words *words, struct error *err);
/* -EINVAL for flags that mean nothing without endpoints; `network` is what was asked for. */
int plan_network_refuse(const struct request *r, const char *network, struct error *err);
/* Where it is, for the posture. */
void plan_network_text(const struct plan *plan, struct buf *out);
/* resolv.conf and hosts of a container with endpoints. */
void plan_network_files(struct plan *plan);
/* The same of one that has the host's network. */
void plan_host_files(struct plan *plan);

/* What a start has to do: addresses before, cables during, nothing after. */
struct joining {
    struct publishing publishing;
    struct network_host host;
    struct network *networks; /* an entry for each endpoint */
    int *holds;               /* locks that keep them from being removed */
    struct network_port *ports;
    struct egress_list *lists;
    struct netd_start *starts;
    size_t count;
    size_t outward; /* which of them leads outside: its gateways are asked for names as well */
};
#define JOINING_NONE                                                                               \
    {                                                                                              \
        .publishing = PUBLISHING_NONE, .host = NETWORK_HOST_NONE                                   \
    }
/* Binds the ports, holds the networks, takes addresses, has its names answered, writes all of it
 * into c->status and into the plan's own lines of /etc/hosts and resolv.conf. Nothing to do without
 * endpoints. `front`: the path of our program. */
int joining_begin(struct container *c, struct joining *j, struct error *err);
/* Lays the cables; see launch.h. */
int joining_connect(void *closure, int inside, int namespace, int pidfd, struct error *err);
/* Once it runs: its ports are published, and names answered. */
int joining_finish(struct container *c, struct joining *j, struct error *err);
void joining_end(struct joining *j);

/* Where it is on a network now. -ENOENT when it does not run, or not on that one. */
int container_port(const struct container *c, const char *network, struct network_port *out);

/* A container that runs is at once on one network more, or less, and with every start from now on;
 * one that does not, from its next start. `front`: the path of our program. With `force` it is no
 * error that it is not on that network. `warning` has a sentence afterwards where names are not
 * found before that start. */
int container_network_connect(struct container *c, const struct endpoint_words *words,
                              const char *front, struct error *warning, struct error *err);
int container_network_disconnect(struct container *c, const char *network, bool force,
                                 const char *front, struct error *warning, struct error *err);

/* hosts and resolv.conf as a container that runs has them, for one that joins its network. */
void container_network_files(const struct container *c, struct buf *hosts, struct buf *resolv);

/* While it runs, once it has another name: its networks know it by that. */
void container_networks_rename(const struct container *c);

/* After its end: firewall elements and addresses, as far as they are there. */
void container_networks_leave(struct container *c);
/* The same for one of which nothing but its id is known: looks through all leases. */
void networks_sweep(const struct containers *all, const char *id);

/* What those who are gone did not give back of one network. */
void networks_sweep_dead(const struct containers *all, const struct network_host *host,
                         const struct network *network);

/* -EBUSY with the names of running containers that are on it; with `unused`, of any container that
 * was made for it. */
int container_network_remove(struct containers *all, const char *word, bool unused,
                             struct error *err);

#endif
