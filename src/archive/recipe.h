/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A layer's recipe: its tar without the contents of the files, which lie in fs/ already.
 *
 * The file is one zstd stream of an eight-byte mark and records. Numbers are LEB128.
 *   1 LENGTH BYTES                                  bytes of the tar as they are
 *   2 LENGTH PATH SIZE                              the content of fs/PATH
 *   3 LENGTH PATH SIZE COUNT (GAP LENGTH)*COUNT     parts of the sparse file fs/PATH; each GAP
 *                                                   counts from the end of the part before
 *   0                                               the end
 * Internal to the module.
 */
#ifndef CAISSON_ARCHIVE_RECIPE_H
#define CAISSON_ARCHIVE_RECIPE_H

#include <stddef.h>
#include <stdint.h>

#include "archive/tar.h"
#include "base/error.h"

#define RECIPE_MARK "CSNRCP1\n"
#define RECIPE_PATH_MAX 4096

enum recipe_record { RECIPE_END, RECIPE_BYTES, RECIPE_FILE, RECIPE_SPARSE };

struct recipe_writer;
/* Writes to `fd`, which is borrowed. NULL on failure. */
struct recipe_writer *recipe_create(int fd, struct error *err);
int recipe_bytes(struct recipe_writer *w, const void *bytes, size_t length, struct error *err);
/* `path` is below fs/. Files without content need no record. */
int recipe_file(struct recipe_writer *w, const char *path, const struct tar_entry *entry,
                struct error *err);
int recipe_finish(struct recipe_writer *w, struct error *err);
void recipe_close(struct recipe_writer *w); /* NULL is fine */

#endif
