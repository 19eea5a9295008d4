/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"

static void newline(struct json_out *w)
{
    if (!w->indent)
        return;
    buf_char(w->buf, '\n');
    for (unsigned i = 0; i < w->indent * w->depth; i++)
        buf_char(w->buf, ' ');
}

static void element(struct json_out *w, const char *key)
{
    if (w->started)
        buf_char(w->buf, ',');
    if (w->depth > 0)
        newline(w);
    w->started = true;
    if (key) {
        json_quote(w->buf, key, strlen(key));
        buf_str(w->buf, w->indent ? ": " : ":");
    }
}

void json_begin(struct json_out *w, const char *key, char bracket)
{
    element(w, key);
    buf_char(w->buf, bracket);
    w->depth++;
    w->started = false;
}

void json_end(struct json_out *w, char bracket)
{
    w->depth--;
    if (w->started)
        newline(w);
    buf_char(w->buf, bracket);
    w->started = true;
}

/* The length of the well-formed UTF-8 sequence at s (RFC 3629), which has `left` bytes; 0: none. */
static size_t sequence(const unsigned char *s, size_t left)
{
    size_t n = s[0] < 0x80 ? 1 : s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
    if (n == 1)
        return 1;
    if (s[0] < 0xc2 || s[0] > 0xf4 || n > left)
        return 0;
    for (size_t i = 1; i < n; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
        (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
        return 0;
    return n;
}

bool json_keeps(const char *text)
{
    for (const unsigned char *s = (const unsigned char *)text; *s;) {
        size_t n = *s < 0x80 ? 1 : sequence(s, strnlen((const char *)s, 4));
        if (n == 0)
            return false;
        s += n;
    }
    return true;
}

/* The number of a well-formed sequence that a terminal would obey and not show: C1 control
 * characters, and marks that turn the direction of writing (as buf_printable() hides); else 0. */
static unsigned commanding(const unsigned char *s, size_t n)
{
    if (n == 2 && s[0] == 0xc2 && s[1] < 0xa0)
        return s[1];
    if (n != 3 || s[0] != 0xe2)
        return 0;
    unsigned number = 0x2000u | (s[1] & 0x3fu) << 6 | (s[2] & 0x3fu);
    return (number >= 0x202a && number <= 0x202e) || (number >= 0x2066 && number <= 0x2069) ? number
                                                                                            : 0;
}

/* One character that is none of plain ASCII; how many bytes it took. */
static size_t quote_other(struct buf *out, const unsigned char *s, size_t left)
{
    size_t n = sequence(s, left);
    unsigned number = s[0] < 0x80 ? s[0] : commanding(s, n);
    if (n == 0 || s[0] == 0) /* readers refuse \u0000 */
        buf_str(out, "\\ufffd");
    else if (number)
        buf_fmt(out, "\\u%04x", number);
    else
        buf_add(out, s, n);
    return n ? n : 1;
}

void json_quote(struct buf *out, const char *text, size_t length)
{
    const unsigned char *s = (const unsigned char *)text;
    buf_char(out, '"');
    for (size_t i = 0; i < length;) {
        size_t run = i;
        while (run < length && (unsigned)s[run] - 0x20 < 0x5f && s[run] != '"' && s[run] != '\\')
            run++;
        buf_add(out, s + i, run - i);
        i = run;
        if (i == length)
            break;
        if (s[i] == '"' || s[i] == '\\')
            buf_fmt(out, "\\%c", s[i++]);
        else if (s[i] == '\n')
            buf_str(out, "\\n"), i++;
        else if (s[i] == '\t')
            buf_str(out, "\\t"), i++;
        else if (s[i] == '\r')
            buf_str(out, "\\r"), i++;
        else
            i += quote_other(out, s + i, length - i);
    }
    buf_char(out, '"');
}

void json_strn(struct json_out *w, const char *key, const char *value, size_t length)
{
    element(w, key);
    json_quote(w->buf, value, length);
}

void json_str(struct json_out *w, const char *key, const char *value)
{
    if (value)
        json_strn(w, key, value, strlen(value));
    else
        json_raw(w, key, "null");
}

void json_raw(struct json_out *w, const char *key, const char *json)
{
    element(w, key);
    buf_str(w->buf, json);
}

void json_bool(struct json_out *w, const char *key, bool value)
{
    json_raw(w, key, value ? "true" : "false");
}

/* By hand: a plan has a hundred numbers, and printf takes a fifth of a microsecond for each. */
static void decimal(struct buf *out, bool negative, uint64_t value)
{
    char digits[24], *at = digits + sizeof digits;
    do
        *--at = (char)('0' + value % 10);
    while (value /= 10);
    if (negative)
        *--at = '-';
    buf_add(out, at, (size_t)(digits + sizeof digits - at));
}

void json_i64(struct json_out *w, const char *key, int64_t value)
{
    element(w, key);
    decimal(w->buf, value < 0, value < 0 ? -(uint64_t)value : (uint64_t)value);
}

void json_u64(struct json_out *w, const char *key, uint64_t value)
{
    element(w, key);
    decimal(w->buf, false, value);
}

void json_strs(struct json_out *w, const char *key, const struct strv *value)
{
    json_begin(w, key, '[');
    for (size_t i = 0; i < value->len; i++)
        json_str(w, NULL, value->items[i]);
    json_end(w, ']');
}

static void tree(struct json_out *w, const char *key, const json_t *value)
{
    const char *name;
    json_t *item;
    size_t i;
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        json_begin(w, key, '{');
        json_object_foreach((json_t *)(uintptr_t)value, name, item) tree(w, name, item);
        json_end(w, '}');
        return;
    case JSON_ARRAY:
        json_begin(w, key, '[');
        json_array_foreach(value, i, item) tree(w, NULL, item);
        json_end(w, ']');
        return;
    case JSON_STRING:
        json_strn(w, key, json_string_value(value), json_string_length(value));
        return;
    case JSON_INTEGER:
        json_i64(w, key, json_integer_value(value));
        return;
    case JSON_REAL:
        element(w, key);
        buf_fmt(w->buf, "%.17g", json_real_value(value));
        return;
    case JSON_TRUE:
    case JSON_FALSE:
        json_bool(w, key, json_is_true(value));
        return;
    default:
        json_raw(w, key, "null");
    }
}

void json_tree(struct json_out *w, const char *key, const json_t *value)
{
    tree(w, key, value);
}
