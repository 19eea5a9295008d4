/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Published ports: from words to bindings, and what a start and an end do with them.
 *
 * A start binds the host's sockets first, so that a port which is in use ends it before anything is
 * made. caisson-port gets them when the container's network is there, and ends with the container's
 * first process; the status says which process it is and where it listens. Whoever cleans up after
 * a container ends it and waits for that, so that the ports are free for the next start.
 */
#ifndef CAISSON_CONTAINER_PORTS_H
#define CAISSON_CONTAINER_PORTS_H

#include "container/container.h"
#include "container/plan_make.h"
#include "network/listen.h"
#include "network/port_client.h"

/* Whether -p or -P is there, which without a --network mean the default one. */
bool ports_wanted(const struct request *request);
/* -p, -P, --expose and the image's ports, once the plan has its networks. `network`: the one that
 * was asked for. */
int plan_ports(struct planning *p, const char *network, struct error *err);

struct publishing {
    struct listeners listeners;
    const char *front; /* the path of our program; borrowed */
    bool apart;        /* the host is not on its networks: network/port_client.h */
    pid_t child;       /* 0, or what has to be waited for */
    int said;          /* -1, or what caisson-port says by */
};
#define PUBLISHING_NONE                                                                            \
    {                                                                                              \
        .said = -1                                                                                 \
    }

/* Binds. Nothing to do without ports. -EADDRINUSE with whose they are. */
int publishing_begin(struct container *c, struct publishing *p, struct error *err);
/* Starts caisson-port, which gets ready meanwhile. `namespace`: the container's network, `pidfd`:
 * its first process. */
int publishing_start(struct publishing *p, const struct ip_address own[2],
                     const struct ip_address gateway[2], int namespace, int pidfd,
                     struct error *err);
/* Until it is ready; then the status says so. */
int publishing_finish(struct container *c, struct publishing *p, struct error *err);
void publishing_end(struct publishing *p);

/* Ends caisson-port and waits for it. Nothing to do when it is gone. */
void container_ports_leave(struct container *c);
/* What it listens on now: published_format(), or NULL when it does not. */
const char *container_published(const struct container_status *status);

#endif
