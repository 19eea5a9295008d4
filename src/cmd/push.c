/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>

#include "base/io.h"
#include "base/memory.h"
#include "base/text.h"
#include "cmd/image_events.h"
#include "cmd/image_worker.h"
#include "cmd/layer_progress.h"
#include "cmd/print.h"
#include "cmd/registry_worker.h"
#include "registry/push.h"
#include "store/names.h"

struct pushing {
    const struct push_options *options;
    struct store store;
    struct connection connection;
    struct screen screen;
    int events, digest_file;
};

static void pushing_close(struct pushing *p)
{
    connection_close(&p->connection);
    store_close(&p->store);
    if (p->events >= 0)
        close(p->events);
    if (p->digest_file >= 0)
        close(p->digest_file);
}

static void say(const struct pushing *p, const char *text)
{
    if (!p->options->quiet)
        (void)write_all(STDOUT_FILENO, text, strlen(text));
}

static void look(const void *closure, size_t number, struct layer_view *out)
{
    const struct push *push = closure;
    const struct push_layer *layer = &push->layers[number];
    int state = layer->state;
    out->digest = layer->diff_id;
    out->bytes = layer->bytes;
    out->size = layer->size;
    out->counts = state == PUSH_SENDING || state == PUSH_DONE || state == PUSH_WAITING;
    out->stage = state >= PUSH_DONE      ? LAYER_OVER
                 : state == PUSH_SENDING ? LAYER_WORKS
                                         : LAYER_WAITS;
    out->words = state == PUSH_DONE      ? "Pushed"
                 : state == PUSH_MOUNTED ? "Mounted from "
                 : state == PUSH_THERE   ? "Layer already exists"
                 : state == PUSH_WAITING ? "Waiting"
                                         : "Pushing";
    if (state == PUSH_MOUNTED)
        out->note = layer->from;
}

/* --- one image --- */

/* From now on the name knows which digest the registry has it by. */
static int note_digest(struct pushing *p, struct staging *staging, const struct image *image,
                       const char *full, const char *digest, struct error *err)
{
    char replaced[DIGEST_MAX];
    if (streq(digest, image->manifest))
        return 0;
    int rc = store_lock(&p->store, LOCK_SH, err);
    if (rc == 0)
        rc = names_stage(staging, full, image->manifest, image->id, digest, err);
    if (rc == 0)
        rc = names_publish(staging, full, image->id, replaced, err);
    store_unlock(&p->store);
    return rc;
}

static int write_digest(const struct pushing *p, const char *digest, struct error *err)
{
    if (p->digest_file < 0)
        return 0;
    int rc = write_all(p->digest_file, digest, strlen(digest));
    return rc < 0 ? error_set(err, rc, "--digestfile %s: %s", p->options->digest_file,
                              error_describe(rc))
                  : 0;
}

static int prepare(struct pushing *p, const char *full, struct staging *staging,
                   struct image *image, struct push *push, struct error *err)
{
    int rc = staging_open(&p->store, staging, err);
    if (rc == 0)
        rc = store_lock(&p->store, LOCK_SH, err);
    if (rc == 0)
        rc = store_resolve(&p->store, full, image, err);
    if (rc == 0)
        rc = push_prepare(push, err);
    store_unlock(&p->store);
    return rc;
}

static int push_one(struct pushing *p, const struct reference *ref, struct error *err)
{
    const struct push_options *o = p->options;
    autostaging staging = {0};
    autoimage image = {0};
    struct layer_progress progress = {0};
    autobuf full = {0}, line = {0};
    char digest[DIGEST_MAX];
    size_t size = 0;
    autopush push = {.store = &p->store,
                     .staging = &staging,
                     .client = &p->connection.client,
                     .image = &image,
                     .format = o->compression && streq(o->compression, "zstd") ? STREAM_ZSTD
                                                                               : STREAM_GZIP,
                     .level = o->level > 0 ? (int)o->level : 0,
                     .nondistributable = o->nondistributable};
    reference_full(ref, &full);
    int rc = prepare(p, buf_text(&full), &staging, &image, &push, err);
    if (rc < 0)
        return rc;
    layer_progress_begin(&progress, look, &push, push.layer_count, p->screen, o->quiet);
    rc = push_blobs(&push, p->connection.client.lane_count, err);
    layer_progress_end(&progress);
    if (rc == 0)
        rc = push_manifest(&push, ref->tag, digest, &size, err);
    if (rc == 0)
        rc = note_digest(p, &staging, &image, buf_text(&full), digest, err);
    if (rc == 0)
        rc = write_digest(p, digest, err);
    if (rc < 0)
        return rc;
    image_event(p->events, "push", image.id, buf_text(&full));
    buf_fmt(&line, "%s: digest: %s size: %zu\n", ref->tag, digest, size);
    say(p, buf_text(&line));
    if (o->quiet) {
        buf_char(&full, '\n');
        return print(&full);
    }
    return 0;
}

