/* SPDX-License-Identifier: Apache-2.0 */
#include "build/placing.h"

#include <fcntl.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "archive/confine.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "base/memory.h"
#include "base/text.h"
#include "path/inroot.h"
#include "runtime/errand.h"

#define COPY_CHUNK ((size_t)64 << 20)
#define XATTR_NAMES_MAX 65536
#define XATTR_VALUE_MAX 65536

struct work {
    const struct placing *p;
    int into;   /* the destination: a directory */
    int parent; /* of the last file, below it; -1 */
    char *parent_path;
    struct buf directories; /* numbers of picks that are directories made here: times come last */
};

static void work_free(struct work *w)
{
    if (w->into >= 0)
        close(w->into);
    if (w->parent >= 0)
        close(w->parent);
    free(w->parent_path);
    buf_free(&w->directories);
}

static int failed(const struct work *w, const struct pick *pick, int code, const char *what,
                  struct error *err)
{
    autobuf shown = {0};
    buf_printable(&shown, *pick->target ? pick->target : w->p->target);
    return error_set(err, code, "%s %.300s: %s", what, buf_text(&shown), error_describe(code));
}

/* --- the destination --- */

int place_directory(int root, const char *path, uint32_t uid, uint32_t gid, bool *made,
                    struct error *err)
{
    char prefix[INROOT_PATH_MAX];
    size_t length = strlen(path), known = 0;
    struct stat st;
    *made = false;
    if (length >= sizeof prefix)
        return error_set(err, -ENAMETOOLONG, "the path %.60s… is too long", path);
    autofd there = inroot_open(root, path, O_PATH);
    if (there >= 0 && fstat(there, &st) == 0 && S_ISDIR(st.st_mode))
        return take_fd(&there);
    if (there >= 0)
        return error_set(err, -ENOTDIR, "%s is there and no directory", path);
    for (size_t i = length; i > 0; i--) { /* how much of it is there */
        if (path[i] != '/' && path[i] != '\0')
            continue;
        memcpy(prefix, path, i);
        prefix[i] = '\0';
        autofd part = inroot_open(root, prefix, O_PATH | O_DIRECTORY);
        if (part >= 0) {
            known = i;
            break;
        }
    }
    autofd fd = inroot_make_directory(root, path);
    if (fd < 0)
        return error_set(err, fd, "cannot make the directory %s: %s", path, error_describe(fd));
    *made = true;
    for (size_t i = known + 1; (uid || gid) && i <= length; i++) {
        if (path[i] != '/' && path[i] != '\0')
            continue;
        memcpy(prefix, path, i);
        prefix[i] = '\0';
        autofd part = inroot_open(root, prefix, O_RDONLY | O_DIRECTORY);
        if (part < 0 || fchown(part, uid, gid) < 0)
            return error_errno(err, "cannot give %s to its owner", prefix);
    }
    return take_fd(&fd);
}

/* The directory that picks go below. For a single file that gets the destination's name, the name
 * is *name. */
static int open_into(struct work *w, const char **name, struct error *err)
{
    const struct placing *p = w->p;
    const struct selection *s = p->selection;
    struct stat st;
    bool made;
    uint32_t uid = p->owned ? p->uid : 0, gid = p->owned ? p->gid : 0;
    bool single = !s->into && !s->contents && !p->directory && !(s->count && s->items[0].archive);
    *name = NULL;
    if (single) {
        autofd there = inroot_open(p->root, p->target, O_PATH);
        single = there < 0 || fstat(there, &st) < 0 || !S_ISDIR(st.st_mode);
    }
    if (!single)
        return w->into = place_directory(p->root, p->target, uid, gid, &made, err);
    const char *slash = strrchr(p->target, '/');
    autofree char *parent = xstrndup(p->target, (size_t)(slash - p->target));
    *name = slash + 1;
    return w->into = place_directory(p->root, *parent ? parent : "/", uid, gid, &made, err);
}

/* --- one file --- */

static int copy_attributes(int from, int to)
{
    autofree char *names = xmalloc(XATTR_NAMES_MAX);
    ssize_t n = flistxattr(from, names, XATTR_NAMES_MAX);
    for (const char *name = names; n > 0 && name < names + n; name += strlen(name) + 1) {
        char value[XATTR_VALUE_MAX];
        if (!streq(name, "security.capability") && !starts_with(name, "user."))
            continue;
        ssize_t length = fgetxattr(from, name, value, sizeof value);
        if (length >= 0 && fsetxattr(to, name, value, (size_t)length, 0) < 0 && errno != EOPNOTSUPP)
            return -errno;
    }
    return 0;
}

