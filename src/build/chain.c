/* SPDX-License-Identifier: Apache-2.0 */
/* The layers of a stage: known from before, or written by its steps and read by workers while the
 * next step is at work. */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/memory.h"
#include "base/process.h"
#include "base/text.h"
#include "build/stage.h"
#include "container/skeleton.h"
#include "runtime/rootfs.h"

#define ANSWER_MAX (256u << 10)
#define NOT_SHIPPED "0000000000000000000000000000000000000000000000000000000000000000"

size_t stage_layer_room(const struct stage_run *run)
{
    return run->layer_count + 2;
}

static int open_layer(struct build *build, const struct layer *layer, struct error *err)
{
    char path[64];
    if (!layer->entry[0])
        return store_open_layer(build->place->store, layer->diff_id, err);
    snprintf(path, sizeof path, "%s/fs", layer->entry);
    int fd = openat(build->staging.fd, path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return fd < 0 ? error_errno(err, "cannot open a layer that was just made") : fd;
}

int stage_open_layers(struct stage_run *run, bool ground, int *out, size_t *count,
                      struct error *err)
{
    size_t n = 0;
    if (ground)
        out[n++] = run->build->ground;
    for (size_t i = 0; i < run->layer_count; i++) {
        struct layer *layer = &run->layers[i];
        if (layer->fd < 0)
            layer->fd = open_layer(run->build, layer, err);
        if (layer->fd < 0)
            return layer->fd;
        if (i > 0 && layer_hides_all_below(layer->fd))
            n = ground ? 1 : 0;
        out[n++] = layer->fd;
    }
    if (n == 0)
        out[n++] = run->build->empty;
    *count = n;
    return 0;
}

int stage_mount(struct stage_run *run, int upper, bool ground, struct error *err)
{
    autofree int *fds = xcalloc(stage_layer_room(run) + 1, sizeof *fds);
    size_t count;
    int rc = stage_open_layers(run, ground, fds + 1, &count, err);
    if (rc < 0)
        return rc;
    if (upper < 0 && count == 1 && fds[1] == run->build->empty) /* an overlay of nothing */
        return fcntl(run->build->empty, F_DUPFD_CLOEXEC, 3);
    fds[0] = run->build->empty; /* two at least, as an overlay that cannot be written wants */
    struct rootfs_source source = {.layers = upper < 0 ? fds : fds + 1,
                                   .count = upper < 0 ? count + 1 : count,
                                   .upper = upper,
                                   .userns = -1,
                                   .no_devices = 1,
                                   .volatile_upper = 1};
    return rootfs_mount(&source, err);
}

int tree_mount(struct build *build, const struct stage_result *tree, struct error *err)
{
    struct stage_run other = {
        .build = build, .layers = tree->layers, .layer_count = tree->layer_count};
    return stage_mount(&other, -1, false, err);
}

int stage_upper(struct stage_run *run, char entry[32], struct error *err)
{
    snprintf(entry, 32, "s%zu.%zu", run->number, run->uppers++);
    mode_t mask = umask(0);
    int rc = 0;
    if (mkdirat(run->build->staging.fd, entry, 0700) < 0)
        rc = error_errno(err, "cannot create a writable layer");
    autofd dir = rc < 0 ? rc : open_directory_at(run->build->staging.fd, entry, err);
    if (dir >= 0 && (mkdirat(dir, "fs", 0755) < 0 || mkdirat(dir, "work", 0700) < 0))
        rc = error_errno(err, "cannot create a writable layer");
    umask(mask);
    return rc < 0 ? rc : take_fd(&dir);
}

/* --- layers that are made --- */

static struct layer *add_layer(struct stage_run *run)
{
    run->layers = xrealloc(run->layers, run->layer_count + 1, sizeof *run->layers);
    struct layer *layer = &run->layers[run->layer_count++];
    *layer = (struct layer){.fd = -1, .answer = -1};
    return layer;
}

int stage_layer_known(struct stage_run *run, const struct step_record *record, struct error *err)
{
    if (!record->layer[0])
        return 0;
    struct layer *layer = add_layer(run);
    memcpy(layer->diff_id, record->layer, DIGEST_MAX);
    return staging_uses(&run->build->staging, record->layer, err);
}

void stage_used(struct stage_run *run, const char *what)
{
    char name[32];
    autobuf line = {0};
    if (run->build->options->cache_to.len == 0)
        return;
    snprintf(name, sizeof name, "used-%zu", run->number);
    autofd fd = openat(run->build->staging.fd, name,
                       O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
    buf_fmt(&line, "%s\n", what);
    if (fd >= 0)
        (void)write_all(fd, line.data, line.len);
}

/* A line for whoever solves: what is kept when the build has ended, well or not. */
static int note(struct stage_run *run, const char *key, const struct step_record *record,
                const char *entry, struct error *err)
{
    char name[32];
    autobuf line = {0};
    buf_fmt(&line, "%s %s %s %s %llu %s\n", key, record->layer[0] ? record->layer : "-",
            *entry ? entry : "-", record->created, (unsigned long long)record->milliseconds,
            record->secrets[0] ? record->secrets : "-");
    stage_used(run, key);
    snprintf(name, sizeof name, "made-%zu", run->number);
    autofd fd = openat(run->build->staging.fd, name,
                       O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
    int rc = fd < 0 ? -errno : write_all(fd, line.data, line.len);
    return rc < 0 ? error_set(err, rc, "cannot note what was made: %s", error_describe(rc)) : 0;
}

static int start_worker(struct stage_run *run, int dir, struct layer *layer, struct error *err)
{
    const struct build *b = run->build;
    autostrv words = {0};
    int answer[2];
    if (pipe2(answer, O_CLOEXEC) < 0)
        return error_errno(err, "cannot make a pipe");
    autofd begin = answer[1];
    layer->answer = answer[0];
    strv_add(&words, "caisson-image");
    strv_add(&words, "__layer");
    strv_fmt(&words, "%d", dir);
    if (b->has_epoch)
        strv_fmt(&words, "--newest=%lld", (long long)b->epoch);
    for (size_t i = 0; i < b->options->allow_secret.len; i++)
        strv_fmt(&words, "--allow=%s", b->options->allow_secret.items[i]);
    struct process_spec spec = {.program = b->place->worker,
                                .argv = strv_argv(&words),
                                .fds = {-1, begin, 2},
                                .keep = &dir,
                                .keep_count = 1,
                                .die_with_us = true};
    return process_start(&spec, &layer->job, NULL, err);
}

/* Whether nothing is in the upper directory: whatever was changed is an entry there. */
static int is_empty(int dir, struct error *err)
{
    int fd = openat(dir, "fs", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    autodir d = fd < 0 ? NULL : fdopendir(fd);
    const struct dirent *entry;
    if (!d)
        return error_errno(err, "cannot read a writable layer");
    while ((entry = readdir(d)))
        if (!streq(entry->d_name, ".") && !streq(entry->d_name, ".."))
            return 0;
    return 1;
}

static int make_layer(struct stage_run *run, const char *entry, const char *key,
                      uint64_t milliseconds, struct error *err)
{
    struct step_record record = {.milliseconds = milliseconds};
    nanoseconds now = run->build->has_epoch ? run->build->epoch * NSEC_PER_SEC : clock_wall();
    autofd dir = open_directory_at(run->build->staging.fd, entry, err);
    if (dir < 0)
        return dir;
    format_rfc3339(now, record.created);
    struct history_entry *last = &run->config.history[run->config.history_count - 1];
    free(last->created);
    last->created = xstrdup(record.created);
    int rc = is_empty(dir, err);
    if (rc < 0)
        return rc;
    last->empty_layer = rc > 0;
    if (rc > 0) {
        (void)remove_tree_at(run->build->staging.fd, entry, NULL);
        return note(run, key, &record, "", err);
    }
    if (run->layer_count >= OCI_LAYERS_MAX)
        return error_set(err, -E2BIG,
                         "the image would have more than %d layers: write several commands in one "
                         "RUN",
                         OCI_LAYERS_MAX);
    (void)remove_tree_at(dir, "work", NULL);
    struct layer *layer = add_layer(run);
    snprintf(layer->entry, sizeof layer->entry, "%s", entry);
    memcpy(layer->key, key, STEP_KEY_MAX);
    layer->record = record;
    layer->place = run->place;
    rc = start_worker(run, dir, layer, err);
    return rc < 0 ? rc : stage_layers_settle(run, false, err);
}

int stage_made(struct stage_run *run, const char *entry, const char *key, nanoseconds begun,
               struct error *err)
{
    uint64_t took = (uint64_t)((clock_monotonic() - begun) / 1000000);
    int rc = make_layer(run, entry, key, took, err);
    if (rc < 0)
        return rc;
    memcpy(run->key, key, STEP_KEY_MAX);
    stage_tell(run, BUILD_DONE, NULL, took);
    return 0;
}

/* --- what workers say --- */

/* "DIFFID FINDINGS" */
static void read_layer(const struct stage_run *run, const char *text, struct layer *layer)
{
    autofree char *digest = xstrndup(text, strcspn(text, " "));
    if (!digest_valid(digest))
        return;
    memcpy(layer->diff_id, digest, DIGEST_MAX);
    if (!ends_with(text, " 0"))
        memcpy(layer->record.secrets, run->shipped ? run->build->allowed : NOT_SHIPPED,
               STEP_KEY_MAX);
}

/* Lines: "warning TEXT", "leak TEXT" which stops the build, "error TEXT"; and "layer DIFFID …". */
static int read_answer(struct stage_run *run, struct layer *layer, struct error *err)
{
    autobuf text = {0};
    autobuf leaks = {0};
    autostrv lines = {0};
    int status;
    size_t count = 0;
    int rc = read_fd(layer->answer, ANSWER_MAX, &text);
    close(layer->answer);
    layer->answer = -1;
    struct error waiting = {0};
    int waited = process_wait(layer->job, &status, &waiting);
    layer->job = 0;
    if (rc < 0 || waited < 0)
        return error_set(err, rc < 0 ? rc : waited, "cannot read a layer's digest");
    strv_split(&lines, buf_text(&text), '\n');
    for (size_t i = 0; i < lines.len; i++) {
        const char *line = lines.items[i];
        if (starts_with(line, "layer "))
            read_layer(run, line + 6, layer);
        else if (starts_with(line, "leak ") && !run->shipped) {
            stage_tell(run, BUILD_WARNING, line + 5, 0);
        } else if (starts_with(line, "leak ")) {
            buf_fmt(&leaks, "\n  %s", line + 5);
            count++;
        } else if (starts_with(line, "warning "))
            stage_tell(run, BUILD_WARNING, line + 8, 0);
        else if (starts_with(line, "error "))
            rc = error_set(err, -EPERM, "%s", line + 6);
    }
    if (rc == 0 && count > 0) {
        (void)dockerfile_wrong(
            &run->build->file, layer->place, err,
            "the layer holds %s that everybody who has the image could read; leave it "
            "out (.dockerignore, RUN --mount=type=secret), or let it in with "
            "--allow-secret RULE or PATH",
            count > 1 ? "secrets" : "a secret");
        rc = error_set(err, -EPERM, "%s%.500s", err ? err->text : "", buf_text(&leaks));
    }
    if (rc < 0)
        return rc;
    if (process_exit_code(status) != 0 || !layer->diff_id[0])
        return error_set(err, -EIO, "the layer could not be written: caisson-image ended with %d",
                         process_exit_code(status));
    memcpy(layer->record.layer, layer->diff_id, DIGEST_MAX);
    return note(run, layer->key, &layer->record, layer->entry, err);
}

int stage_layers_settle(struct stage_run *run, bool wait, struct error *err)
{
    int rc = 0;
    for (size_t i = 0; i < run->layer_count; i++) {
        struct layer *layer = &run->layers[i];
        if (layer->job == 0)
            continue;
        struct pollfd ready = {.fd = layer->answer, .events = POLLIN};
        if (!wait && poll(&ready, 1, 0) <= 0)
            continue;
        struct error why = {0};
        int one = read_answer(run, layer, &why);
        if (one < 0 && rc == 0) {
            rc = one;
            if (err)
                *err = why;
        }
    }
    return rc;
}
