/* SPDX-License-Identifier: Apache-2.0 */
/* The options structs of the image verbs, which their tables fill and their handlers read. */
#ifndef CAISSON_CMD_IMAGE_OPTIONS_H
#define CAISSON_CMD_IMAGE_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/strv.h"

struct limit_options {
    int64_t max_size, max_ratio, max_files;
};

struct import_options {
    struct strv changes;
    const char *message, *platform;
    struct limit_options limits;
};

struct load_options {
    const char *input, *platform;
    bool quiet, unnamed;
    struct limit_options limits;
};

struct save_options {
    const char *output, *format;
    int64_t provenance; /* a descriptor; INT64_MIN */
};

struct images_options {
    bool all, digests, no_trunc, quiet;
    struct strv filters;
    const char *format;
};

struct image_inspect_options {
    const char *format;
    bool remote;
    const char *platform, *authfile;
    int tls_verify; /* -1 */
};

struct history_options {
    int human;
    bool no_trunc, quiet;
    const char *format;
};

struct rmi_options {
    bool force, no_prune;
};

struct image_prune_options {
    bool all, force, bytes, build_cache;
    struct strv filters;
};

struct bootstrap_options {
    const char *tag, *mirror;
    struct strv include;
};

#endif
