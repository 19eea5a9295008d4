/* SPDX-License-Identifier: Apache-2.0 */
#include "container/log_read.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/memory.h"
#include "container/log_files.h"
#include "container/log_follow.h"
#include "container/log_line.h"
#include "container/log_show.h"

/* A file's time may lag behind its last line's by the kernel's tick. */
#define FILE_TIME_SLACK NSEC_PER_SEC

struct reader {
    int dir;
    const struct log_query *query;
    /* What was read and not yet shown: the beginning of a line. */
    char *input;
    size_t length;
    bool skipping; /* within a line that is too long to be an entry */
    struct log_show show;
    /* The file that is read now. */
    int current;
    off_t offset;
};

static void reader_free(struct reader *reader)
{
    free(reader->input);
    log_show_free(&reader->show);
    if (reader->current >= 0)
        close(reader->current);
}

static int show(struct reader *reader, char *line, size_t length, struct error *err)
{
    struct log_line entry;
    nanoseconds when = 0;
    if (log_line_parse(line, length, &entry) < 0 || !log_line_chosen(&entry, reader->query) ||
        (reader->query->timestamps && log_line_time(&entry, &when) < 0))
        return 0;
    return log_show_entry(&reader->show, entry.stream, when, entry.text, entry.length, err);
}

/* --- in --------------------------------------------------------------------------------------- */

/* Shows every whole line of the input and keeps the rest. */
static int show_whole_lines(struct reader *reader, struct error *err)
{
    char *at = reader->input, *end = at + reader->length, *newline;
    while ((newline = memchr(at, '\n', (size_t)(end - at)))) {
        if (!reader->skipping) {
            int rc = show(reader, at, (size_t)(newline - at), err);
            if (rc < 0)
                return rc;
        }
        reader->skipping = false;
        at = newline + 1;
    }
    reader->length = (size_t)(end - at);
    if (reader->length == LOG_BUFFER_SIZE) {
        reader->skipping = true;
        reader->length = 0;
    }
    memmove(reader->input, at, reader->length);
    return 0;
}

/* To the end that the current file has now. */
static int read_on(struct reader *reader, struct error *err)
{
    for (;;) {
        ssize_t n = pread(reader->current, reader->input + reader->length,
                          LOG_BUFFER_SIZE - reader->length, reader->offset);
        if (n < 0)
            return error_errno(err, "cannot read the log");
        if (n == 0)
            return 0;
        reader->offset += n;
        reader->length += (size_t)n;
        int rc = show_whole_lines(reader, err);
        if (rc < 0)
            return rc;
    }
}

static bool all_before(int fd, nanoseconds since)
{
    struct stat st;
    return since != 0 && fstat(fd, &st) == 0 &&
           st.st_mtim.tv_sec * NSEC_PER_SEC + st.st_mtim.tv_nsec + FILE_TIME_SLACK < since;
}

/* From a place to the end of the newest, which stays the current file. */
static int read_files(struct reader *reader, struct log_files *files, struct log_place place,
                      struct error *err)
{
    for (size_t i = place.file + 1; i-- > 0;) {
        if (reader->current >= 0)
            close(reader->current);
        reader->current = take_fd(&files->file[i].fd);
        reader->offset = i == place.file ? place.offset : 0;
        reader->length = 0; /* what a crash cut at the end of the file before */
        reader->skipping = false;
        if (i > 0 && all_before(reader->current, reader->query->since))
            continue;
        int rc = read_on(reader, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int read_present(struct reader *reader, struct error *err)
{
    autofiles files = {0};
    int rc = log_files_open(reader->dir, -1, &files, err);
    if (rc < 0 || files.count == 0)
        return rc;
    struct log_place place = {files.count - 1, 0};
    if (reader->query->tail >= 0)
        rc = log_files_tail(&files, reader->query, reader->input, &place, err);
    if (rc == 0)
        rc = read_files(reader, &files, place, err);
    return rc < 0 ? rc : log_show_flush(&reader->show, err);
}

/* --- following -------------------------------------------------------------------------------- */

static bool still_newest(const struct reader *reader)
{
    struct stat named, open;
    return fstatat(reader->dir, LOG_NAME, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
           fstat(reader->current, &open) == 0 && named.st_dev == open.st_dev &&
           named.st_ino == open.st_ino;
}

/* Everything that is there now. A file that was renamed is not written to any more: what it got
 * before is read once more, and only then its successors. */
static int catch_up(struct reader *reader, struct error *err)
{
    int rc = reader->current >= 0 ? read_on(reader, err) : 0;
    while (rc == 0 && (reader->current < 0 || !still_newest(reader))) {
        autofiles files = {0};
        if (reader->current >= 0)
            rc = read_on(reader, err);
        if (rc == 0)
            rc = log_files_open(reader->dir, reader->current, &files, err);
        if (rc < 0 || files.count == 0)
            break; /* between two names: its creation is an event, too */
        rc = read_files(reader, &files, (struct log_place){files.count - 1, 0}, err);
    }
    return rc < 0 ? rc : log_show_flush(&reader->show, err);
}

static int follow(struct reader *reader, int inotify, struct error *err)
{
    for (;;) {
        bool last = log_follow_over(reader->query); /* asked first: all it wrote is there by then */
        int rc = catch_up(reader, err);
        if (rc < 0 || last)
            return rc;
        rc = log_follow_wait(reader->query, inotify, -1, err);
        if (rc < 0)
            return rc;
    }
}

int log_read(int log_dirfd, const struct log_query *query, struct error *err)
{
    __attribute__((cleanup(reader_free))) struct reader reader = {
        .dir = log_dirfd,
        .query = query,
        .input = xmalloc(LOG_BUFFER_SIZE),
        .current = -1,
    };
    log_show_start(&reader.show, query);
    if (!query->follow)
        return read_present(&reader, err);
    autofd inotify = log_follow_open(query, log_dirfd, err);
    if (inotify < 0)
        return inotify;
    int rc = read_present(&reader, err);
    return rc < 0 ? rc : follow(&reader, inotify, err);
}
