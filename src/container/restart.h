/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Restart policies.
 *
 * Who decides: `caisson __ended ID`, which the monitor of a detached container executes in its own
 * place. It cleans up after the end, and when the policy says so waits (100 ms, doubled each time
 * up to a minute, from the beginning after ten good seconds) and starts the container again. While
 * it waits it stands in the status as the monitor of a container without first process: that is the
 * state "restarting". Nothing but the file `stopped` in the container's home says that a person
 * wanted it to end; it is there before the signal is sent, and goes with the next start.
 */
#ifndef CAISSON_CONTAINER_RESTART_H
#define CAISSON_CONTAINER_RESTART_H

#include "container/container.h"
#include "container/start.h"

enum restart_kind { RESTART_NO, RESTART_ALWAYS, RESTART_UNLESS_STOPPED, RESTART_ON_FAILURE };

struct restart_policy {
    enum restart_kind kind;
    int64_t most; /* on-failure: how often; 0: without end */
};

/* "no", "always", "unless-stopped", "on-failure[:N]"; NULL is "no". -EINVAL with a sentence. */
int restart_parse(const char *text, struct restart_policy *out, struct error *err);

const char *restart_name(enum restart_kind kind);

/* A person wants it to end: noted before it is told, so that nobody starts it again; a wait for
 * that is ended. Takes the lock: whoever is just starting it finishes first, and `c` is loaded
 * anew. Nothing is done for containers without a policy. */
int restart_forbid(struct container *c, struct error *err);
bool restart_forbidden(const struct container *c);
int restart_allow(const struct container *c); /* it is being started; 0 or -errno */
/* How often in a row it ended soon after it was started by its policy. */
int64_t restart_quick_ends(const struct container *c);

/* After container_ended(): waits and starts it again if its policy says so. Returns when that is
 * done, or when it became needless. */
int restart_after_end(struct container *c, struct store *store, const struct start_options *start,
                      struct error *err);
/* Ends the wait of a container that is to be started again. Locked by the caller. */
void restart_cancel(struct container *c);
/* After a boot, or after its monitor was killed: is it to be started? */
bool restart_wanted_after_boot(const struct container *c);

#endif
