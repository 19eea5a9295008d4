/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OCI image documents as plain structs (image-spec v1.1; Docker's manifest schema 2 and image
 * configuration are read as the same thing). Parsing is strict where a mistake could do harm and
 * keeps what it does not know out of the way: nothing of an image ever becomes engine
 * configuration.
 */
#ifndef CAISSON_OCI_IMAGE_H
#define CAISSON_OCI_IMAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/strv.h"

#define DIGEST_MAX 72 /* "sha256:" + 64 hexadecimal digits + NUL */
#define OCI_DOCUMENT_MAX (4u << 20)
#define OCI_LAYERS_MAX 500
/* Of each kind; what works with them compares every one with every other. */
#define OCI_VOLUMES_MAX 200
#define OCI_PAIRS_MAX 4000  /* variables; labels; annotations */
#define OCI_WORDS_MAX 65536 /* of a command; ports */

/* "sha256:" and 64 lower-case hexadecimal digits, nothing else. */
bool digest_valid(const char *digest);
/* That of a text. */
void digest_of(const struct buf *text, char out[DIGEST_MAX]);
/* The part after "sha256:"; only for valid digests. */
const char *digest_hex(const char *digest);

struct descriptor {
    char *media_type;
    char digest[DIGEST_MAX];
    int64_t size;
    struct strv annotations; /* "key=value" */
};

void descriptor_free(struct descriptor *descriptor);

struct manifest {
    struct descriptor config;
    struct descriptor *layers;
    size_t layer_count;
    struct strv annotations;
};

struct health_check {
    struct strv test; /* "CMD", …, "CMD-SHELL", …, "NONE"; empty: none declared */
    int64_t interval, timeout, start_period, start_interval; /* ns; 0: default */
    int64_t retries;
};

struct history_entry {
    char *created, *created_by, *comment, *author; /* NULL when absent */
    bool empty_layer;
};

/* The image configuration: who runs what, where. */
struct image_config {
    char *architecture, *variant, *os; /* "amd64", NULL, "linux" */
    char *created, *author;            /* RFC 3339 or NULL */
    char *user;                        /* as written, "" when absent */
    char *working_dir;                 /* "" when absent */
    char *stop_signal;                 /* NULL when absent */
    struct strv env;                   /* "NAME=value" */
    struct strv entrypoint, command, shell;
    struct strv volumes, ports, on_build;
    struct strv labels; /* "key=value" */
    struct health_check health;
    struct strv diff_ids; /* valid digests, lowest layer first */
    struct history_entry *history;
    size_t history_count;
};

int manifest_parse(const char *text, size_t length, struct manifest *out, struct error *err);
int image_config_parse(const char *text, size_t length, struct image_config *out,
                       struct error *err);
/* Canonical JSON, keys in a fixed order, no white space: the same struct gives the same bytes. */
void manifest_write(const struct manifest *manifest, struct buf *out);
void image_config_write(const struct image_config *config, struct buf *out);
/* Only its member "config", as `inspect` shows it. */
struct json_out;
void image_config_write_process(const struct image_config *config, const char *key,
                                struct json_out *w);
void manifest_free(struct manifest *manifest);
void image_config_free(struct image_config *config);

#define automanifest __attribute__((cleanup(manifest_free))) struct manifest
#define autoconfig __attribute__((cleanup(image_config_free))) struct image_config

#endif
