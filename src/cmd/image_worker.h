/* SPDX-License-Identifier: Apache-2.0 */
/* What the handlers of image verbs share: opening the store, giving up rights, limits. */
#ifndef CAISSON_CMD_IMAGE_WORKER_H
#define CAISSON_CMD_IMAGE_WORKER_H

#include "cmd/image_options.h"
#include "cmd/verb.h"
#include "store/ingest.h"

int open_store(struct store *store, struct error *err);
/* From here on this process can reach nothing but the store, what is open, and of two directories
 * (-1: none) `source` to read and `target` to change. Before the first foreign byte is read. */
int confine_to_store(const struct store *store, int source, int target, struct error *err);
void limits_from_options(const struct limit_options *options, struct ingest_limits *out);
/* SOURCE_DATE_EPOCH as seconds. 1: set; 0: not set; -EINVAL: set to something else. */
int source_date_epoch(int64_t *seconds, struct error *err);
/* "alpine" to "docker.io/library/alpine:latest"; a digest is -EINVAL. */
int image_full_name(const char *text, struct buf *out, struct error *err);

/* What the front hands over: a descriptor, by its number, and a configuration behind one, whose
 * text is kept as it is. */
int worker_descriptor(const char *text, int *fd, struct error *err);
int worker_config(int fd, struct buf *text, struct image_config *out, struct error *err);
/* The manifest of an image whose layers the store has, but for `last`, which is not published yet;
 * NULL: all. */
int worker_manifest(struct store *store, const struct image_config *config,
                    const struct ingest_layer *last, struct ingest_image *image, struct error *err);

/* Makes an image of one layer. `ready`, when given, is asked between reading and publishing whether
 * whoever wrote the stream ended well. */
struct import_request {
    struct stream_source source;
    const struct limit_options *limits; /* NULL: defaults */
    const struct strv *changes;         /* NULL: none */
    const char *comment, *platform;
    const char *created; /* RFC 3339; NULL: SOURCE_DATE_EPOCH, else now */
    const char *name;    /* full; NULL: none */
    int (*ready)(void *closure, struct error *err);
    void *closure;
};
/* Checks all that can be wrong with a request before anything is read; fills `config`. */
int import_prepare(const struct import_request *request, struct image_config *config,
                   struct error *err);
/* Confines the process, reads, publishes. */
int import_image(struct store *store, const struct import_request *request,
                 struct image_config *config, char id[DIGEST_MAX], struct error *err);

verb_handler command_import, command_load, command_save, command_images, command_image_inspect,
    command_history, command_rmi, command_image_prune, command_tag, command_bootstrap,
    command_commit_layer, command_decompress, command_make_layer, command_cache,
    command_check_words, command_publish, command_builder_prune;

#endif
