/* SPDX-License-Identifier: Apache-2.0 */
/* How far the layers of a pull are, on standard error: bars on a terminal, a line for each layer
 * that is done elsewhere. */
#ifndef CAISSON_CMD_PULL_PROGRESS_H
#define CAISSON_CMD_PULL_PROGRESS_H

#include "cmd/print.h"
#include "registry/pull.h"

struct pull_progress {
    struct screen screen;
    bool quiet;
    const struct pull *pull;
    pthread_t thread;
    bool running;
    pthread_mutex_t lock; /* of `over` */
    pthread_cond_t ended;
    bool over;
    unsigned drawn; /* rows */
    bool *told;     /* of each layer */
    uint64_t last;  /* bytes of all at the last drawing … */
    int64_t when;   /* … and its moment */
    double speed;   /* bytes a second */
};

/* `screen` was asked for before this process was confined. */
void pull_progress_begin(struct pull_progress *progress, const struct pull *pull,
                         struct screen screen, bool quiet);
void pull_progress_end(struct pull_progress *progress);

#endif
