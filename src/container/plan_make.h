/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From what was asked for to a plan: the level's rules, single flags, the image's configuration and
 * the host's abilities are joined into a posture (each protection: asked for, in force, why not
 * more) and the rest of the plan. Everything that can be refused is refused here; nothing is done.
 */
#ifndef CAISSON_CONTAINER_PLAN_MAKE_H
#define CAISSON_CONTAINER_PLAN_MAKE_H

#include "container/container.h"
#include "container/request.h"
#include "container/skeleton.h"
#include "runtime/plan.h"
#include "store/store.h"

/* Where images and other containers are looked up. */
struct plan_places {
    struct store *store;
    struct containers *containers;
};

enum level { LEVEL_RESTRICTED, LEVEL_BASELINE, LEVEL_PRIVILEGED };

/* What planning knows while it goes: one struct handed from part to part. */
struct planning {
    const struct request *request;
    const struct image *image;
    const struct plan_places *places;
    const char *passwd, *group; /* the image's */
    enum level level;
    struct plan *plan;
    /* from --security-opt */
    const char *seccomp, *apparmor;
    struct strv mask, unmask, label_options;
    bool system_paths_open;
    int no_new_privs, landlock; /* -1: not said */
    bool host_users;            /* --userns host, or the level's */
};

int plan_make(const struct request *request, const struct image *image,
              const struct skeleton *skeleton, const struct plan_places *places, struct plan *out,
              struct error *err);

/* --env-file and --env (NAME alone takes ours) into an environment. */
int environment_words(const struct strv *files, const struct strv *words, struct strv *env,
                      struct error *err);

/* One protection as asked for; `relaxed`: weaker than the level says, because a flag said so. */
struct protection *planning_put(struct planning *p, const char *name, const char *asked,
                                const char *flag, bool relaxed);

/* The parts, each in a file of its own; for plan_make.c only. */
int plan_security(struct planning *p, struct error *err);   /* level.c */
int plan_users(struct planning *p, struct error *err);      /* namespaces.c */
int plan_namespaces(struct planning *p, struct error *err); /* namespaces.c; after plan_users() */
int plan_user(struct planning *p, struct error *err);       /* identity.c */
int plan_mounts(struct planning *p, struct error *err);     /* storage.c */
int plan_limits(struct planning *p, struct error *err);     /* limits.c */
int plan_process(struct planning *p, struct error *err);    /* process.c */
int plan_logging(struct planning *p, struct error *err);    /* logging.c */

#endif
