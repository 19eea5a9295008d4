/* SPDX-License-Identifier: Apache-2.0 */
#include "build/context.h"

#include <ctype.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/memory.h"
#include "base/process.h"
#include "base/text.h"
#include "build/remote_context.h"

#define IGNORE_FILE_MAX (4u << 20)
#define LAYOUT_ANSWER_MAX 4096

/* 1: there is such a file. */
static int read_ignore(int dir, const char *file, const char *shown, struct named_context *out,
                       struct error *err)
{
    autobuf text = {0};
    struct error why = {0};
    int rc = read_file_at(dir, file, IGNORE_FILE_MAX, &text, &why);
    if (rc == -ENOENT)
        return 0;
    if (rc < 0)
        return error_set(err, rc, "cannot read %s: %s", shown, error_describe(rc));
    rc = ignore_parse(buf_text(&text), text.len, shown, &out->ignore, err);
    out->ignore_name = xstrdup(shown);
    return rc < 0 ? rc : 1;
}

int context_open(const char *path, const char *dockerfile_path, struct named_context *out,
                 struct error *err)
{
    char real[PATH_MAX];
    *out = (struct named_context){.fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    if (out->fd < 0 && errno == ENOTDIR)
        return error_set(err, -ENOTDIR,
                         "%s is no directory: give the build context, and the Dockerfile with -f",
                         path);
    if (out->fd < 0)
        return error_errno(err, "cannot open the build context %s", path);
    out->path = xstrdup(realpath(path, real) ? real : path);
    int rc = 0;
    if (dockerfile_path) {
        autofree char *beside = xasprintf("%s.dockerignore", dockerfile_path);
        const char *slash = strrchr(beside, '/');
        rc = read_ignore(AT_FDCWD, beside, slash ? slash + 1 : beside, out, err);
    }
    if (rc == 0)
        rc = read_ignore(out->fd, ".dockerignore", ".dockerignore", out, err);
    return rc < 0 ? rc : 0;
}

/* The image of a directory as the OCI lays them out, taken into the store without a name. */
static int load_layout(const struct fetching *f, const char *path, char **image, struct error *err)
{
    static const char told[] = "Loaded image ID: ";
    autostrv words = {0};
    autobuf answer = {0};
    autofd dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        return error_errno(err, "cannot open %s: oci-layout:// takes a directory with one image",
                           path);
    strv_add(&words, "caisson-image");
    strv_add(&words, "load");
    strv_add(&words, "--quiet");
    strv_add(&words, "--unnamed");
    strv_fmt(&words, "--input=%s", path);
    struct process_spec spec = {
        .program = f->place->worker, .argv = strv_argv(&words), .fds = {-1, -1, 2}};
    int rc = process_run(&spec, &answer, LAYOUT_ANSWER_MAX, err);
    if (rc < 0)
        return rc;
    const char *id = buf_text(&answer);
    const char *end = strchrnul(id, '\n');
    if (!starts_with(id, told) || !*end)
        return error_set(err, -EPROTO, "caisson-image said something unexpected");
    id += sizeof told - 1;
    *image = xstrndup(id, (size_t)(end - id));
    return 0;
}

static int fetch_context(const struct fetching *f, const char *word, size_t number,
                         struct named_context *out, struct error *err)
{
    char name[32], path[40];
    snprintf(name, sizeof name, "context-%zu", number);
    autofd fd = remote_context_tree(f, word, name, err);
    if (fd < 0)
        return fd;
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int rc = context_open(path, NULL, out, err);
    out->passes = true;
    return rc;
}

/* `value`: what comes after NAME=. It may have a password in it. */
static int open_named(const struct fetching *f, const char *value, size_t number,
                      struct named_context *out, struct error *err)
{
    static const char image[] = IMAGE_CONTEXT, layout[] = "oci-layout://";
    if (starts_with(value, image)) {
        out->image = xstrdup(value + sizeof image - 1);
        return 0;
    }
    if (starts_with(value, layout))
        return load_layout(f, value + sizeof layout - 1, &out->image, err);
    if (remote_context_named(value))
        return fetch_context(f, value, number, out, err);
    if (strstr(value, "://"))
        return error_set(err, -EOPNOTSUPP,
                         "it is none of a directory, a repository, the address of an archive, "
                         "docker-image://IMAGE and oci-layout://DIRECTORY");
    return context_open(value, NULL, out, err);
}

int context_add(struct contexts *contexts, const char *words, const struct fetching *fetching,
                struct error *err)
{
    const char *equals = strchr(words, '=');
    struct named_context one = {.fd = -1};
    if (!equals || equals == words || !equals[1])
        return error_set(err, -EINVAL,
                         "--build-context %.200s: write NAME=DIRECTORY, NAME=URL or "
                         "NAME=docker-image://IMAGE",
                         words);
    int rc = open_named(fetching, equals + 1, contexts->count, &one, err);
    if (rc < 0) {
        struct contexts only = {.main = {.fd = -1}, .named = xcalloc(1, sizeof one), .count = 1};
        only.named[0] = one;
        contexts_close(&only);
        return error_prefix(err, "--build-context %.*s", (int)(equals - words), words);
    }
    one.name = xstrndup(words, (size_t)(equals - words));
    for (char *c = one.name; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    contexts->named = xrealloc(contexts->named, contexts->count + 1, sizeof *contexts->named);
    contexts->named[contexts->count++] = one;
    return 0;
}

struct named_context *context_find(struct contexts *contexts, const char *name)
{
    for (size_t i = contexts->count; i-- > 0;) /* the last one counts */
        if (strcasecmp(contexts->named[i].name, name) == 0)
            return &contexts->named[i];
    return NULL;
}

static void context_free(struct named_context *c)
{
    if (c->fd >= 0)
        close(c->fd);
    free(c->name);
    free(c->image);
    free(c->path);
    free(c->ignore_name);
    ignore_free(&c->ignore);
    memory_close(&c->memory);
}

void contexts_close(struct contexts *contexts)
{
    context_free(&contexts->main);
    for (size_t i = 0; i < contexts->count; i++)
        context_free(&contexts->named[i]);
    free(contexts->named);
    *contexts = (struct contexts){.main = {.fd = -1}};
}

void context_root(struct named_context *c, struct store *store, struct source_root *out)
{
    if (!c->remembered && !c->passes) {
        char hex[SHA256_HEX];
        sha256_hex(c->path, strlen(c->path), hex);
        memory_open(store, hex, &c->memory);
        c->remembered = true;
    }
    *out = (struct source_root){
        .root = c->fd,
        .what = c->name ? c->name : "the build context",
        .ignore = c->ignore.count ? &c->ignore : NULL,
        .ignore_name = c->ignore_name,
        .memory = c->passes ? NULL : &c->memory,
        .context = true,
    };
}
