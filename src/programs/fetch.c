/* SPDX-License-Identifier: Apache-2.0 */
/*
 * caisson-fetch: one download, for caisson-build.
 *
 *   0   what is asked for, as lines (fetch/request.c); no word of it is on the command line, where
 *       everybody reads it
 *   1   what came of it: "ok", then lines; or "error CODE SENTENCE"
 *   3   the file
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "fetch/fetch.h"

static int read_request(struct fetch_request *out, struct error *err)
{
    autobuf text = {0};
    int rc = read_fd(STDIN_FILENO, FETCH_REQUEST_MAX, &text);
    if (rc < 0)
        return error_set(err, rc, "cannot read what to fetch: %s", error_describe(rc));
    rc = fetch_request_read(buf_text(&text), out, err);
    explicit_bzero(text.data, text.len);
    return rc;
}

/* The kernel's word on it as well. */
static int bound(uint64_t most, struct error *err)
{
    const struct rlimit size = {.rlim_cur = most, .rlim_max = most}, core = {0};
    signal(SIGXFSZ, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    if (setrlimit(RLIMIT_FSIZE, &size) < 0 || setrlimit(RLIMIT_CORE, &core) < 0 ||
        prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        return error_errno(err, "cannot bound the size of a download");
    return 0;
}

static int fetch(struct fetch_answer *out, struct error *err)
{
    struct fetch_request request __attribute__((cleanup(fetch_request_free))) = {0};
    struct fetch_authorities authorities;
    int rc = read_request(&request, err);
    if (rc == 0)
        rc = bound(request.most, err);
    if (rc == 0)
        rc = fetch_prepare(err);
    fetch_authorities_find(&authorities);
    if (rc == 0)
        rc = fetch_confine(&authorities, err);
    return rc < 0 ? rc : fetch_transfer(&request, &authorities, FETCH_TO, out, err);
}

int main(void)
{
    struct fetch_answer answer = {.modified = -1};
    struct error err = {0};
    autobuf text = {0};
    int rc = fetch(&answer, &err);
    if (rc < 0) {
        buf_fmt(&text, "error %d %s\n", -rc, err.text);
    } else {
        buf_fmt(&text, "ok\nunchanged %d\nsize %llu\n", answer.unchanged,
                (unsigned long long)answer.size);
        if (answer.modified >= 0)
            buf_fmt(&text, "modified %lld\n", (long long)answer.modified);
        if (answer.etag[0])
            buf_fmt(&text, "etag %s\n", answer.etag);
    }
    (void)write_all(STDOUT_FILENO, text.data, text.len);
    return rc < 0;
}
