/* SPDX-License-Identifier: Apache-2.0 */
/* commit: the front reads the container, the worker makes the image; and diff. */
#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/process.h"
#include "base/text.h"
#include "cmd/container_words.h"
#include "cmd/copy_options.h"
#include "cmd/front.h"
#include "cmd/print.h"
#include "cmd/worker.h"
#include "container/changes.h"
#include "container/commit.h"
#include "container/events.h"
#include "oci/reference.h"

#define ANSWER_MAX 4096 /* of the worker: an id */

/* --- diff --- */

struct difference {
    bool json;
    struct buf text;
    struct strv added, changed, deleted;
};

static void difference_free(struct difference *d)
{
    buf_free(&d->text);
    strv_free(&d->added);
    strv_free(&d->changed);
    strv_free(&d->deleted);
}

static int add_change(void *closure, char kind, const char *path, struct error *err)
{
    struct difference *d = closure;
    (void)err;
    if (d->json) {
        strv_add(kind == 'A' ? &d->added : kind == 'C' ? &d->changed : &d->deleted, path);
        return 0;
    }
    buf_fmt(&d->text, "%c ", kind);
    buf_printable(&d->text, path);
    buf_char(&d->text, '\n');
    return 0;
}

int command_diff(const struct invocation *call, void *options, struct error *err)
{
    const struct diff_options *o = options;
    struct difference d __attribute__((cleanup(difference_free))) = {.json = o->format != NULL};
    autocontainers all = {0};
    autocontainer c = CONTAINER_EMPTY;
    autostore store = {0};
    int rc = containers_here(&all, err);
    if (rc == 0)
        rc = container_find(&all, call->arguments[0], &c, err);
    if (rc == 0)
        rc = store_open(global_options.root, &store, err);
    if (rc == 0)
        rc = container_changes(&c, &store, add_change, &d, err);
    if (rc < 0)
        return rc;
    if (d.json) {
        struct json_out w = {.buf = &d.text};
        json_begin(&w, NULL, '{');
        json_strs(&w, "changed", &d.changed);
        json_strs(&w, "added", &d.added);
        json_strs(&w, "deleted", &d.deleted);
        json_end(&w, '}');
        buf_char(&d.text, '\n');
    }
    return print(&d.text);
}

/* --- commit --- */

/* Now, or what SOURCE_DATE_EPOCH says. */
static int created_text(char out[RFC3339_MAX], struct error *err)
{
    const char *text = getenv("SOURCE_DATE_EPOCH");
    uint64_t seconds;
    if (!text || !*text) {
        format_rfc3339(clock_wall(), out);
        return 0;
    }
    if (parse_u64(text, 9223372036, &seconds) < 0)
        return error_set(err, -EINVAL, "SOURCE_DATE_EPOCH=%.40s is no count of seconds since 1970",
                         text);
    format_rfc3339((nanoseconds)seconds * NSEC_PER_SEC, out);
    return 0;
}

/* The configuration as a file that the worker inherits. */
static int config_file(struct container *c, struct store *store, const struct commit_options *o,
                       struct error *err)
{
    char created[RFC3339_MAX];
    autoimage image = {0};
    autoimage before = {0};
    autobuf text = {0};
    int rc = created_text(created, err);
    if (rc == 0)
        rc = store_resolve(store, c->plan.image_id, &image, err);
    if (rc == 0)
        rc = store_resolve(store, c->plan.image_id, &before, err);
    if (rc < 0)
        return rc;
    struct commit_words words = {
        .author = o->author, .message = o->message, .created = created, .changes = &o->changes};
    commit_config(&c->plan, &image.config);
    rc = commit_describe(&c->plan, &words, &image.config, err);
    if (rc < 0)
        return rc;
    const char *secret = commit_secret(&before.config, &image.config);
    if (secret && !o->quiet)
        tell_warning("the variable %.*s of this container looks like a secret: everybody who has "
                     "the image can read it; take it off with --change '%.*s=' or mount it as a "
                     "file",
                     (int)strcspn(secret, "="), secret, (int)strcspn(secret, "="), secret);
    image_config_write(&image.config, &text);
    autofd fd = memfd_create("config", MFD_CLOEXEC);
    rc = fd < 0 ? -errno : write_all(fd, text.data, text.len);
    if (rc == 0 && lseek(fd, 0, SEEK_SET) < 0)
        rc = -errno;
    return rc < 0 ? error_set(err, rc, "cannot write the image's configuration: %s",
                              error_describe(rc))
                  : take_fd(&fd);
}

struct worker {
    pid_t pid;
    int tar;     /* what it reads */
    int verdict; /* one byte: the tar is whole */
    int answer;  /* the image's id */
};

