/* SPDX-License-Identifier: Apache-2.0 */
#include "network/port_loop.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>

#define EVENTS 256
#define SEAT_PATIENCE_MS                                                                           \
    1000 /* descriptors may be short for other reasons than our own clients                        \
          */

int port_watch(struct port_loop *loop, int fd, struct port_watch *w, uint32_t events)
{
    struct epoll_event event = {.events = events | EPOLLET, .data.ptr = w};
    return epoll_ctl(loop->epoll, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

void port_want_turn(struct port_loop *loop, struct port_turn *turn)
{
    if (turn->wanted)
        return;
    turn->wanted = true;
    turn->next = NULL;
    *loop->last = turn;
    loop->last = &turn->next;
}

void port_bury(struct port_loop *loop, struct port_dead *remains)
{
    remains->next = loop->dead;
    loop->dead = remains;
}

/* --- seats --- */

bool port_take_seat(struct port_loop *loop, struct port_listener *l)
{
    size_t left = loop->seats - loop->taken;
    if (left == 0 || (loop->listener_count > 1 && l->seats >= PORT_SHARE * left))
        return false;
    l->seats++;
    loop->taken++;
    return true;
}

static bool offer_seats(struct port_loop *loop)
{
    bool any = false;
    for (size_t i = 0; i < loop->listener_count; i++) {
        struct port_listener *l = &loop->listeners[i];
        if (!l->waiting)
            continue;
        l->waiting = false;
        any = true;
        port_want_turn(loop, &l->turn);
    }
    return any;
}

void port_leave_seat(struct port_loop *loop, struct port_listener *l)
{
    l->seats--;
    loop->taken--;
    (void)offer_seats(loop);
}

/* --- rounds --- */

static void free_dead(struct port_dead *dead)
{
    while (dead) {
        struct port_dead *next = dead->next;
        free(dead);
        dead = next;
    }
}

/* Those who want one now; who wants another one comes after the next look at events. Who died
 * before has had its last turn then, and no event names it any more. */
static void give_turns(struct port_loop *loop)
{
    struct port_turn *turn = loop->first;
    struct port_dead *dead = loop->dead;
    loop->first = NULL;
    loop->last = &loop->first;
    loop->dead = NULL;
    while (turn) {
        struct port_turn *next = turn->next;
        turn->wanted = false;
        turn->go(loop, turn);
        turn = next;
    }
    free_dead(dead);
}

static bool anybody_waits(const struct port_loop *loop)
{
    for (size_t i = 0; i < loop->listener_count; i++)
        if (loop->listeners[i].waiting)
            return true;
    return false;
}

static int patience(struct port_loop *loop)
{
    int datagrams = port_udp_expire(loop);
    if (loop->first)
        return 0;
    if (!anybody_waits(loop))
        return datagrams;
    return datagrams < 0 || datagrams > SEAT_PATIENCE_MS ? SEAT_PATIENCE_MS : datagrams;
}

void port_loop_run(struct port_loop *loop)
{
    static struct epoll_event events[EVENTS];
    while (!loop->over) {
        int count = epoll_wait(loop->epoll, events, EVENTS, patience(loop));
        loop->now = clock_monotonic();
        if (count == 0)
            (void)offer_seats(loop);
        for (int i = 0; i < count; i++) {
            struct port_watch *w = events[i].data.ptr;
            w->ready(loop, w, events[i].events);
        }
        give_turns(loop);
    }
}
