/* SPDX-License-Identifier: Apache-2.0 */
/* Between seccomp.c and seccomp_cache.c. */
#ifndef CAISSON_RUNTIME_SECCOMP_INTERNAL_H
#define CAISSON_RUNTIME_SECCOMP_INTERNAL_H

#include <stdint.h>

/* The running kernel as major << 16 | minor: rules may ask for a minimum. */
uint32_t seccomp_running_kernel(void);

#endif
