/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Allocation that does not fail. When memory runs out the program ends at once with a message and
 * status 125: to every file on disk that is the same as a kill at that instruction, which has to
 * leave a good state anyway, and it keeps a second, untestable error path out of every function.
 * Sizes that a container or an image can choose are bounded before they come here.
 */
#ifndef CAISSON_BASE_MEMORY_H
#define CAISSON_BASE_MEMORY_H

#include <stddef.h>

void *xmalloc(size_t size) __attribute__((malloc, returns_nonnull));
void *xcalloc(size_t count, size_t size) __attribute__((malloc, returns_nonnull));
/* Grows to count * size bytes; an overflowing product ends the program too. */
void *xrealloc(void *old, size_t count, size_t size) __attribute__((returns_nonnull));
char *xstrdup(const char *text) __attribute__((malloc, returns_nonnull));
char *xstrndup(const char *text, size_t length) __attribute__((malloc, returns_nonnull));
char *xasprintf(const char *format, ...)
    __attribute__((malloc, returns_nonnull, format(printf, 1, 2)));

#endif
