/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The processes of a container that has no control group to hold them together (an ordinary user's,
 * where none is delegated): whoever lives in its process namespace, and, where that is another
 * container's, in its mount namespace as well. There the end of its first process is not the end of
 * the others, which are then looked for and killed.
 */
#ifndef CAISSON_CONTAINER_STRAYS_H
#define CAISSON_CONTAINER_STRAYS_H

#include "container/container.h"

/* The number of a process's namespace ("pid", "mnt"); 0 when there is none to be seen. */
uint64_t strays_namespace(pid_t pid, const char *kind);
/* Numbers of those in both, which the caller frees; mount_ns 0: in any. */
int strays_list(uint64_t process_ns, uint64_t mount_ns, pid_t **pids, size_t *count,
                struct error *err);
/* Kills what is left of a container whose first process is gone. Does nothing for one with a
 * control group, or with processes of its own. */
void strays_end(const struct container *c);

#endif
