/* SPDX-License-Identifier: Apache-2.0 */
/* The system calls of caisson-port. Internal to port_confine.c. */
#ifndef CAISSON_NETWORK_PORT_SECCOMP_H
#define CAISSON_NETWORK_PORT_SECCOMP_H

#include "base/error.h"

/* no_new_privs must hold. Nothing on a processor that the list was never tried on. */
int port_seccomp(struct error *err);

#endif
