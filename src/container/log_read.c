/* SPDX-License-Identifier: Apache-2.0 */
#include "container/log_read.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/memory.h"
#include "container/exit_record.h"
#include "container/log_files.h"
#include "container/log_line.h"

#define OUTPUT_SIZE (64 * 1024)
/* A file's time may lag behind its last line's by the kernel's tick. */
#define FILE_TIME_SLACK NSEC_PER_SEC

struct reader {
    int dir;
    const struct log_query *query;
    /* What was read and not yet shown: the beginning of a line. */
    char *input;
    size_t length;
    bool skipping; /* within a line that is too long to be an entry */
    /* What is to be written, all to one descriptor, so that the two streams keep their order. */
    char *output;
    size_t pending;
    int target;
    bool unfinished[2]; /* the stream's last entry did not end its line */
    /* The file that is read now. */
    int current;
    off_t offset;
};

static void reader_free(struct reader *reader)
{
    free(reader->input);
    free(reader->output);
    if (reader->current >= 0)
        close(reader->current);
}

/* --- out -------------------------------------------------------------------------------------- */

static int flush(struct reader *reader, struct error *err)
{
    int rc = reader->pending ? write_all(reader->target, reader->output, reader->pending) : 0;
    reader->pending = 0;
    return rc < 0 ? error_set(err, rc, "cannot write: %s", error_describe(rc)) : 0;
}

static int put(struct reader *reader, int target, const char *bytes, size_t length,
               struct error *err)
{
    if (target != reader->target || length > OUTPUT_SIZE - reader->pending) {
        int rc = flush(reader, err);
        if (rc < 0)
            return rc;
        reader->target = target;
    }
    if (length > OUTPUT_SIZE) {
        int rc = write_all(target, bytes, length);
        return rc < 0 ? error_set(err, rc, "cannot write: %s", error_describe(rc)) : 0;
    }
    memcpy(reader->output + reader->pending, bytes, length);
    reader->pending += length;
    return 0;
}

static int show(struct reader *reader, char *line, size_t length, struct error *err)
{
    const struct log_query *query = reader->query;
    struct log_line entry;
    if (log_line_parse(line, length, &entry) < 0 || !log_line_chosen(&entry, query))
        return 0;
    int target = entry.stream == LOG_STDERR ? query->err : query->out;
    bool *unfinished = &reader->unfinished[entry.stream];
    if (query->timestamps && !*unfinished) {
        nanoseconds when;
        char stamp[RFC3339_MAX + 1];
        if (log_line_time(&entry, &when) < 0)
            return 0;
        format_rfc3339(when, stamp);
        size_t stamp_length = strlen(stamp);
        stamp[stamp_length++] = ' ';
        int rc = put(reader, target, stamp, stamp_length, err);
        if (rc < 0)
            return rc;
    }
    *unfinished = entry.length == 0 || entry.text[entry.length - 1] != '\n';
    return put(reader, target, entry.text, entry.length, err);
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
    return rc < 0 ? rc : flush(reader, err);
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
    return rc < 0 ? rc : flush(reader, err);
}

static bool writer_ended(const struct log_query *query)
{
    if (query->state_dir >= 0 && faccessat(query->state_dir, EXIT_RECORD_NAME, F_OK, 0) == 0)
        return true;
    struct pollfd process = {.fd = query->pidfd, .events = POLLIN};
    if (query->pidfd >= 0 && poll(&process, 1, 0) > 0)
        return true;
    return query->until != 0 && clock_wall() > query->until;
}

static int watch_directory(int inotify, int dir, struct error *err)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", dir);
    /* The log and the state may share a directory: then both ask for the same. */
    if (inotify_add_watch(inotify, path, IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_ONLYDIR) < 0)
        return error_errno(err, "cannot follow the log");
    return 0;
}

static int until_timeout(nanoseconds until)
{
    if (until == 0)
        return -1;
    nanoseconds left = (until - clock_wall()) / 1000000 + 1;
    return left < 0 ? 0 : left > INT32_MAX ? INT32_MAX : (int)left;
}

/* Returns when something changed. -EPIPE when nobody reads any more. */
static int wait_for_change(int inotify, const struct log_query *query, struct error *err)
{
    char events[4096];
    struct pollfd fds[] = {{.fd = inotify, .events = POLLIN},
                           {.fd = query->pidfd, .events = POLLIN},
                           {.fd = query->out},
                           {.fd = query->err}};
    int n = poll(fds, sizeof fds / sizeof *fds, until_timeout(query->until));
    if (n < 0 && errno != EINTR)
        return error_errno(err, "cannot follow the log");
    if (n > 0 && ((fds[2].revents | fds[3].revents) & POLLERR))
        return error_set(err, -EPIPE, "nobody reads the output any more");
    while (read(inotify, events, sizeof events) > 0)
        ;
    return 0;
}

static int follow(struct reader *reader, int inotify, struct error *err)
{
    for (;;) {
        bool last = writer_ended(reader->query); /* asked first: all it wrote is there by then */
        int rc = catch_up(reader, err);
        if (rc < 0 || last)
            return rc;
        rc = wait_for_change(inotify, reader->query, err);
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
        .output = xmalloc(OUTPUT_SIZE),
        .target = -1,
        .current = -1,
    };
    if (!query->follow)
        return read_present(&reader, err);
    autofd inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (inotify < 0)
        return error_errno(err, "cannot follow the log");
    int rc = watch_directory(inotify, log_dirfd, err);
    if (rc == 0 && query->state_dir >= 0)
        rc = watch_directory(inotify, query->state_dir, err);
    if (rc == 0)
        rc = read_present(&reader, err);
    return rc < 0 ? rc : follow(&reader, inotify, err);
}
