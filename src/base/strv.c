/* SPDX-License-Identifier: Apache-2.0 */
#include "base/strv.h"

#include <stdarg.h>

#include "base/buf.h"
#include "base/memory.h"

void strv_take(struct strv *v, char *text)
{
    if (v->len + 2 > v->cap) {
        v->cap = v->cap ? v->cap * 2 : 8;
        v->items = xrealloc(v->items, v->cap, sizeof *v->items);
    }
    v->items[v->len++] = text;
    v->items[v->len] = NULL;
}

void strv_add(struct strv *v, const char *text)
{
    strv_take(v, xstrdup(text));
}

void strv_fmt(struct strv *v, const char *format, ...)
{
    struct buf b = {0};
    va_list ap;
    va_start(ap, format);
    buf_vfmt(&b, format, ap);
    va_end(ap);
    strv_take(v, buf_take(&b));
}

void strv_copy(struct strv *v, const struct strv *from)
{
    for (size_t i = 0; i < from->len; i++)
        strv_add(v, from->items[i]);
}

void strv_free(struct strv *v)
{
    for (size_t i = 0; i < v->len; i++)
        free(v->items[i]);
    free(v->items);
    *v = (struct strv){0};
}

bool strv_has(const struct strv *v, const char *text)
{
    for (size_t i = 0; i < v->len; i++)
        if (strcmp(v->items[i], text) == 0)
            return true;
    return false;
}

void strv_split(struct strv *v, const char *text, char separator)
{
    for (;;) {
        const char *end = strchrnul(text, separator);
        strv_take(v, xstrndup(text, (size_t)(end - text)));
        if (!*end)
            return;
        text = end + 1;
    }
}

void strv_join(const struct strv *v, const char *separator, struct buf *out)
{
    for (size_t i = 0; i < v->len; i++)
        buf_fmt(out, "%s%s", i ? separator : "", v->items[i]);
}

char *const *strv_argv(const struct strv *v)
{
    static char *const empty[] = {NULL};
    return v->items ? v->items : empty;
}
