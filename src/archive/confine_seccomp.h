/* SPDX-License-Identifier: Apache-2.0 */
/* The system calls of a worker. Internal to the module. */
#ifndef CAISSON_ARCHIVE_CONFINE_SECCOMP_H
#define CAISSON_ARCHIVE_CONFINE_SECCOMP_H

#include "base/error.h"

/* Puts the filter on every thread. no_new_privs must hold. -EOPNOTSUPP on a processor that the list
 * was never tried on. */
int confine_seccomp(struct error *err);

#endif
