/* SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/io.h"
#include "base/memory.h"
#include "base/process.h"
#include "base/text.h"
#include "cmd/image_events.h"
#include "cmd/image_worker.h"
#include "cmd/layer_progress.h"
#include "cmd/print.h"
#include "cmd/registry_worker.h"
#include "cmd/trust_worker.h"
#include "oci/lockfile.h"
#include "registry/pull.h"
#include "registry/tags.h"

struct pulling {
    const struct pull_options *options;
    struct store store;
    struct connection connection;
    struct platform platform;
    struct policy *policy;
    struct lockfile lock; /* empty where there is none */
    bool typed;           /* the name was, and not found in the lock file */
    struct screen screen;
    int events;
};

static void pulling_close(struct pulling *p)
{
    connection_close(&p->connection);
    platform_free(&p->platform);
    policy_free(p->policy);
    lockfile_free(&p->lock);
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

/* --- the lock file --- */

static const char *lock_name(const struct pull_options *o)
{
    return o->lock_file ? o->lock_file : LOCKFILE_NAME;
}

/* What lies where anybody can put something is nobody's word. */
static int check_place(struct error *err)
{
    struct stat file, directory;
    if (lstat(LOCKFILE_NAME, &file) < 0 || stat(".", &directory) < 0)
        return 0; /* told by who reads it */
    bool ours = file.st_uid == geteuid() && (directory.st_mode & S_ISVTX);
    if (ours || !(directory.st_mode & S_IWOTH))
        return 0;
    return error_set(err, -EPERM,
                     "the " LOCKFILE_NAME " of this directory could be anybody's: name it with "
                     "--lock-file to be held to it, or go without by --no-lock");
}

/* That of this directory holds what it names, and one that was named everything. */
static int lock_read(const struct pull_options *o, struct lockfile *out, struct error *err)
{
    autobuf text = {0};
    const char *file = lock_name(o);
    if (o->no_lock)
        return 0;
    struct stat st;
    int rc = o->lock_file ? 0 : check_place(err);
    if (rc < 0)
        return rc;
    rc = read_named_file(file, LOCKFILE_MAX, &text);
    /* A link that leads nowhere is not none. */
    if (rc == -ENOENT && !o->lock_file && lstat(file, &st) < 0)
        return 0;
    if (rc < 0)
        return error_set(err, rc, "cannot read the lock file %s: %s", file, error_describe(rc));
    return lockfile_parse(buf_text(&text), text.len, file, out, err);
}

static int check_locked(const struct pulling *p, const struct reference *ref, struct error *err)
{
    autobuf name = {0};
    if (!p->options->lock_file || ref->digest[0] || lockfile_find(&p->lock, ref))
        return 0;
    reference_familiar(ref, &name);
    return error_set(err, -EACCES, "%s is not in %s", buf_text(&name), p->options->lock_file);
}

/* The digest that a tag has to have; NULL: whatever it has. */
static const char *held_to(const struct pulling *p, const struct reference *ref)
{
    return p->options->held ? p->options->held : lockfile_find(&p->lock, ref);
}

/* Under which name it is filed. */
static void filed_name(const struct pulling *p, const struct reference *ref, struct buf *out)
{
    if (p->options->held)
        buf_fmt(out, "%s/%s@%s", ref->domain, ref->path, p->options->held);
    else
        reference_exact(ref, out);
}

/* --- what is said --- */

/* Beside the name itself. */
static void say(const struct pulling *p, const struct buf *text)
{
    if (!p->options->quiet)
        (void)write_all(p->options->for_run ? STDERR_FILENO : STDOUT_FILENO, buf_text(text),
                        text->len);
}

static void tell_beginning(const struct pulling *p, const struct reference *ref, const char *held)
{
    autobuf line = {0}, repository = {0};
    reference_repository(ref, &repository);
    buf_fmt(&line, "%.20s: Pulling from %s", reference_version(ref), buf_text(&repository));
    if (held)
        buf_fmt(&line, ", held to %.19s by %.500s", held, lock_name(p->options));
    buf_char(&line, '\n');
    /* Whoever types a name does not have to know that there is such a file. */
    if (held && p->options->quiet && !p->options->held && p->typed)
        tell_warning("%s:%.20s is held to %.19s by %.300s", buf_text(&repository),
                     reference_version(ref), held, lock_name(p->options));
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
    if (!p->options->held)
        tell_move(before, pull->top.digest, &name, &status);
    buf_fmt(&status, "Status: %s %s\n",
            fresh ? "Downloaded newer image for" : "Image is up to date for", buf_text(&name));
    say(p, &status);
    filed_name(p, ref, out);
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

static bool is_filed_as(struct pulling *p, const char *name, const char *manifest)
{
    autoimage image = {0};
    if (store_lock(&p->store, LOCK_SH, NULL) < 0)
        return false;
    bool filed = store_resolve(&p->store, name, &image, NULL) == 0;
    store_unlock(&p->store);
    return filed && streq(image.manifest, manifest);
}

/* Who has signed, and what comes, is known before there is an image: a kill between the two forgets
 * nobody, and leaves no image that seems to be one of ours. */
static int remember_before(struct pulling *p, const char *name, const struct pulled *before,
                           const struct pull *pull, const struct vouched *vouched,
                           struct error *err)
{
    struct pulled known = *before;
    if (pull->by_digest) {
        snprintf(known.held, DIGEST_MAX, "%s", pull->held);
    } else {
        /* The last one came after all, and only that was not noted any more. */
        if (known.coming[0] && is_filed_as(p, name, known.coming))
            memcpy(known.digest, known.coming, DIGEST_MAX);
        memcpy(known.coming, pull->top.digest, DIGEST_MAX);
    }
    if (vouched->signer[0])
        memcpy(known.signer, vouched->signer, sizeof known.signer);
    known.when = clock_wall();
    return pulled_write(&p->store, name, &known, err);
}

static int remember(struct pulling *p, const char *name, const struct pulled *before,
                    const struct pull *pull, const struct vouched *vouched, struct error *err)
{
    struct pulled now = {.when = clock_wall()};
    memcpy(now.held, before->held, DIGEST_MAX);
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
                     .held = held_to(p, ref),
                     .by_digest = p->options->held,
                     .platform = &p->platform};
    limits_from_options(&p->options->limits, &pull.limits);
    pull.limits.workers = p->connection.client.lane_count;
    uint64_t swept = 0;
    tell_beginning(p, ref, pull.held);
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
        rc = remember_before(p, buf_text(&full), &before, &pull, &vouched, err);
    if (rc < 0)
        return rc;
    layer_progress_begin(&progress, look, &pull, pull.layer_count, p->screen, p->options->quiet);
    rc = pull_fetch(&pull, err);
    layer_progress_end(&progress);
    if (rc == 0 && !pull.by_digest)
        rc = remember(p, buf_text(&full), &before, &pull, &vouched, err);
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
        if (p->options->lock_file && !lockfile_find(&p->lock, &one))
            continue;
        rc = pull_one(p, &one, said, err);
    }
    return rc;
}

