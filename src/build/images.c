/* SPDX-License-Identifier: Apache-2.0 */
#include "build/images.h"

#include <sys/file.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "container/image_fetch.h"
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

/* 1: it is here now; 0: it could not be fetched, which was told. */
static int fetch(struct build *b, const char *name, const char *platform, bool anew,
                 struct error *err)
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
        .name = name,
        .policy = anew ? "always" : "missing",
        .platform = platform,
        .tls_verify = -1,
        .quiet = b->options->quiet || streq(b->options->progress, "quiet"),
    };
    int rc = image_fetch(&wanted, &full, err);
    if (rc == 1) {
        strv_add(&b->fetched, name);
        strv_add(&b->fetched, buf_text(&full));
    }
    return rc;
}

int images_fetch(struct build *b, struct error *err)
{
    __attribute__((cleanup(wanted_free))) struct wanted wanted = {0};
    list_images(b, &wanted);
    for (size_t i = 0; i < wanted.names.len; i++) {
        const char *name = wanted.names.items[i], *platform = wanted.platforms.items[i];
        bool here, fits;
        look(b, name, platform, &here, &fits);
        if (!b->options->pull && here && fits)
            continue;
        int rc = fetch(b, name, platform, b->options->pull || here, err);
        if (rc < 0)
            return rc;
        if (rc == 0 && b->options->pull)
            return error_set(err, -EIO, "--pull: %.200s was not fetched, as said above", name);
    }
    return 0;
}

const char *images_name(const struct build *b, const char *name)
{
    for (size_t i = 0; i + 1 < b->fetched.len; i += 2)
        if (streq(b->fetched.items[i], name))
            return b->fetched.items[i + 1];
    return name;
}
