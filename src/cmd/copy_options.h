/* SPDX-License-Identifier: Apache-2.0 */
/* The options structs of the verbs that move files between containers, images and the host. */
#ifndef CAISSON_CMD_COPY_OPTIONS_H
#define CAISSON_CMD_COPY_OPTIONS_H

#include <stdbool.h>

#include "base/strv.h"

struct cp_options {
    bool archive, follow, quiet;
};

struct diff_options {
    const char *format;
};

struct export_options {
    const char *output;
};

struct commit_options {
    const char *author, *message, *ignored;
    struct strv changes;
    int pause;
    bool quiet;
};

#endif