/* --- before anything foreign is read --- */

/* 1: the image is there, for the platform that was asked for. The store is locked. */
static int resolve_there(struct pulling *p, const struct reference *ref, struct error *err)
{
    autobuf full = {0};
    autoimage image = {0}, meant = {0};
    struct error why = {0};
    const char *held = held_to(p, ref);
    filed_name(p, ref, &full);
    int rc = store_resolve(&p->store, buf_text(&full), &image, &why);
    if (rc == 0 && held) {
        autofree char *exact = xasprintf("%s/%s@%s", ref->domain, ref->path, held);
        rc = store_resolve(&p->store, exact, &meant, &why);
        if (rc == 0 && !streq(meant.id, image.id))
            return 0;
    }
    if (rc == -ENOENT || rc == -EBADMSG)
        return 0;
    if (rc < 0)
        return error_set(err, rc, "%s", why.text);
    return !p->platform.chosen || platform_matches(&p->platform, image.config.os,
                                                   image.config.architecture, image.config.variant);
}

static int is_there(struct pulling *p, const struct reference *ref, struct error *err)
{
    int rc = store_lock(&p->store, LOCK_SH, err);
    if (rc < 0)
        return rc;
    rc = resolve_there(p, ref, err);
    store_unlock(&p->store);
    return rc;
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

/* Some mirrors are for digests only. */
static int open_connection(struct pulling *p, const struct conf *conf, const struct reference *ref,
                           struct error *err)
{
    struct reference asked = *ref;
    const char *held = p->options->all_tags ? NULL : held_to(p, ref);
    if (held)
        snprintf(asked.digest, DIGEST_MAX, "%s", held);
    return connect_to_read(conf, &asked, &p->options->reach, registry_lanes(), &p->connection, err);
}

static int pull_words(struct pulling *p, const char *text, struct buf *said, struct error *err)
{
    const struct pull_options *o = p->options;
    autoconf conf = NULL;
    autoreference ref = {0};
    int rc = conf_read(&conf, err);
    if (rc == 0)
        rc = conf_reference(conf, text, &ref, err);
    if (rc == 0)
        rc = check_words(o, text, &ref, err);
    if (rc == 0)
        rc = lock_read(o, &p->lock, err);
    if (rc == 0 && !o->all_tags)
        rc = check_locked(p, &ref, err);
    if (rc == 0)
        rc = platform_parse(o->platform, &p->platform, err);
    if (rc == 0)
        rc = open_store(&p->store, err);
    if (rc == 0 && o->when && !streq(o->when, "always")) {
        rc = is_there(p, &ref, err);
        if (rc == 1) {
            filed_name(p, &ref, said);
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
        rc = open_connection(p, conf, &ref, err);
    if (rc == 0)
        rc = confine_to_store(&p->store, -1, -1, err);
    if (rc < 0)
        return rc;
    if (!o->quiet)
        tell_of_policies(&p->store, p->policy);
    return o->all_tags ? pull_tags(p, &ref, said, err) : pull_one(p, &ref, said, err);
}

static int pull_name(const struct pull_options *o, const char *name, bool typed, struct error *err)
{
    struct pulling p = {.options = o,
                        .typed = typed,
                        .store = {.root_fd = -1, .lock_fd = -1},
                        .screen = screen_of(STDERR_FILENO),
                        .events = image_events_open()};
    autobuf said = {0};
    int rc = pull_words(&p, name, &said, err);
    pulling_close(&p);
    if (rc < 0)
        return rc;
    return print(&said);
}

/* Each in a process of its own: one that has talked to one registry does not talk to another. One
 * that fails keeps the others from nothing. */
static int pull_names(const struct pull_options *o, const char *const *names, size_t count,
                      bool typed, struct error *err)
{
    pid_t us = getpid();
    int result = 0, status;
    for (size_t i = 0; i < count; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            if (prctl(PR_SET_PDEATHSIG, SIGTERM) < 0 || getppid() != us)
                return error_set(err, -ECHILD, "interrupted");
            return pull_name(o, names[i], typed, err);
        }
        int rc = pid < 0 ? error_errno(err, "cannot fork") : process_wait(pid, &status, err);
        if (rc < 0)
            return rc;
        if (WIFSIGNALED(status) || process_exit_code(status) == 130)
            return process_exit_code(status);
        if (status != 0)
            result = 1;
    }
    return result;
}

/* Without a name: all that the lock file has. */
static int pull_locked(const struct pull_options *o, struct error *err)
{
    autolockfile lock = {0};
    int rc = lock_read(o, &lock, err);
    if (rc < 0)
        return rc;
    if (lock.count == 0)
        return error_set(err, -EINVAL, "a name is needed: there is no %s here to say which",
                         LOCKFILE_NAME);
    const char **names = xcalloc(lock.count, sizeof *names);
    for (size_t i = 0; i < lock.count; i++)
        names[i] = lock.items[i].name;
    rc = pull_names(o, names, lock.count, false, err);
    free(names);
    return rc;
}

/* What is said of one registry is for one registry, and not for those that a file names. */
static int check_reach(const struct invocation *call, const struct pull_options *o,
                       struct error *err)
{
    const char *flag = o->reach.creds             ? "--creds"
                       : o->reach.tls_verify == 0 ? "--tls-verify=false"
                                                  : NULL;
    if (!flag || call->count == 1)
        return 0;
    return error_set(err, -EINVAL, "%s goes with one NAME: %s", flag,
                     o->reach.creds ? "for several, sign in with caisson login"
                                    : "for several, registries.conf says which are insecure");
}

int command_pull(const struct invocation *call, void *options, struct error *err)
{
    const struct pull_options *o = options;
    if (o->lock_file && o->no_lock)
        return error_set(err, -EINVAL, "--lock-file and --no-lock contradict each other");
    if (o->held && (!digest_valid(o->held) || call->count != 1 || o->all_tags))
        return error_set(err, -EINVAL, "--held goes with one NAME and is a digest");
    int rc = check_reach(call, o, err);
    if (rc < 0)
        return rc;
    if (call->count == 0)
        return pull_locked(o, err);
    if (call->count == 1)
        return pull_name(o, call->arguments[0], true, err);
    return pull_names(o, (const char *const *)call->arguments, call->count, true, err);
}
