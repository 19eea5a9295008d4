/* SPDX-License-Identifier: Apache-2.0 */
#include "build/pattern.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/memory.h"

#define PATTERN_ONE 256
#define PATTERN_MANY 257
#define PATTERN_MAX 4096 /* items */

int pattern_read(const char *text, struct pattern *out)
{
    size_t length = strlen(text);
    if (length > PATTERN_MAX)
        return -EINVAL;
    autopattern made = {.items = xcalloc(length + 1, sizeof *made.items)};
    for (; *text; text++) {
        uint16_t item = (unsigned char)*text;
        if (*text == '*') {
            item = PATTERN_MANY;
        } else if (*text == '?') {
            item = PATTERN_ONE;
        } else if (*text == '\\') {
            text++;
            if (!*text || !strchr("*?\\}/", *text))
                return -EINVAL;
            item = (unsigned char)*text;
        }
        made.items[made.count++] = item;
    }
    *out = made;
    made = (struct pattern){0};
    return 0;
}

void pattern_free(struct pattern *pattern)
{
    free(pattern->items);
    *pattern = (struct pattern){0};
}

/* Text and pattern, both perhaps with their bytes in reverse. */
struct match {
    const uint16_t *items;
    size_t count;
    const char *text;
    size_t length;
    bool reversed;
};

static bool continues_character(char c)
{
    return ((unsigned char)c & 0xc0) == 0x80;
}

/* Past one character; bytes that are no UTF-8 count as one each. */
static size_t next_character(const struct match *m, size_t at)
{
    size_t end = at, most = m->length - at < 4 ? m->length : at + 4;
    if (m->reversed) {
        while (end + 1 < most && continues_character(m->text[end]))
            end++;
        return end + 1;
    }
    for (end++; end < most && continues_character(m->text[end]);)
        end++;
    return end;
}

static size_t part_length(const struct match *m, size_t part)
{
    size_t end = part;
    while (end < m->count && m->items[end] != PATTERN_MANY)
        end++;
    return end - part;
}

/* Whether the part, which has no *, stands at `at`. */
static bool part_at(const struct match *m, size_t part, size_t count, size_t at, size_t *end)
{
    for (size_t i = part; i < part + count; i++) {
        if (at >= m->length)
            return false;
        if (m->items[i] == PATTERN_ONE)
            at = next_character(m, at);
        else if (m->items[i] == (unsigned char)m->text[at])
            at++;
        else
            return false;
    }
    *end = at;
    return true;
}

/* The first, or the last, place from `at` on where the part stands. */
static bool find_part(const struct match *m, size_t part, size_t count, size_t at, bool last,
                      size_t *begin, size_t *end)
{
    bool found = false;
    if (count == 0) {
        *begin = *end = last ? m->length : at;
        return true;
    }
    for (; at < m->length && !(found && !last); at++) {
        size_t stop;
        if (part_at(m, part, count, at, &stop)) {
            *begin = at;
            *end = stop;
            found = true;
        }
    }
    return found;
}

/* What follows the first part, which ended at *end. Between stars each part is taken where it comes
 * first; only the last decides how long the whole becomes. */
static bool match_rest(const struct match *m, size_t part, bool longest, size_t *end)
{
    while (part < m->count) {
        size_t begin, count;
        part++; /* the star */
        count = part_length(m, part);
        bool last = part + count == m->count;
        if (!find_part(m, part, count, *end, last && longest, &begin, end))
            return false;
        part += count;
    }
    return true;
}

static bool match_beginning(const struct match *m, bool longest, size_t *end)
{
    size_t count = part_length(m, 0), stop;
    if (!part_at(m, 0, count, 0, &stop) || !match_rest(m, count, longest, &stop))
        return false;
    *end = stop;
    return true;
}

bool pattern_prefix(const struct pattern *pattern, const char *text, size_t length, bool longest,
                    size_t *end)
{
    const struct match m = {pattern->items, pattern->count, text, length, false};
    return match_beginning(&m, longest, end);
}

bool pattern_suffix(const struct pattern *pattern, const char *text, size_t length, bool longest,
                    size_t *begin)
{
    autofree uint16_t *items = xcalloc(pattern->count + 1, sizeof *items);
    autofree char *turned = xmalloc(length + 1);
    size_t end;
    for (size_t i = 0; i < pattern->count; i++)
        items[i] = pattern->items[pattern->count - 1 - i];
    for (size_t i = 0; i < length; i++)
        turned[i] = text[length - 1 - i];
    const struct match m = {items, pattern->count, turned, length, true};
    if (!match_beginning(&m, longest, &end))
        return false;
    *begin = length - end;
    return true;
}

bool pattern_find(const struct pattern *pattern, const char *text, size_t length, size_t at,
                  size_t *begin, size_t *end)
{
    const struct match m = {pattern->items, pattern->count, text, length, false};
    size_t count = part_length(&m, 0), from, stop;
    /* If the rest is not behind the first place, it is behind no later one. */
    if (!find_part(&m, 0, count, at, false, &from, &stop) || !match_rest(&m, count, true, &stop))
        return false;
    *begin = from;
    *end = stop;
    return true;
}
