/* SPDX-License-Identifier: Apache-2.0 */
/* What the files git*.c share. */
#ifndef CAISSON_BUILD_GIT_PARTS_H
#define CAISSON_BUILD_GIT_PARTS_H

#include "build/remote.h"
#include "runtime/errand.h"

#define GIT_PROGRAM "/usr/bin/git"
#define GIT_FOUND "found" /* the file with the commit that a ref is */

struct git_work {
    const struct remote *remote;
    const char *commit;
    int home;     /* the directory: git's HOME, and `tree` in it */
    bool limited; /* a list of destinations is in force */
    char *path;   /* of the directory */
};

/* Of errands: GIT_FOUND is written; the tree is filled. */
int git_list(void *work, const struct errand_place *place, uint64_t *count, struct error *err);
int git_take(void *work, const struct errand_place *place, uint64_t *count, struct error *err);

/* git_confine.c: from here on only `home` can be written to, and nothing of the host's read that
 * programs do not need. */
int git_confine(int home, struct error *err);
/* git_seccomp.c: a part of it; no_new_privs must hold. */
int git_seccomp(struct error *err);

#endif
