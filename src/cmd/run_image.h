/* SPDX-License-Identifier: Apache-2.0 */
/* The image of a run: the one that is there, or, by --pull, the one that its registry has. */
#ifndef CAISSON_CMD_RUN_IMAGE_H
#define CAISSON_CMD_RUN_IMAGE_H

#include "container/request.h"
#include "store/store.h"

/* The caller holds the store's lock (shared), and does so again afterwards: while an image is
 * fetched it is given back. */
int front_image(struct store *store, const struct request *request, struct image *out,
                struct error *err);

#endif
