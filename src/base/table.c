/* SPDX-License-Identifier: Apache-2.0 */
#include "base/table.h"

#include <stdarg.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/memory.h"
#include "base/text.h"

enum { GAP = 3 };

struct range {
    uint32_t first, last;
};

/* Unicode 15: marks that sit on the character before them, and invisible format characters. */
static const struct range combining[] = {
    {0x0300, 0x036f}, {0x0483, 0x0489}, {0x0591, 0x05bd}, {0x0610, 0x061a}, {0x064b, 0x065f},
    {0x0900, 0x0902}, {0x093c, 0x093c}, {0x0941, 0x0948}, {0x0e31, 0x0e31}, {0x0e34, 0x0e3a},
    {0x0e47, 0x0e4e}, {0x1ab0, 0x1aff}, {0x1dc0, 0x1dff}, {0x200b, 0x200f}, {0x20d0, 0x20ff},
    {0x302a, 0x302d}, {0x3099, 0x309a}, {0xfe00, 0xfe0f}, {0xfe20, 0xfe2f}, {0xe0100, 0xe01ef},
};
/* East Asian Width W and F, and emoji. */
static const struct range wide[] = {
    {0x1100, 0x115f},   {0x231a, 0x231b},   {0x2e80, 0x303e},   {0x3041, 0x33ff},
    {0x3400, 0x4dbf},   {0x4e00, 0x9fff},   {0xa000, 0xa4cf},   {0xa960, 0xa97f},
    {0xac00, 0xd7a3},   {0xf900, 0xfaff},   {0xfe30, 0xfe6f},   {0xff00, 0xff60},
    {0xffe0, 0xffe6},   {0x1f300, 0x1f64f}, {0x1f680, 0x1f6ff}, {0x1f900, 0x1faff},
    {0x20000, 0x3fffd},
};

static bool within(uint32_t point, const struct range *ranges, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (point >= ranges[i].first && point <= ranges[i].last)
            return true;
    return false;
}

uint32_t text_decode(const char *text, size_t *length)
{
    const unsigned char *s = (const unsigned char *)text;
    unsigned more = s[0] >= 0xf0 ? 3 : s[0] >= 0xe0 ? 2 : s[0] >= 0xc0 ? 1 : 0;
    uint32_t point = more ? s[0] & (0x3fU >> more) : s[0];
    *length = 1;
    for (unsigned i = 1; i <= more; i++) {
        if ((s[i] & 0xc0) != 0x80)
            return s[0];
        point = point << 6 | (s[i] & 0x3f);
    }
    *length = 1 + more;
    return point;
}

static size_t point_width(uint32_t point)
{
    if (point < 0x300)
        return 1;
    if (within(point, combining, sizeof combining / sizeof *combining))
        return 0;
    return within(point, wide, sizeof wide / sizeof *wide) ? 2 : 1;
}

size_t text_width(const char *text)
{
    size_t width = 0, length;
    for (; *text; text += length)
        width += point_width(text_decode(text, &length));
    return width;
}

size_t text_fit(const char *text, size_t width)
{
    const char *at = text;
    size_t length;
    while (*at) {
        size_t columns = point_width(text_decode(at, &length));
        if (columns > width)
            break;
        width -= columns;
        at += length;
    }
    return (size_t)(at - text);
}

void table_start(struct table *table, const struct table_column *columns, size_t count)
{
    *table = (struct table){.columns = columns, .count = count};
}

void table_cell(struct table *table, const char *text)
{
    struct buf printable = {0};
    buf_str(&printable, "");
    if (text)
        buf_printable(&printable, text);
    strv_take(&table->cells, buf_take(&printable));
}

void table_fmt(struct table *table, const char *format, ...)
{
    autobuf text = {0};
    va_list ap;
    va_start(ap, format);
    buf_vfmt(&text, format, ap);
    va_end(ap);
    table_cell(table, buf_text(&text));
}

static size_t cell_width(const struct table *table, size_t column, const char *cell)
{
    size_t width = text_width(cell);
    size_t widest = table->columns[column].widest;
    return widest && !table->no_trunc && width > widest ? widest : width;
}

static void write_cell(const struct table *table, size_t column, const char *cell, size_t width,
                       struct buf *out)
{
    bool last = column + 1 == table->count;
    size_t shown = cell_width(table, column, cell);
    size_t padding = width - shown;
    if (table->columns[column].right)
        buf_fmt(out, "%*s", (int)padding, "");
    if (shown < text_width(cell)) {
        size_t bytes = text_fit(cell, shown - 1);
        buf_add(out, cell, bytes);
        buf_str(out, "…");
        /* A wide character that did not fit leaves a column. */
        padding += shown - 1;
        for (size_t at = 0, length; at < bytes; at += length)
            padding -= point_width(text_decode(cell + at, &length));
    } else {
        buf_str(out, cell);
    }
    if (!last)
        buf_fmt(out, "%*s", (int)(table->columns[column].right ? 0 : padding) + GAP, "");
}

void table_write(const struct table *table, struct buf *out)
{
    size_t rows = (table->cells.len + table->count - 1) / table->count;
    autofree size_t *widths = xcalloc(table->count, sizeof *widths);
    for (size_t c = 0; c < table->count; c++)
        if (!table->no_heading)
            widths[c] = text_width(table->columns[c].heading);
    for (size_t i = 0; i < table->cells.len; i++) {
        size_t column = i % table->count;
        size_t width = cell_width(table, column, table->cells.items[i]);
        if (width > widths[column])
            widths[column] = width;
    }
    for (size_t c = 0; c < table->count && !table->no_heading; c++) {
        size_t padding = widths[c] - text_width(table->columns[c].heading);
        bool right = table->columns[c].right, last = c + 1 == table->count;
        buf_fmt(out, "%*s%s%*s", right ? (int)padding : 0, "", table->columns[c].heading,
                last ? 0 : (right ? 0 : (int)padding) + GAP, "");
    }
    if (!table->no_heading)
        buf_char(out, '\n');
    for (size_t r = 0; r < rows; r++) {
        for (size_t c = 0; c < table->count; c++) {
            size_t i = r * table->count + c;
            const char *cell = i < table->cells.len ? table->cells.items[i] : "";
            write_cell(table, c, cell, widths[c], out);
        }
        buf_char(out, '\n');
    }
}

void table_free(struct table *table)
{
    strv_free(&table->cells);
}
