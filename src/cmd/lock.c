/* SPDX-License-Identifier: Apache-2.0 */
/* lock: from the files of a project to the digests of their images. */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/memory.h"
#include "base/process.h"
#include "base/text.h"
#include "build/images.h"
#include "build/look.h"
#include "cmd/build_inputs.h"
#include "cmd/build_worker.h"
#include "cmd/lock_options.h"
#include "cmd/print.h"
#include "cmd/worker.h"
#include "compose/images.h"
#include "registry/conf.h"

#define ASKED_AT_ONCE 8
#define NAMES_MAX 1000

struct locking {
    const struct lock_options *options;
    const char *directory;
    char *path; /* of the lock file */
    struct lockfile lock;
    struct store store;
    struct conf *conf;
    char *worker;
    struct strv names;  /* full, of images that are to be locked */
    struct strv needed; /* … of them those that are asked for */
    struct buf said;
    bool elsewhere; /* something is built from what is not here */
    size_t added, moved, dropped;
};

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

/* --- names --- */

/* `name`: as a file of the project has it. */
static int add_name(struct locking *l, const char *name, struct error *err)
{
    autoreference ref = {0};
    autobuf full = {0};
    int rc = conf_reference(l->conf, name, &ref, err);
    if (rc < 0 || ref.digest[0])
        return rc;
    reference_full(&ref, &full);
    if (strv_has(&l->names, buf_text(&full)))
        return 0;
    if (l->names.len == NAMES_MAX)
        return error_set(err, -E2BIG, "more than %d images are named", NAMES_MAX);
    if (!lockfile_find(&l->lock, &ref) && images_ours(&l->store, &ref)) {
        buf_fmt(&l->said, "%s: not locked, it was made here\n", name);
        return 0;
    }
    strv_add(&l->names, buf_text(&full));
    return 0;
}

static int add_names(struct locking *l, const struct strv *names, const char *where,
                     struct error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < names->len; i++) {
        rc = add_name(l, names->items[i], err);
        if (rc < 0)
            (void)error_prefix(err, "%s", where);
    }
    return rc;
}

/* --- Dockerfiles --- */

static int read_dockerfile(struct locking *l, const struct build_options *build,
                           const char *context, struct error *err)
{
    autoinputs in = {.remote = REMOTE_CONTEXT_NONE};
    autostrv names = {0};
    int rc = inputs_read(build, context, &in, err);
    if (rc == 0)
        rc = look_images(build, &in.input, &names, err);
    return rc < 0 ? rc : add_names(l, &names, in.name, err);
}

/* NULL: the directory's own. */
static int read_own(struct locking *l, const char *file, struct error *err)
{
    const struct lock_options *o = l->options;
    const struct build_options build = {
        .file = file, .target = o->target, .build_args = o->build_args, .contexts = o->contexts};
    return read_dockerfile(l, &build, l->directory, err);
}

/* --- compose files --- */

/* One that is written in the compose file itself. */
static int read_text(struct locking *l, const struct compose_build *b,
                     const struct build_options *build, struct error *err)
{
    autostrv names = {0};
    autofree char *where = xasprintf("%s: dockerfile_inline", b->service);
    const struct build_input input = {
        .dockerfile_name = where, .dockerfile = b->text, .length = strlen(b->text)};
    int rc = look_images(build, &input, &names, err);
    return rc < 0 ? rc : add_names(l, &names, where, err);
}

/* A build of a directory looks into that for its lock file. */
static void tell_context(struct locking *l, const char *context)
{
    struct stat here, there;
    if (stat(l->directory, &here) < 0 || stat(context, &there) < 0 ||
        (here.st_dev == there.st_dev && here.st_ino == there.st_ino))
        return;
    buf_str(&l->said, "'caisson build ");
    buf_printable(&l->said, context);
    buf_fmt(&l->said, "' is held to it with --lock-file %s\n", l->path);
}

