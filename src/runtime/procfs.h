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

/* Of the process namespace `pidns`, which takes CAP_SYS_ADMIN over it; since Linux 6.17. -EINVAL:
 * this kernel cannot. */
int procfs_make_of(int pidns);

/* The same before, when only a process inside can ask for it: a short-lived one, whose root is
 * `aside` as long as it is seen there, so that /proc shows no mount of the host in it. It has our
 * rights and descriptors, so a user namespace has to lie between us and who could look into it. */
int procfs_make_inside(int pidns, int aside);

#endif
