/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A container without a user namespace of its own runs processes of the host's root, and some of
 * them are, for a moment, this very program: through /proc/PID/exe they could be made to overwrite
 * it (CVE-2019-5736). So before anything of such a container is touched, the program starts itself
 * again from a sealed copy in memory, which nobody can change.
 */
#ifndef CAISSON_RUNTIME_SEAL_H
#define CAISSON_RUNTIME_SEAL_H

#include <stdbool.h>

#include "base/error.h"

/* Whether this process runs from a sealed copy. */
bool sealed(void);
/* Returns 0 when it does already; otherwise executes the copy with the same words and environment,
 * argv[0] being the program's path, and returns only on failure. */
int seal_self(struct error *err);

#endif
