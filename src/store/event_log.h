/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What happened to containers, images, networks and volumes, for whoever asks `caisson events`.
 *
 * Without a daemon nobody listens all the time, so each command appends one line of JSON, in
 * Docker's form, to <state>/events as it does something. A line is one write(2) with O_APPEND, so
 * lines never mix. Who finds it at EVENTS_MAX bytes makes it events.1, whose predecessor goes, and
 * begins another. An event that cannot be written (a full disk) is lost, and nothing else: what it
 * tells of has happened.
 *
 * A worker that confines itself opens the file before that.
 */
#ifndef CAISSON_STORE_EVENT_LOG_H
#define CAISSON_STORE_EVENT_LOG_H

#include <stddef.h>

#include "base/strv.h"

#define EVENTS_NAME "events"
#define EVENTS_OLD_NAME "events.1"
#define EVENTS_MAX (1 << 20)
#define EVENT_LINE_MAX (32 << 10) /* labels are left out of a longer one */

struct event_attribute {
    const char *name, *value; /* a NULL value is left out */
};

struct event {
    const char *type;   /* "container" */
    const char *action; /* "start" */
    const char *id;     /* of whom it tells; "" for what is told of several at once */
    const char *from;   /* for containers: the image; else NULL */
    const struct event_attribute *attributes;
    size_t count;
    const struct strv *labels; /* "NAME=VALUE", which become attributes too; NULL */
};

/* The file of events, to be written to; or -errno. */
int event_log_open(int state);
/* Does nothing when `fd` is no descriptor. */
void event_log_write(int fd, const struct event *event);
/* Both for one event. */
void event_log_tell(int state, const struct event *event);

#endif
