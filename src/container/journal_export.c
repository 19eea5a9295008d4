/* SPDX-License-Identifier: Apache-2.0 */
#include "container/journal_export.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#define SIZE_BYTES 8
#define USEC_DIGITS_MAX 16 /* until the year 2286 */

struct span {
    const char *text;
    size_t length;
};

static bool is(const struct span *span, const char *text)
{
    return span->length == strlen(text) && memcmp(span->text, text, span->length) == 0;
}

static uint64_t read_size(const char *at)
{
    uint64_t size = 0;
    for (size_t i = SIZE_BYTES; i-- > 0;)
        size = size << 8 | (unsigned char)at[i];
    return size;
}

/* One field, behind which stands a newline. How many bytes it has with that, 0: not all there. */
static ssize_t take_field(const char *at, size_t left, struct span *name, struct span *value)
{
    const char *newline = memchr(at, '\n', left);
    if (!newline)
        return 0;
    size_t line = (size_t)(newline - at);
    const char *equals = memchr(at, '=', line);
    if (equals) {
        *name = (struct span){at, (size_t)(equals - at)};
        *value = (struct span){equals + 1, (size_t)(newline - equals) - 1};
        return (ssize_t)line + 1;
    }
    size_t head = line + 1 + SIZE_BYTES;
    if (left < head)
        return 0;
    uint64_t size = read_size(newline + 1);
    if (size > JOURNAL_ENTRY_MAX)
        return -EINVAL;
    if (left < head + size + 1)
        return 0;
    if (at[head + size] != '\n')
        return -EINVAL;
    *name = (struct span){at, line};
    *value = (struct span){at + head, (size_t)size};
    return (ssize_t)(head + size) + 1;
}

static bool read_time(const struct span *value, nanoseconds *when)
{
    char text[RFC3339_MAX];
    if (value->length >= sizeof text || memchr(value->text, '\0', value->length))
        return false;
    memcpy(text, value->text, value->length);
    text[value->length] = '\0';
    return parse_rfc3339(text, when) == 0;
}

static bool read_usec(const struct span *value, nanoseconds *when)
{
    int64_t usec = 0;
    if (value->length == 0 || value->length > USEC_DIGITS_MAX)
        return false;
    for (size_t i = 0; i < value->length; i++) {
        if (value->text[i] < '0' || value->text[i] > '9')
            return false;
        usec = usec * 10 + (value->text[i] - '0');
    }
    *when = usec > INT64_MAX / 1000 ? INT64_MAX : usec * 1000;
    return true;
}

struct found {
    bool message, stream, our_time, its_time;
    nanoseconds ours, its;
};

/* The first of several values of a field counts. */
static void note(const struct span *name, const struct span *value, struct found *found,
                 struct journal_entry *out)
{
    if (is(name, JOURNAL_MESSAGE) && !found->message) {
        found->message = true;
        out->text = value->text;
        out->length = value->length;
    } else if (is(name, JOURNAL_PRIORITY) && !found->stream) {
        out->stream = is(value, JOURNAL_PRIORITY_ERR) ? LOG_STDERR : LOG_STDOUT;
        found->stream = is(value, JOURNAL_PRIORITY_ERR) || is(value, JOURNAL_PRIORITY_OUT);
    } else if (is(name, JOURNAL_PARTIAL)) {
        out->partial = is(value, "true");
    } else if (is(name, JOURNAL_TIME) && !found->our_time) {
        found->our_time = read_time(value, &found->ours);
    } else if (is(name, "__REALTIME_TIMESTAMP") && !found->its_time) {
        found->its_time = read_usec(value, &found->its);
    } else if (is(name, "__CURSOR") && !out->cursor) {
        out->cursor = value->text;
        out->cursor_length = value->length;
    }
}

ssize_t journal_entry_parse(const char *bytes, size_t length, struct journal_entry *out)
{
    struct journal_entry entry = {.is_output = false};
    struct found found = {.message = false};
    size_t at = 0;
    while (at < length && bytes[at] != '\n') {
        struct span name, value;
        ssize_t n = take_field(bytes + at, length - at, &name, &value);
        if (n <= 0)
            return n;
        note(&name, &value, &found, &entry);
        at += (size_t)n;
    }
    if (at == length)
        return 0;
    entry.is_output = found.message && found.stream && (found.our_time || found.its_time);
    entry.when = found.our_time ? found.ours : found.its;
    if (found.message && !entry.partial)
        entry.length++; /* what stands behind every value */
    *out = entry;
    return (ssize_t)at + 1;
}