static int start_worker(const struct container *c, int config, const char *name, struct worker *out,
                        struct error *err)
{
    autofree char *program = NULL;
    autostrv words = {0};
    int tar[2], verdict[2], answer[2];
    int rc = worker_path("caisson-image", &program, err);
    if (rc < 0)
        return rc;
    if (pipe2(tar, O_CLOEXEC) < 0)
        return error_errno(err, "cannot make a pipe");
    autofd tar_end = tar[0];
    autofd tar_begin = tar[1];
    if (pipe2(verdict, O_CLOEXEC) < 0)
        return error_errno(err, "cannot make a pipe");
    autofd verdict_end = verdict[0];
    autofd verdict_begin = verdict[1];
    if (pipe2(answer, O_CLOEXEC) < 0)
        return error_errno(err, "cannot make a pipe");
    autofd answer_end = answer[0];
    autofd answer_begin = answer[1];
    strv_add(&words, "caisson-image");
    strv_add(&words, "__commit");
    strv_add(&words, c->plan.image_id);
    strv_fmt(&words, "%d", config);
    strv_fmt(&words, "%d", verdict_end);
    if (name)
        strv_add(&words, name);
    const int keep[] = {config, verdict_end};
    struct process_spec spec = {.program = program,
                                .argv = strv_argv(&words),
                                .fds = {tar_end, answer_begin, 2},
                                .keep = keep,
                                .keep_count = 2};
    rc = process_start(&spec, &out->pid, NULL, err);
    if (rc < 0)
        return rc;
    out->tar = take_fd(&tar_begin);
    out->verdict = take_fd(&verdict_begin);
    out->answer = take_fd(&answer_end);
    return 0;
}

/* The worker says what went wrong with it by itself: 1 then. */
static int feed_worker(struct container *c, const struct commit_options *o, struct worker *worker,
                       struct buf *id, struct error *err)
{
    struct error not_paused = {0};
    int status;
    int rc = commit_layer(c, o->pause != 0, worker->tar, &not_paused, err);
    close(worker->tar);
    const char *hints = getenv("CAISSON_HINTS");
    if (rc == 0 && not_paused.code && !o->quiet && !streq(hints, "no"))
        tell_warning("%s; it went on while it was read", not_paused.text);
    if (rc == 0)
        (void)write_all(worker->verdict, "w", 1);
    close(worker->verdict);
    struct error waiting = {0};
    int read = read_fd(worker->answer, ANSWER_MAX, id);
    close(worker->answer);
    int waited = process_wait(worker->pid, &status, &waiting);
    if (waited < 0)
        return error_set(err, waited, "%s", waiting.text);
    if (rc == -EPIPE || (rc == 0 && status != 0)) {
        *err = (struct error){0};
        return 1;
    }
    if (rc == 0 && (read < 0 || id->len == 0))
        return error_set(err, -EPROTO, "caisson-image said something unexpected");
    return rc;
}

static void tell(const struct containers *all, const struct container *c, const char *comment,
                 const struct buf *answer, const struct reference *reference)
{
    autofree char *id = xstrndup(buf_text(answer), strcspn(buf_text(answer), "\n"));
    autobuf name = {0};
    if (reference)
        reference_familiar(reference, &name);
    const struct event_attribute more[] = {
        {"comment", comment ? comment : ""}, {"imageID", id}, {"imageRef", buf_text(&name)}};
    event_tell_with(all, &c->plan, c->id, "commit", more, sizeof more / sizeof *more);
}

int command_commit(const struct invocation *call, void *options, struct error *err)
{
    const struct commit_options *o = options;
    const char *name = call->count > 1 ? call->arguments[1] : NULL;
    autocontainers all = {0};
    autocontainer c = CONTAINER_EMPTY;
    autostore store = {0};
    struct worker worker;
    autoreference reference = {0};
    autobuf id = {0};
    int rc = name ? reference_parse(name, &reference, err) : 0; /* before anything stands still */
    if (rc == 0 && reference.digest[0])
        rc = error_set(err, -EINVAL, "the name %.200s may not have a digest", name);
    if (rc == 0)
        rc = containers_here(&all, err);
    if (rc == 0)
        rc = container_find(&all, call->arguments[0], &c, err);
    if (rc == 0)
        rc = store_open(global_options.root, &store, err);
    if (rc == 0)
        rc = store_lock(&store, LOCK_SH, err);
    if (rc < 0)
        return rc;
    autofd config = config_file(&c, &store, o, err);
    if (config < 0)
        return config;
    rc = start_worker(&c, config, name, &worker, err);
    if (rc == 0)
        rc = feed_worker(&c, o, &worker, &id, err);
    if (rc != 0)
        return rc;
    tell(&all, &c, o->message, &id, name ? &reference : NULL);
    return print(&id);
}
