/* SPDX-License-Identifier: Apache-2.0 */
#include "archive/tar_block.h"

#include <errno.h>
#include <string.h>

bool tar_block_empty(const struct tar_block *block)
{
    static const struct tar_block empty;
    return memcmp(block, &empty, sizeof empty) == 0;
}

/* Both sums, with the checksum field itself read as spaces. */
static void sum(const struct tar_block *block, unsigned *as_unsigned, int *as_signed)
{
    const unsigned char *bytes = (const unsigned char *)block;
    size_t from = offsetof(struct tar_block, checksum);
    *as_unsigned = 0;
    *as_signed = 0;
    for (size_t i = 0; i < TAR_BLOCK; i++) {
        unsigned char c = i >= from && i < from + sizeof block->checksum ? ' ' : bytes[i];
        *as_unsigned += c;
        *as_signed += (signed char)c;
    }
}

unsigned tar_block_checksum(const struct tar_block *block)
{
    unsigned as_unsigned;
    int as_signed;
    sum(block, &as_unsigned, &as_signed);
    return as_unsigned;
}

bool tar_block_checksum_right(const struct tar_block *block)
{
    uint64_t written;
    if (tar_number(block->checksum, sizeof block->checksum, UINT32_MAX, &written) < 0)
        return false;
    unsigned as_unsigned;
    int as_signed;
    sum(block, &as_unsigned, &as_signed);
    return written == as_unsigned || (as_signed >= 0 && written == (unsigned)as_signed);
}

bool tar_block_is_ustar(const struct tar_block *block)
{
    return memcmp(block->magic, "ustar", sizeof block->magic) == 0;
}

static int octal(const char *field, size_t width, uint64_t max, uint64_t *value)
{
    size_t at = 0;
    uint64_t sum = 0;
    while (at < width && (field[at] == ' ' || field[at] == '\0'))
        at++;
    for (; at < width && field[at] >= '0' && field[at] <= '7'; at++) {
        if (sum >> 61)
            return -ERANGE;
        sum = sum << 3 | (uint64_t)(field[at] - '0');
    }
    for (; at < width; at++) {
        if (field[at] != ' ' && field[at] != '\0')
            return -EINVAL;
    }
    if (sum > max)
        return -ERANGE;
    *value = sum;
    return 0;
}

/* Big-endian two's complement, whose first bit only marks the form: the second is the sign. */
static int base256(const char *field, size_t width, int64_t *value)
{
    const unsigned char *bytes = (const unsigned char *)field;
    bool negative = bytes[0] & 0x40;
    uint64_t fill = negative ? UINT64_MAX : 0;
    uint64_t sum = fill;
    for (size_t i = 0; i < width; i++) {
        unsigned char c = bytes[i];
        if (i == 0)
            c = negative ? c | 0x80 : c & 0x7f;
        if (sum >> 55 != fill >> 55)
            return -ERANGE;
        sum = sum << 8 | c;
    }
    *value = (int64_t)sum;
    return 0;
}

int tar_signed_number(const char *field, size_t width, int64_t *value)
{
    if (field[0] & 0x80)
        return base256(field, width, value);
    uint64_t positive;
    int rc = octal(field, width, INT64_MAX, &positive);
    if (rc == 0)
        *value = (int64_t)positive;
    return rc;
}

int tar_number(const char *field, size_t width, uint64_t max, uint64_t *value)
{
    int64_t number;
    int rc = tar_signed_number(field, width, &number);
    if (rc < 0)
        return rc;
    if (number < 0 || (uint64_t)number > max)
        return -ERANGE;
    *value = (uint64_t)number;
    return 0;
}
