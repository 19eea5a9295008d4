/* SPDX-License-Identifier: Apache-2.0 */
/* What somebody asked for on the command line of run and create, typed but not yet judged. Fields
 * are set by the option table of cmd/run.c; planning (plan_make.h) turns them into a plan. */
#ifndef CAISSON_CONTAINER_REQUEST_H
#define CAISSON_CONTAINER_REQUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "base/strv.h"

struct request {
    /* what runs */
    const char *image;
    struct strv words; /* command and arguments after the image */
    const char *entrypoint;
    const char *user, *workdir, *hostname, *domainname, *name, *cid_file;
    struct strv env, env_files, labels, label_files, annotations, group_add;
    bool terminal, interactive, detach, remove;
    int init; /* -1: not given */
    int sig_proxy;
    const char *stop_signal, *umask;
    int64_t stop_timeout;
    const char *restart, *pull, *platform;
    int tls_verify; /* of --pull; -1: not given */
    const char *authfile;
    const char *health_cmd, *health_interval, *health_timeout, *health_start_period,
        *health_start_interval;
    int64_t health_retries;
    bool no_health;
    bool quiet, dry_run;
    bool by_run;
    bool foreground;    /* run without -d, and not only a plan */
    const char *format; /* of --dry-run */
    struct strv attach; /* "stdin", …; empty: all */
    const char *detach_keys;

    /* the level and its single flags */
    const char *level;
    bool privileged;
    int read_only;
    struct strv cap_add, cap_drop, security_opt, devices, device_rules, sysctls;
    const char *userns, *pid, *ipc, *uts, *cgroupns;

    /* network */
    struct strv publish, expose;
    bool publish_all;
    struct strv networks, network_aliases, egress, dns, dns_search, dns_options, add_hosts;
    const char *ip, *ip6, *mac_address;
    bool host_access, metadata_access;

    /* limits */
    int64_t memory, memory_swap, memory_reservation, cpu_shares, cpu_quota, cpu_period, pids,
        shm_size, blkio_weight;
    const char *oom_score_adj, *cpus, *cpuset_cpus, *cpuset_mems, *cgroup_parent;
    struct strv ulimits;

    /* storage */
    struct strv volumes, mounts, tmpfs, volumes_from;
    const char *image_volume;
    int read_only_tmpfs; /* -1: not given */

    /* logs */
    const char *log_driver;
    struct strv log_opts;
};

/* Nothing asked for. */
void request_init(struct request *request);

#endif
