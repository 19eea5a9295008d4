/* SPDX-License-Identifier: Apache-2.0 */
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
#include "cmd/trust_worker.h"
#include "registry/pull.h"
#include "registry/tags.h"

struct pulling {
    const struct pull_options *options;
    struct store store;
    struct connection connection;
    struct platform platform;
    struct policy *policy;
    struct screen screen;
    int events;
};

static void pulling_close(struct pulling *p)
{
    connection_close(&p->connection);
    platform_free(&p->platform);
    policy_free(p->policy);
    store_close(&p->store);
    if (p->events >= 0)
        close(p->events);
}

/* As people write it, with its tag or digest. */
static void show_name(const struct reference *ref, struct buf *out)
{
    if (ref->digest[0]) {
        reference_repository(ref, out);
        buf_fmt(out, "@%s", ref->digest);
    } else {
        reference_familiar(ref, out);
    }
}

/* --- what is said --- */

/* Beside the name itself. */
static void say(const struct pulling *p, const struct buf *text)
{
    if (!p->options->quiet)
        (void)write_all(p->options->for_run ? STDERR_FILENO : STDOUT_FILENO, buf_text(text),
                        text->len);
}

static void tell_beginning(const struct pulling *p, const struct reference *ref)
{
    autobuf line = {0}, repository = {0};
    reference_repository(ref, &repository);
    buf_fmt(&line, "%.20s: Pulling from %s\n", reference_version(ref), buf_text(&repository));
    say(p, &line);
}

static void tell_move(const char *before, const char *now, const struct buf *name, struct buf *out)
{
    if (*before && !streq(before, now))
        buf_fmt(out, "%s has moved: it was %s\n", buf_text(name), before);
}

static void tell_end(const struct pulling *p, const struct reference *ref, const struct pull *pull,
                     const char *before, const struct vouched *vouched, struct buf *out)
{
    autobuf name = {0}, status = {0};
    bool fetched = false;
    for (size_t i = 0; i < pull->layer_count; i++)
        fetched |= pull->layers[i].state == PULL_DONE;
    show_name(ref, &name);
    bool fresh = fetched || !streq(before, pull->top.digest);
    buf_fmt(&status, "Digest: %s\n", pull->top.digest);
    if (vouched->signer[0]) {
        buf_str(&status, "Signed by: ");
        trust_show(vouched->signer, &status);
        /* Of an index only the image in it that was taken may be signed: then the rest is not. */
        if (!streq(vouched->digest, pull->top.digest))
            buf_fmt(&status, ", the image in it %s", vouched->digest);
        buf_char(&status, '\n');
    }
    tell_move(before, pull->top.digest, &name, &status);
    buf_fmt(&status, "Status: %s %s\n",
            fresh ? "Downloaded newer image for" : "Image is up to date for", buf_text(&name));
    say(p, &status);
    reference_exact(ref, out);
    buf_char(out, '\n');
}

/* --- one image --- */

static void look(const void *closure, size_t number, struct layer_view *out)
{
    const struct pull *pull = closure;
    const struct pull_layer *layer = &pull->layers[number];
    int state = layer->state;
    out->digest = layer->digest;
    out->bytes = layer->bytes;
    out->size = layer->size;
    out->counts = state != PULL_THERE;
    out->stage = state >= PULL_DONE       ? LAYER_OVER
                 : state == PULL_FETCHING ? LAYER_WORKS
                                          : LAYER_WAITS;
    out->words = state == PULL_DONE           ? "Pull complete"
                 : state == PULL_THERE        ? "Already exists"
                 : state == PULL_OTHERS       ? "Waiting for another pull"
                 : state == PULL_WAITING      ? "Waiting"
                 : layer->bytes < layer->size ? "Downloading"
                                              : "Unpacking";
    if (layer->begun > 0 && state != PULL_THERE)
        out->note = " (resumed)";
}

/* Before a layer is fetched: whether it may be. */
static int check_trust(const struct pulling *p, const struct pull *pull,
                       const struct pulled *before, struct vouched *out, struct error *err)
{
    const struct document *manifest = pull_manifest(pull);
    const struct trust trust = {.client = pull->client,
                                .ref = pull->ref,
                                .policy = p->policy,
                                .documents = {&pull->top, manifest},
                                .count = manifest == &pull->top ? 1 : 2,
                                .before = p->options->accept_unsigned ? NULL : before};
    return trust_check(&trust, out, err);
}

/* Who has signed is known before there is an image: a kill between the two forgets nobody. */
static int remember_signer(struct pulling *p, const char *name, const struct pulled *before,
                           const struct vouched *vouched, struct error *err)
{
    struct pulled known = *before;
    if (!vouched->signer[0])
        return 0;
    memcpy(known.signer, vouched->signer, sizeof known.signer);
    known.when = clock_wall();
    return pulled_write(&p->store, name, &known, err);
}

static int remember(struct pulling *p, const char *name, const struct pull *pull,
                    const struct vouched *vouched, struct error *err)
{
    struct pulled now = {.when = clock_wall()};
    memcpy(now.digest, pull->top.digest, DIGEST_MAX);
    memcpy(now.signer, vouched->signer, sizeof now.signer);
    return pulled_write(&p->store, name, &now, err);
}

