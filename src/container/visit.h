/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An errand (runtime/errand.h) in a container, whether it runs or not: in one that runs by joining
 * it, in one that does not by making it as `start` would, down to its volumes and mounts, but for
 * the network, the devices and the limits of a command that is not executed. One that does not run
 * is locked meanwhile: nobody starts it.
 */
#ifndef CAISSON_CONTAINER_VISIT_H
#define CAISSON_CONTAINER_VISIT_H

#include "container/container.h"
#include "runtime/errand.h"
#include "store/store.h"

struct visit {
    struct container *container;
    struct errand_run run;
    struct spent spent;
    uint32_t id_base;
    bool locked;
};
#define VISIT_NONE                                                                                 \
    {                                                                                              \
        .run = ERRAND_RUN_NONE                                                                     \
    }

int visit_begin(struct container *c, struct store *store, const struct errand *errand,
                struct visit *out, struct error *err);
/* Waits for the errand's end and gives back what was taken for it. The errand's result. */
int visit_end(struct visit *visit, uint64_t *count, struct error *err);

#endif
