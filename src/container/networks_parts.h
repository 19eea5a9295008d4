/* SPDX-License-Identifier: Apache-2.0 */
/* The steps of a start on its networks (networks_of.c), which joining one later takes as well
 * (networks_change.c). */
#ifndef CAISSON_CONTAINER_NETWORKS_PARTS_H
#define CAISSON_CONTAINER_NETWORKS_PARTS_H

#include "container/networks.h"

/* The host's side, and room for so many networks; j->count is none yet. */
int joining_open(struct container *c, struct joining *j, size_t count, struct error *err);
/* Holds the network of the plan's endpoint i, has it ready and takes addresses on it; it becomes
 * the container's network `number`. */
int joining_take(struct container *c, struct joining *j, size_t i, unsigned number,
                 struct error *err);
/* Has the container's names answered there. */
int joining_add_names(const struct container *c, struct joining *j, size_t i, struct error *err);
/* The way out is by the network with the lowest number that has one. */
void joining_choose_outward(struct joining *j);
/* The lines of its resolv.conf that say whom to ask. */
void joining_servers(const struct joining *j, struct buf *out);
/* Into the status: where it is. */
void joining_note(struct container *c, const struct joining *j);

/* What a container that is not on a network (any more) has there: of a command that was killed.
 * Opens `host` when it is needed. */
void networks_sweep_one(const struct containers *all, struct network_host *host, const char *name,
                        const char *id);
/* Whether a container neither runs nor is just being started or ended: what it has on networks is
 * what a killed command left. */
bool networks_owner_gone(const struct containers *all, const char *id);
/* Takes cable, firewall elements, names and leases back, in this order. */
void network_leave(const struct network_host *host, const struct network *network,
                   const struct network_port *port);

/* Starts caisson-netd anew for the network's members. `front`: the path of our program. */
int networks_answer_names(const struct network_host *host, const struct network *network,
                          const char *front, struct error *err);

#endif
