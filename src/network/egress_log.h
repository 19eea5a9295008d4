/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What egress lists let pass and refused, as counts: the keeper's file NETD_LOG_FILE (netd.h).
 *
 * Bounded in memory and on disk, whatever containers do: one that asks for ever new names pushes
 * out lines of its own first.
 */
#ifndef CAISSON_NETWORK_EGRESS_LOG_H
#define CAISSON_NETWORK_EGRESS_LOG_H

#include "base/buf.h"
#include "base/clock.h"
#include "network/names.h"
#include "network/netd.h"

struct egress_event {
    bool granted;
    char id[NAMES_ID_MAX + 1];
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

#endif
