/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one loop of caisson-port: what is watched, whose turn it is, how many there may be.
 *
 * Everything that is watched is told of changes only (EPOLLET) and remembers what it knows, so
 * nothing that cannot go on is called again and again. Who is not done after a fair amount of work
 * gets another turn after all others have had theirs.
 *
 * A seat is what one client costs in descriptors. When all are taken nobody is accepted any more
 * until somebody leaves; and no port can take more than three quarters of what the others left, so
 * that a flood at one of them leaves room at the others.
 */
#ifndef CAISSON_NETWORK_PORT_LOOP_H
#define CAISSON_NETWORK_PORT_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "network/listen.h"
#include "network/port_client.h"

#define PORT_TURN 8  /* reads, or datagrams times eight, before others get theirs */
#define PORT_SHARE 3 /* parts of four */

struct port_loop;

/* Something that is watched; embedded as the first member of what it belongs to. */
struct port_watch {
    void (*ready)(struct port_loop *loop, struct port_watch *w, uint32_t events);
};

/* Somebody who wants another turn. */
struct port_turn {
    void (*go)(struct port_loop *loop, struct port_turn *turn);
    struct port_turn *next;
    bool wanted;
};

struct port_listener {
    struct port_watch watch;
    struct port_turn turn;
    struct listener socket;
    size_t seats;  /* taken by its clients */
    bool waiting;  /* for a seat */
    void *clients; /* of datagrams: port_udp.c */
};

struct port_loop {
    int epoll;
    struct port_place place;
    struct port_listener *listeners;
    size_t listener_count;
    size_t seats, taken;
    struct port_turn *first, **last; /* turns to come */
    struct port_dead {
        struct port_dead *next;
    } * dead;        /* to be freed when neither an event nor a turn can name them any more */
    nanoseconds now; /* monotonic, of this round */
    bool over;
};

/* 0 or -errno. */
int port_watch(struct port_loop *loop, int fd, struct port_watch *w, uint32_t events);
void port_want_turn(struct port_loop *loop, struct port_turn *turn);
/* Frees it later: it may have a turn left, which has to do nothing then. */
void port_bury(struct port_loop *loop, struct port_dead *remains);

bool port_take_seat(struct port_loop *loop, struct port_listener *l);
/* Those who wait for one get a turn. */
void port_leave_seat(struct port_loop *loop, struct port_listener *l);

/* Until loop->over. */
void port_loop_run(struct port_loop *loop);

/* The kinds of listeners. */
int port_tcp_start(struct port_loop *loop, struct port_listener *l);
int port_udp_start(struct port_loop *loop, struct port_listener *l);
/* Lets go of clients that were silent for long; how many milliseconds until the next, -1: none. */
int port_udp_expire(struct port_loop *loop);

#endif
