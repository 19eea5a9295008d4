/* SPDX-License-Identifier: Apache-2.0 */
#include "build/placing.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
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
#define MANY 2000 /* files: then several processes make them */
#define PROCESSES_MAX 4
#define SMALL ((size_t)256 << 10) /* bytes: copied by reading and writing, which begins quicker */

/* What the processes of one placing know together. */
struct shared {
    bool fresh; /* the destination was not there before */
    unsigned char
        picks[]; /* of each pick that is a directory: it was made, and nothing was in it */
};

/* A part of a placing. Directories are made before others put something into them, and have their
 * times set when nobody will any more. */
enum part { PART_ALL, PART_DIRECTORIES, PART_OTHERS, PART_TIMES };

struct task {
    const struct placing *placing;
    struct shared *shared;
    enum part part;
    size_t from, to; /* PART_OTHERS: of the picks */
};

struct work {
    const struct placing *p;
    struct shared *shared;
    int into;   /* the destination: a directory */
    int direct; /* the same in the upper directory; -1: not opened yet, or there is none */
    int plain;  /* a directory that was made here, and gives no group on; -1 */
    int parent; /* of the last file, below it; -1 */
    char *parent_path;
    char *buffer;
    char target[INROOT_PATH_MAX]; /* of a single file: where it goes, links followed */
};

static void work_free(struct work *w)
{
    if (w->into >= 0)
        close(w->into);
    if (w->direct >= 0)
        close(w->direct);
    free(w->buffer);
    if (w->parent >= 0)
        close(w->parent);
    free(w->parent_path);
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
    int fd = inroot_make_directory_for(root, path, uid, gid, made);
    if (fd == -ENOTDIR)
        return error_set(err, fd, "%s, or a part of it, is there and no directory", path);
    return fd < 0 ? error_set(err, fd, "cannot make the directory %s: %s", path, error_describe(fd))
                  : fd;
}

/* A file goes where a link that has its name leads, be it there or not. */
static int find_name(struct work *w, const char **name, struct error *err)
{
    size_t there;
    int rc = inroot_find(w->p->root, w->p->target, w->target, &there);
    if (rc < 0)
        return error_set(err, rc, "cannot follow %s in the image: %s", w->p->target,
                         error_describe(rc));
    char *slash = strrchr(w->target, '/');
    if (slash)
        *slash = '\0';
    *name = slash ? slash + 1 : w->target;
    return slash != NULL;
}

/* The directory that picks go below. For a single file that gets the destination's name, the name
 * is *name. */
static int open_into(struct work *w, const char **name, struct error *err)
{
    const struct placing *p = w->p;
    const struct selection *s = p->selection;
    struct stat st;
    bool made = false;
    uint32_t uid = p->owned ? p->uid : 0, gid = p->owned ? p->gid : 0;
    bool single = !s->into && !s->contents && !p->directory && !(s->count && s->items[0].archive);
    const char *parent = p->target;
    *name = NULL;
    if (single) {
        autofd there = inroot_open(p->root, p->target, O_PATH);
        single = there < 0 || fstat(there, &st) < 0 || !S_ISDIR(st.st_mode);
    }
    if (single) {
        int below = find_name(w, name, err);
        if (below < 0)
            return below;
        parent = below ? w->target : "/";
    }
    w->into = place_directory(p->root, parent, uid, gid, &made, err);
    w->shared->fresh |= made && !single;
    return w->into;
}

/* --- one file --- */

static int copy_attributes(int from, int to)
{
    autofree char *names = xmalloc(ATTRIBUTE_NAMES_MAX);
    ssize_t n = flistxattr(from, names, ATTRIBUTE_NAMES_MAX);
    for (const char *name = names; n > 0 && name < names + n; name += strlen(name) + 1) {
        char value[ATTRIBUTE_MAX];
        if (!selection_keeps_attribute(name))
            continue;
        ssize_t length = fgetxattr(from, name, value, sizeof value);
        if (length >= 0 && fsetxattr(to, name, value, (size_t)length, 0) < 0 && errno != EOPNOTSUPP)
            return -errno;
    }
    return 0;
}

static int copy_small(struct work *w, int from, int to, size_t length)
{
    if (!w->buffer)
        w->buffer = xmalloc(SMALL);
    ssize_t n = read_full(from, w->buffer, length);
    if (n < 0)
        return (int)n;
    return (size_t)n < length ? -ESTALE : write_all(to, w->buffer, length);
}

