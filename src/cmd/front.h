/* SPDX-License-Identifier: Apache-2.0 */
/* Handlers of the front program. */
#ifndef CAISSON_CMD_FRONT_H
#define CAISSON_CMD_FRONT_H

#include "cmd/verb.h"
#include "container/container.h"
#include "runtime/plan.h"

/* The path of this program, also when it runs from a sealed copy. */
int front_program(char *path, size_t size, struct error *err);
/* Before anything of a container without a user namespace of its own is touched: runtime/seal.h. */
int front_seal_for(const struct plan *plan, struct error *err);

/* An ordinary user gets limits only where there is a control group for them: a limit that was asked
 * for by flag is an error without one, the level's own are a line of warning if `tell`. Before one
 * is needed: */
int front_check_limits(const struct plan *plan, bool tell, struct error *err);
/* The same while a group is obtained, just before it is started: runtime/cgroup_delegate.c. */
int front_delegate(const struct container *c, bool tell, struct error *err);

/* It goes on, and how to come back. */
void tell_detached(const struct container *c);

int command_run(const struct invocation *call, void *options, struct error *err);
int command_create(const struct invocation *call, void *options, struct error *err);
int command_exec(const struct invocation *call, void *options, struct error *err);

#endif
