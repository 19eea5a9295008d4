/* SPDX-License-Identifier: Apache-2.0 */
/* Where the other programs are: beside this one or in ../libexec/caisson from it, never through
 * PATH. */
#ifndef CAISSON_CMD_WORKER_H
#define CAISSON_CMD_WORKER_H

#include "base/error.h"

/* The path of `program`, owned by the caller. -ENOENT with what to do when it is missing. */
int worker_path(const char *program, char **path, struct error *err);
/* The same from another place than this program's: that of a sealed copy. */
/* The front program, from a worker that it executed: beside it, or in ../../bin from it. */
int front_path(char **path, struct error *err);
int worker_path_from(const char *self, const char *program, char **path, struct error *err);

#endif
