/* SPDX-License-Identifier: Apache-2.0 */
#include "archive/tree_take.h"

#include <fcntl.h>
#include <search.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "archive/layer_name.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "base/memory.h"
#include "base/text.h"
#include "path/inroot.h"

#define MODE_MEANWHILE 0700
#define REPLACE_TRIES 16 /* against somebody who makes what we have just taken away */

/* A directory that was made here, to be finished when nothing more comes into it. */
struct fresh {
    char *path; /* beneath `base` */
    dev_t device;
    ino_t inode;
    mode_t mode;
    uid_t uid;
    gid_t gid;
    struct timespec mtime;
};

struct taking {
    struct tree_take *take;
    int base;  /* what names are beneath; owned */
    char *top; /* name of the top beneath `base` when that is no directory; NULL */
    bool started;
    bool single; /* the top was no directory: nothing may come after it */
    struct fresh *fresh;
    size_t fresh_count;
    size_t fresh_room; /* bytes that they may still take */
    void *files;       /* tsearch(3): inodes of the files made */
    char *parent;      /* the directory used last, and its descriptor */
    int parent_fd;
};

/* One entry on its way. */
struct item {
    const struct tar_entry *entry;
    struct layer_name name;
    int parent_fd; /* borrowed */
};

struct inode {
    dev_t device;
    ino_t number;
};

static int by_inode(const void *left, const void *right)
{
    const struct inode *a = left, *b = right;
    if (a->device != b->device)
        return a->device < b->device ? -1 : 1;
    return a->number < b->number ? -1 : a->number > b->number;
}

/* --- directories --- */

static void forget_parent(struct taking *t)
{
    free(take_ptr(t->parent));
    if (t->parent_fd >= 0)
        close(take_fd(&t->parent_fd));
}

static int in_the_way(const struct taking *t, int rc, struct error *err)
{
    if (rc == -ELOOP && t->take->at)
        return error_set(err, rc, "the symbolic links on its way lead to no directory");
    if (rc == -ELOOP)
        return error_set(err, rc, "a symbolic link is on its way: nothing is copied through links");
    if (rc == -ENOTDIR)
        return error_set(err, rc, "a part of its path is not a directory");
    return error_set(err, rc, "cannot open its directory: %s", error_describe(rc));
}

static mode_t mode_of(const struct taking *t, const struct tar_entry *entry)
{
    return entry->mode & (t->take->harmless ? 01777 : 07777);
}

/* Whether this is what we have just made, and not what somebody put in its place before it was
 * opened: a change of its owner or mode would be one of theirs. */
static bool is_ours(const struct taking *t, int fd, mode_t type)
{
    struct stat st;
    uid_t maker = t->take->owned ? 0 : t->take->uid;
    return fstat(fd, &st) == 0 && (st.st_mode & S_IFMT) == type && st.st_uid == maker &&
           (type == S_IFDIR || st.st_nlink == 1);
}

static int note_fresh(struct taking *t, const char *path, int fd, const struct tar_entry *entry,
                      struct error *err)
{
    struct stat st;
    size_t cost = sizeof *t->fresh + strlen(path) + 32; /* with the allocator's share */
    if (fstat(fd, &st) < 0)
        return error_errno(err, "cannot look at the directory");
    if (cost > t->fresh_room)
        return error_set(err, -EFBIG, "too many new directories: take a part of them");
    t->fresh_room -= cost;
    if (t->fresh_count % 64 == 0)
        t->fresh = xrealloc(t->fresh, t->fresh_count + 64, sizeof *t->fresh);
    bool ids = entry && t->take->keep_ids;
    t->fresh[t->fresh_count++] = (struct fresh){
        .path = xstrdup(path),
        .device = st.st_dev,
        .inode = st.st_ino,
        .mode = entry ? mode_of(t, entry) : 0755,
        .uid = ids ? (uid_t)entry->uid : t->take->uid,
        .gid = ids ? (gid_t)entry->gid : t->take->gid,
        .mtime = {.tv_sec = entry ? entry->mtime : 0,
                  .tv_nsec = entry ? (long)entry->mtime_nsec : UTIME_NOW},
    };
    return 0;
}

/* The path of `name` below the root that links are followed in. */
static char *path_in_root(const struct taking *t, const char *name)
{
    return xasprintf("%s/%s", t->take->at, name);
}

/* Opens a directory that is there, beneath the base. Where links are followed, each is followed
 * from the root: of what the kernel finds there, nothing lies outside. */
