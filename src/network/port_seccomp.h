/* SPDX-License-Identifier: Apache-2.0 */
/* The system calls of caisson-port. Internal to port_confine.c. */
#ifndef CAISSON_NETWORK_PORT_SECCOMP_H
#define CAISSON_NETWORK_PORT_SECCOMP_H

/* no_new_privs must hold. 0 or -errno, without a sentence. Nothing on a processor that the list was
 * never tried on. */
int port_seccomp(void);

#endif
