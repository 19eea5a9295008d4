/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files from elsewhere: what is common to those that ADD names and to a whole context.
 *
 * A file is downloaded by caisson-fetch, a repository fetched by git; both are processes that can
 * reach nothing of the host's but what they need, and both leave what they got in a directory of
 * the staging area. What of it goes where is decided here, with paths that are followed in-root.
 *
 * A user and a password are in no key, no history, no sentence and on no command line.
 */
#ifndef CAISSON_BUILD_FETCHING_H
#define CAISSON_BUILD_FETCHING_H

#include "base/hash.h"
#include "build/build.h"
#include "build/remote.h"
#include "build/step.h"
#include "store/staging.h"

struct stage_run;
struct instruction;

struct fetching {
    const struct build_place *place;
    struct staging *staging;
    const struct strv *egress; /* words of --egress; NULL: anywhere */
    const char *agent;         /* an ssh agent's socket; NULL: none was given */
    bool forbidden;            /* --network none */
};

/* --- download.c: a file --- */

#define ETAG_MAX 1024

/* What is known of what an address led to. */
struct url_record {
    char digest[SHA256_HEX];
    char etag[ETAG_MAX]; /* "" */
    int64_t modified;    /* seconds since 1970; -1: nobody said */
};

/* Into the file `to`, whose times are then those of the other side. `known`: what it may be
 * unchanged from, which *unchanged says; NULL. */
int download(const struct fetching *fetching, const struct remote *remote,
             const struct url_record *known, int to, struct url_record *out, bool *unchanged,
             struct error *err);

/* --- urls.c: addresses that were fetched before, build/urls/HEX --- */

bool urls_find(struct store *store, const char *address, struct url_record *out);
/* Best effort: what is not kept is fetched again. */
void urls_keep(struct staging *staging, const char *address, const struct url_record *record);

/* --- git.c: a repository --- */

#define GIT_COMMIT_MAX 65

/* What a repository's ref is just now. */
int git_resolve(const struct fetching *fetching, const struct remote *remote, const char *entry,
                char commit[GIT_COMMIT_MAX], struct error *err);
/* Its files at `commit`; the descriptor of the directory that is wanted, below `entry`, a
 * directory of the staging area that is made. */
int git_fetch(const struct fetching *fetching, const struct remote *remote, const char *entry,
              const char *commit, struct error *err);

/* --- stage_add.c: ADD --- */

/* Whether a source is an address. */
bool remote_named(const struct step *step);
int stage_add(struct stage_run *run, const struct instruction *i, const struct step *step,
              struct error *err);

#endif
