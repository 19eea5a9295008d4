/* SPDX-License-Identifier: Apache-2.0 */
/* What a plan names, opened: for container/start.c. */
#ifndef CAISSON_CONTAINER_OPENED_H
#define CAISSON_CONTAINER_OPENED_H

#include "container/container.h"
#include "container/skeleton.h"
#include "runtime/landlock.h"
#include "runtime/launch.h"
#include "runtime/seccomp.h"
#include "store/store.h"

struct opened {
    struct store *store; /* borrowed */
    int *layers;         /* lowest first, the skeleton last */
    size_t layer_count;
    struct skeleton skeleton;
    int upper;                     /* directory, or -1 */
    struct launch_source *sources; /* one for each mount; NULL without volumes and images */
    size_t source_count;
    struct launch_join join;
    struct ids ids; /* without a base, which is claimed when it starts, unless it joins */
    /* Whose range of ids is joined: a first process. */
    pid_t ids_of;
    uint64_t ids_of_start;
    bool has_seccomp;
    struct seccomp_program seccomp;
    struct landlock_plan landlock;
    bool users_asked; /* --userns auto was said: no doing without */
};
#define OPENED_NONE                                                                                \
    {                                                                                              \
        .skeleton = {.fs = -1, .empty = -1}, .upper = -1, .join = LAUNCH_JOIN_NONE                 \
    }

struct start_root;
/* `root`: what is there instead of the plan's layers, sources and the writable layer; NULL. */
int opened_open(struct container *c, struct store *store, const struct start_root *root,
                struct opened *out, struct error *err);
void opened_close(struct opened *opened);

/* The namespaces of other containers that the plan joins, and with a user namespace its ids; they
 * have to run. */
int opened_joins(struct container *c, struct opened *opened, struct error *err);
/* Whose ids a container's are in a user namespace of its own; without the base. */
struct ids opened_own_ids(const struct plan *plan);

/* The volumes and images of the plan; its layers are open. */
int opened_sources(struct container *c, struct opened *opened, struct error *err);

/* The filter that the plan names; *has is false when it names none. Also tells the posture. */
int opened_seccomp(struct container *c, struct seccomp_program *out, bool *has, struct error *err);

/* The fence that the plan names, if it names one. */
int opened_landlock(const struct plan *plan, struct landlock_plan *out, struct error *err);

/* Records that a protection is not what was asked for. */
void protection_fails(struct posture *posture, const char *name, const char *in_force,
                      const char *why);
/* Whether protection_fails() was called since the plan was read. */
bool posture_changed(const struct posture *posture);

#endif
