/* SPDX-License-Identifier: Apache-2.0 */
/* The standard streams between us and a process of a container. */
#ifndef CAISSON_CONTAINER_STREAMS_H
#define CAISSON_CONTAINER_STREAMS_H

#include <stdbool.h>

#include "base/error.h"

struct streams {
    int ours[3];   /* write end of its stdin, read ends of its stdout and stderr; -1 */
    int theirs[3]; /* what becomes its 0, 1, 2; -1: its own /dev/null */
};
#define STREAMS_NONE                                                                               \
    {                                                                                              \
        .ours = {-1, -1, -1}, .theirs = { -1, -1, -1 }                                             \
    }
#define autostreams __attribute__((cleanup(streams_close))) struct streams

/* Pipes; none for stdin unless `with_stdin`. With a terminal nothing is needed. */
int streams_open(struct streams *s, bool terminal, bool with_stdin, struct error *err);
void streams_close_theirs(struct streams *s);
void streams_close(struct streams *s);

#endif
