/* SPDX-License-Identifier: Apache-2.0 */
#include "container/journal_read.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/memory.h"
#include "base/process.h"
#include "base/strv.h"
#include "container/journal.h"
#include "container/journal_export.h"
#include "container/log_follow.h"
#include "container/log_show.h"

#define JOURNALCTL "/usr/bin/journalctl"
#define UID_MAP_MAX (64 * 1024)

enum way { ONWARD, BACKWARD, FOLLOWING };

struct reader {
    const char *id;
    const struct log_query *query;
    struct log_show show;
    /* What was read and is not a whole entry yet. */
    char *input;
    size_t length;
    /* journalctl, and its output; -1 each while none runs. */
    pid_t child;
    int from;
    /* Where the next one begins; empty: where the query does. */
    char cursor[JOURNAL_CURSOR_MAX];
    bool after; /* and not with that entry itself */
    /* Looking for the last lines. */
    int64_t lines;
    bool seen[2];
};

/* Something other than 0 ends the reading. */
typedef int each_entry(struct reader *reader, const struct journal_entry *entry, struct error *err);

static void reader_free(struct reader *reader)
{
    if (reader->from >= 0)
        close(reader->from);
    if (reader->child > 0) {
        (void)kill(reader->child, SIGTERM);
        (void)process_wait(reader->child, &(int){0}, NULL);
    }
    log_show_free(&reader->show);
    free(reader->input);
}

/* --- journalctl ------------------------------------------------------------------------------- */

/* Nothing of ours changes what it does. */
static char *const environment[] = {(char[]){"LC_ALL=C.UTF-8"}, NULL};

/* Who we are outside of our user namespace, which is how the journal sees our monitors. */
static int uid_outside(uid_t *uid, struct error *err)
{
    autobuf map = {0};
    uint32_t own = getuid(), inside, outside, count;
    int rc = read_kernel_file("/proc/self/uid_map", UID_MAP_MAX, &map, err);
    if (rc < 0)
        return rc;
    for (const char *line = buf_text(&map); line && *line; line = strchr(line, '\n')) {
        line += strspn(line, "\n");
        if (sscanf(line, "%u %u %u", &inside, &outside, &count) == 3 && own >= inside &&
            own - inside < count) {
            *uid = outside + (own - inside);
            return 0;
        }
    }
    return error_set(err, -ENOENT, "/proc/self/uid_map does not name user %u", own);
}

static int words(const struct reader *reader, enum way way, struct strv *argv, struct error *err)
{
    uid_t uid;
    int rc = uid_outside(&uid, err);
    if (rc < 0)
        return rc;
    static const char *const always[] = {
        "journalctl", "--quiet",         "--no-pager",
        "--all",      "--output=export", "--output-fields=" JOURNAL_EXPORT_FIELDS};
    for (size_t i = 0; i < sizeof always / sizeof *always; i++)
        strv_add(argv, always[i]);
    if (way == BACKWARD)
        strv_add(argv, "--reverse");
    if (way == FOLLOWING) {
        strv_add(argv, "--follow");
        strv_add(argv, "--no-tail");
    }
    if (*reader->cursor)
        strv_fmt(argv, "--%scursor=%s", reader->after ? "after-" : "", reader->cursor);
    else if (reader->query->since > NSEC_PER_SEC) /* the journal's own times are a little later */
        strv_fmt(argv, "--since=@%lld", (long long)(reader->query->since / NSEC_PER_SEC - 1));
    strv_fmt(argv, "CONTAINER_ID_FULL=%s", reader->id);
    strv_fmt(argv, "_UID=%u", uid);
    return 0;
}

static int start(struct reader *reader, enum way way, struct error *err)
{
    autostrv argv = {0};
    int ends[2];
    int rc = words(reader, way, &argv, err);
    if (rc < 0)
        return rc;
    if (pipe2(ends, O_CLOEXEC) < 0)
        return error_errno(err, "cannot read the journal");
    autofd from = ends[0];
    autofd to = ends[1];
    if (way == FOLLOWING && fcntl(from, F_SETFL, O_NONBLOCK) < 0)
        return error_errno(err, "cannot read the journal");
    const struct process_spec spec = {.program = JOURNALCTL,
                                      .argv = strv_argv(&argv),
                                      .environment = environment,
                                      .fds = {-1, to, STDERR_FILENO}};
    rc = process_start(&spec, &reader->child, NULL, err);
    if (rc == -ENOENT)
        return error_set(err, rc,
                         JOURNALCTL " is missing, which reads the log of a container with "
                                    "--log-driver journald: install systemd's journal");
    if (rc == 0) {
        reader->from = take_fd(&from);
        reader->length = 0;
    }
    return rc;
}

/* It has said all that is wanted. */
static void stop(struct reader *reader)
{
    close(take_fd(&reader->from));
    (void)kill(reader->child, SIGTERM);
    (void)process_wait(reader->child, &(int){0}, NULL);
    reader->child = -1;
}

/* At the end of its output. */
static int ended(struct reader *reader, struct error *err)
{
    int status = 0;
    close(take_fd(&reader->from));
    int rc = process_wait(reader->child, &status, err);
    reader->child = -1;
    if (rc == 0 && status != 0)
        return error_set(err, -ECHILD,
                         "journalctl failed with status %d: may this user read the journal (group "
                         "systemd-journal)?",
                         process_exit_code(status));
    return rc;
}

