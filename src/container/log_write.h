/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The container's output as entries, one for each line: in log files, in Docker's json-file format,
 * byte for byte as Docker writes it; or in the journal (container/journal.h).
 *
 * Files: `container.log` in the log directory is the newest, then container.log.1, .2 and so on.
 * No file grows over max_size (unless a single line does); rotation is by rename, so a reader that
 * holds a file open reads it to its end and goes on with its successor.
 *
 * Guards against: output without end (fixed memory, and writing is synchronous, so a slow disk
 * slows the container down), output without newlines (cut into entries of 16 KiB, of which only the
 * last ends in a newline), bytes that are no UTF-8 (U+FFFD), a full or read-only disk (lines are
 * dropped and counted, half-written ones taken back), a file whose last line was cut by a crash
 * (ended before the next line is written). Never fails, never ends the program.
 *
 * Needs neither heap nor stdio: the monitor uses it.
 */
#ifndef CAISSON_CONTAINER_LOG_WRITE_H
#define CAISSON_CONTAINER_LOG_WRITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/clock.h"
#include "container/journal.h"

#define LOG_NAME "container.log"
#define LOG_DEFAULT_MAX_SIZE (INT64_C(10) << 20)
#define LOG_DEFAULT_MAX_FILE 3
#define LOG_FILES_MAX 100   /* refuse more before they come here: readers hold all of them open */
#define LOG_ENTRY_MAX 16384 /* bytes of output in one entry, as Docker's */

/* container.log for 0, container.log.INDEX otherwise. */
#define LOG_FILE_NAME_MAX 40
void log_file_name(unsigned index, char name[LOG_FILE_NAME_MAX]);

/* Where entries go. */
enum log_driver {
    LOG_NOWHERE,
    LOG_FILES,
    LOG_JOURNAL,
};

enum log_stream {
    LOG_STDOUT,
    LOG_STDERR,
};

/* Big; have it static: pages that were never used cost nothing. */
struct log_writer {
    int dir;                 /* borrowed; -1: no files are written */
    struct journal *journal; /* borrowed; NULL: nothing goes there */
    int64_t max_size;        /* bytes of one file; 0: no limit */
    unsigned max_file;       /* how many files, the newest included; at least 1 */
    /* What could not be written; the reason is the first errno of the kind (positive). */
    uint64_t dropped;
    int dropped_errno;
    /* private */
    int fd;       /* of the newest file; -1 while it is not open */
    int64_t size; /* of that file, without what is pending */
    size_t pending;
    nanoseconds stamp_time;
    size_t stamp_length;
    char stamp[RFC3339_MAX];
    size_t rest_length[2]; /* the unfinished line of each stream */
    _Alignas(4096) char rest[2][LOG_ENTRY_MAX];
    char out[128 * 1024]; /* entries not yet written */
};

/* Into files; -1 for `dir`: everything is discarded. */
void log_writer_start(struct log_writer *log, int dir, int64_t max_size, unsigned max_file);
void log_writer_start_journal(struct log_writer *log, struct journal *journal);
/* Takes what a read(2) of the stream returned, at any boundary; entries get the time `now`. */
void log_writer_add(struct log_writer *log, enum log_stream stream, const char *bytes,
                    size_t length, nanoseconds now);
/* The stream has ended: an unfinished line becomes an entry without newline. */
void log_writer_end(struct log_writer *log, enum log_stream stream, nanoseconds now);
/* Writes out what is pending. Call before waiting for more. */
void log_writer_flush(struct log_writer *log);
/* Flushes, and gives the memory back that only a busy container needs. */
void log_writer_rest(struct log_writer *log);
/* Flushes and closes. */
void log_writer_close(struct log_writer *log);

/* "LINES ERRNO" in the file `log-dropped` of the state directory. 0 or -errno; reading gives
 * -ENOENT when nothing was dropped. */
int log_dropped_write(int state_dir, uint64_t lines, int reason);
int log_dropped_read(int state_dir, uint64_t *lines, int *reason);

#endif
