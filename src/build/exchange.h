/* SPDX-License-Identifier: Apache-2.0 */
/* --cache-from and --cache-to: what steps have made, from and to a directory (type=local). */
#ifndef CAISSON_BUILD_EXCHANGE_H
#define CAISSON_BUILD_EXCHANGE_H

#include "build/stage.h"

/* Checks the words of both. */
int exchange_check(const struct build_options *options, struct error *err);
/* Before the build. A directory that is not there is no error, but told: the first run has none. */
int exchange_take(const struct build *build, const struct build_watch *watch, struct error *err);
/* After it, of the steps that it had use of. */
int exchange_give(const struct build *build, struct error *err);

#endif
