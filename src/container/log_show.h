/* SPDX-License-Identifier: Apache-2.0 */
/* How `logs` shows entries, whatever they were read from: the streams to where the query says, in
 * their order, with times where they are wanted. */
#ifndef CAISSON_CONTAINER_LOG_SHOW_H
#define CAISSON_CONTAINER_LOG_SHOW_H

#include "container/log_read.h"
#include "container/log_write.h"

struct log_show {
    const struct log_query *query;
    /* What is to be written, all to one descriptor, so that the two streams keep their order. */
    char *output;
    size_t pending;
    int target;
    bool unfinished[2]; /* the stream's last entry did not end its line */
};

void log_show_start(struct log_show *show, const struct log_query *query);
/* Whether the query's streams and times choose such an entry. */
bool log_query_chooses(const struct log_query *query, enum log_stream stream, nanoseconds when);
/* `text` ends in a newline, or is the part of a line. */
int log_show_entry(struct log_show *show, enum log_stream stream, nanoseconds when,
                   const char *text, size_t length, struct error *err);
/* Writes out what is pending. Call before waiting for more, and at the end. */
int log_show_flush(struct log_show *show, struct error *err);
void log_show_free(struct log_show *show);

#endif
