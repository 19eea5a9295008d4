/* SPDX-License-Identifier: Apache-2.0 */
/* The one growing text buffer. Always NUL-terminated once something was added; zero-initialise. */
#ifndef CAISSON_BASE_BUF_H
#define CAISSON_BASE_BUF_H

#include <stdarg.h>
#include <stddef.h>

struct buf {
    char *data; /* owned; NULL while empty */
    size_t len; /* bytes, without the final NUL */
    size_t cap;
};

void buf_add(struct buf *b, const void *bytes, size_t length);
void buf_str(struct buf *b, const char *text);
void buf_char(struct buf *b, char c);
void buf_fmt(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
void buf_vfmt(struct buf *b, const char *format, va_list ap) __attribute__((format(printf, 2, 0)));
/* Makes room for `more` further bytes and returns where they go; add them to b->len yourself. */
char *buf_room(struct buf *b, size_t more);
void buf_clear(struct buf *b);
void buf_free(struct buf *b);
/* The text, never NULL; still owned by the buffer. */
const char *buf_text(const struct buf *b);
/* The text as an allocation of the caller's; the buffer is empty again. */
char *buf_take(struct buf *b);

#define autobuf __attribute__((cleanup(buf_free))) struct buf

#endif
