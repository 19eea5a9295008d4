/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/io.h"
#include "base/memory.h"
#include "base/text.h"
#include "cmd/image_worker.h"
#include "store/save.h"

/* Where the archive goes. A file is written under another name first, so that an old archive is
 * only replaced by a whole one. */
struct target {
    int fd;     /* what is written to */
    int folder; /* of the file; -1 when it is written in place */
    char *name, *temporary;
};

static void target_close(struct target *target)
{
    if (target->temporary)
        (void)unlinkat(target->folder, target->temporary, 0);
    if (target->fd >= 0)
        close(target->fd);
    if (target->folder >= 0)
        close(target->folder);
    free(target->name);
    free(target->temporary);
}

static int open_file(const char *path, struct target *out, struct error *err)
{
    struct stat st;
    if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) { /* a device, a FIFO */
        out->fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
        if (out->fd < 0)
            return error_errno(err, "cannot write %s", path);
        return 0;
    }
    const char *slash = strrchr(path, '/');
    autofree char *folder = slash ? xstrndup(path, (size_t)(slash - path) + 1) : xstrdup(".");
    out->folder = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (out->folder < 0)
        return error_errno(err, "cannot open the directory of %s", path);
    out->name = xstrdup(slash ? slash + 1 : path);
    autofree char *temporary = xasprintf("%s.%d.partial", out->name, (int)getpid());
    out->fd = openat(out->folder, temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (out->fd < 0)
        return error_errno(err, "cannot write %s", path);
    out->temporary = take_ptr(temporary);
    return 0;
}

static int open_layout(const char *path, struct target *out, struct error *err)
{
    if (!path)
        return error_set(err, -EINVAL, "oci-dir needs a directory: give it with -o");
    if (mkdir(path, 0755) < 0 && errno != EEXIST)
        return error_errno(err, "cannot create %s", path);
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return error_errno(err, "cannot open the directory %s", path);
    out->fd = fd;
    autodir d = fdopendir(fcntl(fd, F_DUPFD_CLOEXEC, 3));
    const struct dirent *entry;
    while (d && (entry = readdir(d)))
        if (!streq(entry->d_name, ".") && !streq(entry->d_name, ".."))
            return error_set(err, -ENOTEMPTY, "the directory %s is not empty: give another", path);
    return 0;
}

static int open_target(const struct save_options *o, enum save_format format, struct target *out,
                       struct error *err)
{
    if (format == SAVE_OCI_DIR)
        return open_layout(o->output, out, err);
    if (o->output && !streq(o->output, "-"))
        return open_file(o->output, out, err);
    if (isatty(STDOUT_FILENO))
        return error_set(err, -EINVAL,
                         "an archive is not written to a terminal: give a file with -o");
    out->fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
    return out->fd < 0 ? error_errno(err, "cannot write to standard output") : 0;
}

/* The whole archive gets its name. */
static int target_finish(struct target *target, struct error *err)
{
    if (!target->temporary)
        return 0;
    if (renameat(target->folder, target->temporary, target->folder, target->name) < 0)
        return error_errno(err, "cannot write %s", target->name);
    free(take_ptr(target->temporary));
    return 0;
}

int command_save(const struct invocation *call, void *options, struct error *err)
{
    const struct save_options *o = options;
    autostore store = {0};
    __attribute__((cleanup(target_close))) struct target target = {.fd = -1, .folder = -1};
    enum save_format format = streq(o->format, "oci-archive") ? SAVE_OCI_ARCHIVE
                              : streq(o->format, "oci-dir")   ? SAVE_OCI_DIR
                                                              : SAVE_DOCKER_ARCHIVE;
    int rc = open_store(&store, err);
    if (rc == 0)
        rc = store_lock(&store, LOCK_SH, err);
    for (size_t i = 0; rc == 0 && i < call->count; i++) { /* before a file is made */
        autoimage image = {0};
        rc = store_resolve(&store, call->arguments[i], &image, err);
    }
    if (rc == 0)
        rc = open_target(o, format, &target, err);
    if (rc == 0)
        rc = confine_to_store(&store, format == SAVE_OCI_DIR ? target.fd : target.folder, err);
    if (rc == 0)
        rc = store_save(&store, call->arguments, call->count, format, target.fd, err);
    return rc < 0 ? rc : target_finish(&target, err);
}
