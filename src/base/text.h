/* SPDX-License-Identifier: Apache-2.0 */
/* Strict readers of numbers and sizes, and small helpers for text. */
#ifndef CAISSON_BASE_TEXT_H
#define CAISSON_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

bool starts_with(const char *text, const char *prefix);
bool ends_with(const char *text, const char *suffix);
static inline bool streq(const char *a, const char *b)
{
    return a == b || (a && b && __builtin_strcmp(a, b) == 0);
}

/* Decimal digits only, all of the text: no sign, no space, no prefix. 0, -EINVAL or -ERANGE (over
 * `max`). *value is untouched on failure. */
int parse_u64(const char *text, uint64_t max, uint64_t *value);
/* The same with an optional leading '-'. */
int parse_i64(const char *text, int64_t min, int64_t max, int64_t *value);
/* A count of bytes as Docker writes it: digits, optional fraction, optional unit b, k, m, g, t, p
 * with optional "b" or "ib" after it, any case; all units are powers of 1024. "-1" is not a size.
 */
int parse_size(const char *text, uint64_t *bytes);
/* A decimal fraction such as "1.5" as a whole number of `scale` parts (1.5 at 1000 is 1500). */
int parse_decimal(const char *text, uint64_t scale, uint64_t *value);
/* "7.69MB": decimal units and three significant digits, as Docker shows sizes of images. */
void format_size(struct buf *out, uint64_t bytes);
/* "512MiB": binary units, as Docker shows memory. */
void format_binary_size(struct buf *out, uint64_t bytes);

/* Appends `text` with every byte that is not printable ASCII or valid UTF-8 (control characters,
 * escape sequences) shown as \xNN: for showing what an image or a container chose. */
void buf_printable(struct buf *out, const char *text);
/* The candidate nearest to `word` when near enough to be meant, else NULL. */
const char *nearest_word(const char *word, const char *const *candidates, size_t count);
/* Lower-case hexadecimal of `length` bytes; `out` has room for 2 * length + 1. */
void hex_encode(const void *bytes, size_t length, char *out);
bool is_hex(const char *text, size_t length); /* lower case only, all `length` characters */

#endif
