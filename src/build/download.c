/* SPDX-License-Identifier: Apache-2.0 */
/* The builder's side of caisson-fetch: what that says is judged like what a server says, and the
 * digest is made here. */
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/memory.h"
#include "base/process.h"
#include "base/text.h"
#include "build/fetching.h"

#define ANSWER_MAX 8192
#define READ_SIZE ((size_t)256 << 10)

static int request_file(const struct fetching *f, const struct remote *remote,
                        const struct url_record *known, struct error *err)
{
    autobuf text = {0};
    autofd fd = memfd_create("request", MFD_CLOEXEC);
    buf_fmt(&text, "url %s\n", remote->address);
    if (remote->user)
        buf_fmt(&text, "user %s\n", remote->user);
    if (remote->password)
        buf_fmt(&text, "password %s\n", remote->password);
    if (known && known->etag[0])
        buf_fmt(&text, "etag %s\n", known->etag);
    if (known && known->modified >= 0)
        buf_fmt(&text, "modified %lld\n", (long long)known->modified);
    for (size_t i = 0; f->egress && i < f->egress->len; i++)
        buf_fmt(&text, "egress %s\n", f->egress->items[i]);
    int rc = fd < 0 ? -errno : write_all(fd, text.data, text.len);
    explicit_bzero(text.data, text.len);
    if (rc == 0 && lseek(fd, 0, SEEK_SET) < 0)
        rc = -errno;
    return rc < 0 ? error_set(err, rc, "cannot ask for a download: %s", error_describe(rc))
                  : take_fd(&fd);
}

/* "error CODE SENTENCE" */
static int read_error(const char *text, struct error *err)
{
    autobuf shown = {0};
    uint64_t code;
    autofree char *number = xstrndup(text, strcspn(text, " \n"));
    const char *sentence = text + strlen(number);
    sentence += *sentence == ' ';
    autofree char *line = xstrndup(sentence, strcspn(sentence, "\n"));
    buf_printable(&shown, line);
    if (parse_u64(number, 4095, &code) < 0 || code == 0)
        code = EIO;
    return error_set(err, -(int)code, "%.900s", buf_text(&shown));
}

static int read_answer(const char *text, struct url_record *out, bool *unchanged, struct error *err)
{
    autostrv lines = {0};
    *out = (struct url_record){.modified = -1};
    *unchanged = false;
    if (starts_with(text, "error "))
        return read_error(text + strlen("error "), err);
    strv_split(&lines, text, '\n');
    if (!streq(lines.items[0], "ok"))
        return error_set(err, -EPROTO, "caisson-fetch ended without a word: build again");
    for (size_t i = 1; i < lines.len; i++) {
        const char *line = lines.items[i];
        uint64_t seconds;
        if (streq(line, "unchanged 1"))
            *unchanged = true;
        else if (starts_with(line, "modified ") &&
                 parse_u64(line + strlen("modified "), INT64_MAX / NSEC_PER_SEC, &seconds) == 0)
            out->modified = (int64_t)seconds;
        else if (starts_with(line, "etag ") && strlen(line) - strlen("etag ") < ETAG_MAX)
            snprintf(out->etag, sizeof out->etag, "%s", line + strlen("etag "));
    }
    return 0;
}

static int run_worker(const struct fetching *f, int request, int to, struct buf *answer,
                      struct error *err)
{
    char name[] = "caisson-fetch";
    char *const words[] = {name, NULL};
    int ends[2], status;
    pid_t pid;
    if (pipe2(ends, O_CLOEXEC) < 0)
        return error_errno(err, "cannot make a pipe");
    autofd reader = ends[0];
    const struct process_spec spec = {.program = f->place->fetcher,
                                      .argv = words,
                                      .fds = {request, ends[1], -1},
                                      .line = &to,
                                      .line_count = 1,
                                      .die_with_us = true};
    int rc = process_start(&spec, &pid, NULL, err);
    close(ends[1]);
    if (rc < 0)
        return rc;
    rc = read_fd(reader, ANSWER_MAX, answer);
    close(take_fd(&reader));
    int waited = process_wait(pid, &status, err);
    if (rc < 0)
        return error_set(err, rc, "cannot read what caisson-fetch says: %s", error_describe(rc));
    if (waited == 0 && WIFSIGNALED(status))
        return error_set(err, -EIO, "caisson-fetch was killed by signal %d", WTERMSIG(status));
    return waited;
}

static int digest(int fd, char hex[SHA256_HEX], struct error *err)
{
    struct sha256 hash;
    unsigned char bytes[SHA256_BYTES];
    autofree char *buffer = xmalloc(READ_SIZE);
    off_t at = 0;
    ssize_t n;
    sha256_start(&hash);
    while ((n = pread(fd, buffer, READ_SIZE, at)) > 0) {
        sha256_add(&hash, buffer, (size_t)n);
        at += n;
    }
    int rc = n < 0 ? -errno : 0;
    sha256_end(&hash, bytes);
    hex_encode(bytes, sizeof bytes, hex);
    return rc < 0 ? error_set(err, rc, "cannot read what was downloaded: %s", error_describe(rc))
                  : 0;
}

int download(const struct fetching *f, const struct remote *remote, const struct url_record *known,
             int to, struct url_record *out, bool *unchanged, struct error *err)
{
    autobuf answer = {0};
    if (f->forbidden)
        return error_set(err, -EACCES,
                         "%.300s cannot be fetched with --network none: leave that out, or give "
                         "--egress for what may be reached",
                         remote->address);
    if (!f->place->fetcher)
        return error_set(err, -ENOENT,
                         "caisson-fetch, which downloads %.300s, is not beside caisson-build: "
                         "install caisson whole (make install)",
                         remote->address);
    autofd request = request_file(f, remote, known, err);
    int rc = request < 0 ? request : run_worker(f, request, to, &answer, err);
    if (rc == 0)
        rc = read_answer(buf_text(&answer), out, unchanged, err);
    if (rc < 0 || *unchanged)
        return rc < 0 ? rc : known ? 0 : error_set(err, -EPROTO, "a download is not there");
    const struct timespec times[] = {{.tv_nsec = UTIME_OMIT},
                                     {.tv_sec = out->modified >= 0 ? (time_t)out->modified : 0}};
    if (futimens(to, times) < 0)
        return error_errno(err, "cannot set the time of a download");
    return digest(to, out->digest, err);
}
