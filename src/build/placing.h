/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Carrying out what COPY and ADD have selected: files go into a tree that is being built.
 *
 * Both ends are followed in-root by descriptors: what an earlier step left in the tree (links above
 * all) leads nowhere else. It is done in a process of its own that can reach nothing but the two
 * trees. A file that is no longer what was digested is an error, so that nothing wrong is ever
 * known by that digest.
 */
#ifndef CAISSON_BUILD_PLACING_H
#define CAISSON_BUILD_PLACING_H

#include "build/selection.h"

struct placing {
    const struct selection *selection;
    int source; /* where picks are found */
    int root;   /* of the tree that is built, writable */
    int upper;  /* where it is an overlay's, its upper directory: what is made below what was
                   not there before is made there, which takes half of the time; -1 */
    const char *target; /* clean and absolute */
    bool directory;     /* it was written with a slash at its end */
    bool owned;         /* --chown: */
    uint32_t uid, gid;
    const char *mode; /* --chmod; NULL */
    bool timed;       /* every file has this time of change: */
    int64_t time;     /* seconds */
    const char *what; /* the source, for messages */
};

/* In processes of their own, and waits for them. */
int place_files(const struct placing *placing, struct error *err);
/* A directory as WORKDIR makes it, with all above it that is missing; 0755, `uid` and `gid` those
 * of what is made. *made is false where all was there. */
int place_directory(int root, const char *path, uint32_t uid, uint32_t gid, bool *made,
                    struct error *err);

#endif
