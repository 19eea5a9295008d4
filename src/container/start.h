/* SPDX-License-Identifier: Apache-2.0 */
/* Starting a container that is on disk, in the foreground or with a monitor, and exec in it. */
#ifndef CAISSON_CONTAINER_START_H
#define CAISSON_CONTAINER_START_H

#include "base/error.h"
#include "container/container.h"
#include "runtime/launch.h"
#include "store/store.h"

struct detach_keys;

/* A root file system that is no image's: one that is being built. All borrowed. */
struct start_root {
    const int *layers; /* lowest first, two at least */
    size_t layer_count;
    int upper;                           /* a directory with `fs` and `work` */
    const struct launch_source *sources; /* for each mount of the plan; NULL: it has none */
};

struct start_options {
    bool foreground;  /* relay our streams and wait; else a monitor does */
    bool interactive; /* our standard input goes to the container */
    bool sig_proxy;
    const char *program;           /* path of the front program, for the monitor's way back */
    bool again;                    /* by its restart policy: container/restart.h */
    const struct start_root *root; /* instead of the plan's layers; NULL */
    bool hints;                    /* say which protection was met when it ends early */
    bool no_out, no_err;           /* in the foreground: not to be shown */
    struct detach_keys *keys; /* typed in the foreground they leave it to its monitor; or NULL */
};

/* Starts it. RELAY_DETACHED (relay.h) when it was detached from. *exit_code: in the foreground the
 * command's own (128+n for a signal; 0 when it was detached from); 125, 126, 127 on failure with a
 * sentence. */
int container_start(struct container *c, struct store *store, const struct start_options *options,
                    int *exit_code, struct error *err);

struct exec_options {
    struct strv args, env;
    const char *user, *cwd; /* NULL: the container's */
    bool terminal, interactive, detached, privileged;
    bool unnoticed;           /* no events: a health check */
    struct detach_keys *keys; /* typed at a terminal they leave the process alone; or NULL */
};
int container_exec(struct container *c, const struct exec_options *options, int *exit_code,
                   struct error *err);

#endif
