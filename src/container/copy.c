/* SPDX-License-Identifier: Apache-2.0 */
#include "container/copy.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "archive/confine_seccomp.h"
#include "archive/tree_give.h"
#include "archive/tree_take.h"
#include "base/io.h"
#include "base/memory.h"
#include "base/text.h"
#include "path/inroot.h"

#define PIECE ((size_t)256 << 10)

/* What an errand needs to know; all of it is there before the fork. */
struct inside {
    const struct copy *copy;
    const struct copy_path *path;
    const struct copy_path *source; /* of a copy in; NULL: a tar with names of its own */
    const char *name;               /* of the top of a copy out */
    const struct strv *empty;
    bool devices;
    int fd; /* the pipe */
};

/* --- in the container: reading -----------------------------------------------------------------
 */

/* The only process that the procfs of a container shows that does not run is the one of this copy,
 * with the environment of whoever asked for it. */
static int refuse_procfs(int fd, const char *path, struct error *err)
{
    struct statfs fs;
    if (fstatfs(fd, &fs) < 0)
        return error_errno(err, "cannot look at %s in the container", path);
    if (fs.f_type == PROC_SUPER_MAGIC)
        return error_set(err, -EINVAL,
                         "%s lies on procfs, which tells of the container only while it runs: "
                         "start it first",
                         path);
    return 0;
}

static int open_source(const struct inside *in, const struct errand_place *place, struct error *err)
{
    bool follow = in->copy->follow || in->path->directory;
    int fd =
        inroot_open(place->root, in->path->clean,
                    O_PATH | (follow ? 0 : O_NOFOLLOW) | (in->path->directory ? O_DIRECTORY : 0));
    if (fd == -ENOENT)
        return error_set(err, fd, "there is no %s in the container", in->path->clean);
    if (fd < 0)
        return error_set(err, fd, "cannot open %s in the container: %s", in->path->clean,
                         error_describe(fd));
    int rc = place->running ? 0 : refuse_procfs(fd, in->path->clean, err);
    if (rc < 0) {
        close(fd);
        return rc;
    }
    return fd;
}

static int give_inside(void *closure, const struct errand_place *place, uint64_t *count,
                       struct error *err)
{
    const struct inside *in = closure;
    autopipe pipe = {.fd = in->fd};
    struct tar_writer tar = {.sink = tar_pipe_put, .closure = &pipe};
    struct tree_give give = {
        .tar = &tar,
        .descriptors = place->descriptors,
        .name = in->name,
        .devices = in->devices,
        .empty = in->empty,
    };
    int rc = confine_seccomp(err);
    if (rc < 0)
        return rc;
    autofd top = open_source(in, place, err);
    if (top < 0)
        return top;
    rc = tree_give(&give, top, err);
    if (rc == 0)
        rc = tar_write_end(&tar, err);
    if (rc == 0)
        rc = tar_pipe_end(&pipe, err);
    *count = give.left_out;
    return rc < 0 ? error_prefix(err, "cannot copy %s", in->path->clean) : 0;
}

/* --- in the container: writing -----------------------------------------------------------------
 */

struct target {
    struct copy_path path;
    enum copy_found found;
    int into;
};

static void target_free(struct target *t)
{
    copy_path_free(&t->path);
    if (t->into >= 0)
        close(t->into);
}

static int open_parent(struct target *t, int root, struct error *err)
{
    autofree char *parent = copy_path_parent(&t->path);
    t->into = inroot_open(root, parent, O_PATH | O_DIRECTORY);
    if (t->into == -ENOENT)
        return error_set(err, t->into, "the directory %s does not exist in the container", parent);
    return t->into < 0 ? error_set(err, t->into, "cannot open %s in the container: %s", parent,
                                   error_describe(t->into))
                       : 0;
}

