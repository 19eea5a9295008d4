/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keeper of a network: the process of caisson-netd (netd.h) that may change something.
 *
 * It owns the sets of grants (egress.h) and NETD_LOG_FILE. Of what the resolver says nothing is
 * believed but that an answer came: the name has to match the container's own list, the addresses
 * have to be public ones, the time is bounded. What is granted is kept in the kernel alone, so
 * nothing is lost when the keeper is killed.
 */
#ifndef CAISSON_NETWORK_KEEPER_H
#define CAISSON_NETWORK_KEEPER_H

#include "base/error.h"

/* Serves the network whose descriptors were inherited (enum netd_fd) until it has no members: 0.
 * Or a negative errno; in the resolver, which is a child, only when it could not begin. */
int keeper_run(struct error *err);

#endif
