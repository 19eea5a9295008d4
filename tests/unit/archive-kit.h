/* SPDX-License-Identifier: Apache-2.0 */
/* Archives made in memory and unpacked into a directory of their own, for the archive tests. */
#ifndef TESTS_UNIT_ARCHIVE_KIT_H
#define TESTS_UNIT_ARCHIVE_KIT_H

#include <stdint.h>

#include "archive/layer.h"
#include "archive/stream.h"
#include "archive/tar.h"
#include "archive/tar_block.h"
#include "base/buf.h"

/* A temporary directory, removed by kit_leave(). */
struct kit {
    char path[64];
    int dir;
    struct buf tar; /* the archive being made */
    struct tar_writer writer;
    struct layer_result result;
    struct error err;
};

void kit_enter(struct kit *kit);
void kit_leave(struct kit *kit);

/* An anonymous file with these bytes. */
int kit_file(const void *bytes, size_t length);
/* A stream over an anonymous file; *fd has to be closed after it. */
struct stream *kit_stream(const void *bytes, size_t length, bool no_digests, int *fd);

/* Add entries to kit->tar. */
void kit_add(struct kit *kit, const struct tar_entry *entry, const char *content);
void kit_text(struct kit *kit, const char *path, const char *content);
void kit_dir(struct kit *kit, const char *path);
void kit_link(struct kit *kit, enum tar_type type, const char *path, const char *target);
/* A header block as it is, with its checksum put right. */
void kit_block(struct kit *kit, struct tar_block *block, const char *content);
void kit_pax(struct kit *kit, char type, const char *records, size_t length);

/* Ends the archive and unpacks it into kit->dir/NAME. */
int kit_unpack_to(struct kit *kit, const char *name, const struct layer_limits *limits);
int kit_unpack(struct kit *kit); /* into "layer" */
/* Unpacks any bytes. */
int kit_unpack_bytes(struct kit *kit, const char *name, const void *bytes, size_t length,
                     const struct layer_limits *limits);
/* Whether the layer "layer" gives kit->tar back. */
bool kit_gives_back(struct kit *kit);
bool kit_layer_gives(struct kit *kit, const char *name, const char *diff_id, const void *bytes,
                     size_t length);
/* Content of a file of the kit's directory, "" when it is not there. */
const char *kit_read(struct kit *kit, const char *path);

#endif
