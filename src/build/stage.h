/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of the builder: what the parts of one build share. Only for src/build. */
#ifndef CAISSON_BUILD_STAGE_H
#define CAISSON_BUILD_STAGE_H

#include <sys/types.h>

#include "build/build.h"
#include "build/context.h"
#include "build/dockerfile.h"
#include "build/graph.h"
#include "build/key.h"
#include "build/step.h"
#include "build/variables.h"
#include "oci/lockfile.h"
#include "store/staging.h"
#include "store/steps.h"

/* In plans, where an image has to be named and there is none. */
#define NO_DIGEST "sha256:0000000000000000000000000000000000000000000000000000000000000000"

struct conf;
struct secrets;
struct stage_result;

/* All that is settled before the first stage begins; then only read. */
struct build {
    const struct build_options *options;
    const struct build_input *input;
    const struct build_place *place;
    struct staging staging;
    struct dockerfile file;
    struct contexts contexts;
    struct strv globals;   /* "NAME=value": ARGs before the first FROM, and those of the platform */
    struct strv arguments; /* --build-arg, "NAME=value" */
    struct secrets *secrets;
    int64_t epoch; /* SOURCE_DATE_EPOCH */
    bool has_epoch;
    int ground; /* layer below all others: mount points of steps; O_PATH */
    int empty;  /* an empty directory, a layer of nothing; O_PATH */
    struct graph graph;
    char allowed[STEP_KEY_MAX]; /* a digest of --allow-secret */
    struct strv fetched;        /* images.c: a name, then under which it is here; … */
    bool locked;                /* there is a lock file: */
    struct lockfile lock;
    struct conf *conf; /* of registries, when there is one */
};

/* A layer of a stage. */
struct layer {
    char diff_id[DIGEST_MAX]; /* "" while it is being written */
    char entry[32];           /* where it lies below the staging directory; "": in the store */
    int fd;                   /* its files, O_PATH; -1: not opened yet */
    /* Of one that is being written: */
    pid_t job; /* 0: none */
    int answer;
    char key[STEP_KEY_MAX];
    struct step_record record;
    struct place place; /* of the instruction that made it */
};

struct stage_run {
    struct build *build;
    size_t number; /* of the stage */
    int channel;   /* to whoever solves */
    struct image_config config;
    struct layer *layers;
    size_t layer_count;
    char key[STEP_KEY_MAX]; /* of the files so far */
    struct strv args;       /* "NAME=value" in scope */
    struct strv declared;   /* names of ARGs without a value */
    unsigned vertex;        /* of the step that is at work */
    struct place place;     /* of its instruction */
    size_t steps, step;     /* how many, and which one */
    size_t uppers;          /* how many were made */
    char scope[13];         /* what names the group that its steps are in; "" */
    char *base_name;        /* of the image it begins with; NULL */
    bool no_cache;
    bool trigger;      /* the instruction is an ONBUILD of the base image */
    size_t said;       /* bytes of variables, bounded */
    bool shipped;      /* its layers go into the image: the target's, and what it is based on */
    struct strv words; /* where it is said, what is said: to be looked through for secrets */
};

/* --- chain.c: layers --- */

/* Opens all layers, lowest first, with `ground` below when asked; at least one. The descriptors
 * stay the layers'. `out` has room for stage_layer_room(). */
size_t stage_layer_room(const struct stage_run *run);
int stage_open_layers(struct stage_run *run, bool ground, int *out, size_t *count,
                      struct error *err);
/* A writable layer: a directory with `fs` and `work`, below the staging directory. */
int stage_upper(struct stage_run *run, char entry[32], struct error *err);
/* The step that began then (CLOCK_MONOTONIC) is done: what it wrote there becomes a layer, or
 * nothing when it wrote nothing. Known by `key` from then. */
int stage_made(struct stage_run *run, const char *entry, const char *key, nanoseconds begun,
               struct error *err);
/* Adds a layer that is known already, and is in use from here on. The store is locked. */
int stage_layer_known(struct stage_run *run, const struct step_record *record, struct error *err);
/* Notes what --cache-to is to keep: a key, or "mount KEY". */
void stage_used(struct stage_run *run, const char *what);
/* Takes in what was finished meanwhile; `wait`: all of it. */
int stage_layers_settle(struct stage_run *run, bool wait, struct error *err);
/* A detached mount of the stage's files as they are; `upper` -1: not to be written. */
int stage_mount(struct stage_run *run, int upper, bool ground, struct error *err);
/* The same of another stage that has ended, or of an image. */
int tree_mount(struct build *build, const struct stage_result *tree, struct error *err);

/* --- stage_result.c: what a stage leaves for others, in the staging directory --- */

struct stage_result {
    struct image_config config;
    char key[STEP_KEY_MAX];
    struct layer *layers;
    size_t layer_count;
    struct strv args, words;
    char *base_name;
};
int stage_result_write(struct stage_run *run, struct error *err);
int stage_result_read(struct build *build, size_t stage, struct stage_result *out,
                      struct error *err);
void stage_result_free(struct stage_result *result);
/* An image as a stage that ended with it: its layers are in use from here on (sources.c). */
int image_use(struct build *build, const char *name, struct stage_result *out, struct error *err);

/* --- sources.c: where --from leads --- */

/* Files of a stage, an image or a named context. */
struct foreign {
    struct stage_result stage;     /* a stage or an image, as layers */
    struct named_context *context; /* or a directory of the host's; NULL */
    char what[128];                /* "stage builder", "image alpine" */
    char key[STEP_KEY_MAX];        /* of all its files; "" for a directory */
};
int foreign_open(struct stage_run *run, const char *from, struct place place, struct foreign *out,
                 struct error *err);
void foreign_close(struct foreign *foreign);

/* --- the steps --- */

int stage_execute(struct stage_run *run, const struct step *step,
                  struct error *err); /* stage_run.c */
int stage_copy(struct stage_run *run, const struct instruction *i, const struct step *step,
               struct error *err);                                             /* stage_copy.c */
int stage_workdir(struct stage_run *run, const char *path, struct error *err); /* stage_copy.c */
/* 1: the step is known, its layer is taken over, and this is told. 0: it is not. */
int stage_cached(struct stage_run *run, const char *key, struct error *err);

/* --- talking to whoever solves --- */

void stage_tell(struct stage_run *run, enum build_event event, const char *text,
                uint64_t milliseconds);
/* Waits until another stage has ended; its result can then be read. -ECANCELED when it failed. */
int stage_await(struct stage_run *run, size_t other, struct error *err);

/* The variable, ENV before ARG; NULL. */
const char *stage_variable(const struct stage_run *run, const char *name, size_t length);

/* Whether the layers of a stage go into the image. */
bool stage_is_shipped(const struct build *build, size_t number);
/* passwd and group of the files so far; empty where there are none. */
int stage_accounts(struct stage_run *run, struct buf *passwd, struct buf *group, struct error *err);

/* A stage's process, from its FROM to its result. Ends it. */
_Noreturn void stage_process(struct build *build, size_t number, int channel);

#endif
