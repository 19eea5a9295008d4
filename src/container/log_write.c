/* SPDX-License-Identifier: Apache-2.0 */
#include "container/log_write.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "container/log_escape.h"
#include "container/numbers.h"

#define DROPPED_NAME "log-dropped"
/* {"log":"","stream":"stdout","time":"…"} and a newline, generously */
#define FRAME_MAX 96

_Static_assert(LOG_ENTRY_MAX *LOG_ESCAPE_FACTOR + FRAME_MAX + LOG_ESCAPE_SLACK <=
                   sizeof((struct log_writer *)0)->out,
               "an entry has to fit");

void log_file_name(unsigned index, char name[LOG_FILE_NAME_MAX])
{
    memcpy(name, LOG_NAME, sizeof LOG_NAME);
    if (index == 0)
        return;
    size_t length = sizeof LOG_NAME - 1;
    name[length++] = '.';
    length += number_format(index, name + length);
    name[length] = '\0';
}

/* Ends a line that a crash cut, so that only that one is lost. */
static int mend_end(int fd, int64_t *size)
{
    char last;
    if (*size == 0 || pread(fd, &last, 1, *size - 1) != 1 || last == '\n')
        return 0;
    ssize_t n = write(fd, "\n", 1);
    if (n != 1)
        return n < 0 ? -errno : -ENOSPC;
    *size += 1;
    return 0;
}

static int open_newest(struct log_writer *log)
{
    if (log->fd >= 0)
        return 0;
    autofd fd =
        openat(log->dir, LOG_NAME, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0)
        return -errno;
    int64_t size = st.st_size;
    int rc = mend_end(fd, &size);
    if (rc < 0)
        return rc;
    log->size = size;
    log->fd = take_fd(&fd);
    return 0;
}

static void close_newest(struct log_writer *log)
{
    if (log->fd >= 0)
        close(take_fd(&log->fd));
}

static void drop(struct log_writer *log, uint64_t lines, int rc)
{
    log->dropped += lines;
    if (log->dropped_errno == 0)
        log->dropped_errno = -rc;
}

/* Every entry holds one newline byte, its last. */
static uint64_t count_lines(const char *at, const char *end)
{
    uint64_t lines = 0;
    while ((at = memchr(at, '\n', (size_t)(end - at)))) {
        at++;
        lines++;
    }
    return lines;
}

/* After a write that failed at byte `done` of what is pending: whole entries stay, a cut one goes.
 * Where it cannot be taken back, opening the file again ends its line. */
static void keep_whole(struct log_writer *log, size_t done, int rc)
{
    size_t whole = done;
    while (whole > 0 && log->out[whole - 1] != '\n')
        whole--;
    drop(log, count_lines(log->out + whole, log->out + log->pending), rc);
    if (whole < done && ftruncate(log->fd, log->size + (int64_t)whole) < 0)
        close_newest(log);
    log->size += (int64_t)whole;
    log->pending = 0;
}

void log_writer_flush(struct log_writer *log)
{
    if (log->pending == 0)
        return;
    int rc = open_newest(log);
    if (rc < 0) {
        drop(log, count_lines(log->out, log->out + log->pending), rc);
        log->pending = 0;
        return;
    }
    for (size_t done = 0; done < log->pending;) {
        ssize_t n = write(log->fd, log->out + done, log->pending - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            keep_whole(log, done, n < 0 ? -errno : -ENOSPC);
            return;
        }
        done += (size_t)n;
    }
    log->size += (int64_t)log->pending;
    log->pending = 0;
}

/* A missing file is no error: a crash between two renames leaves a gap. */
static int rotate(struct log_writer *log)
{
    char from[LOG_FILE_NAME_MAX], to[LOG_FILE_NAME_MAX];
    close_newest(log);
    if (log->max_file <= 1)
        return unlinkat(log->dir, LOG_NAME, 0) < 0 && errno != ENOENT ? -errno : 0;
    for (unsigned i = log->max_file - 1; i > 0; i--) {
        log_file_name(i - 1, from);
        log_file_name(i, to);
        if (renameat(log->dir, from, log->dir, to) < 0 && errno != ENOENT)
            return -errno;
    }
    return 0;
}

