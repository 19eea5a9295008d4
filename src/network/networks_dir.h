/* SPDX-License-Identifier: Apache-2.0 */
/* What the files about networks on disk share. For src/network only. */
#ifndef CAISSON_NETWORK_NETWORKS_DIR_H
#define CAISSON_NETWORK_NETWORKS_DIR_H

#include "network/networks.h"

#define NETWORKS_NAME "networks"
#define NETWORK_BRIDGE_PREFIX FIREWALL_BRIDGE_PREFIX

/* <top>/networks; -ENOENT without a sentence where there is none and `make` is not given. */
int networks_open(int top, bool make, struct error *err);
int network_read(int top, const char *name, struct network *out, struct error *err);

/* Fills in what was left open of the network's ranges, and checks the rest: against each other,
 * against the other networks and against the host's routes. Under the lock on the directory. */
int subnets_choose(const struct network_place *place, int routes, struct network *network,
                   bool ipv6, struct error *err);

#endif