static int open_there(const struct taking *t, const char *path, int flags)
{
    int fd = inroot_open_beneath(t->base, path, flags | O_DIRECTORY);
    if (fd != -ELOOP || !t->take->at)
        return fd;
    autofree char *whole = path_in_root(t, path);
    return inroot_open(t->take->root, whole, flags | O_DIRECTORY);
}

/* What a link leads to, which `path` is. */
static int follow(const struct taking *t, const char *path, struct error *err)
{
    bool made;
    autofree char *whole = path_in_root(t, path);
    int fd = inroot_make_directory_for(t->take->root, whole, t->take->uid, t->take->gid, &made);
    if (fd == -ENOTDIR)
        return error_set(err, fd, "it is a symbolic link to something that is no directory");
    return fd < 0 ? error_set(err, fd, "cannot follow the symbolic link: %s", error_describe(fd))
                  : fd;
}

static bool is_link(int parent, const char *name)
{
    struct stat st;
    return fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(st.st_mode);
}

/* Opens the directory `name` of `parent`, made when it is missing; `path` is the whole of it. */
static int make_directory(struct taking *t, int parent, const char *name, const char *path,
                          const struct tar_entry *entry, struct error *err)
{
    const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;
    bool made = mkdirat(parent, name, MODE_MEANWHILE) == 0;
    if (!made && errno != EEXIST)
        return error_errno(err, "cannot make the directory");
    autofd fd = inroot_open_beneath(parent, name, flags);
    if (fd == -ELOOP || fd == -ENOTDIR)
        return t->take->at && is_link(parent, name)
                   ? follow(t, path, err)
                   : error_set(err, -ENOTDIR,
                               "cannot put a directory in the place of something else");
    if (fd == -EACCES && !made)
        fd = inroot_open_beneath(parent, name, O_PATH | O_DIRECTORY | O_NOFOLLOW);
    if (fd < 0)
        return error_set(err, fd, "cannot open the directory: %s", error_describe(fd));
    int rc = made && is_ours(t, fd, S_IFDIR) ? note_fresh(t, path, fd, entry, err) : 0;
    return rc < 0 ? rc : take_fd(&fd);
}

/* The descriptor of the directory with the first `length` bytes of `path`, made if missing. */
static int parent_of(struct taking *t, const char *path, size_t length, struct error *err)
{
    if (length == 0)
        return t->base;
    if (t->parent && strlen(t->parent) == length && memcmp(t->parent, path, length) == 0)
        return t->parent_fd;
    forget_parent(t);
    autofree char *whole = xstrndup(path, length);
    autofd fd = open_there(t, whole, O_PATH);
    if (fd == -ENOENT) {
        fd = inroot_open_beneath(t->base, ".", O_PATH | O_DIRECTORY);
        for (char *at = whole; fd >= 0 && at;) { /* from the top, one part after the other */
            char *slash = strchr(at, '/');
            if (slash)
                *slash = '\0';
            int next = make_directory(t, fd, at, whole, NULL, err);
            if (next < 0)
                return next;
            close(fd);
            fd = next;
            if (slash)
                *slash = '/';
            at = slash ? slash + 1 : NULL;
        }
    }
    if (fd < 0)
        return in_the_way(t, fd, err);
    t->parent = take_ptr(whole);
    t->parent_fd = take_fd(&fd);
    return t->parent_fd;
}

static int take_directory(struct taking *t, const struct item *item, struct error *err)
{
    if (item->name.kind == NAME_ROOT)
        return 0; /* it was there before */
    autofd fd =
        make_directory(t, item->parent_fd, item->name.base, item->name.path, item->entry, err);
    return fd < 0 ? fd : 0;
}

/* --- what is no directory --- */

