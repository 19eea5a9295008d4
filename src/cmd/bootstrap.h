/* SPDX-License-Identifier: Apache-2.0 */
/* Base images out of the distribution's packages. Each maker fills what import_image() needs and
 * names the image. */
#ifndef CAISSON_CMD_BOOTSTRAP_H
#define CAISSON_CMD_BOOTSTRAP_H

#include "cmd/image_worker.h"

struct bootstrap {
    const struct bootstrap_options *options;
    const char *suite; /* after the colon; NULL: none given */
    struct import_request request;
    int fd; /* what request.source reads */
    pid_t child;
    struct strv changes;
    char *comment, *created, *name; /* name as people write it */
};

int bootstrap_debian(struct bootstrap *out, struct error *err);
int bootstrap_busybox(struct bootstrap *out, struct error *err);

#endif
