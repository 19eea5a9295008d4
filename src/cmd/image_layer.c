/* SPDX-License-Identifier: Apache-2.0 */
/* The worker's part of build: a tree that a step has written becomes a layer, and layers with a
 * configuration an image. */
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "archive/confine.h"
#include "base/io.h"
#include "base/memory.h"
#include "base/text.h"
#include "cmd/build_options.h"
#include "cmd/image_events.h"
#include "cmd/image_worker.h"
#include "cmd/print.h"
#include "scan/leaks.h"

/* --- a layer --- */

/* What goes wrong is told on standard output, as whoever asked reads it; the exit status says that
 * there was something. */
static int fail(const struct error *err)
{
    autobuf line = {0};
    buf_fmt(&line, "error %s\n", err->text);
    (void)print(&line);
    return 1;
}

/* One line for each finding, in front of the layer's own. */
struct told {
    struct buf lines;
    size_t found; /* that would stop a build, allowed or not */
};

static void told_free(struct told *told)
{
    buf_free(&told->lines);
}

static void add_finding(void *closure, const struct leak *leak)
{
    struct told *told = closure;
    struct buf *out = &told->lines;
    autobuf text = {0};
    buf_fmt(&text, "%s: %s in /%s", leak->rule, leak->title, leak->where);
    if (leak->line)
        buf_fmt(&text, ", line %llu, column %llu (%s)", (unsigned long long)leak->line,
                (unsigned long long)leak->column, leak->excerpt);
    buf_str(out, leak->severity == LEAK_STOP && !leak->allowed ? "leak " : "warning ");
    buf_printable(out, buf_text(&text));
    buf_str(out, leak->allowed ? " (allowed)\n" : "\n");
    told->found += leak->severity == LEAK_STOP;
}

static int begin_file(void *closure, const char *path, uint64_t bytes, struct error *err)
{
    (void)bytes;
    (void)err;
    leaks_begin(closure, path);
    return 0;
}

static int feed_file(void *closure, const void *bytes, size_t length, struct error *err)
{
    (void)err;
    leaks_feed(closure, bytes, length);
    return 0;
}

static int end_file(void *closure, struct error *err)
{
    (void)err;
    leaks_end(closure);
    return 0;
}

int command_make_layer(const struct invocation *call, void *options, struct error *err)
{
    const struct layer_options *o = options;
    struct layer_result result;
    struct told told __attribute__((cleanup(told_free))) = {0};
    int dir;
    autoleaks leaks = leaks_new(add_finding, &told);
    const struct layer_watch watch = {
        .begin = begin_file, .content = feed_file, .end = end_file, .closure = leaks};
    int rc = worker_descriptor(call->arguments[0], &dir, err);
    const struct confine_paths allowed = {.read_write = &dir, .read_write_count = 1};
    for (size_t i = 0; rc == 0 && i < o->allow.len; i++)
        rc = leaks_allow(leaks, o->allow.items[i], err);
    if (rc == 0)
        rc = worker_confine(&allowed, err);
    if (rc >= 0)
        rc = layer_make(dir, o->newest != INT64_MIN ? &o->newest : NULL, &watch, &result, err);
    if (rc < 0)
        return fail(err);
    /* What was not told of may be what would stop a build, and so it does. */
    size_t untold = leaks_untold(leaks), stopping = leaks_stopping(leaks);
    if (untold > 0)
        buf_fmt(&told.lines, "%s %zu further findings\n", stopping > 0 ? "leak" : "warning",
                untold);
    buf_fmt(&told.lines, "layer %s %zu\n", result.diff_id, told.found + stopping + untold);
    return print(&told.lines);
}

/* --- an image --- */

static int annotate(struct ingest_image *image, const struct strv *annotations, struct error *err)
{
    automanifest manifest = {0};
    if (annotations->len == 0)
        return 0;
    int rc = manifest_parse(buf_text(&image->manifest), image->manifest.len, &manifest, err);
    if (rc < 0)
        return rc;
    strv_copy(&manifest.annotations, annotations);
    buf_clear(&image->manifest);
    manifest_write(&manifest, &image->manifest);
    return 0;
}

static int take_names(const struct invocation *call, struct ingest_image *image, struct error *err)
{
    int rc = 0;
    for (size_t i = 1; rc == 0 && i < call->count; i++) {
        autobuf name = {0};
        rc = image_full_name(call->arguments[i], &name, err);
        if (rc == 0 && !strv_has(&image->names, buf_text(&name)))
            strv_add(&image->names, buf_text(&name));
    }
    return rc;
}

/* Nothing is to be done, and nothing to be written to disk, where all of it is there already. */
static bool is_there(struct store *store, const struct ingest_image *image)
{
    char id[DIGEST_MAX], manifest[DIGEST_MAX];
    digest_of(&image->manifest, manifest);
    autoimage known = {0};
    if (store_resolve(store, image->id, &known, NULL) < 0 || !streq(known.manifest, manifest))
        return false;
    for (size_t i = 0; i < image->names.len; i++) {
        autofree char *name = NULL;
        if (store_find(store, image->names.items[i], id, &name, NULL) < 0 || !streq(id, image->id))
            return false;
    }
    return true;
}

static int publish(struct store *store, struct ingest_image *image, struct error *err)
{
    autostaging staging = {0};
    int rc = staging_open(store, &staging, err);
    return rc < 0 ? rc : ingest_publish(&staging, NULL, 0, image, 1, err);
}

static int publish_image(struct store *store, int fd, const struct publish_options *o,
                         struct ingest_image *image, struct error *err)
{
    autoconfig config = {0};
    autofd events = image_events_open();
    int rc = confine_to_store(store, -1, -1, err);
    if (rc == 0)
        rc = worker_config(fd, &image->config, &config, err);
    if (rc < 0)
        return rc;
    digest_of(&image->config, image->id);
    rc = worker_manifest(store, &config, NULL, image, err);
    if (rc == 0)
        rc = annotate(image, &o->annotations, err);
    if (rc < 0 || is_there(store, image))
        return rc;
    rc = publish(store, image, err);
    if (rc == 0)
        image_event_names(events, "tag", image->id, &image->names);
    return rc;
}

int command_publish(const struct invocation *call, void *options, struct error *err)
{
    autostore store = {0};
    struct ingest_image image = {0};
    autobuf line = {0};
    char manifest[DIGEST_MAX];
    int config;
    int rc = worker_descriptor(call->arguments[0], &config, err);
    if (rc == 0)
        rc = take_names(call, &image, err);
    if (rc == 0)
        rc = open_store(&store, err);
    if (rc == 0)
        rc = store_lock(&store, LOCK_SH, err);
    if (rc == 0)
        rc = publish_image(&store, config, options, &image, err);
    if (rc == 0) {
        digest_of(&image.manifest, manifest);
        buf_fmt(&line, "%s %s\n", image.id, manifest);
    }
    ingest_image_free(&image);
    return rc < 0 ? rc : print(&line);
}
