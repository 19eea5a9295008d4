/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where what is being written lies until it is complete: a directory of its own below tmp/, locked
 * by its writer for as long as the writer (or a child that inherited the descriptor) lives. Entries
 * move from there to their final names by rename(2). What a dead writer left is found by its lock
 * being free, and removed by the next writer.
 */
#ifndef CAISSON_STORE_STAGING_H
#define CAISSON_STORE_STAGING_H

#include "store/store.h"

struct staging {
    struct store *store; /* NULL: not open */
    int fd;              /* the directory, flock'ed */
    char name[32];       /* in tmp/ */
    unsigned graves;     /* how many were withdrawn into it */
};

/* Clears what dead writers left, then makes a directory. */
int staging_open(struct store *store, struct staging *out, struct error *err);
/* Removes it with what is still in it. */
void staging_close(struct staging *staging);
#define autostaging __attribute__((cleanup(staging_close))) struct staging

/* Creates a file; written by write(2), not yet synced. The descriptor or -errno. */
int staging_create(struct staging *staging, const char *file, struct error *err);
int staging_write(struct staging *staging, const char *file, const void *bytes, size_t length,
                  struct error *err);
/* Moves an entry to its final name, replacing a file. A directory that is there already is kept,
 * and ours goes with the staging directory: layers with one name have one content. */
int staging_publish(struct staging *staging, const char *entry, const char *directory,
                    const char *file, struct error *err);
/* The same of a layer's directory. One that was moved already is no error. */
int staging_publish_layer(struct staging *staging, const char *entry, const char *diff_id,
                          struct error *err);
/* From here on a layer of the store is in use by whoever has this directory: the collector leaves
 * it alone as long as the directory is there. The caller holds the store's lock (shared) since it
 * saw that the layer is there. Lines go to the end of a file in one write(2), so several processes
 * may. */
int staging_uses(struct staging *staging, const char *diff_id, struct error *err);
#define STAGING_USES "uses"
/* Takes something off its final name in one step; it goes with the staging directory. A missing
 * name is no error. */
int staging_withdraw(struct staging *staging, const char *directory, const char *file,
                     struct error *err);

#endif
