/* SPDX-License-Identifier: Apache-2.0 */
#include "container/log_escape.h"

#include <endian.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define ALL(byte) (UINT64_C(0x0101010101010101) * (byte))

/* The top bit of each byte that is zero; of bytes above the lowest such one not reliable. */
static inline uint64_t zero_bytes(uint64_t word)
{
    return (word - ALL(1)) & ~word & ALL(0x80);
}

/* Eight bytes at a time: not 0 when one of them cannot be copied as it is. Pairs that differ in one
 * bit share a test: < and >, quote and &. */
static inline uint64_t special_bytes(uint64_t word)
{
    return (word & ALL(0x80)) | ((word - ALL(0x20)) & ~word & ALL(0x80)) |
           zero_bytes((word & ~ALL(0x02)) ^ ALL('<')) | zero_bytes((word & ~ALL(0x04)) ^ ALL('"')) |
           zero_bytes(word ^ ALL('\\'));
}

static bool is_special(unsigned char c)
{
    return c < 0x20 || c >= 0x80 || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&';
}

size_t log_plain_length(const char *bytes, size_t length)
{
    size_t plain = 0;
    while (length - plain >= 8) {
        uint64_t word;
        memcpy(&word, bytes + plain, 8);
        uint64_t special = special_bytes(le64toh(word));
        if (special)
            return plain + (size_t)__builtin_ctzll(special) / 8;
        plain += 8;
    }
    while (plain < length && !is_special((unsigned char)bytes[plain]))
        plain++;
    return plain;
}

static bool continues(unsigned char c)
{
    return (c & 0xc0) == 0x80;
}

size_t log_utf8_character(const unsigned char *bytes, size_t length)
{
    unsigned char c = bytes[0];
    if (c < 0x80)
        return 1;
    if (c < 0xc2 || c > 0xf4 || length < 2 || !continues(bytes[1]))
        return 0;
    if (c < 0xe0)
        return 2;
    if (length < 3 || !continues(bytes[2]))
        return 0;
    if (c < 0xf0) /* no overlong forms, no surrogates */
        return (c == 0xe0 && bytes[1] < 0xa0) || (c == 0xed && bytes[1] > 0x9f) ? 0 : 3;
    if (length < 4 || !continues(bytes[3]))
        return 0;
    return (c == 0xf0 && bytes[1] < 0x90) || (c == 0xf4 && bytes[1] > 0x8f) ? 0 : 4;
}

static char *put_text(char *out, const char *text, size_t length)
{
    memcpy(out, text, length);
    return out + length;
}

/* One ASCII character that JSON, or a browser that is shown the JSON, would take for its own. */
static char *put_ascii(char *out, unsigned char c)
{
    static const char digits[] = "0123456789abcdef";
    *out++ = '\\';
    if (c == '"' || c == '\\') {
        *out++ = (char)c;
    } else if (c == '\n') {
        *out++ = 'n';
    } else if (c == '\r') {
        *out++ = 'r';
    } else {
        out = put_text(out, "u00", 3);
        *out++ = digits[c >> 4];
        *out++ = digits[c & 15];
    }
    return out;
}

/* Copies or escapes one character, or one byte that is none; *length is how many bytes it took. */
static char *put_character(char *out, const unsigned char *at, size_t left, size_t *length)
{
    *length = 1;
    if (at[0] < 0x80)
        return put_ascii(out, at[0]);
    size_t width = log_utf8_character(at, left);
    if (width == 0)
        return put_text(out, "\\ufffd", 6);
    *length = width;
    if (width == 3 && at[0] == 0xe2 && at[1] == 0x80 && (at[2] & 0xfe) == 0xa8)
        return put_text(out, at[2] == 0xa8 ? "\\u2028" : "\\u2029", 6);
    return put_text(out, (const char *)at, width);
}

char *log_escape(char *out, const char *bytes, size_t length)
{
    const unsigned char *at = (const unsigned char *)bytes, *end = at + length;
    while (at < end) {
        while (end - at >= 8) {
            uint64_t word;
            memcpy(&word, at, 8);
            uint64_t special = special_bytes(le64toh(word));
            memcpy(out, at, 8);
            size_t plain = special ? (size_t)__builtin_ctzll(special) / 8 : 8;
            at += plain;
            out += plain;
            if (special)
                break;
        }
        while (at < end && !is_special(*at) && end - at < 8)
            *out++ = (char)*at++;
        if (at < end && is_special(*at)) {
            size_t taken;
            out = put_character(out, at, (size_t)(end - at), &taken);
            at += taken;
        }
    }
    return out;
}
