/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The monitor's side of attaching (container/attach.h): no heap, no stdio, one chunk of output at a
 * time that everybody has to have before the next is read.
 */
#ifndef CAISSON_CONTAINER_ATTACH_SERVE_H
#define CAISSON_CONTAINER_ATTACH_SERVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "container/attach.h"

struct attach_client {
    int fd;            /* -1: free */
    bool owed;         /* has not got all of the chunk yet */
    size_t sent;       /* bytes of it that it got */
    nanoseconds since; /* monotonic; how long it has taken nothing */
};

struct attach_server {
    int epoll;          /* whose events are given to attach_event() */
    uint32_t tag;       /* of the listening socket; the clients' follow */
    int listening;      /* -1: nobody can come */
    int terminal, into; /* what a client is given: one of the two, or neither; borrowed */
    struct attach_client clients[ATTACH_CLIENTS];
    int owner;      /* its place, -1: there is none (any more) */
    bool abandoned; /* the owner went without leaving */
    char kind;      /* the chunk: borrowed until nobody is owed it */
    const char *bytes;
    size_t length;
    size_t owed; /* how many clients */
};

/* `listening` and `owner` (-1 each: none) are taken over. 0 or -errno. */
int attach_start(struct attach_server *server, int listening, int owner);
/* An event of the socket with this tag. */
void attach_event(struct attach_server *server, uint32_t tag);
/* Gives a chunk to everybody; nobody may be owed another one. `bytes` stay as they are until
 * attach_blocked() is false. */
void attach_send(struct attach_server *server, enum attach_kind kind, const char *bytes,
                 size_t length);
bool attach_blocked(const struct attach_server *server);
/* Cuts off who took nothing for too long; nanoseconds until it has to be called again, INT64_MAX:
 * never. */
nanoseconds attach_patience(struct attach_server *server);
/* The descriptor of a client's way in is about to be closed. */
void attach_no_way_in(struct attach_server *server);

#endif