/* The time as Docker's library writes it: no zeros at the end of the fraction. */
static void set_stamp(struct log_writer *log, nanoseconds now)
{
    if (log->stamp_length > 0 && log->stamp_time == now)
        return;
    format_rfc3339(now, log->stamp);
    size_t length = strlen(log->stamp) - 1; /* without the Z */
    while (log->stamp[length - 1] == '0')
        length--;
    if (log->stamp[length - 1] == '.')
        length--;
    log->stamp[length] = 'Z';
    log->stamp_length = length + 1;
    log->stamp_time = now;
}

static char *put(char *at, const char *text, size_t length)
{
    memcpy(at, text, length);
    return at + length;
}
#define PUT(at, literal) put(at, literal, sizeof(literal) - 1)

/* Builds the entry behind what is pending; its length. */
static size_t build(struct log_writer *log, enum log_stream stream, const char *bytes,
                    size_t length)
{
    char *at = log->out + log->pending;
    at = PUT(at, "{\"log\":\"");
    at = log_escape(at, bytes, length);
    at = stream == LOG_STDERR ? PUT(at, "\",\"stream\":\"stderr\",\"time\":\"")
                              : PUT(at, "\",\"stream\":\"stdout\",\"time\":\"");
    at = put(at, log->stamp, log->stamp_length);
    at = PUT(at, "\"}\n");
    return (size_t)(at - (log->out + log->pending));
}

static void add_to_journal(struct log_writer *log, enum log_stream stream, const char *bytes,
                           size_t length, nanoseconds now)
{
    int rc = journal_send(log->journal, stream == LOG_STDERR, bytes, length, now);
    if (rc < 0)
        drop(log, 1, rc);
}

static void add_entry(struct log_writer *log, enum log_stream stream, const char *bytes,
                      size_t length, nanoseconds now)
{
    if (log->journal) {
        add_to_journal(log, stream, bytes, length, now);
        return;
    }
    if (log->pending + length * LOG_ESCAPE_FACTOR + FRAME_MAX + LOG_ESCAPE_SLACK > sizeof log->out)
        log_writer_flush(log);
    set_stamp(log, now);
    size_t entry = build(log, stream, bytes, length);
    if (log->max_size > 0 && log->fd < 0)
        (void)open_newest(log); /* to know its size; flushing tells what is wrong */
    int64_t before = log->size + (int64_t)log->pending;
    if (log->max_size > 0 && before > 0 && before + (int64_t)entry > log->max_size) {
        const char *built = log->out + log->pending;
        log_writer_flush(log);
        int rc = rotate(log);
        if (rc < 0) {
            drop(log, 1, rc); /* rather than grow without end */
            return;
        }
        log->size = 0;
        memmove(log->out, built, entry);
    }
    log->pending += entry;
}

void log_writer_start(struct log_writer *log, int dir, int64_t max_size, unsigned max_file)
{
    char name[LOG_FILE_NAME_MAX];
    log->dir = dir;
    log->journal = NULL;
    log->max_size = max_size;
    log->max_file = max_file < 1 ? 1 : max_file > LOG_FILES_MAX ? LOG_FILES_MAX : max_file;
    log->fd = -1;
    log->size = 0;
    log->pending = 0;
    log->dropped = 0;
    log->dropped_errno = 0;
    log->stamp_length = 0;
    log->rest_length[LOG_STDOUT] = log->rest_length[LOG_STDERR] = 0;
    if (dir < 0)
        return;
    /* What is left of an earlier, longer row. */
    for (unsigned i = log->max_file; i <= LOG_FILES_MAX; i++) {
        log_file_name(i, name);
        if (unlinkat(dir, name, 0) < 0)
            break;
    }
}

