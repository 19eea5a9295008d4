/* SPDX-License-Identifier: Apache-2.0 */
#include "container/log_line.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "container/log_escape.h"
#include "container/log_show.h"

#define DEPTH_MAX 8 /* of members that are skipped */

struct cursor {
    char *at;
    char *end;
};

struct span {
    char *text;
    size_t length;
};

static void skip_space(struct cursor *c)
{
    while (c->at < c->end && (*c->at == ' ' || *c->at == '\t' || *c->at == '\r'))
        c->at++;
}

static bool take(struct cursor *c, char expected)
{
    skip_space(c);
    if (c->at == c->end || *c->at != expected)
        return false;
    c->at++;
    return true;
}

/* Four hexadecimal digits, or -1. */
static int32_t take_unit(struct cursor *c)
{
    int32_t unit = 0;
    if (c->end - c->at < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        char d = *c->at++;
        int digit = d >= '0' && d <= '9'   ? d - '0'
                    : d >= 'a' && d <= 'f' ? d - 'a' + 10
                    : d >= 'A' && d <= 'F' ? d - 'A' + 10
                                           : -1;
        if (digit < 0)
            return -1;
        unit = unit * 16 + digit;
    }
    return unit;
}

static char *put_utf8(char *out, uint32_t point)
{
    if (point < 0x80) {
        *out++ = (char)point;
        return out;
    }
    if (point < 0x800) {
        *out++ = (char)(0xc0 | point >> 6);
    } else {
        if (point < 0x10000) {
            *out++ = (char)(0xe0 | point >> 12);
        } else {
            *out++ = (char)(0xf0 | point >> 18);
            *out++ = (char)(0x80 | (point >> 12 & 0x3f));
        }
        *out++ = (char)(0x80 | (point >> 6 & 0x3f));
    }
    *out++ = (char)(0x80 | (point & 0x3f));
    return out;
}

/* After "\u": half a surrogate pair becomes U+FFFD. Never longer than what it stands for. */
static char *take_unicode(struct cursor *c, char *out)
{
    int32_t unit = take_unit(c);
    if (unit < 0)
        return NULL;
    if (unit < 0xd800 || unit > 0xdfff)
        return put_utf8(out, (uint32_t)unit);
    if (unit <= 0xdbff && c->end - c->at >= 6 && c->at[0] == '\\' && c->at[1] == 'u') {
        struct cursor ahead = {c->at + 2, c->end};
        int32_t low = take_unit(&ahead);
        if (low >= 0xdc00 && low <= 0xdfff) {
            c->at = ahead.at;
            return put_utf8(out,
                            0x10000 + ((uint32_t)(unit - 0xd800) << 10 | (uint32_t)(low - 0xdc00)));
        }
    }
    return put_utf8(out, 0xfffd);
}

static char *take_escape(struct cursor *c, char *out)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    if (c->at == c->end)
        return NULL;
    char letter = *c->at++;
    if (letter == 'u')
        return take_unicode(c, out);
    const char *found = letter ? strchr(from, letter) : NULL;
    if (!found)
        return NULL;
    *out++ = to[found - from];
    return out;
}

/* A string, unescaped where it stands. */
static bool take_string(struct cursor *c, struct span *string)
{
    if (!take(c, '"'))
        return false;
    char *out = c->at;
    string->text = out;
    while (c->at < c->end) {
        size_t plain = log_plain_length(c->at, (size_t)(c->end - c->at));
        if (out != c->at)
            memmove(out, c->at, plain);
        out += plain;
        c->at += plain;
        if (c->at == c->end)
            return false;
        unsigned char next = (unsigned char)*c->at++;
        if (next == '"') {
            string->length = (size_t)(out - string->text);
            return true;
        }
        if (next < 0x20)
            return false;
        if (next != '\\') {
            *out++ = (char)next;
            continue;
        }
        out = take_escape(c, out);
        if (!out)
            return false;
    }
    return false;
}

/* A value of a member that means nothing to us: what is between commas and brackets is not looked
 * at closely. */
static bool skip_value(struct cursor *c)
{
    struct span ignored;
    int depth = 0;
    do {
        skip_space(c);
        if (c->at == c->end)
            return false;
        char first = *c->at;
        if (first == '"') {
            if (!take_string(c, &ignored))
                return false;
            continue;
        }
        if (first == '{' || first == '[')
            depth++;
        else if (first == '}' || first == ']')
            depth--;
        else if ((unsigned char)first < 0x20 || (depth == 0 && (first == ',' || first == ':')))
            return false;
        c->at++;
        if (depth == 0 && first != '}' && first != ']') /* a number or a word */
            while (c->at < c->end && !strchr(",}] ", *c->at))
                c->at++;
    } while (depth > 0 && depth <= DEPTH_MAX);
    return depth == 0;
}

static bool is(const struct span *key, const char *name)
{
    return key->length == strlen(name) && memcmp(key->text, name, key->length) == 0;
}

int log_line_parse(char *line, size_t length, struct log_line *out)
{
    struct cursor c = {line, line + length};
    struct span log = {0}, stream = {0}, time = {0}, key;
    if (!take(&c, '{'))
        return -EINVAL;
    do {
        if (!take_string(&c, &key) || !take(&c, ':'))
            return -EINVAL;
        struct span *value = is(&key, "log")      ? &log
                             : is(&key, "stream") ? &stream
                             : is(&key, "time")   ? &time
                                                  : NULL;
        if (value ? value->text || !take_string(&c, value) : !skip_value(&c))
            return -EINVAL;
    } while (take(&c, ','));
    if (!take(&c, '}'))
        return -EINVAL;
    skip_space(&c);
    if (c.at != c.end || !log.text || !time.text || time.length >= RFC3339_MAX)
        return -EINVAL;
    bool is_stderr = stream.text && is(&stream, "stderr");
    if (!is_stderr && !(stream.text && is(&stream, "stdout")))
        return -EINVAL;
    *out = (struct log_line){is_stderr ? LOG_STDERR : LOG_STDOUT, log.text, log.length, time.text,
                             time.length};
    return 0;
}

int log_line_time(const struct log_line *line, nanoseconds *when)
{
    char text[RFC3339_MAX];
    if (line->time_length >= sizeof text || memchr(line->time, '\0', line->time_length))
        return -EINVAL;
    memcpy(text, line->time, line->time_length);
    text[line->time_length] = '\0';
    return parse_rfc3339(text, when);
}

bool log_line_chosen(const struct log_line *line, const struct log_query *query)
{
    nanoseconds when = 0;
    if ((query->since != 0 || query->until != 0) && log_line_time(line, &when) < 0)
        return false;
    return log_query_chooses(query, line->stream, when);
}
