/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The capabilities of our own programs. Sets: bit n is capability n. Inheritable and ambient ones
 * are always given up. Those of a container: runtime/caps.h.
 */
#ifndef CAISSON_CONFINE_CAPABILITIES_H
#define CAISSON_CONFINE_CAPABILITIES_H

#include <stdint.h>

/* Only execve(2) looks at the bounding set, which whoever calls this may not use; without
 * CAP_SETPCAP it stays as it is. */
void capabilities_drop_bounding(void);
/* For whoever executes a program of somebody else's, as root of a user namespace, which gets what
 * this lets it have: these. */
void capabilities_bound(uint64_t set);
/* Exactly these: -EPERM where one of them is not held. */
int capabilities_set(uint64_t set);
/* What is held of these. */
int capabilities_keep(uint64_t kept);

#endif
