/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every list verb prints (ps, images, history, stats): rows of named fields, as a table, as
 * one JSON object per line, or through a template, so that all of them take the same --format.
 *
 *   list_start(&list, columns, count);
 *   for each: list_cell(&list, …) count times;
 *   return list_print(&list, &(struct list_style){.format = o->format, …}, err);
 */
#ifndef CAISSON_CMD_LIST_H
#define CAISSON_CMD_LIST_H

#include "base/error.h"
#include "base/table.h"

struct list_column {
    const char *field; /* "Names": {{.Names}}, and the key in JSON */
    struct table_column shown;
    bool extra; /* not in the default table, only for templates and JSON */
};

struct list {
    const struct list_column *columns; /* borrowed */
    size_t count;
    struct strv cells; /* as they are */
};

struct list_style {
    const char *format; /* NULL or "table", "json", "{{…}}", "table {{…}}\t{{…}}" */
    bool no_trunc;
    bool no_heading;
};

/* For the option table of a list verb, as its `help`. */
#define LIST_FORMAT_HELP "Print as table, as json, or by a Go template such as '{{.ID}}'"

void list_start(struct list *list, const struct list_column *columns, size_t count);
void list_cell(struct list *list, const char *text);
void list_fmt(struct list *list, const char *format, ...) __attribute__((format(printf, 2, 3)));
void list_free(struct list *list);
#define autolist __attribute__((cleanup(list_free))) struct list

/* The text, or -EINVAL for a format that means nothing. */
int list_render(const struct list *list, const struct list_style *style, struct buf *out,
                struct error *err);
/* Renders and prints. The exit status, or a negative errno. */
int list_print(const struct list *list, const struct list_style *style, struct error *err);

#endif
