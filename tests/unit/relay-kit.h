/* SPDX-License-Identifier: Apache-2.0 */
/* A relay, and a child that plays the container. */
#ifndef CAISSON_TESTS_RELAY_KIT_H
#define CAISSON_TESTS_RELAY_KIT_H

#include "output-kit.h"

#include <sys/types.h>

#define RELAY_FAILED 200
#define RELAY_INTERRUPTED 201
#define RELAY_LEAKED 202

struct scene {
    int (*container)(void); /* what it ends with */
    int ours[3];            /* what the relay finds as its 0, 1, 2; -1: closed */
    bool input;             /* -i */
    bool terminal;          /* -t */
    bool no_proxy;
    bool show_tail; /* the relay prints the tail to its stdout in the end */
};

/* Shared with container and relay. */
struct shared_page {
    volatile size_t written;
    volatile bool ready;
};
extern struct shared_page *shared;

/* In a child: sets the scene up, relays, ends with the container's code. */
int play(void *argument);
int setup(void **state);
int teardown(void **state);
void assert_code(pid_t pid, int code);
void wait_ready(void);
void on_signal(int number);
int be_killed(void);

#endif
