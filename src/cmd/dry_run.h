/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CAISSON_CMD_DRY_RUN_H
#define CAISSON_CMD_DRY_RUN_H

#include "runtime/plan.h"

/* Prints a plan: `format` "json" gives the runtime configuration, else text for people. Returns an
 * exit status. */
int dry_run_print(const struct plan *plan, const char *format);

#endif
