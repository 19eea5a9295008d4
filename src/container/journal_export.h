/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Entries in the journal's export format (https://systemd.io/JOURNAL_EXPORT_FORMATS): lines
 * NAME=VALUE, or a line NAME, 64 bits of length, little-endian, and the value; an empty line ends
 * the entry. Values are what containers printed, so every length is checked. Needs no memory.
 */
#ifndef CAISSON_CONTAINER_JOURNAL_EXPORT_H
#define CAISSON_CONTAINER_JOURNAL_EXPORT_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/clock.h"
#include "container/log_write.h"

/* The fields that count. */
#define JOURNAL_EXPORT_FIELDS                                                                      \
    JOURNAL_MESSAGE "," JOURNAL_PRIORITY "," JOURNAL_PARTIAL "," JOURNAL_TIME
/* An entry of ours is much shorter. */
#define JOURNAL_ENTRY_MAX (256 * 1024)
#define JOURNAL_CURSOR_MAX 512

struct journal_entry {
    bool is_output; /* it is what we wrote; else only its cursor counts */
    bool partial;   /* its line goes on in the next one */
    enum log_stream stream;
    nanoseconds when;
    const char *text; /* within the bytes that were parsed, with the newline that ends it */
    size_t length;
    const char *cursor; /* not terminated; NULL when there is none */
    size_t cursor_length;
};

/* Takes the first entry: how many bytes it has, 0 when it is not all there yet, or -EINVAL. */
ssize_t journal_entry_parse(const char *bytes, size_t length, struct journal_entry *out);

#endif
