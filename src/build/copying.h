/* SPDX-License-Identifier: Apache-2.0 */
/* What COPY, and a mount that shows files of elsewhere, have in common: sources that are found,
 * known by their content, and copied when they have to be. Only for src/build. */
#ifndef CAISSON_BUILD_COPYING_H
#define CAISSON_BUILD_COPYING_H

#include "build/placing.h"
#include "build/stage.h"
#include "path/inroot.h"

struct copying {
    struct stage_run *run;
    const struct step *step; /* from, sources, files, exclude, parents */
    struct foreign from;
    struct source_root root; /* with a name (`what`): the caller's, found already */
    const char *name;        /* the only file of that root is called so; NULL: as it is */
    bool into;               /* there are other sources besides these */
    int tree;                /* of a stage or an image, mounted; -1 */
    bool selected;
    struct selection selection;
    struct placing placing; /* target and whatever else is asked for: set by the caller */
    char target[INROOT_PATH_MAX];
    char content[STEP_KEY_MAX]; /* a digest of what is to be copied */
};
#define COPYING(run_, step_)                                                                       \
    {                                                                                              \
        .run = (run_), .step = (step_), .tree = -1, .root = {.root = -1},                          \
        .placing = {.upper = -1},                                                                  \
    }

/* Works out where it goes; step->target. */
int copying_target(struct copying *copying, struct error *err);
/* … and who owns it; --chown. */
int copying_owner(struct copying *copying, struct error *err);
/* Of the step that puts `content` there. */
void copying_key(const struct copying *copying, const char *content, char out[STEP_KEY_MAX]);
/* Finds the source and its content. */
int copying_begin(struct copying *copying, struct place place, struct error *err);
/* Copies it into a tree. */
int copying_fill(struct copying *copying, int root, struct error *err);
void copying_free(struct copying *copying);
/* One overlay, something done in it: a layer. */
struct filling {
    int (*fill)(void *closure, int root, int upper, struct error *err); /* placing.h */
    void *closure;
    bool alone; /* on nothing: --link */
};
/* Takes the layer from the cache where `key` is known, else makes it. */
int stage_fill(struct stage_run *run, const struct filling *filling, const char *key,
               struct error *err);

#define autocopying __attribute__((cleanup(copying_free))) struct copying

#endif
