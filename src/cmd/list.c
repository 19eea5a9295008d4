/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/list.h"

#include <stdarg.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"
#include "cmd/print.h"
#include "cmd/template.h"

void list_start(struct list *list, const struct list_column *columns, size_t count)
{
    *list = (struct list){.columns = columns, .count = count};
}

void list_cell(struct list *list, const char *text)
{
    strv_add(&list->cells, text ? text : "");
}

void list_fmt(struct list *list, const char *format, ...)
{
    autobuf text = {0};
    va_list ap;
    va_start(ap, format);
    buf_vfmt(&text, format, ap);
    va_end(ap);
    list_cell(list, buf_text(&text));
}

void list_free(struct list *list)
{
    strv_free(&list->cells);
}

static size_t rows_of(const struct list *list)
{
    return list->cells.len / list->count;
}

static const char *cell_of(const struct list *list, size_t row, size_t column)
{
    return list->cells.items[row * list->count + column];
}

static void as_table(const struct list *list, const struct list_style *style, struct buf *out)
{
    autofree struct table_column *shown = xcalloc(list->count, sizeof *shown);
    size_t count = 0;
    for (size_t c = 0; c < list->count; c++)
        if (!list->columns[c].extra)
            shown[count++] = list->columns[c].shown;
    autotable table;
    table_start(&table, shown, count);
    table.no_trunc = style->no_trunc;
    table.no_heading = style->no_heading;
    for (size_t r = 0; r < rows_of(list); r++)
        for (size_t c = 0; c < list->count; c++)
            if (!list->columns[c].extra)
                table_cell(&table, cell_of(list, r, c));
    table_write(&table, out);
}

static void as_json(const struct list *list, struct buf *out)
{
    for (size_t r = 0; r < rows_of(list); r++) {
        struct json_out json = {.buf = out};
        json_begin(&json, NULL, '{');
        for (size_t c = 0; c < list->count; c++)
            json_str(&json, list->columns[c].field, cell_of(list, r, c));
        json_end(&json, '}');
        buf_char(out, '\n');
    }
}

/* A row as an object; row -1 is the headings. Bytes that are no UTF-8 are shown as \xNN. */
static json_t *row_object(const struct list *list, ssize_t row)
{
    json_t *object = json_object();
    for (size_t c = 0; c < list->count; c++) {
        autobuf clean = {0};
        const char *text = list->columns[c].shown.heading;
        if (row >= 0)
            text = cell_of(list, (size_t)row, c);
        json_t *value = json_string(text ? text : "");
        if (!value) {
            buf_printable(&clean, text);
            value = json_string(buf_text(&clean));
        }
        json_object_set_new(object, list->columns[c].field, value);
    }
    return object;
}

static int by_template(const struct list *list, const char *text, struct buf *out,
                       struct error *err)
{
    for (size_t r = 0; r < rows_of(list); r++) {
        autojson object = row_object(list, (ssize_t)r);
        int rc = template_render(text, object, out, err);
        if (rc < 0)
            return rc;
        buf_char(out, '\n');
    }
    return 0;
}

/* "table {{.A}}\t{{.B}}": each row rendered, then cut at its tabs; the headings come out of the
 * same template over an object whose fields hold their headings. */
static int by_table_template(const struct list *list, const struct list_style *style,
                             const char *text, struct buf *out, struct error *err)
{
    autostrv headings = {0};
    autobuf line = {0};
    autojson heading_object = row_object(list, -1);
    int rc = template_render(text, heading_object, &line, err);
    if (rc < 0)
        return rc;
    strv_split(&headings, buf_text(&line), '\t');
    autofree struct table_column *columns = xcalloc(headings.len, sizeof *columns);
    for (size_t i = 0; i < headings.len; i++)
        columns[i].heading = headings.items[i];
    autotable table;
    table_start(&table, columns, headings.len);
    table.no_heading = style->no_heading;
    for (size_t r = 0; r < rows_of(list); r++) {
        autojson object = row_object(list, (ssize_t)r);
        autostrv cells = {0};
        buf_clear(&line);
        rc = template_render(text, object, &line, err);
        if (rc < 0)
            return rc;
        strv_split(&cells, buf_text(&line), '\t');
        for (size_t i = 0; i < headings.len; i++)
            table_cell(&table, i < cells.len ? cells.items[i] : "");
    }
    table_write(&table, out);
    return 0;
}

int list_render(const struct list *list, const struct list_style *style, struct buf *out,
                struct error *err)
{
    const char *format = style->format;
    if (!format || streq(format, "table")) {
        as_table(list, style, out);
        return 0;
    }
    if (streq(format, "json")) {
        as_json(list, out);
        return 0;
    }
    if (starts_with(format, "table "))
        return by_table_template(list, style, format + strlen("table "), out, err);
    if (!strstr(format, "{{"))
        return error_set(err, -EINVAL,
                         "--format takes table, json or a template such as '{{.%s}}', not \"%s\"",
                         list->columns[0].field, format);
    return by_template(list, format, out, err);
}

int list_print(const struct list *list, const struct list_style *style, struct error *err)
{
    autobuf out = {0};
    int rc = list_render(list, style, &out, err);
    return rc < 0 ? rc : print(&out);
}
