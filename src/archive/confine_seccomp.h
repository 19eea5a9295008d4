/* SPDX-License-Identifier: Apache-2.0 */
/* The system calls of a worker, and of who reads or writes for it inside a container. */
#ifndef CAISSON_ARCHIVE_CONFINE_SECCOMP_H
#define CAISSON_ARCHIVE_CONFINE_SECCOMP_H

#include "base/error.h"

/* Puts the filter on every thread; no_new_privs must hold. 1 when it holds, 0 where the kernel has
 * no filters or the list was never tried on this processor. */
int confine_seccomp(struct error *err);

#endif
