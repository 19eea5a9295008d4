/* SPDX-License-Identifier: Apache-2.0 */
/* One line of a json-file log taken apart. Strict: what is no JSON object of the expected members
 * is no entry. Works in place, needs no memory. */
#ifndef CAISSON_CONTAINER_LOG_LINE_H
#define CAISSON_CONTAINER_LOG_LINE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/clock.h"
#include "container/log_write.h"

struct log_line {
    enum log_stream stream;
    const char *text; /* unescaped, within the line that was parsed; may hold NUL */
    size_t length;
    const char *time; /* RFC 3339, not terminated */
    size_t time_length;
};

/* `line` without its newline; it is overwritten. 0 or -EINVAL. */
int log_line_parse(char *line, size_t length, struct log_line *out);
/* 0 or -EINVAL. */
int log_line_time(const struct log_line *line, nanoseconds *when);

struct log_query;
/* Whether the query's streams and times choose it. */
bool log_line_chosen(const struct log_line *line, const struct log_query *query);

#endif
