/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Work on mounts that have a place, for kernels before 6.15.
 *
 * Those kernels neither stack an overlay over detached mounts nor copy a part of one. The work is
 * then done by a short-lived process that has a mount namespace of its own and shares our table of
 * descriptors: there it gives the mounts a place, and what it opens stays open here. Nothing of
 * ours is changed; the places go with the process.
 */
#ifndef CAISSON_RUNTIME_ATTACHED_H
#define CAISSON_RUNTIME_ATTACHED_H

#include <stddef.h>

#include "base/error.h"

/* Calls work(argument) in such a process; its result, a descriptor or -errno, is ours. */
int attached_run(int (*work)(void *argument, struct error *err), void *argument, struct error *err);

/* For work(): gives the detached mounts (those that are >= 0) a place each. */
int attached_place(const int *mounts, size_t count, struct error *err);

#endif
