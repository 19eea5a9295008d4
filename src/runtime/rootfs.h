/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The root file system: an overlay of the image's layers, as a detached mount.
 *
 * Layers lie in the store with the image's own ids. Each gets a detached, idmapped copy of its
 * mount (the mapping of the container's user namespace), and the overlay is stacked over those
 * copies: no file is ever chowned. Without an upper directory the overlay cannot be written at all.
 *
 * Guarded against: option strings (directories go in by descriptor, or as /proc/self/fd/N where the
 * kernel takes no descriptors), mounts that leak (everything is detached and private).
 */
#ifndef CAISSON_RUNTIME_ROOTFS_H
#define CAISSON_RUNTIME_ROOTFS_H

#include <stddef.h>

#include "base/error.h"

/* Detached mounts that have served. Closing one makes the kernel wait until every processor has
 * passed through a quiet state, up to milliseconds: done while the container runs, not before. */
struct spent {
    int *fds;
    size_t count;
};
void spent_add(struct spent *spent, int fd);
void spent_close(struct spent *spent);

struct rootfs_source {
    const int *layers; /* directory descriptors, lowest first; at least one */
    size_t count;
    int upper;           /* a directory that holds `fs` and `work`, the writable layer; -1: none */
    unsigned id_base;    /* what 0 is mapped to in `userns` */
    int userns;          /* ids are mapped as in this user namespace; -1: not at all */
    int read_only;       /* the merged root cannot be written although there is an upper */
    int no_devices;      /* device nodes that an image brought cannot be opened */
    struct spent *spent; /* where copies of mounts go that are not needed any more; NULL: closed */
    int volatile_upper;  /* the upper will not outlive the container: never sync it */
};

/* The detached mount, or -errno. -EOPNOTSUPP: this kernel or this file system cannot map ids. */
int rootfs_mount(const struct rootfs_source *source, struct error *err);

/* From now on files are made as `id` (geteuid(): as before), with all capabilities kept: in a
 * mapped file system only ids that the mapping knows can own anything. 0 or -errno. */
int rootfs_act_as(unsigned id);

/* A detached copy of what `fd` is open on: private, with ids mapped as in `userns` (-1: not). */
int rootfs_clone_mount(int fd, int userns, unsigned long set, unsigned long clear, int recursive,
                       struct error *err);

/* The same of the directory `dir` of the detached mount `mount`, which may be used up by this. */
int rootfs_clone_part(int mount, int dir, unsigned long set, struct error *err);

#endif
