/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Landlock: a second fence around the file system.
 *
 * What is read-only is so by its mount; Landlock says the same a second time in another part of the
 * kernel, so that one mistake in the mounts, or a mount that is undone later, does not open the
 * host. Everything beneath "/" can be read and executed, and only the places named can be written.
 * A process inside can not mount at all (the kernel forbids it to every Landlock domain): do not
 * use this with a container that was given CAP_SYS_ADMIN to mount. Every process that is started
 * by `exec` has a domain of its own beside the container's: it can not ptrace the container's
 * first processes, and so signals are not scoped either.
 *
 * Needs ABI 2 (Linux 5.19): ABI 1 forbids every move between directories, which breaks ordinary
 * programs. Later ABIs add truncation (3), device ioctls (5) and scopes (6); each is used where it
 * is there.
 */
#ifndef CAISSON_RUNTIME_LANDLOCK_H
#define CAISSON_RUNTIME_LANDLOCK_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/strv.h"

#define LANDLOCK_ABI_NEEDED 2

enum landlock_class {
    LANDLOCK_READ,   /* read files, list directories */
    LANDLOCK_EXEC,   /* and execute */
    LANDLOCK_WRITE,  /* and change, create, remove, move */
    LANDLOCK_DEVICE, /* and ioctl on devices */
};

struct landlock_place {
    char *path; /* as the container sees it */
    enum landlock_class class;
};

struct landlock_plan {
    struct landlock_place *places;
    size_t count;
    int abi;
    bool scope_abstract_unix; /* abstract unix sockets of others are out of reach (ABI 6) */
};

/* The kernel's Landlock ABI; 0 when it has none or it is switched off. */
int landlock_abi(void);
/* Made in the parent. `writable`: absolute paths inside the container that may be written, besides
 * /proc and /dev. -ENOTSUP with a sentence when the kernel's ABI is too low. */
int landlock_prepare(bool root_writable, const struct strv *writable, bool scope_abstract_unix,
                     struct landlock_plan *out, struct error *err);
/* In the parent, to save the child time: a ruleset with all places but those on /proc, found below
 * `root`, on which everything is mounted already. The descriptor or -errno. */
int landlock_begin(const struct landlock_plan *plan, int root);
/* In the child after pivot_root, before the filter of system calls: opens the places that are not
 * yet in the ruleset `begun` (-1: none of them) and restricts the calling thread.
 * Async-signal-safe; 0 or -errno. A missing place is skipped. Needs no_new_privs or CAP_SYS_ADMIN.
 */
int landlock_restrict(const struct landlock_plan *plan, int begun);
void landlock_plan_free(struct landlock_plan *plan);

#endif
