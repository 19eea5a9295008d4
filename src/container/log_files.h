/* SPDX-License-Identifier: Apache-2.0 */
/* The row of a container's log files as descriptors, so that rotation cannot take one away while it
 * is read; and where in them the last lines begin. */
#ifndef CAISSON_CONTAINER_LOG_FILES_H
#define CAISSON_CONTAINER_LOG_FILES_H

#include <sys/types.h>

#include "base/error.h"
#include "container/log_read.h"
#include "container/log_write.h"

struct log_files {
    size_t count; /* 0: nothing was written yet */
    struct {
        int fd;
        dev_t device;
        ino_t inode;
    } file[LOG_FILES_MAX + 1]; /* newest first */
};

/* Opens those that are newer than the open file `after`; all for -1, or where `after` is no longer
 * among them. */
int log_files_open(int dir, int after, struct log_files *files, struct error *err);
void log_files_close(struct log_files *files);
#define autofiles __attribute__((cleanup(log_files_close))) struct log_files

/* Where reading begins. */
struct log_place {
    size_t file;
    off_t offset;
};

#define LOG_BUFFER_SIZE (256 * 1024) /* no entry that we or Docker write is longer */

/* The place behind which lie the last query->tail lines of those that the query's times choose.
 * `buffer` has LOG_BUFFER_SIZE bytes. A line is what ends in a newline, in however many entries,
 * or is the unfinished last one of its stream. */
int log_files_tail(const struct log_files *files, const struct log_query *query, char *buffer,
                   struct log_place *place, struct error *err);

#endif
