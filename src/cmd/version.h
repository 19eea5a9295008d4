/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CAISSON_CMD_VERSION_H
#define CAISSON_CMD_VERSION_H

#include "cmd/verb.h"

extern const char caisson_version[]; /* "0.1.0" */
extern const char caisson_commit[];  /* short, "" when built outside of a checkout */

/* --version: one line. The exit status. */
int version_line(void);

verb_handler command_version;

#endif
