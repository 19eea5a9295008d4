/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "base/clock.h"
#include "base/text.h"

int parse_duration(const char *text, nanoseconds *length)
{
    static const struct {
        const char *name;
        uint64_t scale;
    } units[] = {
        {"ns", 1},           {"us", 1000},          {"µs", 1000},           {"ms", 1000000},
        {"s", NSEC_PER_SEC}, {"m", 60000000000ULL}, {"h", 3600000000000ULL}};
    uint64_t total = 0;
    if (!*text)
        return -EINVAL;
    while (*text) {
        size_t n = strspn(text, "0123456789.");
        char number[32];
        if (n == 0 || n >= sizeof number)
            return -EINVAL;
        memcpy(number, text, n);
        number[n] = '\0';
        text += n;
        uint64_t scale = 0;
        size_t best = 0;
        for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
            size_t width = strlen(units[i].name);
            if (width > best && strncmp(text, units[i].name, width) == 0) {
                best = width;
                scale = units[i].scale;
            }
        }
        if (!best && !*text && total == 0)
            scale = NSEC_PER_SEC;
        if (!scale)
            return -EINVAL;
        text += best;
        uint64_t part;
        int rc = parse_decimal(number, scale, &part);
        if (rc < 0)
            return rc;
        if (__builtin_add_overflow(total, part, &total) || total > INT64_MAX)
            return -ERANGE;
    }
    *length = (nanoseconds)total;
    return 0;
}

int parse_moment(const char *text, nanoseconds base, nanoseconds *when)
{
    uint64_t seconds;
    nanoseconds length;
    if (parse_rfc3339(text, when) == 0)
        return 0;
    if (strspn(text, "0123456789.") == strlen(text) &&
        parse_decimal(text, NSEC_PER_SEC, &seconds) == 0 && seconds <= INT64_MAX) {
        *when = (nanoseconds)seconds;
        return 0;
    }
    int rc = parse_duration(text, &length);
    if (rc == 0)
        *when = base - length;
    return rc;
}

void format_human_duration(struct buf *out, nanoseconds length)
{
    int64_t seconds = length / NSEC_PER_SEC;
    if (seconds < 1) {
        buf_str(out, "Less than a second");
        return;
    }
    static const struct {
        int64_t below, unit;
        const char *name;
    } steps[] = {{60, 1, "second"},
                 {3600, 60, "minute"},
                 {48 * 3600, 3600, "hour"},
                 {14 * 86400, 86400, "day"},
                 {60 * 86400, 7 * 86400, "week"},
                 {730 * 86400, 30 * 86400, "month"},
                 {INT64_MAX, 365 * 86400, "year"}};
    size_t i = 0;
    while (seconds >= steps[i].below)
        i++;
    int64_t count = seconds / steps[i].unit;
    buf_fmt(out, "%lld %s%s", (long long)count, steps[i].name, count == 1 ? "" : "s");
}
