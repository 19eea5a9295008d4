/* SPDX-License-Identifier: Apache-2.0 */
#include "container/log_files.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "container/log_line.h"

/* A rotation in progress leaves one name free, and the next may begin while we look: only several
 * free names in a row are the end. (Counted in all, a slow reader that met a few rotations on its
 * way through many files would stop before the oldest.) */
#define GAPS_MAX 3
#define LOOKS_MAX 1000 /* for a writer that turns over faster than we look */
#define FIRST_WINDOW (32 * 1024)

static bool known(const struct log_files *files, const struct stat *st)
{
    for (size_t i = 0; i < files->count; i++)
        if (files->file[i].device == st->st_dev && files->file[i].inode == st->st_ino)
            return true;
    return false;
}

void log_files_close(struct log_files *files)
{
    for (size_t i = 0; i < files->count; i++)
        if (files->file[i].fd >= 0)
            close(files->file[i].fd);
    files->count = 0;
}

/* From the newest to the oldest: a file that is renamed meanwhile is met a second time, which
 * known() sees; the other way round it would be missed. */
static int look_through(int dir, int after, struct log_files *files, struct error *err)
{
    struct stat old = {0}, st;
    unsigned gaps = 0;
    if (after >= 0 && fstat(after, &old) < 0)
        return error_errno(err, "cannot read the log");
    files->count = 0;
    for (unsigned i = 0; i <= LOG_FILES_MAX && gaps < GAPS_MAX; i++) {
        char name[LOG_FILE_NAME_MAX];
        log_file_name(i, name);
        autofd fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
        if (fd < 0 && errno == ENOENT) {
            gaps++;
            continue;
        }
        int rc = fd < 0 || fstat(fd, &st) < 0 ? error_errno(err, "cannot open the log %s", name)
                 : S_ISREG(st.st_mode)        ? 0
                                       : error_set(err, -EINVAL, "the log %s is no file", name);
        if (rc < 0) {
            log_files_close(files);
            return rc;
        }
        gaps = 0;
        if (after >= 0 && st.st_dev == old.st_dev && st.st_ino == old.st_ino)
            break;
        if (known(files, &st))
            continue;
        files->file[files->count].device = st.st_dev;
        files->file[files->count].inode = st.st_ino;
        files->file[files->count++].fd = take_fd(&fd);
    }
    return 0;
}

/* Whether a rotation began since we met the newest file: then what we met later may be newer still,
 * where we were away for as long as all files take to turn over. */
static bool turned_over(int dir, const struct log_files *files)
{
    struct stat st;
    if (files->count == 0)
        return false;
    return fstatat(dir, LOG_NAME, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
           st.st_dev != files->file[0].device || st.st_ino != files->file[0].inode;
}

int log_files_open(int dir, int after, struct log_files *files, struct error *err)
{
    int rc = 0;
    for (int i = 0; i < LOOKS_MAX; i++) {
        rc = look_through(dir, after, files, err);
        if (rc < 0 || !turned_over(dir, files) || i + 1 == LOOKS_MAX)
            break;
        log_files_close(files);
    }
    return rc;
}

/* --- the last lines --------------------------------------------------------------------------- */

struct tail {
    const struct log_query *query;
    int64_t lines;
    bool met[2]; /* an entry of the stream was seen */
};

/* Going backwards: whether one line too many ends with this entry. */
static bool too_many(struct tail *tail, char *line, size_t length)
{
    struct log_line entry;
    if (log_line_parse(line, length, &entry) < 0 || !log_line_chosen(&entry, tail->query))
        return false;
    bool ends = entry.length > 0 && entry.text[entry.length - 1] == '\n';
    if (ends || !tail->met[entry.stream])
        tail->lines++;
    tail->met[entry.stream] = true;
    return tail->lines > tail->query->tail;
}

/* The whole lines of a window, last first. *end becomes the end of what was not looked at, as an
 * index into the window, or, when the place was found, the place. */
static bool search_window(struct tail *tail, char *window, size_t length, bool from_start,
                          size_t *end)
{
    char *newline = memrchr(window, '\n', length);
    while (newline) {
        char *before = memrchr(window, '\n', (size_t)(newline - window));
        *end = (size_t)(newline - window) + 1;
        if (!before && !from_start)
            return false;
        char *start = before ? before + 1 : window;
        if (too_many(tail, start, (size_t)(newline - start)))
            return true;
        *end = (size_t)(start - window);
        newline = before;
    }
    return false;
}

/* 1 when the place is in this file, 0 when it is in an older one, or -errno. */
static int search_file(struct tail *tail, int fd, char *buffer, off_t *place)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return -errno;
    size_t window = FIRST_WINDOW;
    for (off_t end = st.st_size; end > 0;) {
        off_t begin = end > (off_t)window ? end - (off_t)window : 0;
        ssize_t got = pread(fd, buffer, (size_t)(end - begin), begin);
        if (got <= 0)
            return got < 0 ? -errno : 0;
        size_t rest = (size_t)got;
        if (search_window(tail, buffer, rest, begin == 0, &rest)) {
            *place = begin + (off_t)rest;
            return 1;
        }
        if (begin == 0)
            break;
        if (rest < (size_t)got)
            end = begin + (off_t)rest;
        else if (window < LOG_BUFFER_SIZE)
            window *= 2;
        else
            end = begin; /* longer than any entry */
    }
    return 0;
}

int log_files_tail(const struct log_files *files, const struct log_query *query, char *buffer,
                   struct log_place *place, struct error *err)
{
    struct tail tail = {.query = query};
    for (size_t i = 0; i < files->count; i++) {
        off_t offset = 0;
        int rc = search_file(&tail, files->file[i].fd, buffer, &offset);
        if (rc < 0)
            return error_set(err, rc, "cannot read the log: %s", error_describe(rc));
        if (rc > 0) {
            *place = (struct log_place){i, offset};
            return 0;
        }
    }
    *place = (struct log_place){files->count ? files->count - 1 : 0, 0};
    return 0;
}
