/* SPDX-License-Identifier: Apache-2.0 */
#include "build/remote_context.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/memory.h"
#include "base/text.h"
#include "build/dockerfile.h"
#include "build/fetching.h"
#include "build/secrets.h"
#include "build/unpack.h"
#include "build/variables.h"
#include "path/inroot.h"

#define ARCHIVE_MAX (UINT64_C(4) << 30)
#define CHUNK ((size_t)256 << 10)
#define TREE "tree"

bool remote_context_named(const char *word)
{
    return remote_kind(word) != REMOTE_NONE;
}

bool remote_context_begins(const void *bytes, size_t length)
{
    return unpack_may_be_archive(bytes, length);
}

/* --- the Dockerfile in it --- */

static int read_text(int fd, const char *name, struct buf *out, struct error *err)
{
    int rc = read_fd(fd, DOCKERFILE_MAX, out);
    if (rc == -EFBIG)
        return error_set(err, rc, "%.200s of the context is larger than %u MiB", name,
                         DOCKERFILE_MAX >> 20);
    return rc < 0 ? error_set(err, rc, "cannot read %.200s of the context: %s", name,
                              error_describe(rc))
                  : 0;
}

/* What .dockerignore may be beside; behind a link there is none. */
static void find_beside(struct remote_context *c)
{
    const char *slash = strrchr(c->name, '/');
    autofree char *parent = slash ? xstrndup(c->name, (size_t)(slash - c->name)) : xstrdup(".");
    const char *relative = parent + strspn(parent, "/");
    c->beside = inroot_open_beneath(c->root, *relative ? relative : ".", O_RDONLY | O_DIRECTORY);
    if (c->beside >= 0)
        c->file_path = xasprintf("/proc/self/fd/%d/%s", c->beside, slash ? slash + 1 : c->name);
}

static int find_file(const struct build_options *o, struct remote_context *c, struct error *err)
{
    const char *const names[] = {o->file ? o->file : "Dockerfile",
                                 o->file ? NULL : "Containerfile"};
    snprintf(c->path, sizeof c->path, "/proc/self/fd/%d", c->root);
    if (streq(o->file, "-"))
        return 0;
    for (size_t i = 0; i < 2 && names[i]; i++) {
        autofd fd = inroot_open_file(c->root, names[i]);
        if (fd < 0)
            continue;
        c->name = xstrdup(names[i]);
        find_beside(c);
        return read_text(fd, names[i], &c->text, err);
    }
    return error_set(err, -ENOENT,
                     "there is no %.200s in the context: name one of its files with "
                     "-f FILE",
                     names[0]);
}

/* --- archives --- */

/* The descriptor of the directory `name`, which is made below the staging area. */
static int unpack(struct staging *staging, const char *name, const struct build_place *place,
                  int from, struct error *err)
{
    if (mkdirat(staging->fd, name, 0755) < 0)
        return error_errno(err, "cannot make a directory for the context");
    autofd into = open_directory_at(staging->fd, name, err);
    if (into < 0)
        return into;
    const struct unpacking unpacking = {.worker = place->worker,
                                        .from = from,
                                        .root = into,
                                        .target = "",
                                        .into = into,
                                        .owned = true,
                                        .uid = geteuid(),
                                        .gid = getegid()};
    int rc = unpack_archive(&unpacking, err);
    return rc < 0 ? error_prefix(err, "cannot unpack the context") : take_fd(&into);
}

/* Needs no name once it is open. */
static int archive_file(const struct staging *staging, struct error *err)
{
    static const char name[] = "archive";
    int fd = openat(staging->fd, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd >= 0)
        (void)unlinkat(staging->fd, name, 0);
    return fd < 0 ? error_errno(err, "cannot make a file for the context") : fd;
}

static int spool(int stream, const struct buf *begun, int to, struct error *err)
{
    autofree char *buffer = xmalloc(CHUNK);
    uint64_t total = begun->len;
    ssize_t n = 0;
    int rc = write_all(to, begun->data, begun->len);
    while (rc == 0 && (n = read_full(stream, buffer, CHUNK)) > 0) {
        total += (uint64_t)n;
        if (total > ARCHIVE_MAX)
            return error_set(err, -EFBIG, "the context on standard input is larger than 4 GiB");
        rc = write_all(to, buffer, (size_t)n);
    }
    if (rc == 0 && n < 0)
        rc = (int)n;
    if (rc == 0 && lseek(to, 0, SEEK_SET) < 0)
        rc = -errno;
    return rc < 0 ? error_set(err, rc, "cannot keep the context of standard input: %s",
                              error_describe(rc))
                  : 0;
}

