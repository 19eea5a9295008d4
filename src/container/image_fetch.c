/* SPDX-License-Identifier: Apache-2.0 */
#include "container/image_fetch.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/process.h"
#include "base/strv.h"

#define NAME_MAX_BYTES 4096

static void make_words(const struct image_fetch *f, struct strv *words)
{
    strv_add(words, "caisson-image");
    strv_add(words, "pull");
    strv_add(words, f->quiet ? "--quiet" : "--for-run");
    strv_add(words, "--no-lock"); /* of the directory that this was typed in */
    strv_fmt(words, "--policy=%s", f->policy);
    if (f->held)
        strv_fmt(words, "--held=%s", f->held);
    if (f->platform && *f->platform)
        strv_fmt(words, "--platform=%s", f->platform);
    if (f->tls_verify >= 0)
        strv_fmt(words, "--tls-verify=%s", f->tls_verify ? "true" : "false");
    if (f->authfile)
        strv_fmt(words, "--authfile=%s", f->authfile);
    strv_add(words, "--");
    strv_add(words, f->name);
}

int image_fetch(const struct image_fetch *f, struct buf *full, struct error *err)
{
    autostrv words = {0};
    int ends[2], status;
    pid_t pid;
    make_words(f, &words);
    if (pipe2(ends, O_CLOEXEC) < 0)
        return error_errno(err, "cannot make a pipe");
    autofd reader = ends[0];
    const struct process_spec spec = {.program = f->worker,
                                      .argv = strv_argv(&words),
                                      .fds = {-1, ends[1], STDERR_FILENO},
                                      .die_with_us = true};
    int rc = process_start(&spec, &pid, NULL, err);
    close(ends[1]);
    if (rc < 0)
        return rc;
    rc = read_fd(reader, NAME_MAX_BYTES, full);
    int waited = process_wait(pid, &status, err);
    if (rc < 0)
        return error_set(err, rc, "cannot read the name of what was fetched: %s",
                         error_describe(rc));
    if (waited < 0)
        return waited;
    while (full->len > 0 && full->data[full->len - 1] == '\n')
        full->data[--full->len] = '\0';
    return status == 0;
}
