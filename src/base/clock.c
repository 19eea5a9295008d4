/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

#include <errno.h>

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

#define SECONDS_PER_DAY 86400
#define DAYS_PER_ERA 146097 /* 400 years */

/* Days since the epoch of the first of a month (1 to 12), by counting in years that begin in March,
 * so that the leap day is their last. */
static int64_t days_before_month(int64_t year, int month)
{
    int64_t shifted = month > 2 ? year : year - 1;
    int64_t era = (shifted >= 0 ? shifted : shifted - 399) / 400;
    int64_t of_era = shifted - era * 400;
    int64_t of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5;
    return era * DAYS_PER_ERA + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

/* Exactly `count` digits. */
static char *put_digits(char *at, int64_t value, int count)
{
    for (int i = count - 1; i >= 0; i--) {
        at[i] = (char)('0' + value % 10);
        value /= 10;
    }
    return at + count;
}

/* Without gmtime_r(3), which reads time zone files and takes a lock, and without stdio: the monitor
 * stamps each line of a log with it. */
void format_rfc3339(nanoseconds when, char out[RFC3339_MAX])
{
    int64_t seconds = when / NSEC_PER_SEC - (when % NSEC_PER_SEC < 0);
    int64_t rest = when - seconds * NSEC_PER_SEC;
    int64_t days = seconds / SECONDS_PER_DAY - (seconds % SECONDS_PER_DAY < 0);
    int64_t of_day = seconds - days * SECONDS_PER_DAY;
    /* A guess that is never too early. */
    int64_t year = 1970 + (days >= 0 ? days / 365 : days / 366) + 1;
    while (days_before_month(year, 1) > days)
        year--;
    int month = 12;
    while (days_before_month(year, month) > days)
        month--;
    char *at = put_digits(out, year, 4);
    *at++ = '-';
    at = put_digits(at, month, 2);
    *at++ = '-';
    at = put_digits(at, days - days_before_month(year, month) + 1, 2);
    *at++ = 'T';
    at = put_digits(at, of_day / 3600, 2);
    *at++ = ':';
    at = put_digits(at, of_day / 60 % 60, 2);
    *at++ = ':';
    at = put_digits(at, of_day % 60, 2);
    *at++ = '.';
    at = put_digits(at, rest, 9);
    *at++ = 'Z';
    *at = '\0';
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
    int hour = 0, minute = 0, second = 0;
    nanoseconds part = 0;
    int offset = 0;
    int year = digits(&at, 4);
    if (*at++ != '-')
        return -EINVAL;
    int month = digits(&at, 2);
    if (*at++ != '-')
        return -EINVAL;
    int day = digits(&at, 2);
    if (*at == 'T' || *at == 't' || *at == ' ') {
        at++;
        hour = digits(&at, 2);
        if (*at++ != ':')
            return -EINVAL;
        minute = digits(&at, 2);
        if (*at == ':') {
            at++;
            second = digits(&at, 2);
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
    if (*at || year < 0 || month < 1 || month > 12 || day < 1 || day > 31 || hour < 0 ||
        hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60)
        return -EINVAL;
    int64_t seconds = (days_before_month(year, month) + day - 1) * SECONDS_PER_DAY + hour * 3600 +
                      minute * 60 + second - offset;
    nanoseconds result;
    if (__builtin_mul_overflow(seconds, NSEC_PER_SEC, &result) ||
        __builtin_add_overflow(result, part, &result))
        return -EINVAL; /* outside the years 1677 to 2262 */
    *when = result;
    return 0;
}
