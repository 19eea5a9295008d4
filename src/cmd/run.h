/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CAISSON_CMD_RUN_H
#define CAISSON_CMD_RUN_H

#include "container/request.h"

struct exec_words {
    bool detach, interactive, terminal, privileged;
    const char *user, *workdir, *detach_keys;
    struct strv env, env_files;
};

#endif
