/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of lock: what is found out on the way. */
#ifndef CAISSON_CMD_LOCK_PARTS_H
#define CAISSON_CMD_LOCK_PARTS_H

#include "base/buf.h"
#include "cmd/lock_options.h"
#include "oci/lockfile.h"
#include "registry/conf.h"
#include "store/store.h"

struct locking {
    const struct lock_options *options;
    const char *directory;
    char *path; /* of the lock file */
    struct lockfile lock;
    struct store store;
    struct conf *conf;
    char *worker;
    struct strv names;  /* full, of images that are to be locked */
    struct strv needed; /* … of them those that are asked for */
    struct buf said;
    bool elsewhere; /* something is built from what is not here */
    size_t added, moved, dropped;
};

/* --- lock_names.c --- */

/* The names of images in the files of the project, into l->names: at most 1000. */
int lock_read_files(struct locking *l, struct error *err);

#endif