/* After a maker's EEXIST: takes away what has the name, if that is no directory. */
static int make_room(const struct item *item, struct error *err)
{
    struct stat st;
    if (fstatat(item->parent_fd, item->name.base, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : error_errno(err, "cannot look at what is there");
    if (S_ISDIR(st.st_mode))
        return error_set(err, -EISDIR, "cannot put a file in the place of a directory");
    if (unlinkat(item->parent_fd, item->name.base, 0) < 0 && errno != ENOENT)
        return -errno; /* EBUSY: the caller may know more */
    return 0;
}

static int not_replaced(int rc, const struct error *told, struct error *err)
{
    return told->code ? error_set(err, rc, "%s", told->text)
                      : error_set(err, rc, "cannot replace what is there: %s", error_describe(rc));
}

static int own(const struct taking *t, int fd, const struct tar_entry *e, struct error *err)
{
    struct stat st;
    bool keep = t->take->keep_ids;
    uid_t uid = keep ? (uid_t)e->uid : t->take->uid;
    gid_t gid = keep ? (gid_t)e->gid : t->take->gid;
    if (fstat(fd, &st) < 0)
        return error_errno(err, "cannot look at it");
    if ((st.st_uid == uid && st.st_gid == gid) || fchown(fd, uid, gid) == 0)
        return 0;
    if (!keep) /* of a directory that gives its group on, or where ids cannot be chosen */
        return 0;
    return error_errno(err, "cannot give it to user %u, group %u", uid, gid);
}

static void take_marks(const struct taking *t, int fd, const struct tar_entry *e)
{
    for (size_t i = 0; i < e->xattr_count; i++) {
        const struct tar_xattr *mark = &e->xattrs[i];
        bool lends = streq(mark->name, "security.capability");
        if (starts_with(mark->name, "user.overlay.") || (lends && t->take->harmless) ||
            (!lends && !starts_with(mark->name, "user.")))
            continue;
        (void)fsetxattr(fd, mark->name, mark->value, mark->length,
                        0); /* where the place has them */
    }
}

static int write_part(const struct taking *t, int fd, uint64_t length, struct error *err)
{
    while (length > 0) {
        const void *bytes;
        ssize_t n = tar_peek(t->take->tar, &bytes, err);
        if (n < 0)
            return (int)n;
        size_t some = (uint64_t)n < length ? (size_t)n : (size_t)length;
        int rc = write_all(fd, bytes, some);
        if (rc < 0)
            return error_set(err, rc, "cannot write it: %s", error_describe(rc));
        tar_used(t->take->tar, some);
        length -= some;
    }
    return 0;
}

static int write_content(const struct taking *t, int fd, const struct tar_entry *e,
                         struct error *err)
{
    if (!e->sparse)
        return write_part(t, fd, e->size, err);
    for (size_t i = 0; i < e->segment_count; i++) {
        if (lseek(fd, (off_t)e->segments[i].offset, SEEK_SET) < 0)
            return error_errno(err, "cannot write it");
        int rc = write_part(t, fd, e->segments[i].length, err);
        if (rc < 0)
            return rc;
    }
    return ftruncate(fd, (off_t)e->size) < 0 ? error_errno(err, "cannot write it") : 0;
}

/* A file that something is mounted on cannot be replaced: what it holds is. */
static int open_mounted(const struct item *item)
{
    struct stat st;
    autofd fd = openat(item->parent_fd, item->name.base,
                       O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0)
        return -errno;
    if (!S_ISREG(st.st_mode) || ftruncate(fd, 0) < 0)
        return -EBUSY;
    return take_fd(&fd);
}

/* *mounted: it is one that was there. */
static int create(const struct item *item, bool *mounted, struct error *err)
{
    const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    for (int tries = 0; tries < REPLACE_TRIES; tries++) {
        struct error told = {0};
        int fd = openat(item->parent_fd, item->name.base, flags, 0600);
        if (fd >= 0)
            return fd;
        if (errno != EEXIST)
            return error_errno(err, "cannot make it");
        int rc = make_room(item, &told);
        *mounted = rc == -EBUSY && !told.code;
        if (*mounted) {
            fd = rc = open_mounted(item);
            if (fd >= 0)
                return fd;
        }
        if (rc < 0)
            return not_replaced(rc, &told, err);
    }
    return error_set(err, -EEXIST, "somebody else makes it again and again");
}

static int remember_file(struct taking *t, int fd, struct error *err)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return error_errno(err, "cannot look at it");
    struct inode *inode = xcalloc(1, sizeof *inode);
    *inode = (struct inode){.device = st.st_dev, .number = st.st_ino};
    struct inode **there = tsearch(inode, &t->files, by_inode);
    if (!there)
        abort(); /* out of memory, as in xmalloc() */
    if (*there != inode)
        free(inode);
    return 0;
}

static int take_file(struct taking *t, const struct item *item, struct error *err)
{
    const struct tar_entry *e = item->entry;
    bool mounted = false;
    autofd fd = create(item, &mounted, err);
    if (fd < 0)
        return fd;
    int rc = write_content(t, fd, e, err);
    if (rc < 0 || mounted)
        return rc;
    rc = own(t, fd, e, err); /* takes setuid bits and file capabilities away: it comes first */
    if (rc < 0)
        return rc;
    take_marks(t, fd, e);
    struct timespec times[2] = {{.tv_nsec = UTIME_OMIT},
                                {.tv_sec = e->mtime, .tv_nsec = (long)e->mtime_nsec}};
    if (fchmod(fd, mode_of(t, e)) < 0 || futimens(fd, times) < 0)
        return error_errno(err, "cannot set its mode and time");
    return remember_file(t, fd, err);
}

/* --- symbolic links, pipes, hard links --- */

static int link_to(struct taking *t, const struct item *item, struct error *err)
{
    struct layer_name target;
    struct stat st;
    int rc = layer_name_plain(item->entry->link, &target, err);
    if (rc < 0)
        return rc;
    autofree char *parent = xstrndup(target.path, target.parent);
    autofd dir = open_there(t, parent, O_PATH);
    struct inode key = {0};
    if (dir >= 0 && fstatat(dir, target.base, &st, AT_SYMLINK_NOFOLLOW) == 0)
        key = (struct inode){.device = st.st_dev, .number = st.st_ino};
    if (!tfind(&key, &t->files, by_inode))
        return error_set(err, -EINVAL, "it is a hard link to a file that did not come before it");
    return linkat(dir, target.base, item->parent_fd, item->name.base, 0) < 0 ? -errno : 0;
}

static int make_named(struct taking *t, const struct item *item, struct error *err)
{
    const struct tar_entry *e = item->entry;
    int rc = 0;
    if (e->type == TAR_HARDLINK)
        return link_to(t, item, err);
    if (e->type == TAR_SYMLINK)
        rc = symlinkat(e->link, item->parent_fd, item->name.base);
    else
        rc = mknodat(item->parent_fd, item->name.base, S_IFIFO | (mode_of(t, e) & 0777), 0);
    return rc < 0 ? -errno : 0;
}

static int finish_named(struct taking *t, const struct item *item, struct error *err)
{
    const struct tar_entry *e = item->entry;
    if (e->type == TAR_HARDLINK)
        return 0;
    bool keep = t->take->keep_ids;
    autofd fd = inroot_open_beneath(item->parent_fd, item->name.base, O_PATH | O_NOFOLLOW);
    if (fd < 0 || !is_ours(t, fd, e->type == TAR_SYMLINK ? S_IFLNK : S_IFIFO))
        return keep ? error_set(err, -EBUSY, "somebody else replaces it at the same time") : 0;
    uid_t uid = keep ? (uid_t)e->uid : t->take->uid;
    gid_t gid = keep ? (gid_t)e->gid : t->take->gid;
    if (fchownat(fd, "", uid, gid, AT_EMPTY_PATH) < 0 && keep)
        return error_errno(err, "cannot give it to user %u, group %u", uid, gid);
    struct timespec times[2] = {{.tv_nsec = UTIME_OMIT},
                                {.tv_sec = e->mtime, .tv_nsec = (long)e->mtime_nsec}};
    (void)utimensat(fd, "", times, AT_EMPTY_PATH);
    return 0;
}

static int take_named(struct taking *t, const struct item *item, struct error *err)
{
    for (int tries = 0; tries < REPLACE_TRIES; tries++) {
        struct error told = {0};
        int rc = make_named(t, item, &told);
        if (rc == 0)
            return finish_named(t, item, err);
        if (told.code)
            return error_set(err, rc, "%s", told.text);
        if (rc != -EEXIST)
            return error_set(err, rc, "cannot make it: %s", error_describe(rc));
        rc = make_room(item, &told);
        if (rc < 0)
            return not_replaced(rc, &told, err);
    }
    return error_set(err, -EEXIST, "somebody else makes it again and again");
}

/* --- entries --- */

static int take_item(struct taking *t, struct item *item, struct error *err)
{
    const struct tar_entry *e = item->entry;
    int rc;
    if (e->type == TAR_CHARACTER || e->type == TAR_BLOCK_DEVICE) {
        t->take->left_out++;
        return 0;
    }
    if (item->name.kind == NAME_ROOT && e->type != TAR_DIRECTORY)
        return error_set(err, -EINVAL, "only a directory can have this name");
    item->parent_fd = parent_of(t, item->name.path, item->name.parent, err);
    if (item->parent_fd < 0)
        return item->parent_fd;
    switch (e->type) {
    case TAR_DIRECTORY:
        return take_directory(t, item, err);
    case TAR_FILE:
        return take_file(t, item, err);
    case TAR_SYMLINK:
    case TAR_HARDLINK:
    case TAR_FIFO:
        rc = take_named(t, item, err);
        if (e->type == TAR_SYMLINK) /* what was walked through it may lie elsewhere now */
            forget_parent(t);
        return rc;
    default:
        return error_set(err, -EOPNOTSUPP, "an entry of unknown type 0x%02x",
                         (unsigned char)e->flag);
    }
}

/* The first entry of one tree says what it is: only now is it known where it goes. */
static int take_top(struct taking *t, const struct tar_entry *e, struct error *err)
{
    const struct tree_take *take = t->take;
    enum copy_target target;
    bool directory = e->type == TAR_DIRECTORY;
    struct item item = {.entry = e, .parent_fd = t->base};
    int rc = copy_target(take->source, directory, take->dest, take->found, &target, err);
    if (rc == 0)
        rc = layer_name_plain(target == TARGET_BESIDE ? take->dest->name
                              : target == TARGET_INTO ? take->source->name
                                                      : ".",
                              &item.name, err);
    if (rc < 0)
        return rc;
    t->single = !directory;
    if (!directory)
        return take_item(t, &item, err);
    if (target == TARGET_MERGE)
        return 0;
    int fd = make_directory(t, t->base, item.name.base, ".", e, err);
    if (fd < 0)
        return fd;
    close(t->base);
    t->base = fd;
    return 0;
}

static int take_entry(struct taking *t, const struct tar_entry *e, struct error *err)
{
    struct item item = {.entry = e};
    if (++t->take->entries > TREE_TAKE_MAX)
        return error_set(err, -EFBIG, "more than %llu files", (unsigned long long)TREE_TAKE_MAX);
    if (t->take->keep_ids && (e->uid >= UINT32_MAX || e->gid >= UINT32_MAX))
        return error_set(err, -EINVAL, "it belongs to an id that cannot exist");
    bool first = !t->started;
    t->started = true;
    if (first && t->take->dest)
        return take_top(t, e, err);
    if (t->single)
        return error_set(err, -EBADMSG, "it comes after a file that should come alone");
    int rc = layer_name_plain(e->path, &item.name, err);
    return rc < 0 ? rc : take_item(t, &item, err);
}

static int take_entries(struct taking *t, struct error *err)
{
    const struct tar_entry *e;
    int rc;
    while ((rc = tar_next(t->take->tar, &e, err)) > 0) {
        rc = take_entry(t, e, err);
        if (rc < 0) {
            bool top = t->take->dest && t->take->entries == 1;
            autobuf shown = {0};
            buf_printable(&shown, top ? t->take->dest->clean : e->path);
            return error_prefix(err, "%.300s", buf_text(&shown));
        }
    }
    return rc;
}

/* The deepest first; one that is not the one we made any more is left alone. */
static int finish_directories(struct taking *t, struct error *err)
{
    for (size_t i = t->fresh_count; i-- > 0;) {
        const struct fresh *f = &t->fresh[i];
        struct stat st;
        autofd fd = open_there(t, f->path, O_RDONLY);
        if (fd < 0 || fstat(fd, &st) < 0 || st.st_dev != f->device || st.st_ino != f->inode)
            continue;
        bool same = st.st_uid == f->uid && st.st_gid == f->gid;
        if (!same && fchown(fd, f->uid, f->gid) < 0 && t->take->keep_ids)
            return error_errno(err, "%s: cannot give it to user %u, group %u", f->path, f->uid,
                               f->gid);
        struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, f->mtime};
        if (fchmod(fd, f->mode) < 0 || futimens(fd, times) < 0)
            return error_errno(err, "%s: cannot set its mode and time", f->path);
    }
    return 0;
}

