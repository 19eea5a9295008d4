/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One hint when a container ends early with the signs of a protection it met: what it met, and the
 * one flag that would allow it. Signs are the way it was killed, the control group's counters, and
 * the errno texts that programs print last.
 */
#ifndef CAISSON_CONTAINER_HINTS_H
#define CAISSON_CONTAINER_HINTS_H

#include "base/clock.h"
#include "container/relay.h"
#include "runtime/cgroup.h"
#include "runtime/plan.h"

/* The sentence for what is known, or false when nothing points to a protection. */
bool hint_for(const struct plan *plan, int wait_status, const struct cgroup_events *events,
              const char *last_words, struct buf *out);
/* Writes the hint, if there is one, to standard error. */
void hint_print(const struct plan *plan, int wait_status, const struct cgroup_events *events,
                const struct relay_tail *tail, nanoseconds ran);

#endif
