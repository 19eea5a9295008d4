/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The home of an ordinary user's networks (network/home.h), as commands use it: made when the first
 * container needs it, found by all others, and filled again with who was on networks before it was
 * lost (whoever killed what kept it).
 */
#ifndef CAISSON_CONTAINER_NETWORK_HOME_H
#define CAISSON_CONTAINER_NETWORK_HOME_H

#include "container/container.h"
#include "network/attach.h"

/* For planning, and with a sentence: whether one could be made on this machine. */
int network_home_check(struct error *err);

/* What stands for the host, made where there is none; with all containers that run on networks.
 * `front`: the path of our program. */
int network_home_begin(struct containers *all, const char *front, struct network_host *out,
                       struct error *err);
/* The same as it is now. Where there is none, there is no bridge: network/attach.h. */
int network_home_look(const struct containers *all, struct network_host *out, struct error *err);
/* From here on it is kept for the container, too. `pidfd`: its first process. */
int network_home_keep_for(const struct network_host *host, int pidfd, struct error *err);
/* An address by which the host's services are reached from there; family 0: none is. */
struct ip_address network_home_host(const struct network_host *host);

#endif
