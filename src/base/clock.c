/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

#include <errno.h>

#include "base/text.h"

static nanoseconds now(clockid_t id)
{
    struct timespec ts;
    clock_gettime(id, &ts);
    return ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec;
}

nanoseconds clock_wall(void)
{
    return now(CLOCK_REALTIME);
}

nanoseconds clock_monotonic(void)
{
    return now(CLOCK_MONOTONIC);
}

void format_rfc3339(nanoseconds when, char out[RFC3339_MAX])
{
    time_t seconds = when / NSEC_PER_SEC;
    long rest = (long)(when % NSEC_PER_SEC);
    if (rest < 0) {
        rest += NSEC_PER_SEC;
        seconds--;
    }
    struct tm tm;
    if (!gmtime_r(&seconds, &tm))
        memset(&tm, 0, sizeof tm);
    size_t n = strftime(out, RFC3339_MAX, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(out + n, RFC3339_MAX - n, ".%09ldZ", rest);
}

/* Exactly `count` digits at *at, moved past; -1 when there are fewer. */
static int digits(const char **at, int count)
{
    int value = 0;
    for (int i = 0; i < count; i++) {
        char c = (*at)[i];
        if (c < '0' || c > '9')
            return -1;
        value = value * 10 + (c - '0');
    }
    *at += count;
    return value;
}

/* ".123" as nanoseconds; digits after the ninth are dropped. */
static nanoseconds fraction(const char **at)
{
    nanoseconds value = 0, unit = NSEC_PER_SEC / 10;
    for ((*at)++; **at >= '0' && **at <= '9'; (*at)++) {
        value += (**at - '0') * unit;
        unit /= 10;
    }
    return value;
}

int parse_rfc3339(const char *text, nanoseconds *when)
{
    const char *at = text;
    struct tm tm = {0};
    nanoseconds part = 0;
    int offset = 0;
    tm.tm_year = digits(&at, 4) - 1900;
    if (*at++ != '-')
        return -EINVAL;
    tm.tm_mon = digits(&at, 2) - 1;
    if (*at++ != '-')
        return -EINVAL;
    tm.tm_mday = digits(&at, 2);
    if (*at == 'T' || *at == 't' || *at == ' ') {
        at++;
        tm.tm_hour = digits(&at, 2);
        if (*at++ != ':')
            return -EINVAL;
        tm.tm_min = digits(&at, 2);
        if (*at == ':') {
            at++;
            tm.tm_sec = digits(&at, 2);
            if (*at == '.' && at[1] >= '0' && at[1] <= '9')
                part = fraction(&at);
        }
        if (*at == 'Z' || *at == 'z') {
            at++;
        } else if (*at == '+' || *at == '-') {
            int sign = *at++ == '-' ? -1 : 1;
            int hours = digits(&at, 2);
            if (*at == ':')
                at++;
            int minutes = digits(&at, 2);
            if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59)
                return -EINVAL;
            offset = sign * (hours * 3600 + minutes * 60);
        }
    }
    if (*at || tm.tm_year < -1900 || tm.tm_mon < 0 || tm.tm_mon > 11 || tm.tm_mday < 1 ||
        tm.tm_mday > 31 || tm.tm_hour < 0 || tm.tm_hour > 23 || tm.tm_min < 0 || tm.tm_min > 59 ||
        tm.tm_sec < 0 || tm.tm_sec > 60)
        return -EINVAL;
    time_t seconds = timegm(&tm) - offset;
    nanoseconds result;
    if (__builtin_mul_overflow((int64_t)seconds, NSEC_PER_SEC, &result) ||
        __builtin_add_overflow(result, part, &result))
        return -EINVAL; /* outside the years 1677 to 2262 */
    *when = result;
    return 0;
}

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
