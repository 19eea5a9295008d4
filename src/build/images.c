/* SPDX-License-Identifier: Apache-2.0 */
#include "build/images.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/memory.h"
#include "base/text.h"
#include "container/image_fetch.h"
#include "path/inroot.h"
#include "registry/conf.h"
#include "registry/pulled.h"
#include "store/layout.h"
#include "store/platform.h"

/* --- which --- */

struct wanted {
    struct strv names, platforms; /* in the same order; "": this machine's, or --platform */
};

static void wanted_free(struct wanted *wanted)
{
    strv_free(&wanted->names);
    strv_free(&wanted->platforms);
}

static void want(struct wanted *wanted, const char *name, const char *platform)
{
    if (!name || !*name || streq(name, "scratch") || strv_has(&wanted->names, name))
        return;
    strv_add(&wanted->names, name);
    strv_add(&wanted->platforms, platform ? platform : "");
}

/* A named context is one of ours, or an image. */
static void want_context(struct build *b, struct wanted *wanted, const char *context)
{
    const struct named_context *named = context_find(&b->contexts, context);
    if (named && named->image)
        want(wanted, named->image, NULL);
}

static void list_images(struct build *b, struct wanted *out)
{
    for (size_t i = 0; i < b->graph.count; i++) {
        const struct graph_stage *stage = &b->graph.stages[i];
        if (!stage->needed)
            continue;
        if (stage->context)
            want_context(b, out, stage->context);
        else if (stage->stage < 0)
            want(out, stage->base, stage->platform);
        for (size_t n = 0; n < stage->source_count && !stage->replaced; n++) {
            const struct graph_source *source = &stage->sources[n];
            if (source->context)
                want_context(b, out, source->context);
            else if (source->stage < 0)
                want(out, source->name, NULL);
        }
    }
}

/* --- the lock file --- */

