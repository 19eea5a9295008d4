/* SPDX-License-Identifier: Apache-2.0 */
/* Options that several verbs have, for their tables. */
#ifndef CAISSON_CMD_OPTION_GROUPS_H
#define CAISSON_CMD_OPTION_GROUPS_H

#include "cmd/verb.h"

/* How much an image may be: `struct limit_options limits`. */
#define LIMIT_OPTIONS(type)                                                                        \
    {"max-size",       0,                                                                          \
     OPTION_SIZE,      offsetof(struct type, limits.max_size),                                     \
     "BYTES",          "Refuse a layer that unpacks to more than this (64g)",                      \
     .group = "Limits"},                                                                           \
        {"max-ratio",                                                                              \
         0,                                                                                        \
         OPTION_COUNT,                                                                             \
         offsetof(struct type, limits.max_ratio),                                                  \
         "N",                                                                                      \
         "Refuse compressed data that grows by more than this factor (200)",                       \
         .group = "Limits"},                                                                       \
    {                                                                                              \
        "max-files", 0, OPTION_COUNT, offsetof(struct type, limits.max_files), "N",                \
            "Refuse a layer of more files than this (5000000)", .group = "Limits"                  \
    }

/* How a registry is reached, and as whom: `struct reach_options reach`. */
#define REACH_FILE_OPTIONS(type)                                                                   \
    {"tls-verify",                                                                                 \
     0,                                                                                            \
     OPTION_TRISTATE,                                                                              \
     offsetof(struct type, reach.tls_verify),                                                      \
     NULL,                                                                                         \
     "Want TLS with a certificate that can be trusted (as registries.conf says, else yes)",        \
     .group = "Registry"},                                                                         \
    {                                                                                              \
        "authfile", 0, OPTION_STRING, offsetof(struct type, reach.authfile), "FILE",               \
            "Read user and password from this file", .group = "Registry"                           \
    }

#define REACH_OPTIONS(type)                                                                        \
    REACH_FILE_OPTIONS(type),                                                                      \
    {                                                                                              \
        "creds", 0, OPTION_STRING, offsetof(struct type, reach.creds), "USER:PASSWORD",            \
            "Sign in with these, once (others can see them in the list of processes: prefer "      \
            "login)",                                                                              \
            .group = "Registry"                                                                    \
    }

#endif
