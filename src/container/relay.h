/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The foreground's relay: our standard streams to and from the container's until its first process
 * has ended and all it printed is passed on; signals on the way to it; the terminal as it was
 * afterwards.
 *
 * Guards against: a reader that never reads (fixed buffers, each direction waits for itself only,
 * signals still get through), a reader that went away (the container goes on, its output is
 * dropped), processes that hold the pipes open after the container's end (one second), a terminal
 * left in raw mode (every way out passes through the same lines, and signals do not kill us while
 * it is raw).
 *
 * Our own descriptors 0, 1 and 2 may be anything: files, pipes, terminals, sockets, /dev/null. They
 * are shared with whoever started us, so O_NONBLOCK is never set on them.
 */
#ifndef CAISSON_CONTAINER_RELAY_H
#define CAISSON_CONTAINER_RELAY_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/error.h"

struct detach_keys;

#define RELAY_TAIL_MAX 4096
#define RELAY_DETACHED 1

/* The last bytes that the container printed to stderr (with a terminal: at all). */
struct relay_tail {
    size_t length;
    char bytes[RELAY_TAIL_MAX];
};

/* The container's ends are taken over: relay_run() closes them whatever happens. */
struct relay {
    pid_t pid;      /* the container's first process; our child, unless attached */
    int pidfd;      /* of it, borrowed; -1: opened here */
    int attach;     /* -1, or socket to its monitor, in the place of `out` and `err`: attach.h */
    int out, err;   /* read ends of its stdout and stderr; -1: none */
    int in;         /* write end of its stdin; -1: none. Our stdin goes there, end of file too */
    int terminal;   /* master of its terminal instead of the three; -1: none */
    bool stdin_too; /* -i: with a terminal, our stdin goes there, ours being raw meanwhile */
    bool sig_proxy; /* signals that we get are passed on to the container */
    bool no_out, no_err;      /* what it prints there is read and dropped */
    bool redraw;              /* what uses the terminal is made to draw it anew: we came later */
    struct detach_keys *keys; /* typed at our terminal they end the relay; NULL: nothing does */
    struct relay_tail *tail;  /* may be NULL */
};

/* Blocks what relay_run() passes on. Call before the container is started, so that no signal finds
 * nobody responsible; relay_run() does it otherwise. `old` is for relay_signals_restore(). */
void relay_signals_block(bool sig_proxy, sigset_t *old);
void relay_signals_restore(const sigset_t *old);

/* Until the end; *wait_status as from wait(2). RELAY_DETACHED when somebody typed the keys: the
 * terminal is then the caller's to close. -EINTR when, without sig_proxy, a signal asked us to end:
 * the container still runs and is the caller's to hand on or to end. -ECHILD when `pid` is not our
 * child, -EIO when our terminal is gone, -ECONNRESET when the monitor is. */
int relay_run(const struct relay *relay, int *wait_status, struct error *err);

#endif
