/* SPDX-License-Identifier: Apache-2.0 */
/* Puts the checksums of all that looks like a tar header right: a mutation would else never get
 * further than to the first header. */
#ifndef TESTS_FUZZ_TAR_CHECKSUMS_H
#define TESTS_FUZZ_TAR_CHECKSUMS_H

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "archive/tar_block.h"
#include "base/memory.h"

/* A copy of the caller's, with checksums that are right. */
static inline uint8_t *tar_checksums(const uint8_t *data, size_t size)
{
    uint8_t *copy = xmalloc(size + 1);
    memcpy(copy, data, size);
    for (size_t at = 0; size - at >= TAR_BLOCK; at += TAR_BLOCK) {
        struct tar_block block;
        char digits[8];
        memcpy(&block, copy + at, sizeof block);
        if (memcmp(block.magic, "ustar", 5) != 0)
            continue;
        snprintf(digits, sizeof digits, "%06o", tar_block_checksum(&block) & 0777777);
        memcpy(copy + at + offsetof(struct tar_block, checksum), digits, 7);
        copy[at + offsetof(struct tar_block, checksum) + 7] = ' ';
    }
    return copy;
}

#endif
