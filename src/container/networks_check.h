/* SPDX-License-Identifier: Apache-2.0 */
/* network/check.h for a host on which containers come and go, and with their names. */
#ifndef CAISSON_CONTAINER_NETWORKS_CHECK_H
#define CAISSON_CONTAINER_NETWORKS_CHECK_H

#include "container/container.h"
#include "network/check.h"

/* Adds what differs and does so for a moment: what is just being set up or taken away is not told.
 * `names`: only of these networks, and what concerns all; none: of all. Changes nothing, but for
 * the moment for which it holds a container's lock. */
int networks_check(struct containers *all, const struct network_host *host,
                   const struct strv *names, struct network_differences *out, struct error *err);
/* Gives back what those who are gone have left, then network_repair(), and has names answered. For
 * all networks. `front`: the path of our program. */
int networks_repair(struct containers *all, const struct network_host *host, const char *front,
                    struct error *err);

#endif
