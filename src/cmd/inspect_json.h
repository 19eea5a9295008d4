/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CAISSON_CMD_INSPECT_JSON_H
#define CAISSON_CMD_INSPECT_JSON_H

#include "base/json.h"
#include "container/container.h"

/* A container as one object with Docker's names, and Posture. `written`: NULL, or the bytes for
 * SizeRw. */
void inspect_write(struct json_out *w, const struct container *c, const uint64_t *written);

#endif
