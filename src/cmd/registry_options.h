/* SPDX-License-Identifier: Apache-2.0 */
/* The options structs of the verbs that talk to registries. */
#ifndef CAISSON_CMD_REGISTRY_OPTIONS_H
#define CAISSON_CMD_REGISTRY_OPTIONS_H

#include "cmd/image_options.h"

/* How a registry is reached, and as whom. */
struct reach_options {
    int tls_verify; /* -1: as registries.conf says */
    const char *authfile, *creds;
};

struct pull_options {
    struct reach_options reach;
    const char *platform, *when, *signature_policy, *lock_file, *held;
    bool no_lock, quiet, all_tags, accept_unsigned;
    bool for_run; /* only the name goes to standard output */
    struct limit_options limits;
};

struct push_options {
    struct reach_options reach;
    bool quiet, all_tags, nondistributable;
    const char *compression, *digest_file;
    int64_t level; /* INT64_MIN */
};

struct manifest_inspect_options {
    struct reach_options reach;
    bool raw, verbose, digest;
};

struct search_options {
    struct reach_options reach;
    int64_t limit; /* INT64_MIN */
    bool no_trunc;
    const char *format;
};

struct login_options {
    struct reach_options reach;
    const char *user, *password;
    bool password_stdin;
};

struct logout_options {
    const char *authfile;
    bool all;
};

struct sign_options {
    struct reach_options reach;
    const char *key, *passphrase_file, *identity;
    bool bundle;
};

struct verify_options {
    struct reach_options reach;
    struct strv keys;
    const char *signature_policy;
};

struct keygen_options {
    const char *type, *passphrase_file;
};

#endif