static int copy_bytes(int from, int to, off_t left)
{
    bool by_range = true;
    while (left > 0) {
        size_t n = left > (off_t)COPY_CHUNK ? COPY_CHUNK : (size_t)left;
        ssize_t done = by_range ? copy_file_range(from, NULL, to, NULL, n, 0) : -1;
        if (done < 0 && by_range &&
            (errno == EXDEV || errno == EINVAL || errno == EOPNOTSUPP || errno == ENOSYS ||
             errno == EPERM))
            by_range = false;
        if (!by_range)
            done = sendfile(to, from, NULL, n);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return -errno;
        if (done == 0)
            return -ESTALE; /* shorter than it was */
        left -= done;
    }
    return 0;
}

static int open_source(const struct work *w, const struct pick *pick, struct error *err)
{
    struct stat st;
    autofd fd = inroot_open_beneath(w->p->source, pick->source, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return failed(w, pick, fd, "cannot read", err);
    if (fstat(fd, &st) < 0)
        return failed(w, pick, -errno, "cannot look at", err);
    if (!S_ISREG(st.st_mode) || st.st_ino != pick->st.st_ino || st.st_size != pick->st.st_size ||
        st.st_mtim.tv_sec != pick->st.st_mtim.tv_sec ||
        st.st_mtim.tv_nsec != pick->st.st_mtim.tv_nsec ||
        st.st_ctim.tv_sec != pick->st.st_ctim.tv_sec ||
        st.st_ctim.tv_nsec != pick->st.st_ctim.tv_nsec)
        return error_set(err, -EBUSY, "%s of %s changed while it was copied: build again",
                         pick->source, w->p->what);
    return take_fd(&fd);
}

static mode_t mode_of(const struct work *w, const struct pick *pick)
{
    mode_t mode = pick->st.st_mode & 07777;
    if (w->p->mode && !S_ISLNK(pick->st.st_mode))
        (void)step_mode_apply(w->p->mode, mode, S_ISDIR(pick->st.st_mode), &mode);
    return mode & 07777;
}

static int own(const struct work *w, const struct pick *pick, int dir, const char *name)
{
    uint32_t uid = w->p->owned ? w->p->uid : pick->st.st_uid;
    uint32_t gid = w->p->owned ? w->p->gid : pick->st.st_gid;
    return fchownat(dir, name, uid, gid, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
}

static int set_times(const struct pick *pick, int dir, const char *name)
{
    const struct timespec times[] = {{.tv_nsec = UTIME_OMIT}, pick->st.st_mtim};
    if (pick->text) /* written now */
        return 0;
    return utimensat(dir, name, times, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
}

static int make_file(struct work *w, const struct pick *pick, int dir, const char *name,
                     struct error *err)
{
    autofd from = pick->text ? -1 : open_source(w, pick, err);
    if (from < 0 && !pick->text)
        return from;
    autofd to = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (to < 0)
        return failed(w, pick, -errno, "cannot make", err);
    int rc = pick->text ? write_all(to, pick->text, strlen(pick->text))
                        : copy_bytes(from, to, pick->st.st_size);
    if (rc == -ESTALE)
        return error_set(err, -EBUSY, "%s of %s changed while it was copied: build again",
                         pick->source, w->p->what);
    if (rc == 0)
        rc = own(w, pick, dir, name);
    if (rc == 0 && fchmod(to, mode_of(w, pick)) < 0)
        rc = -errno;
    if (rc == 0 && from >= 0)
        rc = copy_attributes(from, to);
    if (rc == 0)
        rc = set_times(pick, dir, name);
    return rc < 0 ? failed(w, pick, rc, "cannot write", err) : 0;
}

static int make_other(struct work *w, const struct pick *pick, int dir, const char *name,
                      struct error *err)
{
    bool link = S_ISLNK(pick->st.st_mode);
    int rc = link ? symlinkat(pick->link, dir, name)
                  : mknodat(dir, name, (pick->st.st_mode & S_IFMT) | 0600, pick->st.st_rdev);
    if (rc < 0)
        return failed(w, pick, -errno, "cannot make", err);
    rc = own(w, pick, dir, name);
    if (rc == 0 && !link && fchmodat(dir, name, mode_of(w, pick), 0) < 0)
        rc = -errno;
    if (rc == 0)
        rc = set_times(pick, dir, name);
    return rc < 0 ? failed(w, pick, rc, "cannot set the owner of", err) : 0;
}

static int make_directory(struct work *w, const struct pick *pick, int dir, const char *name,
                          struct error *err)
{
    struct stat st;
    size_t number = (size_t)(pick - w->p->selection->items);
    if (mkdirat(dir, name, 0700) == 0) {
        int rc = own(w, pick, dir, name);
        if (rc == 0 && fchmodat(dir, name, mode_of(w, pick), 0) < 0)
            rc = -errno;
        buf_add(&w->directories, &number, sizeof number);
        return rc < 0 ? failed(w, pick, rc, "cannot set the owner of", err) : 0;
    }
    if (errno != EEXIST)
        return failed(w, pick, -errno, "cannot make the directory", err);
    /* A link to a directory of the tree is as good as one: /bin of many images. */
    autofree char *path = xasprintf("%s/%s", w->p->target, pick->target);
    autofd there = inroot_open(w->p->root, path, O_PATH);
    if (there < 0 || fstat(there, &st) < 0 || !S_ISDIR(st.st_mode))
        return error_set(err, -ENOTDIR, "%s is a directory in %s, and in the image it is none",
                         pick->source, w->p->what);
    return 0;
}

/* --- all of them --- */

/* The directory that a pick goes into; links are followed in-root, as the destination's are. */
static int parent_of(struct work *w, const struct pick *pick, const char **name, struct error *err)
{
    const char *slash = strrchr(pick->target, '/');
    *name = slash ? slash + 1 : pick->target;
    if (!slash)
        return w->into;
    size_t length = (size_t)(slash - pick->target);
    if (w->parent >= 0 && strlen(w->parent_path) == length &&
        strncmp(w->parent_path, pick->target, length) == 0)
        return w->parent;
    if (w->parent >= 0)
        close(w->parent);
    free(w->parent_path);
    w->parent_path = xstrndup(pick->target, length);
    w->parent = inroot_open_beneath(w->into, w->parent_path, O_PATH | O_DIRECTORY);
    if (w->parent == -ELOOP) {
        autofree char *path = xasprintf("%s/%s", w->p->target, w->parent_path);
        w->parent = inroot_open(w->p->root, path, O_PATH | O_DIRECTORY);
    }
    return w->parent < 0 ? failed(w, pick, w->parent, "cannot open the directory of", err)
                         : w->parent;
}

static int make_room(const struct work *w, const struct pick *pick, int dir, const char *name,
                     struct error *err)
{
    if (unlinkat(dir, name, 0) == 0 || errno == ENOENT)
        return 0;
    if (errno == EISDIR || errno == EPERM)
        return error_set(err, -EISDIR, "%s is a file in %s, and a directory in the image",
                         pick->source ? pick->source : pick->target, w->p->what);
    return failed(w, pick, -errno, "cannot replace", err);
}

static int place(struct work *w, const struct pick *pick, const char *single, struct error *err)
{
    const char *name;
    int dir = parent_of(w, pick, &name, err);
    if (dir < 0)
        return dir;
    if (single)
        name = single;
    if (S_ISDIR(pick->st.st_mode))
        return make_directory(w, pick, dir, name, err);
    int rc = make_room(w, pick, dir, name, err);
    if (rc < 0)
        return rc;
    return S_ISREG(pick->st.st_mode) ? make_file(w, pick, dir, name, err)
                                     : make_other(w, pick, dir, name, err);
}

static int finish_directories(struct work *w, struct error *err)
{
    for (size_t i = w->directories.len / sizeof(size_t); i-- > 0;) {
        size_t number;
        const char *name;
        memcpy(&number, w->directories.data + i * sizeof number, sizeof number);
        const struct pick *pick = &w->p->selection->items[number];
        int dir = parent_of(w, pick, &name, err);
        int rc = dir < 0 ? dir : set_times(pick, dir, name);
        if (rc < 0)
            return rc == dir ? rc : failed(w, pick, rc, "cannot set the times of", err);
    }
    return 0;
}

static int carry_out(void *closure, const struct errand_place *place_, uint64_t *count,
                     struct error *err)
{
    struct work w __attribute__((cleanup(work_free))) = {.p = closure, .into = -1, .parent = -1};
    const struct confine_paths allowed = {.read_write = &w.p->root,
                                          .read_write_count = 1,
                                          .read_only = &w.p->source,
                                          .read_only_count = w.p->source >= 0};
    const char *single;
    (void)place_;
    int rc = worker_confine(&allowed, err);
    if (rc >= 0)
        rc = open_into(&w, &single, err);
    const struct selection *s = w.p->selection;
    for (size_t i = 0; rc >= 0 && i < s->count; i++) {
        rc = s->items[i].archive ? 0 : place(&w, &s->items[i], single, err);
        ++*count;
    }
    return rc < 0 ? rc : finish_directories(&w, err);
}

int place_files(const struct placing *placing, struct error *err)
{
    struct errand_run run = ERRAND_RUN_NONE;
    uint64_t count;
    struct errand errand = {
        .work = carry_out, .closure = (void *)(uintptr_t)placing, .fds = {-1, -1, -1, -1}};
    int rc = errand_aside(&errand, &run, err);
    return rc < 0 ? rc : errand_end(&run, &count, err);
}
