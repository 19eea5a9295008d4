/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What happened to containers, for whoever asks `caisson events`.
 *
 * Without a daemon nobody listens all the time, so each command appends one line of JSON, in
 * Docker's form, to <state>/events as it does something. A line is one write(2) with O_APPEND, so
 * lines never mix. At EVENTS_MAX bytes the file becomes events.1, whose predecessor goes. An event
 * that cannot be written (a full disk) is lost, and nothing else: what it tells of has happened.
 */
#ifndef CAISSON_CONTAINER_EVENTS_H
#define CAISSON_CONTAINER_EVENTS_H

#include "base/json.h"
#include "container/container.h"

#define EVENTS_NAME "events"
#define EVENTS_OLD_NAME "events.1"
#define EVENTS_MAX (1 << 20)
#define EVENT_LINE_MAX (32 << 10) /* a container's labels are left out of a longer one */

/* "start", "die" … `key` and `value`: one more attribute, or NULL. */
void event_tell(const struct containers *all, const struct plan *plan, const char *id,
                const char *action, const char *key, const char *value);
/* The same with a number. */
void event_tell_number(const struct containers *all, const struct plan *plan, const char *id,
                       const char *action, const char *key, long long value);

struct event_query {
    nanoseconds since, until; /* wall clock; INT64_MAX: from now, without end */
};
/* One event: its line, and what it says. Something other than 0 ends the reading. */
typedef int event_each(const char *line, const json_t *event, void *closure, struct error *err);
/* What was kept since query->since, then what comes until query->until. -EPIPE when nobody reads
 * standard output any more. */
int events_read(const struct containers *all, const struct event_query *query, event_each *each,
                void *closure, struct error *err);

#endif
