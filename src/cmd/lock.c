/* SPDX-License-Identifier: Apache-2.0 */
/* lock: from the files of a project to the digests of their images. */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/memory.h"
#include "base/process.h"
#include "base/text.h"
#include "cmd/build_worker.h"
#include "cmd/lock_parts.h"
#include "cmd/print.h"
#include "cmd/worker.h"
#include "registry/conf.h"

#define ASKED_AT_ONCE 8

static void locking_free(struct locking *l)
{
    free(l->path);
    lockfile_free(&l->lock);
    store_close(&l->store);
    conf_free(l->conf);
    free(l->worker);
    strv_free(&l->names);
    strv_free(&l->needed);
    buf_free(&l->said);
}

/* --- the lock file --- */

static int read_lock(struct locking *l, struct error *err)
{
    autobuf text = {0};
    const char *named = l->options->lock_file;
    l->path = named ? xstrdup(named) : xasprintf("%s/" LOCKFILE_NAME, l->directory);
    int rc = read_named_file(l->path, LOCKFILE_MAX, &text);
    if (rc == -ENOENT)
        return 0;
    if (rc < 0)
        return error_set(err, rc, "cannot read the lock file %s: %s", l->path, error_describe(rc));
    return lockfile_parse(buf_text(&text), text.len, l->path, &l->lock, err);
}

