/* SPDX-License-Identifier: Apache-2.0 */
#include "base/text.h"

#include <errno.h>

#include "base/memory.h"

bool starts_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool ends_with(const char *text, const char *suffix)
{
    size_t a = strlen(text), b = strlen(suffix);
    return a >= b && memcmp(text + a - b, suffix, b) == 0;
}

int parse_u64(const char *text, uint64_t max, uint64_t *value)
{
    uint64_t sum = 0;
    if (!*text)
        return -EINVAL;
    for (; *text; text++) {
        if (*text < '0' || *text > '9')
            return -EINVAL;
        if (__builtin_mul_overflow(sum, 10, &sum) ||
            __builtin_add_overflow(sum, (uint64_t)(*text - '0'), &sum)) {
            while (*++text)
                if (*text < '0' || *text > '9')
                    return -EINVAL;
            return -ERANGE;
        }
    }
    if (sum > max)
        return -ERANGE;
    *value = sum;
    return 0;
}

int parse_i64(const char *text, int64_t min, int64_t max, int64_t *value)
{
    bool negative = *text == '-';
    uint64_t magnitude;
    int rc = parse_u64(text + negative, INT64_MAX, &magnitude);
    if (rc < 0)
        return rc;
    int64_t result = negative ? -(int64_t)magnitude : (int64_t)magnitude;
    if (result < min || result > max)
        return -ERANGE;
    *value = result;
    return 0;
}

int parse_decimal(const char *text, uint64_t scale, uint64_t *value)
{
    const char *point = strchrnul(text, '.');
    size_t whole_len = (size_t)(point - text);
    char digits[24];
    uint64_t whole = 0;
    if (whole_len >= sizeof digits || (whole_len == 0 && !point[0]))
        return -EINVAL;
    memcpy(digits, text, whole_len);
    digits[whole_len] = '\0';
    int rc = whole_len ? parse_u64(digits, UINT64_MAX, &whole) : 0;
    if (rc < 0)
        return rc;
    uint64_t result;
    if (__builtin_mul_overflow(whole, scale, &result))
        return -ERANGE;
    if (*point) {
        const char *at = point + 1;
        if (!*at)
            return -EINVAL;
        uint64_t numerator = 0, denominator = 1;
        for (; *at; at++) {
            if (*at < '0' || *at > '9')
                return -EINVAL;
            if (denominator < 1000000000) {
                numerator = numerator * 10 + (uint64_t)(*at - '0');
                denominator *= 10;
            }
        }
        __extension__ typedef unsigned __int128 wide;
        uint64_t fraction = (uint64_t)((wide)numerator * scale / denominator);
        if (__builtin_add_overflow(result, fraction, &result))
            return -ERANGE;
    }
    *value = result;
    return 0;
}

int parse_size(const char *text, uint64_t *bytes)
{
    size_t digits = strspn(text, "0123456789.");
    const char *unit = text + digits;
    static const char powers[] = "bkmgtp";
    uint64_t scale = 1;
    if (digits == 0 || digits > 30)
        return -EINVAL;
    if (*unit) {
        char letter = (char)(*unit | 0x20);
        const char *found = strchr(powers, letter);
        if (!found)
            return -EINVAL;
        scale = (uint64_t)1 << (10 * (found - powers));
        const char *rest = unit + 1;
        bool plain = *rest == '\0';
        bool with_b = letter != 'b' && (rest[0] | 0x20) == 'b' && !rest[1];
        bool with_ib =
            letter != 'b' && (rest[0] | 0x20) == 'i' && (rest[1] | 0x20) == 'b' && !rest[2];
        if (!plain && !with_b && !with_ib)
            return -EINVAL;
    }
    autobuf number = {0};
    buf_add(&number, text, digits);
    return parse_decimal(buf_text(&number), scale, bytes);
}

