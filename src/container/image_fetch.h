/* SPDX-License-Identifier: Apache-2.0 */
/* Has caisson-image fetch an image from its registry: for run, create and build. */
#ifndef CAISSON_CONTAINER_IMAGE_FETCH_H
#define CAISSON_CONTAINER_IMAGE_FETCH_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/error.h"

struct image_fetch {
    const char *worker; /* path of caisson-image */
    const char *name, *policy;
    const char *held; /* the digest that the name stands for; then it is filed by that; NULL */
    const char *platform, *authfile; /* NULL */
    int tls_verify;                  /* -1: as configured */
    bool quiet;
};

/* 1: *full is the name it is in the store under; 0: it could not be fetched, why was told on
 * standard error. */
int image_fetch(const struct image_fetch *fetch, struct buf *full, struct error *err);

#endif
