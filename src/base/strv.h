/* SPDX-License-Identifier: Apache-2.0 */
/* A vector of owned strings, NULL-terminated so that it can be handed to execve(2). */
#ifndef CAISSON_BASE_STRV_H
#define CAISSON_BASE_STRV_H

#include <stdbool.h>
#include <stddef.h>

struct buf;

struct strv {
    char **items; /* NULL while empty; else items[len] is NULL */
    size_t len;
    size_t cap;
};

void strv_add(struct strv *v, const char *text); /* copies */
void strv_take(struct strv *v, char *text);      /* takes over */
void strv_fmt(struct strv *v, const char *format, ...) __attribute__((format(printf, 2, 3)));
void strv_copy(struct strv *v, const struct strv *from); /* appends copies */
void strv_free(struct strv *v);
bool strv_has(const struct strv *v, const char *text);
/* Splits at every `separator`; empty fields are kept; "" gives one empty field. */
void strv_split(struct strv *v, const char *text, char separator);
/* Appends the items, `separator` between them. */
void strv_join(const struct strv *v, const char *separator, struct buf *out);
/* The items as an argv, never NULL. */
char *const *strv_argv(const struct strv *v);

#define autostrv __attribute__((cleanup(strv_free))) struct strv

#endif
