/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/build_inputs.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/memory.h"
#include "base/text.h"
#include "build/dockerfile.h"
#include "path/inroot.h"

static int read_stream(int fd, const char *what, struct buf *out, struct error *err)
{
    int rc = read_fd(fd, DOCKERFILE_MAX, out);
    if (rc == -EFBIG)
        return error_set(err, rc, "%s is larger than %u MiB", what, DOCKERFILE_MAX >> 20);
    return rc < 0 ? error_set(err, rc, "cannot read %s: %s", what, error_describe(rc)) : 0;
}

int inputs_begin(struct buf *out, struct error *err)
{
    ssize_t n =
        read_full(STDIN_FILENO, buf_room(out, REMOTE_CONTEXT_BEGIN + 1), REMOTE_CONTEXT_BEGIN);
    if (n < 0)
        return error_set(err, (int)n, "cannot read standard input: %s", error_describe((int)n));
    out->len += (size_t)n;
    out->data[out->len] = '\0';
    return 0;
}

int inputs_standard(struct buf *out, struct error *err)
{
    return read_stream(STDIN_FILENO, "the Dockerfile from standard input", out, err);
}

static int read_path(const char *path, struct buf *out, struct error *err)
{
    struct stat st;
    autofd fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return error_errno(err, "cannot open %s", path);
    if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode))
        return error_set(err, -EISDIR, "%s is a directory: name the Dockerfile with -f FILE", path);
    return read_stream(fd, path, out, err);
}

void inputs_free(struct inputs *in)
{
    buf_free(&in->text);
    free(in->name);
    free(in->path);
    remote_context_free(&in->remote);
}

/* The context's own Dockerfile is in the context, wherever links lead: it may have come from
 * elsewhere. One that was named is the person's word. */
static int read_in_context(const char *context, const char *name, struct buf *out,
                           struct error *err)
{
    autofd dir = open(context, O_PATH | O_DIRECTORY | O_CLOEXEC);
    autofd fd = dir < 0 ? -errno : inroot_open_file(dir, name);
    autofd found = fd == -EINVAL ? inroot_open(dir, name, O_PATH | O_DIRECTORY) : -1;
    if (found >= 0)
        return error_set(err, -EISDIR, "%s is a directory: name the Dockerfile with -f FILE", name);
    if (fd < 0)
        return error_set(err, fd, "cannot open %s of the build context: %s", name,
                         fd == -EINVAL ? "it is no regular file" : error_describe(fd));
    return read_stream(fd, name, out, err);
}

/* -f is relative to where we are, as with BuildKit; without it, it is the context's. */
static int find_file(const struct build_options *o, const char *context, struct inputs *in,
                     struct error *err)
{
    static const char *const usual[] = {"Dockerfile", "Containerfile"};
    if (o->file) {
        in->path = xstrdup(o->file);
        if (access(in->path, F_OK) < 0 && o->file[0] != '/') {
            free(in->path);
            in->path = xasprintf("%s/%s", context, o->file);
        }
        in->name = xstrdup(o->file);
        if (access(in->path, F_OK) < 0)
            return error_errno(err, "cannot open the Dockerfile %s", o->file);
        return 0;
    }
    for (size_t i = 0; i < sizeof usual / sizeof *usual; i++) {
        free(in->path);
        in->path = xasprintf("%s/%s", context, usual[i]);
        struct stat st;
        if (lstat(in->path, &st) == 0) {
            in->name = xstrdup(usual[i]);
            return 0;
        }
    }
    return error_set(err, -ENOENT, "there is no Dockerfile in %s: name one with -f FILE", context);
}

int inputs_read(const struct build_options *o, const char *context, struct inputs *in,
                struct error *err)
{
    struct stat st;
    int rc = 0;
    bool alone = streq(context, "-");
    if (alone && streq(o->file, "-"))
        return error_set(err, -EINVAL, "-f - and a context of - both want standard input");
    if (!alone && (stat(context, &st) < 0 || !S_ISDIR(st.st_mode)))
        return stat(context, &st) < 0
                   ? error_errno(err, "cannot open the build context %s", context)
                   : error_set(err, -ENOTDIR,
                               "the build context %s is no directory: give the directory, and the "
                               "Dockerfile with -f",
                               context);
    if (alone || streq(o->file, "-")) {
        in->name = xstrdup("Dockerfile");
        rc = inputs_standard(&in->text, err);
    } else {
        rc = find_file(o, context, in, err);
        if (rc == 0)
            rc = o->file ? read_path(in->path, &in->text, err)
                         : read_in_context(context, in->name, &in->text, err);
    }
    in->input = (struct build_input){.context = alone ? NULL : context,
                                     .dockerfile_name = in->name,
                                     .dockerfile = buf_text(&in->text),
                                     .length = in->text.len,
                                     .dockerfile_path = in->path};
    return rc;
}
