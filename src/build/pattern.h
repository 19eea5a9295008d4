/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The shell's patterns in ${v#p} and its kin: * for any bytes, ? for one character, \ before one of
 * these or itself. Bracket expressions are bytes like others. Each question takes time in
 * proportion to text and pattern, whatever they are.
 */
#ifndef CAISSON_BUILD_PATTERN_H
#define CAISSON_BUILD_PATTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pattern {
    uint16_t *items; /* a byte, PATTERN_ONE or PATTERN_MANY */
    size_t count;
};

/* -EINVAL when an escape stands before something else, or too long. "\}" and "\/" are the same
 * without it: they were written so to get through ${…}. */
int pattern_read(const char *text, struct pattern *out);
void pattern_free(struct pattern *pattern);
#define autopattern __attribute__((cleanup(pattern_free))) struct pattern

/* Where the shortest, or the longest, beginning that matches ends. */
bool pattern_prefix(const struct pattern *pattern, const char *text, size_t length, bool longest,
                    size_t *end);
/* Where the shortest, or the longest, end that matches begins. */
bool pattern_suffix(const struct pattern *pattern, const char *text, size_t length, bool longest,
                    size_t *begin);
/* The first place from `at` on that matches, as much of it as does. */
bool pattern_find(const struct pattern *pattern, const char *text, size_t length, size_t at,
                  size_t *begin, size_t *end);

#endif
