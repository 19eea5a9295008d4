/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A procfs that is mounted nowhere yet: of our own process namespace, or of one that we are not in.
 * For src/runtime only.
 */
#ifndef CAISSON_RUNTIME_PROCFS_H
#define CAISSON_RUNTIME_PROCFS_H

/* Of the process namespace we are in: a detached mount, or -errno. -EPERM also when /proc of the
 * host is partly covered. */
int procfs_make(void);

/* Of the process namespace `pidns`, which takes CAP_SYS_ADMIN over it. `aside`: the root of a mount
 * that shows nothing of the host, see procfs_make_inside(). */
int procfs_make_of(int pidns, int aside);

/* The same before Linux 6.17, where only a process inside can ask for it: a short-lived one, whose
 * root is `aside` as long as it is seen there, so that /proc shows no mount of the host in it. */
int procfs_make_inside(int pidns, int aside);

#endif