/* Where the file really is that a link leads to: seen from the root, which is the container's. */
static void real_path(struct target *t, const struct errand_place *place, int fd)
{
    char number[16], real[PATH_MAX];
    snprintf(number, sizeof number, "%d", fd);
    ssize_t n = readlinkat(place->descriptors, number, real, sizeof real - 1);
    if (n <= 0 || real[0] != '/')
        return;
    real[n] = '\0';
    bool directory = t->path.directory;
    copy_path_free(&t->path);
    copy_path_read(real, "/", &t->path);
    t->path.directory = directory;
}

static int find_target(const struct inside *in, const struct errand_place *place, struct target *t,
                       struct error *err)
{
    struct stat st;
    copy_path_read(in->copy->inside, "/", &t->path);
    autofd fd = inroot_open(place->root, t->path.clean, O_PATH);
    if (fd == -ENOENT) {
        autofd link = inroot_open(place->root, t->path.clean, O_PATH | O_NOFOLLOW);
        if (link >= 0)
            return error_set(err, -ENOENT, "%s in the container is a symbolic link to nothing",
                             t->path.clean);
        t->found = FOUND_NOTHING;
        return open_parent(t, place->root, err);
    }
    if (fd < 0)
        return error_set(err, fd, "cannot open %s in the container: %s", t->path.clean,
                         error_describe(fd));
    if (fstat(fd, &st) < 0)
        return error_errno(err, "cannot look at %s in the container", t->path.clean);
    if (S_ISDIR(st.st_mode)) {
        t->found = FOUND_DIRECTORY;
        t->into = take_fd(&fd);
        return 0;
    }
    t->found = FOUND_OTHER;
    real_path(t, place, fd);
    return open_parent(t, place->root, err);
}

/* Who stands in for the container's root has its files too. And there are mounts where that root
 * can own nothing: binds of which all but its user's files belong to nobody (runtime/ids.h). */
static bool as_user(void *closure, const struct errand_place *place)
{
    const struct inside *in = closure;
    if (in->copy->container->plan.stand_in)
        return true;
    struct target t __attribute__((cleanup(target_free))) = {.into = -1};
    if (find_target(in, place, &t, NULL) < 0)
        return false;
    autofd dir = inroot_open_beneath(t.into, ".", O_RDONLY | O_DIRECTORY);
    autofd file = dir < 0 ? -1 : openat(dir, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
    return dir >= 0 && file < 0 && errno == EOVERFLOW;
}

static int check_target(const struct inside *in, const struct errand_place *place,
                        const struct target *t, struct error *err)
{
    struct statfs fs;
    if (!in->source && t->found != FOUND_DIRECTORY)
        return error_set(err, -ENOTDIR, "%s is not a directory in the container: a tar needs one",
                         t->path.clean);
    if (fstatfs(t->into, &fs) < 0)
        return error_errno(err, "cannot look at %s", t->path.clean);
    if (!place->running && fs.f_type == TMPFS_MAGIC)
        return error_set(err, -EINVAL,
                         "%s lies on a tmpfs, which has content only while the container runs: "
                         "start it first",
                         t->path.clean);
    return 0;
}

/* Whether files may land among the host's own, where a bit that lends the rights of who ran the
 * container would work for everybody: in a bind mount that can be written to. Volumes lie below a
 * directory that only their owner may enter. */
static bool reaches_host(const struct plan *plan)
{
    for (size_t i = 0; i < plan->mount_count; i++)
        if (plan->mounts[i].kind == PLAN_BIND && !plan->mounts[i].read_only)
            return true;
    return false;
}

static int unpack_inside(const struct inside *in, const struct errand_place *place,
                         const struct target *t, uint64_t *count, struct error *err)
{
    autopipe pipe = {.fd = in->fd};
    struct tree_take take = {
        .into = t->into,
        .source = in->source,
        .dest = in->source ? &t->path : NULL,
        .found = t->found,
        .keep_ids = in->copy->archive || !in->source,
        .uid = place->uid,
        .gid = place->gid,
        .harmless = reaches_host(&in->copy->container->plan),
    };
    int rc = tree_take_pipe(&take, &pipe, err);
    *count = take.left_out;
    if (rc == -EROFS)
        return error_set(err, rc,
                         "%s is read-only in the container: copy to a volume or a tmpfs of it, or "
                         "create it with --read-only=false",
                         in->path->clean);
    return rc;
}

static int take_inside(void *closure, const struct errand_place *place, uint64_t *count,
                       struct error *err)
{
    const struct inside *in = closure;
    struct target t __attribute__((cleanup(target_free))) = {.into = -1};
    int rc = confine_seccomp(err);
    if (rc >= 0)
        rc = find_target(in, place, &t, err);
    if (rc == 0)
        rc = check_target(in, place, &t, err);
    return rc < 0 ? rc : unpack_inside(in, place, &t, count, err);
}

/* --- here --------------------------------------------------------------------------------------
 */

/* Whoever reads may end first: that is an error of a call and no signal. */
static void (*ignore_sigpipe(void))(int)
{
    return signal(SIGPIPE, SIG_IGN);
}

/* Of two ends of a pipe: the one that wrote says best what went wrong, unless that was only that
 * nobody read. */
static int better(int writer, const struct error *written, int reader, const struct error *read,
                  struct error *err)
{
    bool use_writer = writer < 0 && !(reader < 0 && writer == -EPIPE);
    int rc = use_writer ? writer : reader;
    const struct error *from = use_writer ? written : read;
    return rc < 0 ? error_set(err, rc, "%s", from->text) : 0;
}

static int begin_out(struct copy *copy, struct inside *in, bool bare, struct visit *visit,
                     int *from, struct error *err)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return error_errno(err, "cannot make a pipe");
    in->copy = copy;
    in->fd = ends[1];
    struct errand errand = {
        .work = give_inside, .closure = in, .fds = {ends[1], -1, -1, -1}, .bare = bare};
    int rc = visit_begin(copy->container, copy->store, &errand, visit, err);
    close(ends[1]);
    if (rc < 0)
        close(ends[0]);
    else
        *from = ends[0];
    return rc;
}

