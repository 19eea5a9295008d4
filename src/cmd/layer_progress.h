/* SPDX-License-Identifier: Apache-2.0 */
/* How far the layers of a pull or push are, on standard error: bars on a terminal, a line for each
 * layer that is done elsewhere. */
#ifndef CAISSON_CMD_LAYER_PROGRESS_H
#define CAISSON_CMD_LAYER_PROGRESS_H

#include <pthread.h>

#include "cmd/print.h"
#include "oci/image.h"

enum layer_stage { LAYER_WAITS, LAYER_WORKS, LAYER_OVER };

struct layer_view {
    const char *digest, *words; /* "Downloading" */
    const char *note;           /* behind it; "" */
    enum layer_stage stage;
    uint64_t bytes, size;
    bool counts; /* for the sum: something is or was moved */
};

/* How layer `number` is now. Called in another thread. */
typedef void layer_look(const void *closure, size_t number, struct layer_view *out);

struct layer_progress {
    struct screen screen;
    bool quiet;
    layer_look *look;
    const void *closure;
    size_t count;
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
void layer_progress_begin(struct layer_progress *progress, layer_look *look, const void *closure,
                          size_t count, struct screen screen, bool quiet);
void layer_progress_end(struct layer_progress *progress);

#endif
