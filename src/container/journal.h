/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The container's output as messages to systemd's journal, by its native protocol
 * (https://systemd.io/JOURNAL_NATIVE_PROTOCOL): one datagram for each entry, of fields; one that is
 * too long for a datagram goes as a sealed memfd. What is the same for every message
 * (container/journal_fields.h) the front prepared in a file.
 *
 * Guards against: a journal that is gone (each message tries to reach a new one), one that is slow
 * (the container waits for it, a second for each piece of output at most) or stands still (nobody
 * waits for it until it takes a message again), values that would begin a new field (lengths are
 * told, nothing is quoted).
 *
 * Needs neither heap nor stdio: the monitor uses it.
 */
#ifndef CAISSON_CONTAINER_JOURNAL_H
#define CAISSON_CONTAINER_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/clock.h"

#define JOURNAL_SOCKET "/run/systemd/journal/socket"
#define JOURNAL_FIELDS_MAX (64 * 1024)

/* Fields of each message; read again by container/journal_read.c. */
#define JOURNAL_PRIORITY "PRIORITY"
#define JOURNAL_PRIORITY_OUT "6"
#define JOURNAL_PRIORITY_ERR "3"
#define JOURNAL_PARTIAL "CONTAINER_PARTIAL_MESSAGE"
#define JOURNAL_TIME "SYSLOG_TIMESTAMP"
#define JOURNAL_MESSAGE "MESSAGE"

/* Big; have it static: pages that were never used cost nothing. */
struct journal {
    int socket; /* connected, or -1 */
    bool stalled;
    nanoseconds patience; /* how long may still be waited for it */
    nanoseconds stamp_time;
    char stamp[RFC3339_MAX];
    size_t fields_length;
    char fields[JOURNAL_FIELDS_MAX];
};

/* A socket connected to the journal, or -errno: -ENOENT and -ECONNREFUSED when none is there. */
int journal_connect(void);
/* Reads what every message begins with. 0, or -errno when that is no good. */
int journal_start(struct journal *journal, int fields);
/* New output: it may be waited for again. */
void journal_turn(struct journal *journal);
/* One line with its newline, or the part of one. 0, or -errno when it is lost. */
int journal_send(struct journal *journal, bool is_stderr, const char *bytes, size_t length,
                 nanoseconds now);
void journal_close(struct journal *journal);

#endif
