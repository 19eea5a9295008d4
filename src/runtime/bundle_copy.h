/* SPDX-License-Identifier: Apache-2.0 */
/* What a bundle's mounts are filled with. For src/runtime only. */
#ifndef CAISSON_RUNTIME_BUNDLE_COPY_H
#define CAISSON_RUNTIME_BUNDLE_COPY_H

#include <stdint.h>

#include "runtime/child.h"

/* tmpcopyup: what lies in the directory `from` is copied into the new file system `to`. */
void bundle_copy_up(struct child *c, int from, int to, const char *path);
/* The v1 hierarchies of the host, below a directory: a fresh mount each, as the process's own
 * namespace of control groups shows it, or of each the container's own group. */
struct copied_groups {
    int host, top; /* the host's root; where they go */
    bool own;      /* the namespace */
    const char *group;
    uint64_t attributes;
};
void bundle_copy_groups(struct child *c, const struct copied_groups *groups);

#endif