static void format_units(struct buf *out, uint64_t bytes, unsigned base, const char *const *units)
{
    double value = (double)bytes;
    unsigned unit = 0;
    while (value >= base && unit < 6) {
        value /= base;
        unit++;
    }
    char number[32];
    snprintf(number, sizeof number, "%.4g", value);
    if (base == 1000)
        snprintf(number, sizeof number, "%.3g", value);
    if (value >= 999.5)
        snprintf(number, sizeof number, "%.0f", value);
    buf_fmt(out, "%s%s", number, units[unit]);
}

void format_size(struct buf *out, uint64_t bytes)
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
    format_units(out, bytes, 1000, units);
}

void format_binary_size(struct buf *out, uint64_t bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    format_units(out, bytes, 1024, units);
}

/* The length of the well-formed UTF-8 sequence at `s` (RFC 3629), 0 when there is none. */
static size_t utf8_length(const unsigned char *s)
{
    if (s[0] >= 0x20 && s[0] < 0x7f)
        return 1;
    if (s[0] >= 0xc2 && s[0] <= 0xdf && (s[1] & 0xc0) == 0x80)
        return s[0] == 0xc2 && s[1] < 0xa0 ? 0 : 2; /* C1 control characters stay hidden */
    if (s[0] >= 0xe0 && s[0] <= 0xef && (s[1] & 0xc0) == 0x80 && (s[2] & 0xc0) == 0x80) {
        if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f))
            return 0;
        bool bidi = s[0] == 0xe2 && ((s[1] == 0x80 && s[2] >= 0xaa && s[2] <= 0xae) ||
                                     (s[1] == 0x81 && s[2] >= 0xa6 && s[2] <= 0xa9));
        return bidi ? 0 : 3;
    }
    if (s[0] >= 0xf0 && s[0] <= 0xf4 && (s[1] & 0xc0) == 0x80 && (s[2] & 0xc0) == 0x80 &&
        (s[3] & 0xc0) == 0x80) {
        if ((s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
            return 0;
        return 4;
    }
    return 0;
}

void buf_printable(struct buf *out, const char *text)
{
    const unsigned char *s = (const unsigned char *)text;
    while (*s) {
        size_t length = utf8_length(s);
        if (length) {
            buf_add(out, s, length);
            s += length;
        } else {
            buf_fmt(out, "\\x%02x", *s++);
        }
    }
}

/* Edit distance with adjacent swaps (optimal string alignment); words over 40 characters are far.
 */
static unsigned distance(const char *a, const char *b)
{
    enum { MAX = 40 };
    size_t n = strlen(a), m = strlen(b);
    if (n > MAX || m > MAX)
        return 1000;
    unsigned d[MAX + 1][MAX + 1];
    for (size_t i = 0; i <= n; i++)
        d[i][0] = (unsigned)i;
    for (size_t j = 0; j <= m; j++)
        d[0][j] = (unsigned)j;
    for (size_t i = 1; i <= n; i++) {
        for (size_t j = 1; j <= m; j++) {
            unsigned best = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
            if (d[i - 1][j] + 1 < best)
                best = d[i - 1][j] + 1;
            if (d[i][j - 1] + 1 < best)
                best = d[i][j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                d[i - 2][j - 2] + 1 < best)
                best = d[i - 2][j - 2] + 1;
            d[i][j] = best;
        }
    }
    return d[n][m];
}

const char *nearest_word(const char *word, const char *const *candidates, size_t count)
{
    const char *found = NULL;
    unsigned best = (unsigned)strlen(word) / 3 + 1;
    if (best > 3)
        best = 3;
    for (size_t i = 0; i < count; i++) {
        unsigned d = distance(word, candidates[i]);
        if (d <= best && (!found || d < best)) {
            best = d;
            found = candidates[i];
        }
    }
    return found;
}

void hex_encode(const void *bytes, size_t length, char *out)
{
    static const char digits[] = "0123456789abcdef";
    const unsigned char *at = bytes;
    for (size_t i = 0; i < length; i++) {
        out[2 * i] = digits[at[i] >> 4];
        out[2 * i + 1] = digits[at[i] & 15];
    }
    out[2 * length] = '\0';
}

bool is_hex(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (!(text[i] >= '0' && text[i] <= '9') && !(text[i] >= 'a' && text[i] <= 'f'))
            return false;
    return true;
}
