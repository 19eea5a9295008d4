/* SPDX-License-Identifier: Apache-2.0 */
/* The options structs of the verbs for networks, which their tables fill and their handlers read.
 */
#ifndef CAISSON_CMD_NETWORK_OPTIONS_H
#define CAISSON_CMD_NETWORK_OPTIONS_H

#include <stdbool.h>

#include "base/strv.h"

struct network_create_options {
    const char *driver;
    struct strv subnets, ranges, gateways, labels, options, egress;
    bool ipv6, internal;
};

struct network_ls_options {
    bool quiet, no_trunc;
    struct strv filters;
    const char *format;
};

struct network_inspect_options {
    const char *format;
};

struct network_rm_options {
    bool force;
};

struct network_check_options {
    bool repair, quiet;
    const char *format;
};

struct network_prune_options {
    bool force;
    struct strv filters;
};

struct network_log_options {
    struct strv filters;
    const char *since, *format;
};

struct network_connect_options {
    const char *ip, *ip6, *mac;
    struct strv aliases;
};

struct network_disconnect_options {
    bool force;
};

#endif