int remote_context_read(const struct build_options *options, const struct build_place *place,
                        int stream, const struct buf *begun, struct remote_context *out,
                        struct error *err)
{
    int rc = staging_open(place->store, &out->staging, err);
    autofd file = rc < 0 ? rc : archive_file(&out->staging, err);
    if (file < 0)
        return file;
    rc = spool(stream, begun, file, err);
    if (rc == 0)
        rc = out->root = unpack(&out->staging, TREE, place, file, err);
    return rc < 0 ? rc : find_file(options, out, err);
}

/* --- addresses --- */

/* What is behind an address, open at its beginning. */
static int get_file(const struct fetching *f, const struct remote *remote, struct error *err)
{
    struct url_record record;
    bool unchanged;
    autofd file = archive_file(f->staging, err);
    int rc = file < 0 ? file : download(f, remote, NULL, file, &record, &unchanged, err);
    if (rc == 0 && lseek(file, 0, SEEK_SET) < 0)
        rc = error_errno(err, "cannot read the context");
    return rc < 0 ? rc : take_fd(&file);
}

/* git's own directories are no part of a context. */
static int get_repository(const struct fetching *f, const struct remote *remote, const char *name,
                          struct error *err)
{
    char commit[GIT_COMMIT_MAX];
    int rc = git_resolve(f, remote, name, commit, err);
    autofd root = rc < 0 ? rc : git_fetch(f, remote, name, commit, err);
    if (root < 0)
        return root;
    rc = remove_tree_at(root, ".git", err);
    return rc < 0 ? rc : take_fd(&root);
}

int remote_context_tree(const struct fetching *fetching, const char *word, const char *name,
                        struct error *err)
{
    autoremote remote = {0};
    int rc = remote_parse(word, &remote, err);
    if (rc < 0)
        return rc;
    if (remote.kind == REMOTE_GIT)
        return get_repository(fetching, &remote, name, err);
    autofd file = get_file(fetching, &remote, err);
    if (file < 0)
        return file;
    if (!unpack_is_archive(fetching->place->worker, file))
        return error_set(err, -EINVAL,
                         "%.300s is no archive: a context is a tar, compressed or not, or a "
                         "repository",
                         remote.address);
    return unpack(fetching->staging, name, fetching->place, file, err);
}

/* An archive, or a Dockerfile alone. */
static int fetch_file(const struct build_options *o, const struct fetching *f,
                      const struct remote *remote, struct remote_context *c, struct error *err)
{
    autofd file = get_file(f, remote, err);
    if (file < 0)
        return file;
    if (unpack_is_archive(f->place->worker, file)) {
        c->root = unpack(f->staging, TREE, f->place, file, err);
        return c->root < 0 ? c->root : find_file(o, c, err);
    }
    if (o->file)
        return error_set(err, -EINVAL,
                         "%.300s is no archive, so it is the Dockerfile itself: leave -f out",
                         remote->address);
    c->name = xstrdup(remote->name ? remote->name : "Dockerfile");
    return read_text(file, c->name, &c->text, err);
}

static int fetch_git(const struct build_options *o, const struct fetching *f,
                     const struct remote *remote, struct remote_context *c, struct error *err)
{
    c->root = get_repository(f, remote, "git", err);
    return c->root < 0 ? c->root : find_file(o, c, err);
}

int remote_context_fetch(const struct build_options *options, const struct build_place *place,
                         const char *word, struct remote_context *out, struct error *err)
{
    static const struct strv none;
    struct secrets agents = {0};
    autoremote remote = {0};
    int rc = remote_parse(word, &remote, err);
    if (rc == 0)
        rc = secrets_read(&none, &options->ssh, &agents, err);
    if (rc == 0)
        rc = staging_open(place->store, &out->staging, err);
    const struct fetching fetching = {
        .place = place,
        .staging = &out->staging,
        .agent = pairs_find(&agents.agents, "default", strlen("default")),
    };
    if (rc == 0)
        rc = remote.kind == REMOTE_GIT ? fetch_git(options, &fetching, &remote, out, err)
                                       : fetch_file(options, &fetching, &remote, out, err);
    secrets_free(&agents);
    return rc < 0 ? rc : 0;
}

void remote_context_input(const struct remote_context *c, const struct buf *text,
                          struct build_input *out)
{
    const struct buf *said = text ? text : &c->text;
    *out = (struct build_input){
        .context = c->root >= 0 ? c->path : NULL,
        .context_passes = true,
        .dockerfile_name = c->name ? c->name : "Dockerfile",
        .dockerfile = buf_text(said),
        .length = said->len,
        .dockerfile_path = c->file_path,
    };
}

void remote_context_free(struct remote_context *c)
{
    if (c->root >= 0)
        close(c->root);
    if (c->beside >= 0)
        close(c->beside);
    free(c->name);
    free(c->file_path);
    buf_free(&c->text);
    staging_close(&c->staging);
}
