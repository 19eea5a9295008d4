/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sockets of published ports: ordinary ones of the host's, bound before the container is made.
 * The host's firewall judges them like any service's, a port that is in use is seen at once, and
 * nothing but the addresses that were asked for is ever open.
 */
#ifndef CAISSON_NETWORK_LISTEN_H
#define CAISSON_NETWORK_LISTEN_H

#include "network/ports.h"

struct listener {
    int fd; /* it does not block; TCP already listens */
    struct published at;
};

struct listeners {
    struct listener *items;
    size_t count;
};

/* In this process's network namespace. -EADDRINUSE with the first place that nobody can have; other
 * errors come with a sentence. */
int listeners_open(const struct port_bindings *bindings, struct listeners *out,
                   struct published *wanted, struct error *err);
void listeners_close(struct listeners *listeners);

#endif
