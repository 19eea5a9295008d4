/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One error, told once.
 *
 * A function that can fail returns 0 or a negative errno (or a pointer, NULL on failure) and takes
 * a `struct error *` as its last parameter. The place that knows what happened writes one sentence
 * into it; callers on the way up may put context before it. Nothing below src/cmd and src/programs
 * prints.
 */
#ifndef CAISSON_BASE_ERROR_H
#define CAISSON_BASE_ERROR_H

#include <errno.h>
#include <stdbool.h>

struct error {
    int code;        /* the negative errno that goes with the sentence; 0 while nothing failed */
    char text[1024]; /* no newline, no program name, no full stop; too long, it loses its
                       middle */
};

/* Writes the sentence and returns `code` (a negative errno; a positive one is turned round).
 * `err` may be NULL. Arguments may point into err->text itself. */
int error_set(struct error *err, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* As error_set(-saved errno), with ": " and the errno's description appended. */
int error_errno(struct error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Puts "context: " before the sentence that is there and returns its code. */
int error_prefix(struct error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The C locale's description of an errno, positive or negative; never NULL. */
const char *error_describe(int code);

#endif