static int read_build(struct locking *l, const struct compose_build *b, struct error *err)
{
    autofree char *file = !b->dockerfile          ? NULL
                          : *b->dockerfile == '/' ? xstrdup(b->dockerfile)
                                                  : xasprintf("%s/%s", b->context, b->dockerfile);
    const struct build_options build = {
        .file = file, .target = b->target, .build_args = b->args, .contexts = b->contexts};
    if (b->text)
        return read_text(l, b, &build, err);
    if (remote_context_named(b->context)) {
        buf_printable(&l->said, b->service);
        buf_str(&l->said, ": what it is built from is elsewhere: not locked\n");
        l->elsewhere = true;
        return 0;
    }
    int rc = read_dockerfile(l, &build, b->context, err);
    if (rc < 0)
        return error_prefix(err, "service %s", b->service);
    if (!l->options->check)
        tell_context(l, b->context);
    return 0;
}

static int read_compose(struct locking *l, const struct strv *files, struct error *err)
{
    autocompose_images images = {0};
    int rc = compose_images_read(files, &images, err);
    if (rc < 0)
        return rc;
    if (l->options->files.len == 0 && images.compose_file)
        return error_set(err, -EINVAL, "COMPOSE_FILE of .env names other files: name them with -f");
    for (size_t i = 0; i < images.unset.len; i++)
        tell_warning("the variable %s is not set: nothing stands for it in %s",
                     images.unset.items[i], files->items[0]);
    rc = add_names(l, &images.names, files->items[0], err);
    for (size_t i = 0; rc == 0 && i < images.build_count; i++) {
        rc = read_build(l, &images.builds[i], err);
        if (rc < 0)
            (void)error_prefix(err, "%s", files->items[0]);
    }
    return rc;
}

/* --- which files --- */

static bool is_compose(const char *file)
{
    return ends_with(file, ".yml") || ends_with(file, ".yaml");
}

static bool add_usual(const struct locking *l, const char *name, struct strv *out)
{
    autofree char *path =
        streq(l->directory, ".") ? xstrdup(name) : xasprintf("%s/%s", l->directory, name);
    bool there = access(path, F_OK) == 0;
    if (there)
        strv_add(out, path);
    return there;
}

/* As Docker's compose finds them, with what is merged over them. */
static void find_compose(const struct locking *l, struct strv *out)
{
    static const char *const usual[] = {"compose.yaml", "compose.yml", "docker-compose.yml",
                                        "docker-compose.yaml"};
    static const char *const over[] = {"compose.override.yml", "compose.override.yaml",
                                       "docker-compose.override.yml",
                                       "docker-compose.override.yaml"};
    bool found = false;
    for (size_t i = 0; i < sizeof usual / sizeof *usual && !found; i++)
        found = add_usual(l, usual[i], out);
    for (size_t i = 0; found && i < sizeof over / sizeof *over; i++)
        if (add_usual(l, over[i], out))
            break;
}

static bool has_dockerfile(const struct locking *l)
{
    autostrv unused = {0};
    return add_usual(l, "Dockerfile", &unused) || add_usual(l, "Containerfile", &unused);
}

static int read_files(struct locking *l, struct error *err)
{
    const struct lock_options *o = l->options;
    autostrv compose = {0};
    bool own = o->files.len == 0;
    int rc = 0;
    if (own)
        find_compose(l, &compose);
    if (own && (has_dockerfile(l) || compose.len == 0))
        rc = read_own(l, NULL, err);
    for (size_t i = 0; rc == 0 && i < o->files.len; i++)
        if (is_compose(o->files.items[i]))
            strv_add(&compose, o->files.items[i]);
        else
            rc = read_own(l, o->files.items[i], err);
    return rc == 0 && compose.len > 0 ? read_compose(l, &compose, err) : rc;
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
        rc = read_files(&l, err);
    if (rc < 0)
        return rc;
    find_needed(&l);
    return o->check ? check(&l) : lock_them(&l, err);
}
