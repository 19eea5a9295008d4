/* SPDX-License-Identifier: Apache-2.0 */
/* What the options of caisson-runtime's verbs are stored into. */
#ifndef CAISSON_CMD_RUNTIME_OPTIONS_H
#define CAISSON_CMD_RUNTIME_OPTIONS_H

#include "cmd/verb.h"

struct runtime_globals {
    const char *root, *log, *log_format, *rootless, *cgroup_manager, *log_level;
    bool debug, systemd_cgroup;
};
extern struct runtime_globals runtime_globals;

struct runtime_create_options {
    const char *bundle, *console_socket, *pid_file;
    int64_t preserve_fds;
    bool no_new_keyring;
    /* run */
    bool detach, keep, no_subreaper;
};

struct runtime_exec_options {
    const char *console_socket, *cwd, *user, *process, *pid_file, *process_label, *apparmor,
        *cgroup;
    struct strv env, caps, groups;
    int64_t preserve_fds;
    bool terminal, detach;
    int no_new_privs;
    bool ignore_paused;
};

struct runtime_kill_options {
    bool all;
};

struct runtime_delete_options {
    bool force;
};

struct runtime_list_options {
    const char *format;
    bool quiet;
};

struct runtime_update_options {
    const char *resources, *cpuset_cpus, *cpuset_mems;
    int64_t memory, memory_reservation, memory_swap, pids, cpu_shares, cpu_quota, cpu_period,
        cpu_burst, cpu_idle, blkio_weight;
};

struct runtime_events_options {
    const char *interval;
    bool stats;
};

struct runtime_spec_options {
    const char *bundle;
    bool rootless;
};

#endif
