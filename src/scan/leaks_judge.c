/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/memory.h"
#include "scan/leaks_internal.h"

/* --- paths --- */

void globs_add(struct globs *list, const char *pattern)
{
    struct glob glob;
    if (glob_compile(pattern, true, &glob) < 0)
        return;
    list->items = xrealloc(list->items, list->count + 1, sizeof *list->items);
    list->items[list->count++] = glob;
}

void globs_free(struct globs *list)
{
    for (size_t i = 0; i < list->count; i++)
        glob_free(&list->items[i]);
    free(list->items);
    *list = (struct globs){0};
}

static bool match_any(const struct globs *list, const char *path, size_t length)
{
    for (size_t i = 0; i < list->count; i++)
        if (glob_test(&list->items[i], path, length))
            return true;
    return false;
}

bool globs_match_exactly(const struct globs *list, const char *path)
{
    return match_any(list, path, strlen(path));
}

bool globs_match(const struct globs *list, const char *path)
{
    for (size_t length = 0; list->count > 0 && path[length]; length++)
        if (path[length + 1] == '/' || !path[length + 1])
            if (match_any(list, path, length + 1))
                return true;
    return false;
}

/* --- values --- */

/* log2 with sixteen bits behind the point; of a number from 1. */
static uint32_t log2_fixed(uint32_t x)
{
    unsigned whole = 31U - (unsigned)__builtin_clz(x);
    uint32_t result = whole << 16;
    uint64_t m = ((uint64_t)x << 31) >> whole; /* from 1 to 2, as 2^31 to 2^32 */
    for (unsigned bit = 1U << 15; bit; bit >>= 1) {
        m = (m * m) >> 31;
        if (m >> 32) {
            m >>= 1;
            result |= bit;
        }
    }
    return result;
}

unsigned leak_entropy(const unsigned char *bytes, size_t length)
{
    uint32_t counts[256] = {0};
    uint64_t sum = 0;
    if (length == 0 || length > UINT16_MAX)
        return 0;
    for (size_t i = 0; i < length; i++)
        counts[bytes[i]]++;
    for (size_t i = 0; i < 256; i++)
        if (counts[i] > 1)
            sum += (uint64_t)counts[i] * log2_fixed(counts[i]);
    uint64_t bits = log2_fixed((uint32_t)length) - sum / length;
    return (unsigned)(bits * 100 >> 16);
}

/* `word` in either case somewhere in the bytes. */
static bool contains(const unsigned char *bytes, size_t length, const char *word)
{
    size_t size = strlen(word);
    for (size_t i = 0; i + size <= length; i++)
        if (strncasecmp((const char *)bytes + i, word, size) == 0)
            return true;
    return false;
}

static bool contains_any(const unsigned char *bytes, size_t length, const char *const *words)
{
    for (; words && *words; words++)
        if (contains(bytes, length, *words))
            return true;
    return false;
}

bool leak_is_secret(const struct leak_rule *rule, const unsigned char *bytes, size_t length)
{
    return (rule->entropy == 0 || leak_entropy(bytes, length) >= rule->entropy) &&
           !contains_any(bytes, length, rule->examples) &&
           !contains_any(bytes, length, leak_placeholders);
}

void leak_excerpt(const unsigned char *bytes, size_t length, char out[32])
{
    size_t shown = length / 4 < 4 ? length / 4 : 4;
    for (size_t i = 0; i < shown; i++)
        out[i] = bytes[i] > ' ' && bytes[i] < 0x7f ? (char)bytes[i] : '?';
    snprintf(out + shown, 32 - shown, "%s", "\xe2\x80\xa6");
}

/* --- lines --- */

typedef unsigned char bytes16 __attribute__((vector_size(16)));

size_t count_lines(const unsigned char *text, size_t length)
{
    size_t lines = 0, at = 0;
    while (length - at >= sizeof(bytes16)) {
        size_t blocks = (length - at) / sizeof(bytes16);
        bytes16 sums = {0};
        for (blocks = blocks < 255 ? blocks : 255; blocks > 0; blocks--) {
            bytes16 block;
            memcpy(&block, text + at, sizeof block);
            sums -= (bytes16)(block == '\n');
            at += sizeof block;
        }
        for (size_t i = 0; i < sizeof sums; i++)
            lines += sums[i];
    }
    for (; at < length; at++)
        lines += text[at] == '\n';
    return lines;
}
