/* SPDX-License-Identifier: Apache-2.0 */
/*
 * User namespaces and ranges of ids.
 *
 * Each running container of root's has 65536 ids of its own, out of 1879048192…2147483647, which no
 * distribution hands out. Files are stored with the ids of the image and mapped when they are
 * mounted, so a range belongs to a container only while it runs: the claim is a symlink
 * <state>/ids/<slot> → container id, made atomically, gone with the container. Containers that join
 * its user namespace live in the same range: <state>/ids/shared/<their id> → slot. When the first
 * goes, its claim becomes theirs (under a lock on the directory), so that nobody else gets the ids.
 *
 * Where caisson itself runs in a user namespace (an ordinary user's: container/ordinary.h; or root
 * in a container) there are no such ranges and mounts cannot map ids. Then each container's
 * namespace has the ids that we have, number by number, except that the image's root and who stands
 * in for it (uid 65532) change places: what the stand-in writes belongs to the person who ran the
 * container.
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
/* Takes part in a range, that of the container whose user namespace `container` joins: it stays
 * claimed until all are gone. -ESRCH when nobody has it any more. */
int ids_share(int state_dirfd, const char *container, uint32_t base, struct error *err);
/* Gives it back, or its share in it; a claim of another container is left alone. */
void ids_release(int state_dirfd, const char *container, uint32_t base);

/* The same for who does not know which one it was. */
void ids_forget(int state_dirfd, const char *container);

/* Whether the host's ids are not all ours: we run in a user namespace. */
bool ids_limited(void);

/* Which ids a container's are. */
struct ids {
    uint32_t base;                       /* of its own range; 0 without one */
    uint32_t stand_in_uid, stand_in_gid; /* 0: nobody stands in for the image's root */
};
/* What the container's id is for us. `stand_in`: that of the same kind. */
uint32_t ids_outside(const struct ids *ids, uint32_t stand_in, uint32_t inside);

/* Maps 0…65535 of a fresh user namespace, whose first process is `pid`: to base…, or as above. */
int ids_map_process(pid_t pid, const struct ids *ids, struct error *err);
/* Which ids those of a process are, which may be in another user namespace. */
int ids_of_process(pid_t pid, struct ids *out, struct error *err);
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
