/* SPDX-License-Identifier: Apache-2.0 */
#include "base/base64.h"

#include <errno.h>
#include <stdint.h>

#include "base/secret.h"

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_encode(const void *bytes, size_t length, struct buf *out)
{
    const unsigned char *at = bytes;
    for (; length > 0; at += 3) {
        size_t n = length < 3 ? length : 3;
        uint32_t three =
            (uint32_t)at[0] << 16 | (n > 1 ? (uint32_t)at[1] << 8 : 0) | (n > 2 ? at[2] : 0);
        char four[4] = {digits[three >> 18], digits[three >> 12 & 63],
                        n > 1 ? digits[three >> 6 & 63] : '=', n > 2 ? digits[three & 63] : '='};
        buf_add(out, four, sizeof four);
        length -= n;
    }
}

static int value_of(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

int base64_decode(const char *text, size_t length, struct buf *out)
{
    autosecretbuf bytes = {0}; /* passwords and keys come this way */
    size_t padding = 0;
    if (length % 4 != 0)
        return -EINVAL;
    buf_room(&bytes, length); /* so that it never moves, and leaves nothing where it was */
    buf_room(out, length);
    while (padding < 2 && length > padding && text[length - 1 - padding] == '=')
        padding++;
    for (size_t i = 0; i < length; i += 4) {
        uint32_t three = 0;
        for (size_t j = 0; j < 4; j++) {
            int value = i + j >= length - padding ? 0 : value_of(text[i + j]);
            if (value < 0)
                return -EINVAL;
            three = three << 6 | (uint32_t)value;
        }
        char decoded[3] = {(char)(three >> 16), (char)(three >> 8), (char)three};
        buf_add(&bytes, decoded, i + 4 == length ? 3 - padding : 3);
    }
    buf_add(out, buf_text(&bytes), bytes.len);
    return 0;
}
