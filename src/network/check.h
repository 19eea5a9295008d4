/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether networks are as the books say they should be (networks.h): bridges, cables, forwarding
 * and the firewall; and making them so again.
 *
 * What the firewall should be is nowhere described a second time. The same code that sets it up
 * does so in a network namespace that nobody is in, and the kernel is asked for both: rules with
 * all their expressions and in their order, chains with hooks and policies, sets, elements.
 *
 * Not seen: what other tables or programs (tc, XDP) do to the same packets; what a container
 * changed at its own end; the elements of sets that end by themselves, as destinations do that a
 * name was granted; counters and comments.
 *
 * It reads one thing after the other, so what is just being set up or taken away looks like a
 * difference. Whoever asks looks twice (container/networks_check.c).
 */
#ifndef CAISSON_NETWORK_CHECK_H
#define CAISSON_NETWORK_CHECK_H

#include "network/attach.h"

/* What makes it right. */
enum network_remedy {
    NETWORK_BY_RUN,     /* the next container on the network, or network_repair() */
    NETWORK_BY_REPAIR,  /* network_repair() */
    NETWORK_BY_RESTART, /* only another start of the container */
    NETWORK_BY_HAND,    /* as the sentence says */
};

struct network_difference {
    char *network; /* its name; NULL: of no network in particular */
    char *owner;   /* a container's id; NULL */
    char *what;    /* a sentence without a full stop */
    enum network_remedy remedy;
};

struct network_differences {
    struct network_difference *items;
    size_t count;
};
void network_differences_free(struct network_differences *differences);
#define autodifferences                                                                            \
    __attribute__((cleanup(network_differences_free))) struct network_differences
/* `network` and `owner` may be NULL; all is copied. */
void network_differs(struct network_differences *out, enum network_remedy remedy,
                     const char *network, const char *owner, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
/* The same of the same network and container. */
bool network_differences_have(const struct network_differences *differences,
                              const struct network_difference *one);

/* Adds what differs. Changes nothing. */
int network_check(const struct network_host *host, struct network_differences *out,
                  struct error *err);
/* Restores bridges, their addresses, cables that are there, forwarding and the firewall, each where
 * it differs. Whose lease is stale is not its concern: give those back first. */
int network_repair(const struct network_host *host, struct error *err);

#endif