void log_writer_start_journal(struct log_writer *log, struct journal *journal)
{
    log_writer_start(log, -1, 0, 1);
    log->journal = journal;
}

static bool is_discarding(const struct log_writer *log)
{
    return log->dir < 0 && !log->journal;
}

/* Ends the entry before a character that its last bytes only begin. */
static size_t cut_before_character(const char *bytes, size_t length)
{
    for (size_t back = 1; back <= 3 && back < length; back++) {
        unsigned char c = (unsigned char)bytes[length - back];
        if (c < 0x80)
            break;
        if (c >= 0xc0)
            return back < (c >= 0xf0 ? 4u : c >= 0xe0 ? 3u : 2u) ? length - back : length;
    }
    return length;
}

/* Takes over what is left of a line; returns how many bytes it took. */
static size_t add_to_rest(struct log_writer *log, enum log_stream stream, const char *bytes,
                          size_t length, nanoseconds now)
{
    char *rest = log->rest[stream];
    size_t have = log->rest_length[stream];
    size_t take = length < LOG_ENTRY_MAX - have ? length : LOG_ENTRY_MAX - have;
    memcpy(rest + have, bytes, take);
    have += take;
    if (rest[have - 1] == '\n') {
        add_entry(log, stream, rest, have, now);
        have = 0;
    } else if (have == LOG_ENTRY_MAX) {
        size_t cut = cut_before_character(rest, have);
        add_entry(log, stream, rest, cut, now);
        have -= cut;
        memmove(rest, rest + cut, have);
    }
    log->rest_length[stream] = have;
    return take;
}

void log_writer_add(struct log_writer *log, enum log_stream stream, const char *bytes,
                    size_t length, nanoseconds now)
{
    if (is_discarding(log))
        return;
    if (log->journal)
        journal_turn(log->journal);
    while (length > 0) {
        const char *newline = memchr(bytes, '\n', length);
        size_t take = newline ? (size_t)(newline - bytes) + 1 : length;
        if (log->rest_length[stream] == 0 && newline && take <= LOG_ENTRY_MAX)
            add_entry(log, stream, bytes, take, now);
        else
            take = add_to_rest(log, stream, bytes, take, now);
        bytes += take;
        length -= take;
    }
}

void log_writer_end(struct log_writer *log, enum log_stream stream, nanoseconds now)
{
    if (!is_discarding(log) && log->rest_length[stream] > 0)
        add_entry(log, stream, log->rest[stream], log->rest_length[stream], now);
    log->rest_length[stream] = 0;
}

void log_writer_rest(struct log_writer *log)
{
    log_writer_flush(log);
    for (int i = 0; i < 2; i++)
        if (log->rest_length[i] == 0)
            (void)madvise(log->rest[i], sizeof log->rest[i], MADV_DONTNEED);
    (void)madvise(log->out, sizeof log->out, MADV_DONTNEED);
}

void log_writer_close(struct log_writer *log)
{
    log_writer_flush(log);
    close_newest(log);
    if (log->journal)
        journal_close(log->journal);
}

int log_dropped_write(int state_dir, uint64_t lines, int reason)
{
    int64_t numbers[] = {lines > INT64_MAX ? INT64_MAX : (int64_t)lines, reason};
    return numbers_write(state_dir, DROPPED_NAME, numbers, 2);
}

int log_dropped_read(int state_dir, uint64_t *lines, int *reason)
{
    int64_t numbers[2];
    int rc = numbers_read(state_dir, DROPPED_NAME, numbers, 2);
    if (rc < 0)
        return rc;
    if (numbers[0] < 0 || numbers[1] < 0 || numbers[1] > 4095)
        return -EINVAL;
    *lines = (uint64_t)numbers[0];
    *reason = (int)numbers[1];
    return 0;
}
