/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tables for terminals: columns as wide as their widest cell, three spaces between, measured in
 * what a terminal shows and not in bytes. Cells may hold anything: what a terminal would obey
 * (escape sequences in a name that an image chose) is shown as \xNN.
 */
#ifndef CAISSON_BASE_TABLE_H
#define CAISSON_BASE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/strv.h"

struct table_column {
    const char *heading;
    bool right;      /* numbers */
    unsigned widest; /* longer cells end in "…", unless no_trunc; 0: as long as they are */
};

struct table {
    const struct table_column *columns; /* borrowed */
    size_t count;
    struct strv cells; /* row after row; already printable */
    bool no_trunc;
    bool no_heading;
};

void table_start(struct table *table, const struct table_column *columns, size_t count);
/* The next cell; rows fill up from left to right. NULL counts as empty. */
void table_cell(struct table *table, const char *text);
void table_fmt(struct table *table, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Appends the whole table. An unfinished last row ends with empty cells. */
void table_write(const struct table *table, struct buf *out);
void table_free(struct table *table);
#define autotable __attribute__((cleanup(table_free))) struct table

/* The character at `text` (not at its end) and its bytes; a byte that belongs to no UTF-8 sequence
 * counts as one of its own. */
uint32_t text_decode(const char *text, size_t *length);
/* Columns that a terminal uses for `text` (UTF-8): wide characters count two, combining ones none.
 */
size_t text_width(const char *text);
/* How many bytes of `text` fit into `width` columns, never splitting a character. */
size_t text_fit(const char *text, size_t width);

#endif
