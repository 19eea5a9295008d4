/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"

#include "base/memory.h"

char *buf_room(struct buf *b, size_t more)
{
    size_t need;
    if (__builtin_add_overflow(b->len, more, &need) || __builtin_add_overflow(need, 1, &need))
        need = (size_t)-1; /* xrealloc ends the program */
    if (need > b->cap) {
        size_t cap = b->cap ? b->cap : 128;
        while (cap < need && cap < (size_t)-1 / 2)
            cap *= 2;
        if (cap < need)
            cap = need;
        b->data = xrealloc(b->data, cap, 1);
        b->cap = cap;
    }
    return b->data + b->len;
}

void buf_add(struct buf *b, const void *bytes, size_t length)
{
    char *at = buf_room(b, length);
    if (length)
        memcpy(at, bytes, length);
    b->len += length;
    b->data[b->len] = '\0';
}

void buf_str(struct buf *b, const char *text)
{
    buf_add(b, text, strlen(text));
}

void buf_char(struct buf *b, char c)
{
    char *at = buf_room(b, 1);
    at[0] = c;
    at[1] = '\0';
    b->len++;
}

void buf_vfmt(struct buf *b, const char *format, va_list ap)
{
    va_list again;
    va_copy(again, ap);
    char *at = buf_room(b, 120);
    size_t room = b->cap - b->len;
    int length = vsnprintf(at, room, format, ap);
    if (length > 0 && (size_t)length >= room) {
        at = buf_room(b, (size_t)length);
        vsnprintf(at, (size_t)length + 1, format, again);
    }
    va_end(again);
    if (length > 0)
        b->len += (size_t)length;
    b->data[b->len] = '\0';
}

void buf_fmt(struct buf *b, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    buf_vfmt(b, format, ap);
    va_end(ap);
}

void buf_clear(struct buf *b)
{
    b->len = 0;
    if (b->data)
        b->data[0] = '\0';
}

void buf_free(struct buf *b)
{
    free(b->data);
    *b = (struct buf){0};
}

const char *buf_text(const struct buf *b)
{
    return b->data ? b->data : "";
}

char *buf_take(struct buf *b)
{
    char *text = b->data ? b->data : xstrdup("");
    *b = (struct buf){0};
    return text;
}
