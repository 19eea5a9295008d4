/* SPDX-License-Identifier: Apache-2.0 */
#include "archive/tree_give.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <search.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

#include "archive/tree_read.h"
#include "base/buf.h"
#include "base/io.h"
#include "base/memory.h"
#include "base/text.h"
#include "path/inroot.h"

#define WHITEOUT ".wh."
#define OPAQUE ".wh..wh..opq"
#define LINK_MAX 4096                                /* of a symbolic link: PATH_MAX */
#define SEEN_COST (sizeof(struct seen) + (size_t)64) /* beside its path, with the tree's node */

/* A file that has several names: the first one it was given by. */
struct seen {
    dev_t device;
    ino_t inode;
    char *path;
};

struct walk {
    struct tree_give *give;
    struct buf path; /* of what is being given, in the archive */
    void *seen;      /* tsearch(3) */
    size_t room;     /* bytes that `seen` and names of directories on the way may still take */
    dev_t device;    /* looked at last */
    bool kernels;    /* it is one of the kernel's own file systems */
    unsigned depth;
};

static int by_inode(const void *left, const void *right)
{
    const struct seen *a = left, *b = right;
    if (a->device != b->device)
        return a->device < b->device ? -1 : 1;
    return a->inode < b->inode ? -1 : a->inode > b->inode;
}

static void free_seen(void *seen)
{
    free(((struct seen *)seen)->path);
    free(seen);
}

/* "PATH: what went wrong", the path as the archive has it; who called knows that of the top. */
static int at_path(const struct walk *w, struct error *err)
{
    autobuf shown = {0};
    if (streq(buf_text(&w->path), w->give->name))
        return err ? err->code : -EIO;
    buf_printable(&shown, buf_text(&w->path));
    return error_prefix(err, "%.300s", buf_text(&shown));
}

static int failed(const struct walk *w, int code, const char *what, struct error *err)
{
    error_set(err, code, "%s: %s", what, error_describe(code));
    return at_path(w, err);
}

/* --- entries --- */

static void fill(const struct walk *w, const struct stat *st, enum tar_type type,
                 struct tar_entry *out)
{
    *out = (struct tar_entry){
        .type = type,
        .path = buf_text(&w->path),
        .link = "",
        .mode = st->st_mode & 07777,
        .uid = st->st_uid,
        .gid = st->st_gid,
        .mtime = st->st_mtim.tv_sec,
        .mtime_nsec = w->give->whole_seconds ? 0 : (uint32_t)st->st_mtim.tv_nsec,
    };
    if (w->give->newest && out->mtime > *w->give->newest) {
        out->mtime = *w->give->newest;
        out->mtime_nsec = 0;
    }
}

/* The tree says the same as the archive. Best effort: who may not is told nothing, for the archive
 * is what counts. */
static void bound_time(const struct walk *w, int fd, const struct stat *st)
{
    const struct timespec times[] = {{.tv_nsec = UTIME_OMIT},
                                     {.tv_sec = w->give->newest ? *w->give->newest : 0}};
    if (w->give->newest && st->st_mtim.tv_sec > *w->give->newest)
        (void)utimensat(fd, "", times, AT_EMPTY_PATH);
}

static int put(struct walk *w, const struct tar_entry *entry, struct error *err)
{
    if (++w->give->entries > TREE_ENTRIES_MAX)
        return error_set(err, -EFBIG, "more than %llu files: take a part of them",
                         (unsigned long long)TREE_ENTRIES_MAX);
    return tar_write_entry(w->give->tar, entry, err);
}

static int give_plain(struct walk *w, const struct stat *st, enum tar_type type, struct error *err)
{
    struct tar_entry entry;
    fill(w, st, type, &entry);
    if (type == TAR_CHARACTER || type == TAR_BLOCK_DEVICE) {
        entry.major = major(st->st_rdev);
        entry.minor = minor(st->st_rdev);
    }
    return put(w, &entry, err);
}

static int give_symlink(struct walk *w, int fd, const struct stat *st, struct error *err)
{
    char target[LINK_MAX];
    struct tar_entry entry;
    ssize_t n = readlinkat(fd, "", target, sizeof target);
    if (n < 0 || n == (ssize_t)sizeof target)
        return failed(w, n < 0 ? -errno : -ENAMETOOLONG, "cannot read the symbolic link", err);
    target[n] = '\0';
    fill(w, st, TAR_SYMLINK, &entry);
    entry.link = target;
    return put(w, &entry, err);
}

/* An empty file called `prefix` + the last part of the path. */
static int give_mark(struct walk *w, const char *prefix, const char *base, const struct stat *st,
                     struct error *err)
{
    struct tar_entry entry;
    autobuf name = {0};
    buf_add(&name, buf_text(&w->path), w->path.len - strlen(base));
    buf_fmt(&name, "%s%s", prefix, base);
    fill(w, st, TAR_FILE, &entry);
    entry.path = buf_text(&name);
    entry.mode = 0;
    return put(w, &entry, err);
}

/* --- regular files --- */

