/* SPDX-License-Identifier: Apache-2.0 */
/* The container's /dev, as a detached mount. For src/runtime only. */
#ifndef CAISSON_RUNTIME_DEVICES_DIR_H
#define CAISSON_RUNTIME_DEVICES_DIR_H

#include "runtime/plan.h"

/* A tmpfs with the nodes that every container gets, the plan's devices, the usual links, and the
 * places for pts, shm and mqueue; ids mapped as in `userns` (-1: not). With plan->all_devices: a
 * copy of the host's /dev. */
int devices_directory(const struct plan *plan, int userns, struct error *err);

/* Where nodes cannot be made (ids_limited()), there are empty files in their places, to mount the
 * host's own nodes on: the i-th, until false. number: what it must be, 0: any device. */
struct bound_device {
    const char *path, *host;
    dev_t number;
};
bool devices_bound(const struct plan *plan, size_t i, struct bound_device *out);

#endif