/* That of the context, or the one that was named. */
static int lock_read(struct build *b, struct error *err)
{
    const char *named = b->options->lock_file;
    autobuf text = {0};
    int context = b->contexts.main.fd, rc;
    struct stat st;
    if (b->options->no_lock || (!named && context < 0))
        return 0;
    if (named) {
        rc = read_named_file(named, LOCKFILE_MAX, &text);
    } else {
        autofd fd = inroot_open_file(context, LOCKFILE_NAME);
        rc = fd < 0 ? fd : read_fd(fd, LOCKFILE_MAX, &text);
    }
    /* A link that leads nowhere is not none. */
    if (rc == -ENOENT && !named && fstatat(context, LOCKFILE_NAME, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return 0;
    if (rc < 0)
        return error_set(err, rc, "cannot read the lock file %s%s: %s",
                         named ? named : LOCKFILE_NAME, named ? "" : " of the context",
                         error_describe(rc));
    b->locked = true;
    rc = conf_read(&b->conf, err);
    return rc < 0 ? rc
                  : lockfile_parse(buf_text(&text), text.len, named ? named : LOCKFILE_NAME,
                                   &b->lock, err);
}

bool images_ours(struct store *store, const struct reference *ref)
{
    struct pulled pulled;
    struct name_record record;
    autobuf full = {0};
    char file[STORE_PATH_MAX];
    reference_full(ref, &full);
    layout_name_file(buf_text(&full), file);
    if (store_lock(store, LOCK_SH, NULL) < 0)
        return false;
    bool ours = layout_read_name(store, file, &record, NULL) == 0;
    if (ours) {
        free(record.name);
        ours = pulled_read(store, buf_text(&full), &pulled, NULL) == 0 && !record.index[0] &&
               !streq(pulled.digest, record.manifest) && !streq(pulled.coming, record.manifest) &&
               (pulled.digest[0] || !pulled.signer[0]);
    }
    store_unlock(store);
    return ours;
}

/* What a lock file makes of a name. */
struct held {
    char *tagged, *exact; /* whole names: with the tag, and NAME@DIGEST; NULL: it is not held */
    const char *digest;   /* in b->lock */
    bool ours;            /* no registry is to be asked for it */
};

static void held_free(struct held *held)
{
    free(held->tagged);
    free(held->exact);
}
#define autoheld __attribute__((cleanup(held_free))) struct held

/* What is known by its id, of a context that is a layout, say, has no name. */
static int hold(const struct build *b, const char *name, struct held *out, struct error *err)
{
    autoreference ref = {0};
    *out = (struct held){0};
    if (!b->locked || digest_valid(name) || conf_reference(b->conf, name, &ref, NULL) < 0 ||
        ref.digest[0])
        return 0; /* a name that is none is told by who wants it */
    autobuf full = {0};
    reference_full(&ref, &full);
    out->tagged = buf_take(&full);
    out->digest = lockfile_find(&b->lock, &ref);
    if (out->digest) {
        out->exact = xasprintf("%s/%s@%s", ref.domain, ref.path, out->digest);
        return 0;
    }
    out->ours = !b->options->pull && images_ours(b->place->store, &ref);
    if (out->ours)
        return 0;
    return error_set(err, -EACCES,
                     "%.200s is not in %s, which this build is held to: 'caisson lock' adds it, "
                     "--no-lock goes without",
                     name, b->options->lock_file ? b->options->lock_file : LOCKFILE_NAME);
}

/* --- fetching --- */

/* Whether it is in the store, and there for the platform that is meant. */
static void look(const struct build *b, const char *name, const char *platform, bool *here,
                 bool *fits)
{
    autoimage image = {0};
    autoplatform wanted = {0};
    struct store *store = b->place->store;
    *here = *fits = false;
    if (store_lock(store, LOCK_SH, NULL) < 0)
        return;
    *here = store_resolve(store, name, &image, NULL) == 0;
    store_unlock(store);
    if (*here) /* a platform that is none is told by who wants it */
        *fits = platform_parse(*platform ? platform : b->options->platform, &wanted, NULL) < 0 ||
                platform_matches(&wanted, image.config.os, image.config.architecture,
                                 image.config.variant);
}

/* 1: it is here now; 0: it could not be fetched, which was told. Who has to have signed it is asked
 * of the name that it was held by. */
static int fetch(struct build *b, const char *name, const char *platform, bool anew,
                 const struct held *held, struct error *err)
{
    autobuf full = {0}, machine = {0};
    autoplatform ours = {0};
    if (!*platform)
        platform = b->options->platform;
    /* Said aloud: what is there for another machine is of no use here. */
    if (!platform && platform_parse(NULL, &ours, err) == 0) {
        buf_fmt(&machine, "%s/%s", ours.os, ours.architecture);
        platform = buf_text(&machine);
    }
    const struct image_fetch wanted = {
        .worker = b->place->worker,
        .name = held->digest ? held->tagged : name,
        .held = held->digest,
        .policy = anew ? "always" : "missing",
        .platform = platform,
        .tls_verify = -1,
        .quiet = b->options->quiet || streq(b->options->progress, "quiet"),
    };
    int rc = image_fetch(&wanted, &full, err);
    if (rc == 1) {
        strv_add(&b->fetched, held->digest ? held->exact : name);
        strv_add(&b->fetched, buf_text(&full));
    }
    return rc;
}

/* Whether what it is held to was asked about under this very name when it was fetched: who may have
 * signed is said by name. */
static bool was_asked(const struct build *b, const struct held *held)
{
    struct pulled pulled;
    return pulled_read(b->place->store, held->tagged, &pulled, NULL) == 0 &&
           (streq(pulled.digest, held->digest) || streq(pulled.held, held->digest));
}

static int fetch_missing(struct build *b, const char *name, const char *platform,
                         const struct held *held, struct error *err)
{
    bool here, fits;
    /* What a digest names does not change. */
    bool anew = b->options->pull && !held->digest;
    look(b, held->digest ? held->exact : held->ours ? held->tagged : name, platform, &here, &fits);
    fits = fits && (!held->digest || was_asked(b, held));
    /* What is ours for another platform is told by who wants it: a registry's of that name is not.
     */
    if ((!anew && here && fits) || held->ours)
        return 0;
    int rc = fetch(b, name, platform, anew || here, held, err);
    if (rc == 0 && (b->options->pull || held->digest))
        return error_set(err, -EIO, "%s%.200s was not fetched, as said above",
                         b->options->pull ? "--pull: " : "", name);
    return rc < 0 ? rc : 0;
}

int images_fetch(struct build *b, struct error *err)
{
    __attribute__((cleanup(wanted_free))) struct wanted wanted = {0};
    int rc = lock_read(b, err);
    list_images(b, &wanted);
    for (size_t i = 0; rc == 0 && i < wanted.names.len; i++) {
        autoheld held = {0};
        rc = hold(b, wanted.names.items[i], &held, err);
        if (rc == 0)
            rc = fetch_missing(b, wanted.names.items[i], wanted.platforms.items[i], &held, err);
    }
    return rc;
}

int images_name(const struct build *b, const char *name, char **out, struct error *err)
{
    autoheld held = {0};
    int rc = hold(b, name, &held, err);
    if (rc < 0)
        return rc;
    /* A trigger's name was in no list. */
    if (held.digest && !was_asked(b, &held))
        return error_set(err, -EACCES,
                         "%.200s was not pulled by this name: 'caisson pull %.200s' does it", name,
                         name);
    const char *meant = held.exact ? held.exact : held.ours ? held.tagged : name;
    size_t i = 0;
    while (i + 1 < b->fetched.len && !streq(b->fetched.items[i], meant))
        i += 2;
    *out = xstrdup(i + 1 < b->fetched.len ? b->fetched.items[i + 1] : meant);
    return 0;
}
