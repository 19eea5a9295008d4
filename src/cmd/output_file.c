/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/output_file.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/memory.h"
#include "base/text.h"

void output_file_close(struct output_file *file)
{
    if (file->temporary)
        (void)unlinkat(file->folder, file->temporary, 0);
    if (file->fd >= 0)
        close(file->fd);
    if (file->folder >= 0)
        close(file->folder);
    free(file->name);
    free(file->temporary);
}

static int open_file(const char *path, struct output_file *out, struct error *err)
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

int output_file_open(const char *path, struct output_file *out, struct error *err)
{
    if (path && !streq(path, "-"))
        return open_file(path, out, err);
    if (isatty(STDOUT_FILENO))
        return error_set(err, -EINVAL,
                         "an archive is not written to a terminal: give a file with -o");
    out->fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
    return out->fd < 0 ? error_errno(err, "cannot write to standard output") : 0;
}

int output_file_finish(struct output_file *file, struct error *err)
{
    if (!file->temporary)
        return 0;
    if (renameat(file->folder, file->temporary, file->folder, file->name) < 0)
        return error_errno(err, "cannot write %s", file->name);
    free(take_ptr(file->temporary));
    return 0;
}
