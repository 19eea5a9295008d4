/* SPDX-License-Identifier: Apache-2.0 */
/* The options structs of the verbs for containers on disk: their tables fill them, their handlers
 * read them. */
#ifndef CAISSON_CMD_CONTAINER_OPTIONS_H
#define CAISSON_CMD_CONTAINER_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/strv.h"
#include "container/container.h"

/* For verbs whose first argument is a container. */
#define LATEST(letter)                                                                             \
    {                                                                                              \
        "latest", letter, OPTION_ARGUMENT, 0, NULL, "The container that was made last",            \
            .implied = CONTAINER_LATEST                                                            \
    }

struct ps_options {
    bool all, latest, no_trunc, quiet, size;
    int64_t last;
    struct strv filters;
    const char *format;
};

struct inspect_options {
    const char *format, *type;
    bool size;
};

struct logs_options {
    bool follow, timestamps;
    const char *since, *until, *tail;
};

struct start_words {
    bool attach, interactive;
    const char *detach_keys;
};

struct attach_words {
    bool no_stdin;
    int sig_proxy;
    const char *detach_keys;
};

struct stop_options {
    const char *signal;
    int64_t timeout;
};

struct kill_options {
    const char *signal;
};

struct rm_options {
    bool force, volumes;
};

struct stats_options {
    bool all, no_stream, no_trunc;
    const char *format;
};

struct events_options {
    const char *since, *until, *format;
    struct strv filters;
};

struct system_df_options {
    const char *format;
    bool verbose;
};

struct system_prune_options {
    bool all, force, volumes;
    struct strv filters;
};

struct container_prune_options {
    struct strv filters;
    bool force;
};

struct info_options {
    const char *format;
};

#endif
