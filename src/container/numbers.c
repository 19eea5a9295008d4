/* SPDX-License-Identifier: Apache-2.0 */
#include "container/numbers.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"

size_t number_format(int64_t value, char out[NUMBER_MAX])
{
    char digits[NUMBER_MAX];
    size_t count = 0, length = 0;
    uint64_t rest = value < 0 ? -(uint64_t)value : (uint64_t)value;
    do {
        digits[count++] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest);
    if (value < 0)
        out[length++] = '-';
    while (count)
        out[length++] = digits[--count];
    return length;
}

int number_parse(const char *text, size_t length, int64_t *value)
{
    size_t i = length > 0 && text[0] == '-';
    int64_t result = 0;
    if (i == length)
        return -EINVAL;
    for (; i < length; i++) {
        int digit = text[i] - '0';
        if (digit < 0 || digit > 9 || __builtin_mul_overflow(result, 10, &result) ||
            (text[0] == '-' ? __builtin_sub_overflow(result, digit, &result)
                            : __builtin_add_overflow(result, digit, &result)))
            return -EINVAL;
    }
    *value = result;
    return 0;
}

/* ".NAME.tmp": one writer only, so a fixed name does, and what a crash left is replaced. */
static int temporary_name(const char *name, char *out, size_t size)
{
    size_t length = strlen(name);
    if (length + sizeof "..tmp" > size)
        return -ENAMETOOLONG;
    out[0] = '.';
    memcpy(out + 1, name, length);
    memcpy(out + 1 + length, ".tmp", sizeof ".tmp");
    return 0;
}

int numbers_write(int dirfd, const char *name, const int64_t *numbers, size_t count)
{
    char line[NUMBERS_MAX * NUMBER_MAX], temporary[64];
    size_t length = 0;
    if (count == 0 || count > NUMBERS_MAX)
        return -EINVAL;
    for (size_t i = 0; i < count; i++) {
        length += number_format(numbers[i], line + length);
        line[length++] = i + 1 < count ? ' ' : '\n';
    }
    int rc = temporary_name(name, temporary, sizeof temporary);
    if (rc < 0)
        return rc;
    if (unlinkat(dirfd, temporary, 0) < 0 && errno != ENOENT)
        return -errno;
    autofd fd = openat(dirfd, temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    ssize_t n = write(fd, line, length);
    rc = n < 0 ? -errno : (size_t)n < length ? -ENOSPC : 0;
    if (rc == 0 && renameat(dirfd, temporary, dirfd, name) < 0)
        rc = -errno;
    if (rc < 0)
        (void)unlinkat(dirfd, temporary, 0);
    return rc;
}

int numbers_read(int dirfd, const char *name, int64_t *numbers, size_t count)
{
    char line[NUMBERS_MAX * NUMBER_MAX];
    int64_t values[NUMBERS_MAX];
    autofd fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return -errno;
    ssize_t length = read(fd, line, sizeof line);
    if (length < 0)
        return -errno;
    if (length == 0)
        return -ENOENT; /* what a power cut leaves of a file that had just been renamed */
    if (count > NUMBERS_MAX)
        return -EINVAL;
    const char *at = line, *end = line + length;
    for (size_t i = 0; i < count; i++) {
        const char *stop = memchr(at, i + 1 < count ? ' ' : '\n', (size_t)(end - at));
        if (!stop || number_parse(at, (size_t)(stop - at), &values[i]) < 0)
            return -EINVAL;
        at = stop + 1;
    }
    if (at != end)
        return -EINVAL;
    memcpy(numbers, values, count * sizeof *numbers);
    return 0;
}