/* What was sent before is in the journal afterwards. Not everybody may ask for that. */
static void let_it_settle(void)
{
    const struct process_spec spec = {
        .program = JOURNALCTL,
        .argv = (char *[]){(char[]){"journalctl"}, (char[]){"--sync"}, NULL},
        .environment = environment,
        .fds = {-1, -1, -1}};
    (void)process_run(&spec, NULL, 0, NULL);
}

/* --- entries ---------------------------------------------------------------------------------- */

static void remember(struct reader *reader, const struct journal_entry *entry, bool after)
{
    if (!entry->cursor || entry->cursor_length >= sizeof reader->cursor)
        return;
    memcpy(reader->cursor, entry->cursor, entry->cursor_length);
    reader->cursor[entry->cursor_length] = '\0';
    reader->after = after;
}

static int each_whole_entry(struct reader *reader, each_entry *each, struct error *err)
{
    size_t at = 0;
    ssize_t n = 0;
    int rc = 0;
    struct journal_entry entry;
    while (rc == 0 &&
           (n = journal_entry_parse(reader->input + at, reader->length - at, &entry)) > 0) {
        rc = each(reader, &entry, err);
        at += (size_t)n;
    }
    reader->length -= at;
    memmove(reader->input, reader->input + at, reader->length);
    if (rc == 0 && (n < 0 || reader->length == JOURNAL_ENTRY_MAX))
        return error_set(err, -EBADMSG, "journalctl gave an entry that is damaged or over %d KiB",
                         JOURNAL_ENTRY_MAX / 1024);
    return rc;
}

/* All there is. -ENODATA at the end; while following -EAGAIN when there may be more later. */
static int take_in(struct reader *reader, each_entry *each, struct error *err)
{
    for (;;) {
        ssize_t n =
            read(reader->from, reader->input + reader->length, JOURNAL_ENTRY_MAX - reader->length);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno != EAGAIN)
            return error_errno(err, "cannot read from journalctl");
        if (n <= 0)
            return n < 0 ? -EAGAIN : -ENODATA;
        reader->length += (size_t)n;
        int rc = each_whole_entry(reader, each, err);
        if (rc != 0)
            return rc;
    }
}

static int show(struct reader *reader, const struct journal_entry *entry, struct error *err)
{
    remember(reader, entry, true);
    if (!entry->is_output || !log_query_chooses(reader->query, entry->stream, entry->when))
        return 0;
    return log_show_entry(&reader->show, entry->stream, entry->when, entry->text, entry->length,
                          err);
}

/* From the last entry backwards, until there are as many lines as were asked for. The part of a
 * line belongs to the entry that ends it, which was seen before. */
static int count_back(struct reader *reader, const struct journal_entry *entry, struct error *err)
{
    (void)err;
    if (reader->query->tail == 0) {
        remember(reader, entry, true);
        return 1;
    }
    if (!entry->is_output || !log_query_chooses(reader->query, entry->stream, entry->when))
        return 0;
    bool is_line = !entry->partial || !reader->seen[entry->stream];
    reader->seen[entry->stream] = true;
    if (is_line && reader->lines == reader->query->tail)
        return 1;
    reader->lines += is_line;
    remember(reader, entry, false);
    return 0;
}

/* --- reading ---------------------------------------------------------------------------------- */

/* To the end that it has now. */
static int read_to_end(struct reader *reader, enum way way, each_entry *each, struct error *err)
{
    int rc = start(reader, way, err);
    if (rc < 0)
        return rc;
    rc = take_in(reader, each, err);
    if (rc == -ENODATA)
        rc = ended(reader, err);
    else if (rc > 0)
        stop(reader);
    return rc < 0 ? rc : log_show_flush(&reader->show, err);
}

static int follow(struct reader *reader, struct error *err)
{
    autofd watched = log_follow_open(reader->query, -1, err);
    if (watched < 0)
        return watched;
    int rc = start(reader, FOLLOWING, err);
    while (rc == 0) {
        bool last = log_follow_over(reader->query);
        rc = take_in(reader, show, err);
        if (rc == -ENODATA)
            return ended(reader, err);
        if (rc == -EAGAIN)
            rc = log_show_flush(&reader->show, err);
        if (last)
            break;
        if (rc == 0)
            rc = log_follow_wait(reader->query, watched, reader->from, err);
    }
    if (rc < 0)
        return rc;
    stop(reader);
    let_it_settle();
    return read_to_end(reader, ONWARD, show, err);
}

int journal_read(const char *id, const struct log_query *query, struct error *err)
{
    __attribute__((cleanup(reader_free))) struct reader reader = {
        .id = id,
        .query = query,
        .input = xmalloc(JOURNAL_ENTRY_MAX),
        .child = -1,
        .from = -1,
    };
    log_show_start(&reader.show, query);
    let_it_settle();
    int rc = query->tail >= 0 ? read_to_end(&reader, BACKWARD, count_back, err) : 0;
    if (rc < 0 || (query->tail == 0 && !query->follow))
        return rc;
    return query->follow ? follow(&reader, err) : read_to_end(&reader, ONWARD, show, err);
}
