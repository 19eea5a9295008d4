/* SPDX-License-Identifier: Apache-2.0 */
/* What a container has changed in its image's file system: its writable layer against what lies
 * below. What is mounted there is none of it. */
#ifndef CAISSON_CONTAINER_CHANGES_H
#define CAISSON_CONTAINER_CHANGES_H

#include "container/container.h"
#include "store/store.h"

/* `kind` is 'A' (added), 'C' (changed) or 'D' (deleted); `path` is absolute. 0 or -errno. */
typedef int each_change(void *closure, char kind, const char *path, struct error *err);

/* In the order of paths, a directory before what is in it. */
int container_changes(struct container *c, struct store *store, each_change *each, void *closure,
                      struct error *err);

/* The writable layer's files, O_PATH; -ENOENT without a sentence when it has none. */
int container_upper(const struct container *c, struct error *err);
/* Appends the places that are not the container's root file system's own: mounts, generated files,
 * /proc, /sys and /dev; without the leading "/". */
void container_foreign_places(const struct plan *plan, struct strv *out);

#endif
