/* SPDX-License-Identifier: Apache-2.0 */
/* What somebody asked for on the command line of build; set by the option table, judged by the
 * builder. */
#ifndef CAISSON_BUILD_OPTIONS_H
#define CAISSON_BUILD_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/strv.h"

struct build_options {
    /* what is built */
    const char *file, *target, *platform;
    struct strv build_args, contexts;
    /* what comes of it */
    struct strv tags, labels, annotations, outputs;
    const char *iidfile, *metadata_file, *provenance, *sbom;
    bool load, push;
    /* the cache */
    bool no_cache, pull;
    struct strv no_cache_filter, cache_from, cache_to;
    const char *lock_file;
    bool no_lock;
    /* steps */
    struct strv secrets, ssh, allow, allow_secret, add_hosts, ulimits, egress;
    const char *network, *cpus, *cgroup_parent;
    int64_t memory, memory_swap, shm_size;
    /* what is said */
    const char *progress, *call;
    bool quiet, check;
    /* known from Docker */
    bool rm, force_rm;
};

#endif
