/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files between a container and the host.
 *
 * Two processes and a pipe with a tar: one in the container (container/visit.h), which follows the
 * path that is inside, and one here, which follows the one of the host. Neither ever sees the
 * other's files; what comes out of the container is read by a process that can write nowhere but
 * below the place that was named (archive/confine.h).
 */
#ifndef CAISSON_CONTAINER_COPY_H
#define CAISSON_CONTAINER_COPY_H

#include "archive/tar_pipe.h"
#include "container/visit.h"

struct copy {
    struct container *container;
    struct store *store;
    const char *inside; /* the path in the container; no word of argv, which a child has wiped */
    bool archive;       /* ids are kept */
    bool follow;        /* a symbolic link as the source is followed */
    tar_progress *progress;
    void *closure;
    uint64_t left_out; /* set: devices and sockets that were not copied */
};

/* To a path of the host. */
int copy_out(struct copy *copy, const char *to, struct error *err);
/* As a tar, to a descriptor. */
int copy_out_tar(struct copy *copy, int to, struct error *err);
/* From a path of the host. */
int copy_in(struct copy *copy, const char *from, struct error *err);
/* From a tar that is not compressed; `from` is closed. `ended` says whether whoever writes it ended
 * well; when nobody reads any more, it is told so. */
int copy_in_tar(struct copy *copy, int from,
                int (*ended)(void *closure, bool read, struct error *err), void *closure,
                struct error *err);
/* The whole root file system without what is mounted on it, as a tar. */
int copy_root(struct copy *copy, int to, struct error *err);

/* --- the host's side, for copy.c --- */

struct copy_path;
/* Reads `path` as a tar into `pipe`. */
int host_give(const struct copy *copy, const char *path, struct tar_pipe *pipe, uint64_t *left_out,
              struct error *err);

struct host_place;
/* What `path` is and where a copy would go: all that can be wrong with it is found here. */
struct host_place *host_find(const char *path, struct error *err);
void host_place_free(struct host_place *place);
/* In a process of its own: gives up everything but that place and unpacks the tar there. */
int host_take(const struct copy *copy, struct host_place *place, int from, uint64_t *left_out,
              struct error *err);

#endif
