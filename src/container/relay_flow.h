/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One direction of the relay: a fixed buffer between a descriptor that is read and one that is
 * written. It reads when the buffer is empty and writes when poll(2) says that there is room, never
 * more at once than fits then, so that it does not block even on descriptors that may not be made
 * non-blocking.
 */
#ifndef CAISSON_CONTAINER_RELAY_FLOW_H
#define CAISSON_CONTAINER_RELAY_FLOW_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>

#include "container/detach_keys.h"
#include "container/relay.h"

#define FLOW_BUFFER (32 * 1024)
#define FLOW_POLLS 2 /* entries of poll(2) that it needs */

struct flow {
    int from, to; /* -1: at its end; with only `to` at its end, what is read is dropped */
    bool owns_from, owns_to;
    bool to_container;      /* without a reader there, reading ends, too */
    bool asked, to_is_file; /* writes to a file never have to wait */
    struct relay_tail *tail;
    struct detach_keys *keys; /* looked for in what is passed on; NULL: none */
    bool detach;              /* they were typed: nothing more is read */
    char *buffer;             /* once there was something to pass on */
    size_t begin, end;
    size_t owed; /* bytes that the container printed before its end and that were not read yet */
};
#define FLOW_NONE ((struct flow){.from = -1, .to = -1})

bool flow_is_open(const struct flow *flow); /* may still get something to pass on */
bool flow_holds(const struct flow *flow);   /* has something to pass on */
/* The container has ended: what it left in the pipe is owed to our reader. */
void flow_count_owed(struct flow *flow);
void flow_poll(const struct flow *flow, struct pollfd fds[FLOW_POLLS]);
/* What came in another way than by reading `from`; only while the flow holds nothing. */
void flow_feed(struct flow *flow, const char *bytes, size_t length);
void flow_move(struct flow *flow, const struct pollfd fds[FLOW_POLLS]);
/* Nobody is to get any more of it; reading goes on. */
void flow_drop(struct flow *flow);
void flow_close(struct flow *flow);

#endif