/* --- which --- */

static int local_tags(struct pushing *p, const struct reference *ref, struct strv *out,
                      struct error *err)
{
    struct image_entry *entries = NULL;
    size_t count = 0;
    autofree char *prefix = xasprintf("%s/%s:", ref->domain, ref->path);
    int rc = store_list(&p->store, &entries, &count, err);
    for (size_t i = 0; rc == 0 && i < count; i++)
        for (size_t n = 0; n < entries[i].names.len; n++)
            if (starts_with(entries[i].names.items[n], prefix))
                strv_add(out, entries[i].names.items[n] + strlen(prefix));
    image_entries_free(entries, count);
    if (rc == 0 && out->len == 0)
        rc = error_set(err, -ENOENT,
                       "no image here is called %.*s: 'caisson tag' gives it that name",
                       (int)strlen(prefix) - 1, prefix);
    return rc;
}

static int check_words(const struct push_options *o, const char *text, const struct reference *ref,
                       struct error *err)
{
    const char *last = strrchr(text, '/') ? strrchr(text, '/') : text;
    if (ref->digest[0])
        return error_set(err, -EINVAL,
                         "an image is pushed by its tag, for the registry makes the digest: leave "
                         "'@%.20s…' out",
                         ref->digest);
    if (o->all_tags && strchr(last, ':'))
        return error_set(err, -EINVAL,
                         "--all-tags goes with the name of a repository: leave the tag out of %s",
                         text);
    bool zstd = o->compression && streq(o->compression, "zstd");
    if (o->level > (zstd ? 22 : 9) || o->level == 0)
        return error_set(err, -EINVAL, "--compression-level goes from 1 to %d for %s",
                         zstd ? 22 : 9, zstd ? "zstd" : "gzip");
    return 0;
}

/* Before anything is sent: that there is such an image. */
static int check_there(struct pushing *p, const struct reference *ref, struct error *err)
{
    char id[DIGEST_MAX];
    autofree char *name = NULL;
    autobuf full = {0};
    reference_full(ref, &full);
    return store_find(&p->store, buf_text(&full), id, &name, err);
}

static int push_words(struct pushing *p, const char *text, struct error *err)
{
    const struct push_options *o = p->options;
    autoconf conf = NULL;
    autoreference ref = {0};
    autostrv tags = {0};
    int rc = reference_parse(text, &ref, err);
    if (rc == 0)
        rc = check_words(o, text, &ref, err);
    if (rc == 0)
        rc = conf_read(&conf, err);
    if (rc == 0)
        rc = open_store(&p->store, err);
    if (rc == 0)
        rc = o->all_tags ? local_tags(p, &ref, &tags, err) : check_there(p, &ref, err);
    if (rc == 0 && o->digest_file) {
        p->digest_file = open(o->digest_file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
        if (p->digest_file < 0)
            rc = error_errno(err, "--digestfile %s: cannot create the file", o->digest_file);
    }
    if (rc == 0)
        rc = connect_to_registry(conf, ref.domain, ref.path, &o->reach, registry_lanes(), true,
                                 &p->connection, err);
    if (rc == 0)
        rc = confine_to_store(&p->store, -1, -1, err);
    if (rc < 0)
        return rc;
    autobuf line = {0};
    buf_fmt(&line, "The push refers to repository [%s/%s]\n", ref.domain, ref.path);
    say(p, buf_text(&line));
    if (!o->all_tags)
        return push_one(p, &ref, err);
    for (size_t i = 0; rc == 0 && i < tags.len; i++) {
        struct reference one = ref;
        one.tag = tags.items[i];
        rc = push_one(p, &one, err);
    }
    return rc;
}

int command_push(const struct invocation *call, void *options, struct error *err)
{
    struct pushing p = {.options = options,
                        .store = {.root_fd = -1, .lock_fd = -1},
                        .screen = screen_of(STDERR_FILENO),
                        .events = image_events_open(),
                        .digest_file = -1};
    int rc = push_words(&p, call->arguments[0], err);
    pushing_close(&p);
    return rc;
}
