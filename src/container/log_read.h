/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading what container/log_write.h wrote (or Docker, it is the same format): the engine of the
 * verb `logs`.
 *
 * Right across rotated files: a reader first opens all of them, newest first (a rotation in between
 * then shows a file twice, which is noticed, never not at all), and reads oldest first. Following
 * stays on the open file until it was renamed and read to its end, then goes on with its
 * successors, so no line is lost or shown twice unless rotation removed it before it was read.
 *
 * The files are bytes that a crash may have cut and that others may have written: a line that is no
 * entry is skipped. Memory is fixed.
 */
#ifndef CAISSON_CONTAINER_LOG_READ_H
#define CAISSON_CONTAINER_LOG_READ_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/error.h"

struct log_query {
    nanoseconds since; /* entries before it are left out; 0: none */
    nanoseconds until; /* entries after it are left out; 0: none */
    int64_t tail;      /* only the last so many lines of those; -1: all */
    bool timestamps;   /* each line begins with its time, nine digits, and a space */
    bool follow;
    int out, err; /* where lines of stdout and of stderr go; -1: nowhere */
    /* For following, what says that no more will come; -1 each when there is none. All that is
     * there by then is still read. */
    int state_dir; /* an exit record appears in it */
    int pidfd;     /* of the container's monitor (or whoever writes the log): it ended */
};

#define LOG_QUERY_ALL                                                                              \
    ((struct log_query){.tail = -1, .out = 1, .err = 2, .state_dir = -1, .pidfd = -1})

/* Writes the chosen lines. -EPIPE when nobody reads the output any more. */
int log_read(int log_dirfd, const struct log_query *query, struct error *err);

#endif