static int relay(const struct copy *copy, int from, int to, struct error *err)
{
    autofree char *piece = xmalloc(PIECE);
    uint64_t passed = 0;
    for (;;) {
        ssize_t n = read(from, piece, PIECE);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? error_errno(err, "cannot read from the container") : 0;
        int rc = write_all(to, piece, (size_t)n);
        if (rc < 0)
            return error_set(err, rc, "cannot write the archive: %s", error_describe(rc));
        passed += (uint64_t)n;
        if (copy->progress)
            copy->progress(copy->closure, passed);
    }
}

static int out_tar(struct copy *copy, struct inside *in, bool bare, int to, struct error *err)
{
    struct visit visit = VISIT_NONE;
    struct error inner = {0}, outer = {0};
    int from = -1;
    int rc = begin_out(copy, in, bare, &visit, &from, err);
    if (rc < 0)
        return rc;
    void (*before)(int) = ignore_sigpipe();
    int read_rc = relay(copy, from, to, &outer);
    close(from);
    signal(SIGPIPE, before);
    int write_rc = visit_end(&visit, &copy->left_out, &inner);
    return better(write_rc, &inner, read_rc, &outer, err);
}

int copy_out_tar(struct copy *copy, int to, struct error *err)
{
    autocopypath path = {0};
    copy_path_read(copy->inside, "/", &path);
    struct inside in = {.path = &path, .name = path.contents ? "." : path.name};
    return out_tar(copy, &in, false, to, err);
}

int copy_root(struct copy *copy, int to, struct error *err)
{
    static const char *const places[] = {"proc", "sys", "dev"};
    autocopypath path = {0};
    autostrv empty = {0};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        strv_add(&empty, places[i]);
    copy_path_read("/", "/", &path);
    struct inside in = {.path = &path, .name = "", .empty = &empty, .devices = true};
    return out_tar(copy, &in, true, to, err);
}

struct outside {
    const struct copy *copy;
    struct host_place *place;
    int from;
};

