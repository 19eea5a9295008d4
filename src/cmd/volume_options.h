/* SPDX-License-Identifier: Apache-2.0 */
/* The options structs of the verbs for volumes, which their tables fill and their handlers read. */
#ifndef CAISSON_CMD_VOLUME_OPTIONS_H
#define CAISSON_CMD_VOLUME_OPTIONS_H

#include <stdbool.h>

#include "base/strv.h"

struct volume_create_options {
    const char *driver;
    struct strv labels, options;
};

struct volume_ls_options {
    bool quiet;
    struct strv filters;
    const char *format;
};

struct volume_inspect_options {
    const char *format;
};

struct volume_rm_options {
    bool force;
};

struct volume_prune_options {
    bool all, force;
    struct strv filters;
};

#endif