/* 1: given as a link to the name it was given by before. */
static int give_as_link(struct walk *w, const struct stat *st, struct error *err)
{
    if (st->st_nlink < 2)
        return 0;
    struct seen key = {.device = st->st_dev, .inode = st->st_ino};
    struct seen **found = tfind(&key, &w->seen, by_inode);
    if (found) {
        struct tar_entry entry;
        fill(w, st, TAR_HARDLINK, &entry);
        entry.link = (*found)->path;
        int rc = put(w, &entry, err);
        return rc < 0 ? rc : 1;
    }
    size_t cost = SEEN_COST + w->path.len;
    if (cost > w->room)
        return error_set(err, -EFBIG,
                         "too many files that have several names: take a part of them");
    w->room -= cost;
    struct seen *seen = xcalloc(1, sizeof *seen);
    *seen = key;
    seen->path = xstrdup(buf_text(&w->path));
    if (!tsearch(seen, &w->seen, by_inode))
        abort(); /* out of memory, as in xmalloc() */
    return 0;
}

static int give_content(struct walk *w, int fd, const struct stat *st, struct tar_entry *entry,
                        struct error *err)
{
    struct file_parts parts __attribute__((cleanup(file_parts_free))) = {0};
    entry->size = entry->stored = (uint64_t)st->st_size;
    int rc = file_parts_find(fd, st, &parts, err);
    if (rc < 0)
        return at_path(w, err);
    if (parts.count > 0) {
        entry->sparse = true;
        entry->segments = parts.segments;
        entry->segment_count = parts.count;
        entry->stored = parts.stored;
    }
    rc = put(w, entry, err);
    if (rc == 0 && w->give->content)
        rc = w->give->content(w->give->closure, entry, err);
    if (rc < 0)
        return rc;
    struct tar_segment all = {.offset = 0, .length = entry->size};
    const struct tar_segment *segments = entry->sparse ? entry->segments : &all;
    for (size_t i = 0; rc == 0 && i < (entry->sparse ? parts.count : 1); i++)
        rc = file_part_give(fd, &segments[i], w->give->tar, err);
    return rc < 0 ? at_path(w, err) : 0;
}

/* What the kernel makes up when it is read says nothing of its size before. */
static int give_made_up(struct walk *w, int fd, struct tar_entry *entry, struct error *err)
{
    autobuf text = {0};
    int rc = read_fd(fd, TREE_PSEUDO_MAX, &text);
    if (rc == -EFBIG)
        return error_set(err, rc, "%s: more than 4 MiB come out of this file of the kernel's",
                         buf_text(&w->path));
    if (rc < 0 && rc != -EAGAIN)
        return failed(w, rc, "cannot read it", err);
    entry->size = entry->stored = text.len;
    rc = put(w, entry, err);
    return rc == 0 && text.len > 0 ? tar_write_data(w->give->tar, text.data, text.len, err) : rc;
}

static int give_opened(struct walk *w, int fd, const struct stat *st, struct error *err)
{
    struct tar_entry entry;
    struct file_marks marks __attribute__((cleanup(file_marks_free))) = {0};
    int rc = file_marks_read(fd, w->give->cleanse, &marks, err);
    if (rc < 0)
        return at_path(w, err);
    fill(w, st, TAR_FILE, &entry);
    entry.xattrs = marks.xattrs;
    entry.xattr_count = marks.count;
    return w->kernels ? give_made_up(w, fd, &entry, err) : give_content(w, fd, st, &entry, err);
}

static int give_file(struct walk *w, int looked_at, const struct stat *st, struct error *err)
{
    int rc = w->kernels ? 0 : give_as_link(w, st, err);
    if (rc != 0)
        return rc < 0 ? rc : 0;
    autofd fd = file_reopen(w->give->descriptors, looked_at, O_RDONLY | O_NONBLOCK | O_NOCTTY);
    return fd < 0 ? failed(w, fd, "cannot read it", err) : give_opened(w, fd, st, err);
}

/* A regular file of a tree that stands still can be opened by its name, which is quicker. 1: it is
 * none, or not on the device that was looked at last. */