static int take_outside(void *closure, const struct errand_place *place, uint64_t *count,
                        struct error *err)
{
    const struct outside *out = closure;
    (void)place;
    return host_take(out->copy, out->place, out->from, count, err);
}

int copy_out(struct copy *copy, const char *to, struct error *err)
{
    autocopypath path = {0};
    struct visit visit = VISIT_NONE;
    struct errand_run taker = ERRAND_RUN_NONE;
    struct error inner = {0}, outer = {0};
    struct outside out = {.copy = copy, .from = -1};
    uint64_t refused = 0;
    copy_path_read(copy->inside, "/", &path);
    struct inside in = {.path = &path, .name = "."};
    out.place = host_find(to, err);
    if (!out.place)
        return err->code;
    int rc = begin_out(copy, &in, false, &visit, &out.from, err);
    if (rc == 0) {
        struct errand errand = {.work = take_outside, .closure = &out};
        rc = errand_aside(&errand, &taker, &outer);
        close(out.from);
        if (rc == 0)
            rc = errand_end(&taker, &refused, &outer);
        int write_rc = visit_end(&visit, &copy->left_out, &inner);
        rc = better(write_rc, &inner, rc, &outer, err);
    }
    copy->left_out += refused;
    host_place_free(out.place);
    return rc;
}

static int begin_in(struct copy *copy, struct inside *in, int from, struct visit *visit,
                    struct error *err)
{
    in->copy = copy;
    in->fd = from;
    const struct plan *plan = &copy->container->plan;
    struct errand errand = {
        .work = take_inside,
        .closure = in,
        .fds = {from, -1, -1, -1},
        .as_user = as_user,
        .uid = plan->uid,
        .gid = plan->gid,
    };
    int rc = visit_begin(copy->container, copy->store, &errand, visit, err);
    close(from);
    return rc;
}

int copy_in(struct copy *copy, const char *from, struct error *err)
{
    char cwd[PATH_MAX];
    autocopypath path = {0};
    autocopypath source = {0};
    struct visit visit = VISIT_NONE;
    struct error inner = {0}, outer = {0};
    uint64_t refused = 0;
    int ends[2];
    if (!getcwd(cwd, sizeof cwd))
        return error_errno(err, "cannot tell the working directory");
    struct stat st;
    if (lstat(from, &st) < 0) /* before a container is made ready for it */
        return error_errno(err, "cannot copy %s", from);
    copy_path_read(copy->inside, "/", &path);
    copy_path_read(from, cwd, &source);
    struct inside in = {.path = &path, .source = &source};
    if (pipe2(ends, O_CLOEXEC) < 0)
        return error_errno(err, "cannot make a pipe");
    autofd to = ends[1];
    int rc = begin_in(copy, &in, ends[0], &visit, err);
    if (rc < 0)
        return rc;
    void (*before)(int) = ignore_sigpipe();
    autopipe pipe = {.fd = to, .progress = copy->progress, .closure = copy->closure};
    int write_rc = host_give(copy, from, &pipe, &refused, &outer);
    close(take_fd(&to));
    signal(SIGPIPE, before);
    int read_rc = visit_end(&visit, &copy->left_out, &inner);
    copy->left_out += refused;
    return better(write_rc, &outer, read_rc, &inner, err);
}

int copy_in_tar(struct copy *copy, int from,
                int (*ended)(void *closure, bool read, struct error *err), void *closure,
                struct error *err)
{
    autocopypath path = {0};
    struct visit visit = VISIT_NONE;
    struct error inner = {0}, outer = {0};
    copy_path_read(copy->inside, "/", &path);
    struct inside in = {.path = &path};
    int rc = begin_in(copy, &in, from, &visit, err);
    int read_rc = rc < 0 ? rc : visit_end(&visit, &copy->left_out, &inner);
    int write_rc = ended(closure, read_rc == 0, &outer);
    if (rc < 0)
        return rc;
    return better(write_rc, &outer, read_rc, &inner, err);
}
