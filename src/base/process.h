/* SPDX-License-Identifier: Apache-2.0 */
/* The one way to start another program: by a path or descriptor of ours, never through a shell or
 * PATH unless `search` says so, with default signals, an explicit environment and no descriptor
 * beyond those named. */
#ifndef CAISSON_BASE_PROCESS_H
#define CAISSON_BASE_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/error.h"

#define PROCESS_LINE_MAX 24

struct process_spec {
    const char *program; /* a path; with `search`, a name to look for in PATH */
    bool search;
    char *const *argv;
    char *const *environment; /* NULL: ours */
    int fds[3];               /* what becomes 0, 1, 2; -1: /dev/null for it. Zero-initialised means
                                 0, 0, 0: set them. */
    const int *keep;          /* further descriptors that stay open under their own numbers */
    size_t keep_count;
    const int *line; /* or instead: that become 3, 4, 5 …; at most PROCESS_LINE_MAX */
    size_t line_count;
    const char *directory; /* working directory or NULL */
    bool detached;         /* not our child, in a session of its own; its id is not told */
    bool die_with_us;      /* killed when the thread that starts it ends, however that ends; as long
                              as it does not come to more rights than it is started with */
};

/* Starts it. *pidfd (O_CLOEXEC) may be NULL; both are for `detached`. A program that cannot be
 * executed is an error here (reported through a close-on-exec pipe), not an exit status later. */
int process_start(const struct process_spec *spec, pid_t *pid, int *pidfd, struct error *err);
/* waitpid(2) until the end. *status as from wait(2). */
int process_wait(pid_t pid, int *status, struct error *err);
/* An exit status as a shell shows it: the code, or 128 + signal. */
int process_exit_code(int status);
/* Starts, optionally collects standard output (bounded, appended), waits; a status other than 0 is
 * -ECHILD with a sentence. */
int process_run(const struct process_spec *spec, struct buf *output, size_t limit,
                struct error *err);
/* The words that this program was started with, as main() got them. */
void process_set_words(int argc, char **argv);
/* Overwrites them, so that /proc/PID/cmdline shows none: they may be secrets, and this process is
 * about to be seen in a container. Only for who looks at no word of main()'s any more. */
void process_hide_words(void);
/* Puts every signal back to its default and empties the mask: for children before execve. */
void process_reset_signals(void);

#endif
