/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What lies on the root file system: /dev, what the user asked for, generated files. For
 * src/runtime only.
 *
 * Whose work it is: the parent's, on the detached root, while the child makes its namespaces and
 * its own file systems on another processor. Where mounts can only go onto attached ones (Linux
 * before 6.15), and from the first mount on that lies in /dev, which the child fills, the child
 * goes on from where the parent stood, on the root that it has attached by then.
 *
 * Guards against paths that the image, a volume or somebody who writes to one controls: targets are
 * opened in-root and mounted to by descriptor; none may lie on procfs or sysfs, or at their places
 * before they are there, whatever the path looked like. The parent lives among the host's mounts,
 * so a second thing holds there, whatever happened to the first: it mounts only onto mounts that it
 * made itself, which it knows by their ids.
 */
#ifndef CAISSON_RUNTIME_ASSEMBLE_H
#define CAISSON_RUNTIME_ASSEMBLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "runtime/ids.h"
#include "runtime/plan.h"

/* How far it is; goes from parent to child as it is. */
struct assembly_state {
    uint32_t asked;     /* mounts of the plan that are attached */
    uint32_t binds;     /* descriptors used up by them */
    uint32_t generated; /* files */
    bool dev;
    bool finished;
};

#define ASSEMBLY_MOUNTS_MAX 260

struct assembly {
    const struct plan *plan;
    int root, dev, files;  /* borrowed mounts */
    const int *binds;      /* one for each mount of the plan that is no tmpfs, in order */
    const struct ids *ids; /* what uid= of a tmpfs is here; NULL in the child's namespace */
    bool by_child;         /* the root, /proc and /sys are attached */
    struct assembly_state state;
    uint64_t own[ASSEMBLY_MOUNTS_MAX]; /* ids of the mounts that it may mount onto */
    size_t own_count;
};

/* Goes on to the end, or to where the child has to. An error leaves it unusable. */
int assemble(struct assembly *a, struct error *err);

/* A directory of the new root that must be one: no symlink on the way. Made when it is missing. */
int assemble_directory(int root, const char *path, struct error *err);
/* A super block with "key=value,flag" and a detached mount of it. */
int assemble_fs(const char *type, const char *data, unsigned attributes, const struct ids *ids,
                struct error *err);
/* Of the mount that a descriptor is on; 0 when it cannot be told. */
uint64_t assemble_mount_id(int fd);
int assemble_attach(int mount, int target, const char *path, struct error *err);

#endif
