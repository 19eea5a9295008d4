/* SPDX-License-Identifier: Apache-2.0 */
/* The 512-byte header block of a tar archive and its numbers. Internal to the module. */
#ifndef CAISSON_ARCHIVE_TAR_BLOCK_H
#define CAISSON_ARCHIVE_TAR_BLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TAR_BLOCK 512
/* No file is larger: sums of sizes and offsets of one archive then never overflow 64 bits. */
#define TAR_SIZE_MAX (UINT64_C(1) << 61)

struct tar_block {
    char name[100];
    char mode[8];
    char uid[8];
    char gid[8];
    char size[12];
    char mtime[12];
    char checksum[8];
    char type;
    char link[100];
    char magic[6]; /* "ustar\0"; GNU: "ustar " */
    char version[2];
    char user[32];
    char group[32];
    char major[8];
    char minor[8];
    char prefix[155]; /* GNU keeps other things here */
    char pad[12];
};
_Static_assert(sizeof(struct tar_block) == TAR_BLOCK, "a header is one block");

/* Where the old GNU format keeps a sparse file's map. */
#define TAR_GNU_MAP_AT 386
#define TAR_GNU_MAP_IN_HEADER 4
#define TAR_GNU_EXTENDED_AT 482
#define TAR_GNU_REAL_SIZE_AT 483
#define TAR_GNU_MAP_IN_EXTENSION 21
#define TAR_GNU_EXTENSION_MORE_AT 504
#define TAR_NUMBER_LONG 12

static inline uint64_t tar_padding(uint64_t size)
{
    return (TAR_BLOCK - size % TAR_BLOCK) % TAR_BLOCK;
}

bool tar_block_empty(const struct tar_block *block);
/* Old writers summed signed characters: either is right. */
bool tar_block_checksum_right(const struct tar_block *block);
unsigned tar_block_checksum(const struct tar_block *block);
bool tar_block_is_ustar(const struct tar_block *block);
/* Octal (spaces and NULs around it are fine, nothing at all is 0) or base-256. 0 or -EINVAL,
 * -ERANGE over `max`. */
int tar_number(const char *field, size_t width, uint64_t max, uint64_t *value);
/* The same where negative values make sense: times. */
int tar_signed_number(const char *field, size_t width, int64_t *value);

#endif
