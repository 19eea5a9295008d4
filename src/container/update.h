/* SPDX-License-Identifier: Apache-2.0 */
/* Limits and restart policy of a container that is there already. */
#ifndef CAISSON_CONTAINER_UPDATE_H
#define CAISSON_CONTAINER_UPDATE_H

#include "container/container.h"
#include "container/request.h"

/* Changes what is set in `request` (memory to pids, restart); all else is left as it is. In force
 * at once when the container runs; nothing is changed when the kernel refuses. Takes the lock. */
int container_update(struct container *c, const struct request *request, struct error *err);

#endif
