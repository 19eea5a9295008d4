/* SPDX-License-Identifier: Apache-2.0 */
/*
 * RUN --mount: what a step sees besides the files of its stage, and which is in no layer.
 *
 * Binds of the context are copies, so that what a step writes never reaches the host and what
 * .dockerignore leaves out is not there; those of stages and images are their layers, read-only.
 * Caches are directories of the store. Secrets lie in a tmpfs of a mount namespace that only this
 * build is in, never swapped where the kernel can do without, and only while the step runs; their
 * values are in no key.
 *
 * Guards against: sources and targets that lead elsewhere through links (in-root, beneath), a cache
 * whose owner changes names while it is mounted (the directory is opened once), mount points that
 * are left in the layer.
 */
#ifndef CAISSON_BUILD_RUN_MOUNTS_H
#define CAISSON_BUILD_RUN_MOUNTS_H

#include "build/copying.h"
#include "runtime/launch.h"
#include "runtime/plan.h"

struct run_mount {
    const struct step_mount *words;
    char target[INROOT_PATH_MAX];
    struct step step; /* as if it were a COPY of `source` */
    struct copying copying;
    bool copies; /* `copying` has to be carried out */
    struct launch_source source;
    bool skipped; /* a secret that nobody gave, and that is not required */
    int lock;     /* of a cache; -1 */
};

struct run_mounts {
    struct stage_run *run;
    struct run_mount *items;
    size_t count;
    struct strv env; /* secrets as variables: NAME=VALUE */
    char entry[32];  /* directory below the staging one for copies; "" */
    char hidden[40]; /* … and for the tmpfs with secrets; "" */
    int secrets;     /* the tmpfs; -1 */
    pid_t agents[8]; /* relays of ssh agents */
    size_t agent_count;
    struct strv made;   /* mount points that were missing: clean paths, parents first */
    const char *script; /* of a here-document, mounted like a secret; NULL */
    struct launch_source script_source;
};

#define RUN_SCRIPT "/run/caisson-script"

/* Works out targets and what counts for the key; nothing is prepared. */
int run_mounts_plan(struct stage_run *run, const struct step *step, struct run_mounts *out,
                    struct error *err);
void run_mounts_key(const struct run_mounts *mounts, struct key *key);
/* Prepares all of them. */
int run_mounts_open(struct run_mounts *mounts, struct error *err);
/* A cache, and the lock on it (run_cache.c). */
int run_cache_open(struct run_mounts *mounts, struct run_mount *m, struct error *err);
/* Adds them to the plan; `sources` becomes one for each mount of the plan, owned by the caller. */
int run_mounts_add(struct run_mounts *mounts, struct plan *plan, struct launch_source **sources,
                   struct error *err);
/* Takes mount points that were not there before out of the writable layer again, where nothing was
 * put into them. */
void run_mounts_clear(struct run_mounts *mounts, int upper);
void run_mounts_close(struct run_mounts *mounts);

#endif