static int give_named(struct walk *w, int parent, const char *name, struct error *err)
{
    struct stat st;
    if (!w->give->still || w->kernels || fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return 1;
    if (S_ISSOCK(st.st_mode) && w->give->cleanse) {
        w->give->left_out++;
        return unlinkat(parent, name, 0) < 0 ? failed(w, -errno, "cannot remove the socket", err)
                                             : 0;
    }
    if (!S_ISREG(st.st_mode) || st.st_dev != w->device)
        return 1;
    int rc = give_as_link(w, &st, err);
    if (rc != 0)
        return rc < 0 ? rc : 0;
    autofd fd = openat(parent, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0)
        return failed(w, -errno, "cannot read it", err);
    bound_time(w, fd, &st);
    return give_opened(w, fd, &st, err);
}

/* --- directories --- */

static int give_node(struct walk *w, int fd, const char *base, struct error *err);

static int give_child(struct walk *w, int parent, const char *name, struct error *err)
{
    size_t length = w->path.len;
    if (w->give->layer && starts_with(name, WHITEOUT)) {
        buf_str(&w->path, name);
        error_set(err, -EINVAL,
                  "a name that begins with .wh. means in an image that a file is gone: rename it");
        return at_path(w, err);
    }
    buf_str(&w->path, name);
    int rc = give_named(w, parent, name, err);
    autofd fd = rc > 0 ? inroot_open_beneath(parent, name, O_PATH | O_NOFOLLOW) : -1;
    if (rc > 0 && fd == -ENOENT)
        rc = 0; /* gone since its directory was read */
    else if (rc > 0)
        rc = fd < 0 ? failed(w, fd, "cannot look at it", err) : give_node(w, fd, name, err);
    w->path.len = length;
    w->path.data[length] = '\0';
    return rc;
}

static bool stays_empty(const struct walk *w)
{
    if (w->kernels)
        return true;
    autofree char *name = xstrndup(buf_text(&w->path), w->path.len - 1);
    return w->give->empty && strv_has(w->give->empty, name);
}

static int give_directory(struct walk *w, int looked_at, const struct stat *st, struct error *err)
{
    struct tar_entry entry;
    autofd fd = file_reopen(w->give->descriptors, looked_at, O_RDONLY | O_DIRECTORY);
    if (fd < 0)
        return failed(w, fd, "cannot read the directory", err);
    struct file_marks marks __attribute__((cleanup(file_marks_free))) = {0};
    int rc = file_marks_read(fd, w->give->cleanse, &marks, err);
    if (rc < 0)
        return at_path(w, err);
    if (w->path.len > 0) { /* the top may have no name */
        buf_char(&w->path, '/');
        fill(w, st, TAR_DIRECTORY, &entry);
        entry.xattrs = marks.xattrs;
        entry.xattr_count = marks.count;
        rc = put(w, &entry, err);
        if (rc == 0 && w->give->layer && marks.opaque)
            rc = give_mark(w, OPAQUE, "", st, err);
        if (rc < 0 || stays_empty(w))
            return rc;
    }
    if (w->depth == TREE_DEPTH_MAX) {
        error_set(err, -ELOOP, "directories are nested more than %d deep here", TREE_DEPTH_MAX);
        return at_path(w, err);
    }
    autostrv names = {0};
    size_t room = w->room;
    rc = directory_names(fd, TREE_ENTRIES_MAX - w->give->entries, &w->room, &names, err);
    if (rc < 0)
        return at_path(w, err);
    size_t cost = room - w->room;
    w->depth++;
    for (size_t i = 0; rc == 0 && i < names.len; i++)
        rc = give_child(w, fd, names.items[i], err);
    w->depth--;
    w->room += cost;
    bound_time(w, looked_at, st);
    return rc;
}

/* --- all of it --- */

static int look(struct walk *w, int fd, struct stat *st)
{
    struct statfs fs;
    if (fstat(fd, st) < 0)
        return -errno;
    if (st->st_dev == w->device)
        return 0;
    if (fstatfs(fd, &fs) < 0)
        return -errno;
    w->device = st->st_dev;
    w->kernels = file_system_is_kernels(&fs);
    return 0;
}

static int give_node(struct walk *w, int fd, const char *base, struct error *err)
{
    struct stat st;
    int rc = look(w, fd, &st);
    if (rc < 0)
        return failed(w, rc, "cannot look at it", err);
    bool device = S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode);
    if (!S_ISDIR(st.st_mode))
        bound_time(w, fd, &st);
    if (w->give->layer && S_ISCHR(st.st_mode) && st.st_rdev == makedev(0, 0))
        return give_mark(w, WHITEOUT, base, &st, err);
    if (S_ISREG(st.st_mode))
        return give_file(w, fd, &st, err);
    if (S_ISDIR(st.st_mode))
        return give_directory(w, fd, &st, err);
    if (S_ISLNK(st.st_mode))
        return give_symlink(w, fd, &st, err);
    if (S_ISFIFO(st.st_mode))
        return give_plain(w, &st, TAR_FIFO, err);
    if (device && w->give->devices)
        return give_plain(w, &st, S_ISCHR(st.st_mode) ? TAR_CHARACTER : TAR_BLOCK_DEVICE, err);
    if (w->depth == 0) {
        error_set(err, -EINVAL, "a %s cannot be copied", device ? "device" : "socket");
        return at_path(w, err);
    }
    w->give->left_out++;
    return 0;
}

int tree_give(struct tree_give *give, int top, struct error *err)
{
    struct walk w = {.give = give, .room = TREE_MEMORY_MAX};
    struct stat st;
    buf_str(&w.path, give->name);
    int rc = look(&w, top, &st);
    if (rc < 0)
        rc = failed(&w, rc, "cannot look at it", err);
    else if (w.kernels && S_ISDIR(st.st_mode)) {
        error_set(err, -EINVAL,
                  "this directory is the kernel's own (procfs, sysfs …): only single files of it "
                  "can be copied");
        rc = err ? err->code : -EINVAL;
    } else {
        rc = give_node(&w, top, give->name, err);
    }
    tdestroy(w.seen, free_seen);
    buf_free(&w.path);
    return rc;
}
