/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What becomes an image of a container: the configuration of what it runs, and its writable layer.
 * Nothing that was mounted is in that layer: volumes, binds, tmpfs, generated files.
 */
#ifndef CAISSON_CONTAINER_COMMIT_H
#define CAISSON_CONTAINER_COMMIT_H

#include "container/container.h"
#include "oci/image.h"

/* Changes the configuration of the container's image to what the container runs with. */
void commit_config(const struct plan *plan, struct image_config *config);

struct commit_words {
    const char *author, *message; /* NULL */
    const char *created;          /* RFC 3339 */
    const struct strv *changes;   /* Dockerfile instructions */
};
/* --change, author and a step of the history on top. */
int commit_describe(const struct plan *plan, const struct commit_words *words,
                    struct image_config *config, struct error *err);
/* A variable of the container's own environment whose name says that it is a secret; NULL. */
const char *commit_secret(const struct image_config *image, const struct image_config *config);

/* Writes the writable layer as a layer's tar to `fd`, in a process that can read nothing else. With
 * `pause` a running container stands still meanwhile; *not_paused says why that could not be. */
int commit_layer(struct container *c, bool pause, int fd, struct error *not_paused,
                 struct error *err);

#endif
