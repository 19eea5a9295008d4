/* SPDX-License-Identifier: Apache-2.0 */
/*
 * caisson-monitor's command line: all that a detached container's monitor knows. The front writes
 * it with monitor_execute(), the monitor reads it with monitor_spec_parse(); neither needs heap or
 * stdio.
 *
 * The process that made the container executes the monitor in its own place, which so is the parent
 * of the container's first process. When that has ended the monitor leaves the exit record in the
 * state directory and executes `after` in its place, as `caisson __ended ID`, with the environment
 * that it was started with.
 */
#ifndef CAISSON_CONTAINER_MONITOR_H
#define CAISSON_CONTAINER_MONITOR_H

#include <stdint.h>
#include <sys/types.h>

#include "container/log_write.h"

/* Descriptors are above 2, or -1 where that is allowed. */
struct monitor_spec {
    const char *id;
    pid_t pid;    /* the container's first process, our child */
    int dir;      /* the container's state directory */
    int out, err; /* read ends of its stdout and stderr, or -1 */
    int terminal; /* master of its terminal, or -1 */
    int in;       /* write end of its stdin, kept open and given to who attaches, or -1 */
    int attach;   /* listens for who attaches (container/attach.h), or -1 */
    int owner;    /* socket of the command that runs it in the foreground, or -1 */
    enum log_driver log;
    int log_dir;      /* where container.log is, for LOG_FILES; else -1 */
    int fields;       /* what each message to the journal begins with, for LOG_JOURNAL; else -1 */
    int64_t max_size; /* bytes of one log file, 0: no limit */
    /* Health checks: nanoseconds between them, the same while it starts, and how long that is. */
    int64_t health_interval; /* 0: none; `after` is what checks, as `caisson __health ID` */
    int64_t health_start_interval, health_start_period;
    unsigned max_file; /* number of log files, at least 1 */
    int after;         /* the program to execute at the end, or -1 */
    int ready; /* gets one byte, 'r', once the container is watched, then is closed; or -1 */
};

/* Executes the monitor, `program` being a descriptor of it, with exactly the descriptors of `spec`.
 * Returns only on failure: -errno. */
int monitor_execute(int program, const struct monitor_spec *spec);

/* 0, or -EINVAL when an option is unknown, missing, without value or out of range. */
int monitor_spec_parse(char **argv, struct monitor_spec *spec);

#endif
