/* SPDX-License-Identifier: Apache-2.0 */
/* Times as text: RFC 3339 in and out, Go durations, and "3 minutes ago". */
#ifndef CAISSON_BASE_CLOCK_H
#define CAISSON_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

#include "base/buf.h"

typedef int64_t nanoseconds; /* since the epoch, or a length of time */
#define NSEC_PER_SEC INT64_C(1000000000)

nanoseconds clock_wall(void);      /* CLOCK_REALTIME */
nanoseconds clock_monotonic(void); /* CLOCK_MONOTONIC */

#define RFC3339_MAX 40
/* "2026-01-02T03:04:05.123456789Z", always UTC and nine digits. */
void format_rfc3339(nanoseconds when, char out[RFC3339_MAX]);
/* Any RFC 3339 date-time, also without zone (UTC) or as a bare date; 0 or -EINVAL. */
int parse_rfc3339(const char *text, nanoseconds *when);
/* A Go duration, "1h30m", "1.5s", "200ms"; a bare number counts as seconds; 0 or -EINVAL, -ERANGE.
 */
int parse_duration(const char *text, nanoseconds *length);
/* What --since and --until take: RFC 3339, seconds since the epoch with optional fraction, or a
 * duration that counts back from `now`. */
int parse_moment(const char *text, nanoseconds now, nanoseconds *when);
/* "Less than a second", "5 seconds", "2 hours" … as Docker's lists show it. */
void format_human_duration(struct buf *out, nanoseconds length);

#endif
