/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attaching to a container that has a monitor: what the two say to each other.
 *
 * The monitor listens at `attach` in the container's state directory, which only its owner may
 * enter. Each client gets, in its first message, what leads into the container: the terminal's
 * master, or the write end of its standard input, so that nothing which is typed passes through the
 * monitor; then all that the container prints from now on, and at the end how it ended. Messages
 * are records of SOCK_SEQPACKET, one byte of kind and the rest.
 *
 * One client may be the owner: the command that runs the container in the foreground, connected
 * from the beginning. Whoever takes less than is printed makes the container wait: the owner as
 * long as it likes, everybody else ATTACH_PATIENCE, then they are cut off. When the owner goes
 * without having said that it leaves, its terminal is gone, and the container is ended.
 */
#ifndef CAISSON_CONTAINER_ATTACH_H
#define CAISSON_CONTAINER_ATTACH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

struct container;
struct detach_keys;
struct relay_tail;

#define ATTACH_NAME "attach"
#define ATTACH_CLIENTS 8          /* at most at a time, the owner among them */
#define ATTACH_MESSAGE_MAX 16384  /* bytes of output in one message */
#define ATTACH_PATIENCE_SECONDS 5 /* how long one who takes nothing keeps the others waiting */
#define ATTACH_HANGUP_SECONDS 10  /* from the owner's going to SIGKILL */

enum attach_kind {
    /* from the monitor */
    ATTACH_HELLO = 'h', /* 't' with the terminal, 'p' with the pipe, or '-' and no descriptor */
    ATTACH_FULL = 'f',  /* and nothing else: no room for one more */
    ATTACH_OUT = 'o',   /* what it printed, also to its terminal */
    ATTACH_ERR = 'e',
    ATTACH_END = 'x', /* four bytes, least first: the status as from wait(2) */
    /* from the client */
    ATTACH_LEAVE = 'l', /* it goes on purpose, and the container stays */
};

/* --- the front's side --- */

/* One connection. */
struct attachment {
    int socket;       /* -1: none */
    int terminal, in; /* what leads into the container; -1 */
};
#define ATTACHMENT_NONE                                                                            \
    {                                                                                              \
        .socket = -1, .terminal = -1, .in = -1                                                     \
    }
#define autoattachment __attribute__((cleanup(attachment_close))) struct attachment
void attachment_close(struct attachment *attachment);

/* What the monitor is to listen at, in the container's state directory: a socket, or -errno. */
int attach_listen(const struct container *c, struct error *err);
/* To a container that runs: connected and welcomed. -ENOTCONN: it has no monitor. */
int attach_connect(const struct container *c, struct attachment *out, struct error *err);
/* Waits for the first message on out->socket. */
int attach_welcome(struct attachment *out, struct error *err);

struct attach_options {
    bool interactive; /* what we read goes to the container */
    bool sig_proxy;   /* so do signals */
    bool no_out, no_err;
    bool redraw; /* we came later */
    struct detach_keys *keys;
    struct relay_tail *tail; /* may be NULL */
};
/* Until the container ends, with *wait_status as from wait(2), or RELAY_DETACHED when its user
 * typed the keys; as relay_run() otherwise. Says to the monitor that we leave where the container
 * is to stay; else, if we are its owner, it ends with us. */
int attach_session(struct container *c, struct attachment *a, const struct attach_options *options,
                   int *wait_status, struct error *err);

/* To a container that runs already, until it ends. *exit_code as container_start()'s. */
int container_attach(struct container *c, const struct attach_options *options, int *exit_code,
                     struct error *err);

#endif
