/* SPDX-License-Identifier: Apache-2.0 */
#include "store/event_log.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"

static bool has_attribute(const struct event *e, const char *name)
{
    for (size_t i = 0; i < e->count; i++)
        if (streq(e->attributes[i].name, name))
            return true;
    return false;
}

static void write_attributes(const struct event *e, const struct strv *labels, struct json_out *w)
{
    json_begin(w, "Attributes", '{');
    for (size_t i = 0; i < e->count; i++)
        if (e->attributes[i].value)
            json_str(w, e->attributes[i].name, e->attributes[i].value);
    for (size_t i = 0; labels && i < labels->len; i++) {
        const char *label = labels->items[i];
        const char *equals = strchrnul(label, '=');
        autofree char *name = xstrndup(label, (size_t)(equals - label));
        /* They shall not stand in the place of what we say ourselves. */
        if (!has_attribute(e, name))
            json_str(w, name, *equals ? equals + 1 : "");
    }
    json_end(w, '}');
}

/* Docker says some things twice, the older way only for what there was then. */
static void write_older_form(const struct event *e, struct json_out *w)
{
    if (streq(e->type, "volume"))
        return;
    json_str(w, "status", e->action);
    json_str(w, "id", e->id);
    if (e->from)
        json_str(w, "from", e->from);
}

static void write_line(const struct event *e, nanoseconds when, const struct strv *labels,
                       struct buf *out)
{
    struct json_out w = {.buf = out};
    json_begin(&w, NULL, '{');
    json_str(&w, "Type", e->type);
    json_str(&w, "Action", e->action);
    json_begin(&w, "Actor", '{');
    json_str(&w, "ID", e->id);
    write_attributes(e, labels, &w);
    json_end(&w, '}');
    json_str(&w, "scope", "local");
    json_i64(&w, "time", when / NSEC_PER_SEC);
    json_i64(&w, "timeNano", when);
    write_older_form(e, &w);
    json_end(&w, '}');
    buf_char(out, '\n');
}

static int open_newest(int state)
{
    int fd = openat(state, EVENTS_NAME,
                    O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
    return fd < 0 ? -errno : fd;
}

/* Only one who finds it too long renames it, and only what still has the name. */
static void turn_over(int state, int fd)
{
    struct stat ours, named;
    if (lock_fd(fd, LOCK_EX | LOCK_NB) < 0)
        return;
    if (fstat(fd, &ours) == 0 && fstatat(state, EVENTS_NAME, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
        named.st_ino == ours.st_ino && named.st_dev == ours.st_dev)
        (void)renameat(state, EVENTS_NAME, state, EVENTS_OLD_NAME);
}

int event_log_open(int state)
{
    struct stat st;
    autofd fd = open_newest(state);
    if (fd < 0 || fstat(fd, &st) < 0 || st.st_size < EVENTS_MAX)
        return take_fd(&fd);
    turn_over(state, fd);
    return open_newest(state);
}

void event_log_write(int fd, const struct event *event)
{
    autobuf line = {0};
    nanoseconds now = clock_wall();
    if (fd < 0)
        return;
    write_line(event, now, event->labels, &line);
    if (line.len > EVENT_LINE_MAX) {
        buf_clear(&line);
        write_line(event, now, NULL, &line);
    }
    /* In one piece or not at all: a short write would be of a full disk. */
    ssize_t n = write(fd, line.data, line.len);
    (void)n;
}

void event_log_tell(int state, const struct event *event)
{
    autofd fd = event_log_open(state);
    event_log_write(fd, event);
}
