/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a container takes from another one that runs, and whose namespaces it joins: descriptors of
 * them, and its /dev/shm.
 *
 * Guards against a first process that ends meanwhile, whose number could then be another's, and
 * against what the other container did to its /dev: what is there is looked at in its mount
 * namespace, by one step of a short-lived process that only opens, and has to be a tmpfs.
 */
#ifndef CAISSON_RUNTIME_DONOR_H
#define CAISSON_RUNTIME_DONOR_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/error.h"

/* Whom of a container to enter by, given its first process, whose pidfd `first` is: that, or where
 * it is the fork of ours that --init leaves there, into which the kernel lets nobody but the host's
 * root look, the command below it, which is in the same namespaces. A pidfd; *pid goes with it.
 * -ESRCH when it ended. */
int donor_insider(pid_t *pid, int first, struct error *err);
/* The namespace ("net", "pid", "ipc", "user") of a process, which is pidfd's; -ESRCH when it ended.
 */
int donor_namespace(pid_t pid, int pidfd, const char *kind, struct error *err);
/* Whether two descriptors are of the same namespace. */
bool donor_same(int one, int other);

/* A detached copy of the tmpfs at /dev/shm of pidfd's process. */
int donor_shared_memory(int pidfd, struct error *err);

#endif
