/* SPDX-License-Identifier: Apache-2.0 */
/*
 * caisson-port's command line, as whoever starts it writes it and as it reads it:
 *
 *   caisson-port --pid FD --network FD --said FD [--apart yes] [--at IP,GATEWAY]...
 *                FD=tcp,127.0.0.1,8080,80 ...
 *
 * It goes on in a process of its own, which belongs to nobody, and says by `said` either
 * "ready PID" or a sentence.
 */
#ifndef CAISSON_NETWORK_PORT_LINE_H
#define CAISSON_NETWORK_PORT_LINE_H

#include "base/strv.h"
#include "network/listen.h"
#include "network/port_client.h"

struct port_line {
    int pid;     /* a descriptor of the container's first process, with whose end it ends */
    int network; /* the container's network namespace */
    int said;
    bool apart; /* struct port_place */
    struct ip_address own[2], gateway[2];
    struct listeners listeners;
};

void port_line_write(const struct port_line *line, struct strv *words);
/* 0 or -EINVAL. */
int port_line_read(char *const *words, struct port_line *out);

#endif
