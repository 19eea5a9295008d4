/* SPDX-License-Identifier: Apache-2.0 */
/* Handlers of caisson-build. */
#ifndef CAISSON_CMD_BUILD_WORKER_H
#define CAISSON_CMD_BUILD_WORKER_H

#include "cmd/verb.h"

verb_handler command_build;

#endif
