/* SPDX-License-Identifier: Apache-2.0 */
/* Which images the Dockerfiles and compose files of a project name. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/memory.h"
#include "base/text.h"
#include "build/images.h"
#include "build/look.h"
#include "cmd/build_inputs.h"
#include "cmd/lock_parts.h"
#include "cmd/print.h"
#include "compose/images.h"

#define NAMES_MAX 1000
#define ENVIRONMENT_MAX (1u << 20)

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

/* Where the Dockerfile of a service really lies, the caller's: what is wrong with one is shown, and
 * a compose file may not have others shown. NULL: the context's own. */
static int find_dockerfile(const struct compose_build *b, const char *root, char **out,
                           struct error *err)
{
    size_t length = strlen(root);
    *out = NULL;
    if (!b->dockerfile)
        return 0;
    autofree char *file = *b->dockerfile == '/' ? xstrdup(b->dockerfile)
                                                : xasprintf("%s/%s", b->context, b->dockerfile);
    *out = realpath(file, NULL);
    if (!*out)
        return error_errno(err, "cannot open the Dockerfile %.300s", file);
    if (streq(root, "/") || (strncmp(*out, root, length) == 0 && (*out)[length] == '/'))
        return 0;
    return error_set(err, -EACCES,
                     "the Dockerfile %.300s leads out of the project (%.300s): lock it by itself, "
                     "with -f",
                     file, root);
}

static int read_build(struct locking *l, const struct compose_build *b, const char *root,
                      struct error *err)
{
    autofree char *file = NULL;
    struct build_options build = {
        .target = b->target, .build_args = b->args, .contexts = b->contexts};
    if (b->text)
        return read_text(l, b, &build, err);
    if (remote_context_named(b->context)) {
        buf_printable(&l->said, b->service);
        buf_str(&l->said, ": what it is built from is elsewhere: not locked\n");
        l->elsewhere = true;
        return 0;
    }
    int rc = find_dockerfile(b, root, &file, err);
    build.file = file;
    if (rc == 0)
        rc = read_dockerfile(l, &build, b->context, err);
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
    for (size_t i = 0; i < images.unset.len; i++)
        tell_warning("the variable %s is not set: nothing stands for it in %s",
                     images.unset.items[i], files->items[0]);
    rc = add_names(l, &images.names, files->items[0], err);
    for (size_t i = 0; rc == 0 && i < images.build_count; i++) {
        rc = read_build(l, &images.builds[i], images.root, err);
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

/* Other files than the usual ones are the project's: which is not guessed. */
static int check_compose_file(const struct locking *l, struct error *err)
{
    static const char name[] = "COMPOSE_FILE=";
    const char *named = getenv("COMPOSE_FILE");
    autobuf text = {0};
    autofree char *path = xasprintf("%s/.env", l->directory);
    bool said = named && *named;
    (void)read_named_file(path, ENVIRONMENT_MAX, &text); /* told by who reads it */
    for (const char *at = buf_text(&text); *at && !said; at += strcspn(at, "\n")) {
        at += strspn(at, " \t\r\n");
        if (starts_with(at, "export "))
            at += strlen("export ");
        said = starts_with(at, name) && !strchr(" \t\r\n", at[strlen(name)]);
    }
    return !said
               ? 0
               : error_set(err, -EINVAL, "COMPOSE_FILE of %s names other files: name them with -f",
                           named && *named ? "the environment" : ".env");
}

static bool has_dockerfile(const struct locking *l)
{
    autostrv unused = {0};
    return add_usual(l, "Dockerfile", &unused) || add_usual(l, "Containerfile", &unused);
}

int lock_read_files(struct locking *l, struct error *err)
{
    const struct lock_options *o = l->options;
    autostrv compose = {0};
    bool own = o->files.len == 0;
    int rc = 0;
    if (own)
        rc = check_compose_file(l, err);
    if (own)
        find_compose(l, &compose);
    if (rc == 0 && own && (has_dockerfile(l) || compose.len == 0))
        rc = read_own(l, NULL, err);
    for (size_t i = 0; rc == 0 && i < o->files.len; i++)
        if (is_compose(o->files.items[i]))
            strv_add(&compose, o->files.items[i]);
        else
            rc = read_own(l, o->files.items[i], err);
    return rc == 0 && compose.len > 0 ? read_compose(l, &compose, err) : rc;
}
