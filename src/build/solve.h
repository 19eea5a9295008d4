/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of the builder: processes of stages, and what becomes of what they made. */
#ifndef CAISSON_BUILD_SOLVE_H
#define CAISSON_BUILD_SOLVE_H

#include "build/stage.h"

/* Runs all stages that are needed. 0 when all ended well; -EINTR after an interrupt; else the first
 * failure. */
int solve(struct build *build, const struct build_watch *watch, struct error *err);

/* Looks for secrets in what stages say. -EPERM names them. */
int words_check(struct build *build, const struct build_watch *watch, struct error *err);

/* Publishes layers and records of all steps that were carried out, whatever became of the build. */
int keep_made(struct build *build, struct error *err);

#endif