static int pull_one(struct pulling *p, const struct reference *ref, struct buf *said,
                    struct error *err)
{
    autostaging staging = {0};
    struct layer_progress progress = {0};
    struct pulled before = {0};
    struct vouched vouched = {0};
    autopull pull = {.store = &p->store,
                     .staging = &staging,
                     .client = &p->connection.client,
                     .ref = ref,
                     .platform = &p->platform};
    limits_from_options(&p->options->limits, &pull.limits);
    pull.limits.workers = p->connection.client.lane_count;
    uint64_t swept = 0;
    tell_beginning(p, ref);
    int rc = staging_open(&p->store, &staging, err);
    if (rc == 0)
        rc = partial_sweep(&p->store, false, &swept, err);
    autobuf full = {0};
    reference_exact(ref, &full);
    if (rc == 0)
        rc = pulled_read(&p->store, buf_text(&full), &before, err);
    if (rc == 0)
        rc = pull_find(&pull, err);
    if (rc == 0)
        rc = check_trust(p, &pull, &before, &vouched, err);
    if (rc == 0)
        rc = remember_signer(p, buf_text(&full), &before, &vouched, err);
    if (rc < 0)
        return rc;
    layer_progress_begin(&progress, look, &pull, pull.layer_count, p->screen, p->options->quiet);
    rc = pull_fetch(&pull, err);
    layer_progress_end(&progress);
    if (rc == 0)
        rc = remember(p, buf_text(&full), &pull, &vouched, err);
    if (rc < 0)
        return rc;
    image_event_names(p->events, "pull", pull.plan.images[0].image.id,
                      &pull.plan.images[0].image.names);
    tell_end(p, ref, &pull, before.digest, &vouched, said);
    return 0;
}

static int pull_tags(struct pulling *p, const struct reference *ref, struct buf *said,
                     struct error *err)
{
    autostrv tags = {0};
    int rc = tags_list(&p->connection.client, 0, &tags, err);
    for (size_t i = 0; rc == 0 && i < tags.len; i++) {
        struct reference one = *ref;
        one.tag = tags.items[i];
        /* "sha256-HEX" and what follows are signatures and the like, under names of their own. */
        if (starts_with(one.tag, "sha256-") && strlen(one.tag) >= 71 && is_hex(one.tag + 7, 64))
            continue;
        rc = pull_one(p, &one, said, err);
    }
    return rc;
}

/* --- before anything foreign is read --- */

/* 1: the image is there, for the platform that was asked for. */
static int is_there(struct pulling *p, const struct reference *ref, struct error *err)
{
    autobuf full = {0};
    autoimage image = {0};
    struct error why = {0};
    reference_exact(ref, &full);
    int rc = store_lock(&p->store, LOCK_SH, err);
    if (rc < 0)
        return rc;
    rc = store_resolve(&p->store, buf_text(&full), &image, &why);
    store_unlock(&p->store);
    if (rc == -ENOENT || rc == -EBADMSG)
        return 0;
    if (rc < 0)
        return error_set(err, rc, "%s", why.text);
    return !p->platform.chosen || platform_matches(&p->platform, image.config.os,
                                                   image.config.architecture, image.config.variant);
}

static int check_words(const struct pull_options *o, const char *text, const struct reference *ref,
                       struct error *err)
{
    bool tagged = strchr(strrchr(text, '/') ? strrchr(text, '/') : text, ':') || ref->digest[0];
    if (o->all_tags && tagged)
        return error_set(err, -EINVAL,
                         "--all-tags goes with the name of a repository: leave the tag out of %s",
                         text);
    return 0;
}

static int pull_words(struct pulling *p, const char *text, struct buf *said, struct error *err)
{
    const struct pull_options *o = p->options;
    autoconf conf = NULL;
    autoreference ref = {0};
    int rc = conf_read(&conf, err);
    if (rc == 0)
        rc = registry_reference(conf, text, &ref, err);
    if (rc == 0)
        rc = check_words(o, text, &ref, err);
    if (rc == 0)
        rc = platform_parse(o->platform, &p->platform, err);
    if (rc == 0)
        rc = open_store(&p->store, err);
    if (rc == 0 && o->when && !streq(o->when, "always")) {
        rc = is_there(p, &ref, err);
        if (rc == 1) {
            reference_exact(&ref, said);
            buf_char(said, '\n');
            return 0;
        }
        if (rc == 0 && streq(o->when, "never"))
            rc =
                error_set(err, -ENOENT, "no such image: %s, and --policy never fetches none", text);
    }
    if (rc == 0)
        rc = policy_read(o->signature_policy, &p->policy, err);
    if (rc == 0)
        rc = connect_to_read(conf, &ref, &o->reach, registry_lanes(), &p->connection, err);
    if (rc == 0)
        rc = confine_to_store(&p->store, -1, -1, err);
    if (rc < 0)
        return rc;
    if (!o->quiet)
        tell_of_policies(&p->store, p->policy);
    return o->all_tags ? pull_tags(p, &ref, said, err) : pull_one(p, &ref, said, err);
}

int command_pull(const struct invocation *call, void *options, struct error *err)
{
    struct pulling p = {.options = options,
                        .store = {.root_fd = -1, .lock_fd = -1},
                        .screen = screen_of(STDERR_FILENO),
                        .events = image_events_open()};
    autobuf said = {0};
    int rc = pull_words(&p, call->arguments[0], &said, err);
    pulling_close(&p);
    if (rc < 0)
        return rc;
    return print(&said);
}
