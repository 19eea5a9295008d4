/* SPDX-License-Identifier: Apache-2.0 */
/* The options structs of the verbs around building; that of build itself is build/options.h. */
#ifndef CAISSON_CMD_BUILD_OPTIONS_H
#define CAISSON_CMD_BUILD_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/strv.h"

struct builder_prune_options {
    bool all, force;
    struct strv filters;
};

struct layer_options {
    int64_t newest; /* seconds since 1970; INT64_MIN: any */
    struct strv allow;
};

struct publish_options {
    struct strv annotations;
};

#endif