static int write_lock(const struct locking *l, struct error *err)
{
    autobuf text = {0};
    const char *slash = strrchr(l->path, '/');
    autofree char *above = slash ? xstrndup(l->path, (size_t)(slash - l->path) + 1) : xstrdup(".");
    autofd dir = open(above, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        return error_errno(err, "cannot open the directory of %s", l->path);
    lockfile_write(&l->lock, &text);
    int rc =
        write_file_at(dir, slash ? slash + 1 : l->path, text.data, text.len, 0644, DURABLE, err);
    return rc < 0 ? error_prefix(err, "the lock file %s", l->path) : 0;
}

/* --- digests --- */

struct asked {
    pid_t pid;
    int reader;
};

static int ask_one(const struct locking *l, const char *name, struct asked *out, struct error *err)
{
    const struct reach_options *reach = &l->options->reach;
    autostrv words = {0};
    int ends[2];
    strv_add(&words, "caisson-image");
    strv_add(&words, "manifest");
    strv_add(&words, "inspect");
    strv_add(&words, "--digest");
    if (reach->tls_verify >= 0)
        strv_fmt(&words, "--tls-verify=%s", reach->tls_verify ? "true" : "false");
    if (reach->authfile)
        strv_fmt(&words, "--authfile=%s", reach->authfile);
    strv_add(&words, "--");
    strv_add(&words, name);
    if (pipe2(ends, O_CLOEXEC) < 0)
        return error_errno(err, "cannot make a pipe");
    const struct process_spec spec = {.program = l->worker,
                                      .argv = strv_argv(&words),
                                      .fds = {-1, ends[1], STDERR_FILENO},
                                      .die_with_us = true};
    int rc = process_start(&spec, &out->pid, NULL, err);
    close(ends[1]);
    if (rc < 0)
        close(ends[0]);
    else
        out->reader = ends[0];
    return rc;
}

/* Why there is none was told by who asked. */
static int hear(struct asked *asked, char digest[DIGEST_MAX], struct error *err)
{
    autobuf text = {0};
    int status;
    int rc = read_fd(asked->reader, DIGEST_MAX + 1, &text);
    close(asked->reader);
    int waited = process_wait(asked->pid, &status, err);
    if (waited < 0)
        return waited;
    digest[0] = '\0';
    if (rc < 0 || status != 0 || text.len == 0)
        return 0;
    text.data[--text.len] = '\0';
    if (digest_valid(text.data))
        snprintf(digest, DIGEST_MAX, "%s", text.data);
    return 0;
}

static void take(struct locking *l, const char *name, const char *digest)
{
    autoreference ref = {0};
    autobuf shown = {0};
    if (reference_parse(name, &ref, NULL) < 0)
        return;
    reference_familiar(&ref, &shown);
    const char *before = lockfile_find(&l->lock, &ref);
    if (!before)
        buf_fmt(&l->said, "%s: locked to %s\n", buf_text(&shown), digest);
    else if (!streq(before, digest))
        buf_fmt(&l->said, "%s: moved from %s to %s\n", buf_text(&shown), before, digest);
    l->added += !before;
    l->moved += before && !streq(before, digest);
    lockfile_set(&l->lock, name, digest);
}

/* What is said of one registry is for one. */
static int check_reach(const struct locking *l, struct error *err)
{
    for (size_t i = 1; l->options->reach.tls_verify == 0 && i < l->needed.len; i++) {
        size_t host = strcspn(l->needed.items[0], "/") + 1;
        if (strncmp(l->needed.items[0], l->needed.items[i], host) != 0)
            return error_set(err, -EINVAL,
                             "--tls-verify=false goes with one registry, and %s is at another than "
                             "%s: registries.conf says which are insecure",
                             l->needed.items[i], l->needed.items[0]);
    }
    return 0;
}

/* All of them, some at once; of those that cannot be had, each says why. */
static int ask_all(struct locking *l, struct error *err)
{
    int reach = check_reach(l, err);
    if (reach < 0)
        return reach;
    struct asked asked[ASKED_AT_ONCE];
    size_t started = 0, missing = 0;
    int rc = 0;
    for (size_t i = 0; i < l->needed.len; i++) {
        for (; started < l->needed.len && started < i + ASKED_AT_ONCE && rc == 0; started++)
            rc = ask_one(l, l->needed.items[started], &asked[started % ASKED_AT_ONCE], err);
        if (i + (rc < 0) >= started) /* the one that could not be started is not waited for */
            return rc;
        char digest[DIGEST_MAX];
        struct error why = {0};
        int heard = hear(&asked[i % ASKED_AT_ONCE], digest, &why);
        if (heard < 0 && rc == 0)
            rc = error_set(err, heard, "%s", why.text);
        if (digest[0])
            take(l, l->needed.items[i], digest);
        missing += !digest[0];
    }
    if (rc == 0 && missing > 0)
        rc =
            error_set(err, -ENOENT, "%zu of %zu image%s could not be asked for, so %s is as it was",
                      missing, l->needed.len, l->needed.len > 1 ? "s" : "", l->path);
    return rc;
}

/* --- all of it --- */

static void find_needed(struct locking *l)
{
    for (size_t i = 0; i < l->names.len; i++) {
        autoreference ref = {0};
        if (l->options->update || reference_parse(l->names.items[i], &ref, NULL) < 0 ||
            !lockfile_find(&l->lock, &ref))
            strv_add(&l->needed, l->names.items[i]);
    }
}

static void drop_others(struct locking *l)
{
    struct lockfile kept = {0};
    for (size_t i = 0; i < l->lock.count; i++)
        if (strv_has(&l->names, l->lock.items[i].name))
            lockfile_set(&kept, l->lock.items[i].name, l->lock.items[i].digest);
        else
            buf_fmt(&l->said, "%s: taken out\n", l->lock.items[i].name);
    l->dropped = l->lock.count - kept.count;
    lockfile_free(&l->lock);
    l->lock = kept;
}

static int check(struct locking *l)
{
    for (size_t i = 0; i < l->needed.len; i++)
        buf_fmt(&l->said, "%s: not in %s\n", l->needed.items[i], l->path);
    int rc = l->options->quiet ? 0 : print(&l->said);
    return rc != 0 ? rc : l->needed.len > 0 || l->elsewhere;
}

static int lock_them(struct locking *l, struct error *err)
{
    int rc = ask_all(l, err);
    if (rc < 0)
        return rc;
    if (l->options->prune)
        drop_others(l);
    if (l->added + l->moved + l->dropped > 0 || l->lock.count == 0)
        rc = write_lock(l, err);
    if (rc < 0 || l->options->quiet)
        return rc;
    buf_fmt(&l->said, "%s: %zu image%s", l->path, l->lock.count, l->lock.count == 1 ? "" : "s");
    if (l->added > 0)
        buf_fmt(&l->said, ", %zu new", l->added);
    if (l->moved > 0)
        buf_fmt(&l->said, ", %zu moved", l->moved);
    if (l->dropped > 0)
        buf_fmt(&l->said, ", %zu taken out", l->dropped);
    buf_char(&l->said, '\n');
    return print(&l->said);
}

int command_lock(const struct invocation *call, void *options, struct error *err)
{
    struct locking l __attribute__((cleanup(locking_free))) = {
        .options = options,
        .directory = call->count > 0 ? call->arguments[0] : ".",
        .store = {.root_fd = -1, .lock_fd = -1}};
    const struct lock_options *o = options;
    if (o->reach.creds)
        return error_set(err, -EINVAL,
                         "--creds: which registries are asked is said by the project's files: sign "
                         "in with 'caisson login', which is for one");
    if (o->check && (o->update || o->prune))
        return error_set(err, -EINVAL, "--check changes nothing: leave %s out",
                         o->update ? "--update" : "--prune");
    int rc = store_open(global_options.root, &l.store, err);
    if (rc == 0)
        rc = worker_path("caisson-image", &l.worker, err);
    if (rc == 0)
        rc = conf_read(&l.conf, err);
    if (rc == 0)
        rc = read_lock(&l, err);
    if (rc == 0)
        rc = lock_read_files(&l, err);
    if (rc < 0)
        return rc;
    find_needed(&l);
    return o->check ? check(&l) : lock_them(&l, err);
}
