/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CAISSON_CMD_LOCK_OPTIONS_H
#define CAISSON_CMD_LOCK_OPTIONS_H

#include "base/strv.h"
#include "cmd/registry_options.h"

struct lock_options {
    struct strv files, build_args, contexts;
    const char *target, *lock_file;
    bool update, prune, check, quiet;
    struct reach_options reach;
};

#endif
