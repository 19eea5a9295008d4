/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Health checks.
 *
 * When: the monitor's own clock; at each turn it executes `caisson __health ID` beside itself.
 * What: the plan's command, joined to the container as exec does it, its output cut at 4 KiB,
 * killed when its time is over. Result: the file `health` in the container's state directory,
 * Docker's State.Health as it is; written by renaming, so a reader sees the one before or the one
 * after.
 *
 * Guards against: output without end (a full buffer ends the reading, not the check), a check that
 * hangs (killed with the process that joined), two at once (the monitor starts the next one only
 * after the end of the last).
 */
#ifndef CAISSON_CONTAINER_HEALTH_H
#define CAISSON_CONTAINER_HEALTH_H

#include "base/json.h"
#include "container/container.h"
#include "container/plan_make.h"

#define HEALTH_NAME "health"

/* Whether the plan has a check. */
bool health_wanted(const struct plan *plan);
/* From flags and image into the plan; -EINVAL with a sentence. For plan_make.c. */
int plan_health(struct planning *p, struct error *err);

/* What is known before the first check. -errno. */
int health_begin(const struct container *c, struct error *err);
/* Runs the check once and keeps the result. */
int health_check(struct container *c, bool *healthy, struct error *err);
/* "starting", "healthy", "unhealthy"; "" without a check or when it does not run. `state`: the
 * state directory. */
void health_status(int state, char out[16]);
/* Docker's State.Health: what is known, or a beginning. */
void health_write(const struct container *c, struct json_out *w);

#endif