static void taking_end(struct taking *t)
{
    for (size_t i = 0; i < t->fresh_count; i++)
        free(t->fresh[i].path);
    free(t->fresh);
    tdestroy(t->files, free);
    forget_parent(t);
    if (t->base >= 0)
        close(t->base);
}

int tree_take(struct tree_take *take, struct error *err)
{
    struct taking t __attribute__((cleanup(taking_end))) = {
        .take = take, .parent_fd = -1, .fresh_room = TREE_TAKE_MEMORY_MAX};
    t.base = inroot_open_beneath(take->into, ".", O_RDONLY | O_DIRECTORY);
    if (t.base == -EACCES)
        t.base = inroot_open_beneath(take->into, ".", O_PATH | O_DIRECTORY);
    umask(0);
    if (t.base < 0)
        return error_set(err, t.base, "cannot open the directory: %s", error_describe(t.base));
    int rc = take_entries(&t, err);
    return rc < 0 ? rc : finish_directories(&t, err);
}

int tree_take_pipe(struct tree_take *take, struct tar_pipe *pipe, struct error *err)
{
    autostream stream = tar_pipe_open(pipe, err);
    if (!stream)
        return err->code;
    autotar tar = tar_open(stream, NULL, NULL);
    take->tar = tar;
    int rc = tree_take(take, err);
    take->tar = NULL;
    return rc;
}
