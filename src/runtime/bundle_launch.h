/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Carrying out a bundle: its first process, made and held back before its command.
 *
 * As in launch.h one process is cloned, sets itself up and says what went wrong. What differs:
 * every mount is the configuration's, in its order, so the child makes them one after the other; it
 * asks the parent for copies of what lies on the host, because in a user namespace it may neither
 * reach nor map it. At the end it waits: `create` is over, and `start` comes from another process,
 * by a pipe in the container's state directory (bundle_start()).
 */
#ifndef CAISSON_RUNTIME_BUNDLE_LAUNCH_H
#define CAISSON_RUNTIME_BUNDLE_LAUNCH_H

#include "runtime/bundle.h"
#include "runtime/launch.h"

struct bundle_launch {
    const struct bundle *bundle;
    const char *group; /* the name of its control group where the configuration gives none */
    const struct cgroup_unit *unit;          /* systemd makes the group; NULL: we do */
    const struct seccomp_program *seccomp;   /* NULL: none */
    const struct seccomp_listener *listener; /* NULL: nobody is notified */
    int keep;                                /* descriptors 3, 4, … that the container gets */
    bool keyring;                            /* a session keyring of its own */
    int go, said;                            /* both ends of the pipes in the state directory */
    /* The container's state as hooks get it; also called in the child, with its pid on the host. */
    void (*state)(void *closure, const char *status, pid_t pid, struct buf *out);
    /* The first process waits to be started. Failure ends it. */
    int (*ready)(void *closure, const struct launched *launched, struct error *err);
    void *closure;
};

/* The names of the pipes. */
#define BUNDLE_GO "start"
#define BUNDLE_SAID "said"

int bundle_launch(const struct bundle_launch *launch, struct launched *out, struct error *err);

/* Whether the first process still waits to be started. `state`: the directory of the pipes. */
bool bundle_waits(int state);
/* Lets it go on, and hears whether its command was executed. -ESRCH: it does not wait. */
int bundle_start(int state, struct error *err);

#endif
