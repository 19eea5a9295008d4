/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What egress lists let pass and refused, as counts: the keeper's file NETD_LOG_FILE (netd.h).
 *
 * Bounded in memory and on disk, whatever containers do: one that asks for ever new names pushes
 * out lines of its own first. What is in the file is read back by the next keeper and by
 * `network log`; its writer is trusted, but what is no line of it is left out.
 */
#ifndef CAISSON_NETWORK_EGRESS_LOG_H
#define CAISSON_NETWORK_EGRESS_LOG_H

#include "base/buf.h"
#include "base/clock.h"
#include "network/names.h"
#include "network/netd.h"

#define EGRESS_WHO_SIZE 132

struct egress_event {
    bool granted;
    char id[NAMES_ID_MAX + 1]; /* the container's, */
    char who[EGRESS_WHO_SIZE]; /* and its name; "": not known */
    char name[256];            /* "": none */
    struct ip_address address; /* family 0: none */
    uint16_t port;
    uint8_t protocol; /* 0: none */
};

struct egress_line {
    struct egress_event event;
    uint32_t hash;
    uint64_t count;
    nanoseconds last;
};

struct egress_log {
    struct egress_line lines[NETD_LOG_LINES];
    size_t count;
    bool changed;
};

void egress_log_add(struct egress_log *log, const struct egress_event *event, nanoseconds now);
void egress_log_format(const struct egress_log *log, struct buf *out);
/* What egress_log_format() wrote, into an empty log. Changes the text. */
void egress_log_parse(char *text, struct egress_log *log);
/* "tcp", "udp", "icmp", a number, or "-" for 0. */
void egress_log_protocol(uint8_t protocol, struct buf *out);

#endif