static int copy_bytes(struct work *w, int from, int to, off_t left)
{
    if (left <= (off_t)SMALL)
        return left > 0 ? copy_small(w, from, to, (size_t)left) : 0;
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

static int changed(const struct work *w, const struct pick *pick, struct error *err)
{
    return error_set(err, -EBUSY, "%s of %s changed while it was copied: build again", pick->source,
                     w->p->what);
}

static int open_source(const struct work *w, const struct pick *pick, struct error *err)
{
    autofd fd = inroot_open_beneath(w->p->source, pick->source, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return failed(w, pick, fd, "cannot read", err);
    return pick_unchanged(&pick->st, fd) ? take_fd(&fd) : changed(w, pick, err);
}

static mode_t mode_of(const struct work *w, const struct pick *pick)
{
    mode_t mode = pick->st.st_mode & 07777;
    if (w->p->mode && !S_ISLNK(pick->st.st_mode))
        (void)step_mode_apply(w->p->mode, mode, S_ISDIR(pick->st.st_mode), &mode);
    return mode & 07777;
}

/* What is made is root's, but for a group that its directory gives on. */
static int own(const struct work *w, const struct pick *pick, int dir, const char *name)
{
    uint32_t uid = w->p->owned ? w->p->uid : pick->st.st_uid;
    uint32_t gid = w->p->owned ? w->p->gid : pick->st.st_gid;
    if (uid == 0 && gid == 0 && dir == w->plain)
        return 0;
    return fchownat(dir, name, uid, gid, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
}

static int set_times(const struct work *w, const struct pick *pick, int dir, const char *name)
{
    const struct timespec fixed = {.tv_sec = w->p->time};
    const struct timespec times[] = {{.tv_nsec = UTIME_OMIT},
                                     w->p->timed ? fixed : pick->st.st_mtim};
    if (pick->text) /* written now */
        return 0;
    return utimensat(dir, name, times, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
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

static int make_file(struct work *w, const struct pick *pick, int dir, const char *name,
                     struct error *err)
{
    autofd from = pick->text ? -1 : open_source(w, pick, err);
    if (from < 0 && !pick->text)
        return from;
    const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    mode_t mode = mode_of(w, pick);
    autofd to = openat(dir, name, flags, mode & 0777);
    if (to < 0 && errno == EEXIST) {
        int room = make_room(w, pick, dir, name, err);
        if (room < 0)
            return room;
        to = openat(dir, name, flags, mode & 0777);
    }
    if (to < 0)
        return failed(w, pick, -errno, "cannot make", err);
    int rc = pick->text ? write_all(to, pick->text, strlen(pick->text))
                        : copy_bytes(w, from, to, pick->st.st_size);
    if (rc == -ESTALE || (rc == 0 && from >= 0 && !pick_unchanged(&pick->st, from)))
        return changed(w, pick, err);
    if (rc == 0)
        rc = own(w, pick, dir, name);
    if (rc == 0 && mode > 0777 && fchmod(to, mode) < 0)
        rc = -errno;
    if (rc == 0 && from >= 0)
        rc = copy_attributes(from, to);
    if (rc == 0)
        rc = set_times(w, pick, dir, name);
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
        rc = set_times(w, pick, dir, name);
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
        w->shared->picks[number] = 1;
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

/* Whether nothing that an earlier step made is below the directory of a pick. */
static bool is_fresh(const struct work *w, const struct pick *pick)
{
    return pick->above != NOT_PICKED && w->shared->picks[pick->above];
}

/* The destination in the upper directory, where it is by now: something was made in it. */
static int open_upper(struct work *w)
{
    char at[INROOT_PATH_MAX];
    if (w->p->upper < 0 || w->direct >= 0)
        return w->direct;
    if (inroot_where(w->p->root, w->into, at) < 0)
        return -1;
    autofd fs = inroot_open_beneath(w->p->upper, "fs", O_PATH | O_DIRECTORY);
    int fd = fs < 0 ? -1 : inroot_open_beneath(fs, *at ? at : ".", O_PATH | O_DIRECTORY);
    return w->direct = fd < 0 ? -1 : fd;
}

/* The directory of which the path is `parent_path`, there; -1. */
static int open_direct(struct work *w)
{
    struct stat st;
    int into = open_upper(w);
    int fd = into < 0 ? -1 : inroot_open_beneath(into, w->parent_path, O_PATH | O_DIRECTORY);
    if (fd >= 0 && fstat(fd, &st) == 0 && !(st.st_mode & S_ISGID))
        w->plain = fd;
    return fd < 0 ? -1 : fd;
}

/* The directory that a pick goes into; links are followed in-root, as the destination's are. */
static int parent_of(struct work *w, const struct pick *pick, const char **name, struct error *err)
{
    const char *slash = strrchr(pick->target, '/');
    *name = slash ? slash + 1 : pick->target;
    if (!slash)
        return w->shared->fresh && open_upper(w) >= 0 ? w->direct : w->into;
    size_t length = (size_t)(slash - pick->target);
    if (w->parent >= 0 && strlen(w->parent_path) == length &&
        strncmp(w->parent_path, pick->target, length) == 0)
        return w->parent;
    if (w->parent >= 0)
        close(w->parent);
    free(w->parent_path);
    w->parent_path = xstrndup(pick->target, length);
    w->plain = -1;
    w->parent = is_fresh(w, pick) ? open_direct(w) : -1;
    if (w->parent >= 0)
        return w->parent;
    w->parent = inroot_open_beneath(w->into, w->parent_path, O_PATH | O_DIRECTORY);
    if (w->parent == -ELOOP) {
        autofree char *path = xasprintf("%s/%s", w->p->target, w->parent_path);
        w->parent = inroot_open(w->p->root, path, O_PATH | O_DIRECTORY);
    }
    return w->parent < 0 ? failed(w, pick, w->parent, "cannot open the directory of", err)
                         : w->parent;
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
    if (S_ISREG(pick->st.st_mode))
        return make_file(w, pick, dir, name, err);
    int rc = make_room(w, pick, dir, name, err);
    return rc < 0 ? rc : make_other(w, pick, dir, name, err);
}

static int finish_directories(struct work *w, struct error *err)
{
    for (size_t i = w->p->selection->count; i-- > 0;) {
        const char *name;
        const struct pick *pick = &w->p->selection->items[i];
        if (!w->shared->picks[i])
            continue;
        int dir = parent_of(w, pick, &name, err);
        int rc = dir < 0 ? dir : set_times(w, pick, dir, name);
        if (rc < 0)
            return rc == dir ? rc : failed(w, pick, rc, "cannot set the times of", err);
    }
    return 0;
}

static bool is_of(const struct task *task, const struct pick *pick)
{
    bool directory = S_ISDIR(pick->st.st_mode);
    return !pick->archive &&
           (task->part == PART_ALL || (task->part == PART_DIRECTORIES && directory) ||
            (task->part == PART_OTHERS && !directory));
}

static int carry_out(void *closure, const struct errand_place *place_, uint64_t *count,
                     struct error *err)
{
    const struct task *task = closure;
    struct work w __attribute__((cleanup(work_free))) = {.p = task->placing,
                                                         .shared = task->shared,
                                                         .into = -1,
                                                         .direct = -1,
                                                         .plain = -1,
                                                         .parent = -1};
    const int writable[] = {w.p->root, w.p->upper};
    const struct confine_paths allowed = {.read_write = writable,
                                          .read_write_count = w.p->upper >= 0 ? 2 : 1,
                                          .read_only = &w.p->source,
                                          .read_only_count = w.p->source >= 0};
    const char *single;
    (void)place_;
    int rc = worker_confine(&allowed, err);
    if (rc >= 0)
        rc = open_into(&w, &single, err);
    for (size_t i = task->from; rc >= 0 && i < task->to; i++) {
        const struct pick *pick = &w.p->selection->items[i];
        rc = is_of(task, pick) ? place(&w, pick, single, err) : 0;
        ++*count;
    }
    bool last = task->part == PART_ALL || task->part == PART_TIMES;
    return rc < 0 || !last ? (rc < 0 ? rc : 0) : finish_directories(&w, err);
}

/* --- processes --- */

static int start(struct task *task, struct errand_run *run, struct error *err)
{
    const struct errand errand = {.work = carry_out, .closure = task, .fds = {-1, -1, -1, -1}};
    return errand_aside(&errand, run, err);
}

static int do_part(struct task task, struct error *err)
{
    struct errand_run run = ERRAND_RUN_NONE;
    int rc = start(&task, &run, err);
    return rc < 0 ? rc : errand_end(&run, NULL, err);
}

static size_t processors(void)
{
    long count = sysconf(_SC_NPROCESSORS_ONLN);
    return count < 1 ? 1 : count > PROCESSES_MAX ? PROCESSES_MAX : (size_t)count;
}

static int do_others(struct task task, struct error *err)
{
    struct errand_run runs[PROCESSES_MAX];
    struct task parts[PROCESSES_MAX];
    size_t count = processors(), started = 0, all = task.to;
    int rc = 0;
    for (; rc == 0 && started < count; started += rc == 0) {
        parts[started] = task;
        parts[started].from = all * started / count;
        parts[started].to = all * (started + 1) / count;
        runs[started] = (struct errand_run)ERRAND_RUN_NONE;
        rc = start(&parts[started], &runs[started], err);
    }
    for (size_t i = 0; i < started; i++) {
        struct error why = {0};
        int one = errand_end(&runs[i], NULL, &why);
        if (rc == 0 && one < 0) {
            rc = one;
            if (err)
                *err = why;
        }
    }
    return rc;
}

int place_files(const struct placing *placing, struct error *err)
{
    size_t count = placing->selection->count, size = sizeof(struct shared) + count + 1;
    struct shared *shared =
        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        return error_errno(err, "cannot copy");
    struct task task = {.placing = placing, .shared = shared, .to = count};
    int rc = 0;
    if (count < MANY || !placing->selection->once) {
        rc = do_part(task, err);
    } else {
        task.part = PART_DIRECTORIES;
        rc = do_part(task, err);
        task.part = PART_OTHERS;
        if (rc == 0)
            rc = do_others(task, err);
        task.part = PART_TIMES;
        task.to = 0;
        if (rc == 0)
            rc = do_part(task, err);
    }
    munmap(shared, size);
    return rc;
}
