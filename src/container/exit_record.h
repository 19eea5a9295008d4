/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a container's first process ended, as one line in the file `exit` of the container's state
 * directory: "CODE SIGNAL FINISHED_NS". It appears in one step and only once everything that the
 * container printed is in its log. The monitor writes it for detached containers and the command
 * itself for those in the foreground, through this code; whoever starts a container again removes
 * it first. No record and no process means that the machine or the monitor died before the end was
 * seen.
 */
#ifndef CAISSON_CONTAINER_EXIT_RECORD_H
#define CAISSON_CONTAINER_EXIT_RECORD_H

#include <stdint.h>

#include "base/clock.h"

#define EXIT_RECORD_NAME "exit"

struct exit_record {
    int code;   /* as a shell shows it: the exit code, or 128 + signal */
    int signal; /* the signal that ended it, or 0 */
    nanoseconds finished;
};

/* `wait_status` as from wait(2). */
struct exit_record exit_record_of(int wait_status, nanoseconds finished);
/* 0 or -errno. Needs neither heap nor stdio: the monitor uses it. */
int exit_record_write(int dirfd, int wait_status, nanoseconds finished);
/* 0, -ENOENT while there is none, -EINVAL when it is damaged, or another -errno. */
int exit_record_read(int dirfd, struct exit_record *out);
/* A missing record is no error. 0 or -errno. */
int exit_record_remove(int dirfd);

#endif
