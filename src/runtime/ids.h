/* SPDX-License-Identifier: Apache-2.0 */
/*
 * User namespaces and ranges of ids.
 *
 * Each running container of root's has 65536 ids of its own, out of 1879048192…2147483647, which no
 * distribution hands out. Files are stored with the ids of the image and mapped when they are
 * mounted, so a range belongs to a container only while it runs: the claim is a symlink
 * <state>/ids/<slot> → container id, made atomically, gone with the container.
 */
#ifndef CAISSON_RUNTIME_IDS_H
#define CAISSON_RUNTIME_IDS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

#define IDS_FIRST 1879048192u
#define IDS_SLOTS 4095u

/* Claims a free range for `container`; dead claims (a container that `alive` denies) are taken over
 * when nothing else is free. *base is its first id. */
int ids_claim(int state_dirfd, const char *container, bool (*alive)(void *, const char *),
              void *closure, uint32_t *base, struct error *err);
/* Gives it back; a claim of another container is left alone. */
void ids_release(int state_dirfd, const char *container, uint32_t base);

/* The same for who does not know which one it was. */
void ids_forget(int state_dirfd, const char *container);

/* Maps 0…65535 of a fresh user namespace (whose first process is `pid`) to base… */
int ids_map_process(pid_t pid, uint32_t base, struct error *err);
/* The user namespace of a process, as a descriptor. */
int ids_namespace_of(pid_t pid, struct error *err);

/* Where on the disk a container's other ids lie when they may not be the host's: behind all ranges
 * (and below 2^31), so that they mean nobody there, and the same from run to run. */
#define IDS_ASIDE (IDS_FIRST + IDS_SLOTS * 65536u)

enum ids_others {
    IDS_OTHERS_NOBODY, /* files of others belong to nobody, and none can be made */
    IDS_OTHERS_ASIDE,  /* from IDS_ASIDE on: for a container whose root sets up its files */
    IDS_OTHERS_SAME,   /* the host's, number by number: only for the host's root, whose they are */
};

/* A user namespace only for mapping a mount: files of `host_uid` appear as `inside_uid` of the
 * range at base, and the other way round. */
int ids_bind_namespace(uint32_t base, uint32_t host_uid, uint32_t host_gid, uint32_t inside_uid,
                       uint32_t inside_gid, enum ids_others others, struct error *err);

#endif
