/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CAISSON_CONTAINER_DEVICE_POLICY_H
#define CAISSON_CONTAINER_DEVICE_POLICY_H

#include "base/strv.h"
#include "runtime/plan.h"

/* Fills plan->limits.devices from plan->devices and `rules`; `all`: no policy (privileged). */
int device_policy(struct plan *plan, const struct strv *rules, bool all, struct error *err);

#endif
