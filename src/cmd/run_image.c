/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/run_image.h"

#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/process.h"
#include "base/strv.h"
#include "base/text.h"
#include "cmd/worker.h"
#include "store/platform.h"

#define NAME_MAX_BYTES 4096

static void fetch_words(const struct request *r, const char *when, struct strv *words)
{
    strv_add(words, "caisson-image");
    strv_add(words, "pull");
    strv_add(words, r->quiet ? "--quiet" : "--for-run");
    strv_fmt(words, "--policy=%s", when);
    if (r->platform)
        strv_fmt(words, "--platform=%s", r->platform);
    if (r->tls_verify >= 0)
        strv_fmt(words, "--tls-verify=%s", r->tls_verify ? "true" : "false");
    if (r->authfile)
        strv_fmt(words, "--authfile=%s", r->authfile);
    strv_add(words, "--");
    strv_add(words, r->image);
}

/* *name: under which it is now. What went wrong is told by the worker itself. */
static int fetch(const struct request *r, const char *when, struct buf *name, struct error *err)
{
    autofree char *program = NULL;
    autostrv words = {0};
    int ends[2], status;
    pid_t pid;
    int rc = worker_path("caisson-image", &program, err);
    if (rc < 0)
        return rc;
    fetch_words(r, when, &words);
    if (pipe2(ends, O_CLOEXEC) < 0)
        return error_errno(err, "cannot make a pipe");
    autofd reader = ends[0];
    const struct process_spec spec = {.program = program,
                                      .argv = strv_argv(&words),
                                      .fds = {-1, ends[1], STDERR_FILENO},
                                      .die_with_us = true};
    rc = process_start(&spec, &pid, NULL, err);
    close(ends[1]);
    if (rc < 0)
        return rc;
    rc = read_fd(reader, NAME_MAX_BYTES, name);
    int waited = process_wait(pid, &status, err);
    if (rc < 0)
        return error_set(err, rc, "cannot read the name of what was fetched: %s",
                         error_describe(rc));
    if (waited < 0)
        return waited;
    if (status != 0)
        return error_set(err, -ENOENT,
                         "no such image: %s, and it was not fetched, as said above ('caisson "
                         "images' lists what is there, --pull never asks no registry)",
                         r->image);
    while (name->len > 0 && name->data[name->len - 1] == '\n')
        name->data[--name->len] = '\0';
    return 0;
}

static int fetch_and_resolve(struct store *store, const struct request *r, const char *when,
                             struct image *out, struct error *err)
{
    autobuf name = {0};
    store_unlock(store); /* or nobody could clean up meanwhile */
    int rc = fetch(r, when, &name, err);
    if (rc == 0)
        rc = store_lock(store, LOCK_SH, err);
    return rc < 0 ? rc : store_resolve(store, buf_text(&name), out, err);
}

/* Docker takes the image that is there for another one then, too. */
static int fits(const struct request *r, const struct image *image, bool *out, struct error *err)
{
    autoplatform wanted = {0};
    *out = true;
    if (!r->platform)
        return 0;
    int rc = platform_parse(r->platform, &wanted, err);
    if (rc == 0)
        *out = platform_matches(&wanted, image->config.os, image->config.architecture,
                                image->config.variant);
    return rc;
}

static bool is_id(const char *text)
{
    return starts_with(text, "sha256:");
}

int front_image(struct store *store, const struct request *r, struct image *out, struct error *err)
{
    const char *when = r->pull ? r->pull : "missing";
    struct error missing = {0};
    bool fitting;
    if (streq(when, "always"))
        return fetch_and_resolve(store, r, when, out, err);
    int rc = store_resolve(store, r->image, out, &missing);
    if (rc == -ENOENT && streq(when, "missing") && !is_id(r->image)) {
        autobuf line = {0};
        buf_fmt(&line, "Unable to find image '%s' locally\n", r->image);
        if (!r->quiet)
            (void)write_all(STDERR_FILENO, line.data, line.len);
        return fetch_and_resolve(store, r, when, out, err);
    }
    if (rc < 0)
        return error_set(err, rc, "%s", missing.text);
    rc = fits(r, out, &fitting, err);
    if (rc == 0 && !fitting && streq(when, "missing")) {
        image_free(out);
        return fetch_and_resolve(store, r, "always", out, err);
    }
    return rc;
}
