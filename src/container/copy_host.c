/* SPDX-License-Identifier: Apache-2.0 */
/* The host's side of a copy: paths that the person who types them may use as they are. */
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "archive/confine.h"
#include "archive/tree_give.h"
#include "archive/tree_take.h"
#include "base/cleanup.h"
#include "base/memory.h"
#include "base/text.h"
#include "container/copy.h"

static int here(char out[PATH_MAX], struct error *err)
{
    return getcwd(out, PATH_MAX) ? 0 : error_errno(err, "cannot tell the working directory");
}

/* --- reading --- */

int host_give(const struct copy *copy, const char *path, struct tar_pipe *pipe, uint64_t *left_out,
              struct error *err)
{
    char cwd[PATH_MAX];
    autocopypath source = {0};
    struct tar_writer tar = {.sink = tar_pipe_put, .closure = pipe};
    int rc = here(cwd, err);
    if (rc < 0)
        return rc;
    copy_path_read(path, cwd, &source);
    int flags = O_PATH | O_CLOEXEC | (source.directory ? O_DIRECTORY : 0) |
                (copy->follow || source.directory ? 0 : O_NOFOLLOW);
    autofd top = open(path, flags);
    if (top < 0)
        return error_errno(err, "cannot copy %s", path);
    struct tree_give give = {
        .tar = &tar,
        .name = ".",
        .descriptors = open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC),
    };
    if (give.descriptors < 0)
        return error_errno(err, "cannot open /proc/self/fd");
    rc = tree_give(&give, top, err);
    close(give.descriptors);
    if (rc == 0)
        rc = tar_write_end(&tar, err);
    if (rc == 0)
        rc = tar_pipe_end(pipe, err);
    *left_out = give.left_out;
    return rc < 0 ? error_prefix(err, "cannot copy %s", path) : 0;
}

/* --- writing --- */

struct host_place {
    struct copy_path path;
    enum copy_found found;
    int into;
};

void host_place_free(struct host_place *place)
{
    if (!place)
        return;
    copy_path_free(&place->path);
    if (place->into >= 0)
        close(place->into);
    free(place);
}

static int open_parent(struct host_place *place, const char *path, struct error *err)
{
    autofree char *parent = copy_path_parent(&place->path);
    place->into = open(parent, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (place->into >= 0)
        return 0;
    if (errno == ENOENT)
        return error_set(err, -ENOENT, "cannot copy to %s: the directory %s does not exist", path,
                         parent);
    return error_errno(err, "cannot copy to %s", path);
}

/* What is replaced is the file that was opened, by the name that it has where it is: a link's
 * target and no link. Names may be exchanged meanwhile; the kernel's protection of links in
 * directories that everybody may write to only holds for what is opened. */
static int find_file(struct host_place *place, const char *path, int fd, const struct stat *file,
                     struct error *err)
{
    char link[32], real[PATH_MAX];
    struct stat st;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, real, sizeof real - 1);
    if (n < 0)
        return error_errno(err, "cannot copy to %s", path);
    real[n] = '\0';
    bool directory = place->path.directory;
    copy_path_free(&place->path);
    copy_path_read(real, "/", &place->path);
    place->path.directory = directory;
    place->found = FOUND_OTHER;
    int rc = open_parent(place, path, err);
    if (rc < 0)
        return rc;
    if (fstatat(place->into, place->path.name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
        st.st_dev != file->st_dev || st.st_ino != file->st_ino)
        return error_set(err, -EBUSY,
                         "cannot copy to %s: somebody else moves or replaces it at the same time",
                         path);
    return 0;
}

static int find(struct host_place *place, const char *path, struct error *err)
{
    char cwd[PATH_MAX];
    struct stat st;
    int rc = here(cwd, err);
    if (rc < 0)
        return rc;
    copy_path_read(path, cwd, &place->path);
    autofd fd = open(path, O_PATH | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) {
        if (lstat(place->path.clean, &st) == 0 && S_ISLNK(st.st_mode))
            return error_set(err, -ENOENT, "cannot copy to %s: it is a symbolic link to nothing",
                             path);
        place->found = FOUND_NOTHING;
        return open_parent(place, path, err);
    }
    if (fd < 0 || fstat(fd, &st) < 0)
        return error_errno(err, "cannot copy to %s", path);
    if (S_ISDIR(st.st_mode)) {
        place->found = FOUND_DIRECTORY;
        place->into = take_fd(&fd);
        return 0;
    }
    if (!S_ISREG(st.st_mode))
        return error_set(err, -EINVAL, "cannot copy to %s: it is neither a file nor a directory",
                         path);
    return find_file(place, path, fd, &st, err);
}

struct host_place *host_find(const char *path, struct error *err)
{
    struct host_place *place = xcalloc(1, sizeof *place);
    place->into = -1;
    if (find(place, path, err) == 0)
        return place;
    host_place_free(place);
    return NULL;
}

int host_take(const struct copy *copy, struct host_place *place, int from, uint64_t *left_out,
              struct error *err)
{
    const struct confine_paths allowed = {.read_write = &place->into, .read_write_count = 1};
    autocopypath source = {0};
    autopipe pipe = {.fd = from, .progress = copy->progress, .closure = copy->closure};
    copy_path_read(copy->inside, "/", &source);
    int rc = worker_confine(&allowed, err);
    if (rc < 0)
        return rc;
    struct tree_take take = {
        .into = place->into,
        .source = &source,
        .dest = &place->path,
        .found = place->found,
        .keep_ids = copy->archive,
        .uid = geteuid(),
        .gid = getegid(),
        .harmless = true,
    };
    rc = tree_take_pipe(&take, &pipe, err);
    *left_out = take.left_out;
    return rc;
}
