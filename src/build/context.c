/* SPDX-License-Identifier: Apache-2.0 */
#include "build/context.h"

#include <ctype.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/memory.h"
#include "base/text.h"

#define IGNORE_FILE_MAX (4u << 20)

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

int context_add(struct contexts *contexts, const char *words, struct error *err)
{
    static const char image[] = "docker-image://";
    const char *equals = strchr(words, '=');
    struct named_context one = {.fd = -1};
    if (!equals || equals == words || !equals[1])
        return error_set(err, -EINVAL,
                         "--build-context %s: write NAME=DIRECTORY or NAME=docker-image://IMAGE",
                         words);
    const char *value = equals + 1;
    int rc = 0;
    if (starts_with(value, image)) {
        one.image = xstrdup(value + sizeof image - 1);
    } else if (strstr(value, "://") || starts_with(value, "git@")) {
        rc = error_set(err, -EOPNOTSUPP,
                       "--build-context %s: only directories and docker-image:// are taken", words);
    } else {
        rc = context_open(value, NULL, &one, err);
    }
    if (rc < 0) {
        struct contexts only = {.main = {.fd = -1}, .named = xcalloc(1, sizeof one), .count = 1};
        only.named[0] = one;
        contexts_close(&only);
        return rc;
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
