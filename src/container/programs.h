/* SPDX-License-Identifier: Apache-2.0 */
/* The small programs beside ours: found next to it or in ../libexec/caisson, never through PATH. */
#ifndef CAISSON_CONTAINER_PROGRAMS_H
#define CAISSON_CONTAINER_PROGRAMS_H

#include "base/error.h"

/* The path of one, an allocation. `front`: the path of ours. NULL with a sentence when it is
 * missing. */
char *program_beside(const char *front, const char *name, struct error *err);

#endif
