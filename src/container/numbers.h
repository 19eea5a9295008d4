/* SPDX-License-Identifier: Apache-2.0 */
/*
 * State files that are one line of decimal numbers, for the monitor, which has neither heap nor
 * stdio: base/io.h does the same for everyone else.
 */
#ifndef CAISSON_CONTAINER_NUMBERS_H
#define CAISSON_CONTAINER_NUMBERS_H

#include <stddef.h>
#include <stdint.h>

#define NUMBER_MAX 21 /* the longest number and a NUL */
#define NUMBERS_MAX 4 /* in one file */

/* Decimal, without NUL; the count of characters. */
size_t number_format(int64_t value, char out[NUMBER_MAX]);
/* The whole text, an optional '-' and digits. 0 or -EINVAL. */
int number_parse(const char *text, size_t length, int64_t *value);

/* Replaces dirfd/name in one step, readable for its owner only. Not durable (the end of a container
 * does not wait for a disk): after a power cut it may be missing. One writer at a time. 0 or
 * -errno. */
int numbers_write(int dirfd, const char *name, const int64_t *numbers, size_t count);
/* Exactly `count` numbers. 0, -ENOENT, -EINVAL when damaged, or another -errno. */
int numbers_read(int dirfd, const char *name, int64_t *numbers, size_t count);

#endif
