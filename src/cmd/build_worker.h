/* SPDX-License-Identifier: Apache-2.0 */
/* Handlers of caisson-build. */
#ifndef CAISSON_CMD_BUILD_WORKER_H
#define CAISSON_CMD_BUILD_WORKER_H

#include "cmd/verb.h"

verb_handler command_build, command_lock;

struct build_options;
struct build_input;
/* --call: "check", "targets", "outline". The exit status. */
int build_call(const char *what, const struct build_options *options,
               const struct build_input *input, struct error *err);
int build_check(const struct build_options *options, const struct build_input *input,
                struct error *err);

#endif
