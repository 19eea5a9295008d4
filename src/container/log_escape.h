/* SPDX-License-Identifier: Apache-2.0 */
/* A log entry's text as the inside of a JSON string, escaped exactly as Docker's json-file driver
 * does it: control characters, quote, backslash, <, > and &, U+2028 and U+2029; each byte that is
 * no UTF-8 becomes \ufffd. */
#ifndef CAISSON_CONTAINER_LOG_ESCAPE_H
#define CAISSON_CONTAINER_LOG_ESCAPE_H

#include <stddef.h>

#define LOG_ESCAPE_FACTOR 6 /* one byte becomes at most so many */
#define LOG_ESCAPE_SLACK 8  /* bytes behind the result that may be written to, too */

/* Needs room for length * LOG_ESCAPE_FACTOR + LOG_ESCAPE_SLACK bytes; the end of the result. */
char *log_escape(char *out, const char *bytes, size_t length);
/* How many bytes from the start neither log_escape() changes nor end a JSON string (no `"`, no
 * backslash, no control character); bytes that could stay may come after them, too. */
size_t log_plain_length(const char *bytes, size_t length);
/* Length of the valid UTF-8 character at bytes[0], 1 to 4, or 0. `length` is at least 1. */
size_t log_utf8_character(const unsigned char *bytes, size_t length);

#endif
