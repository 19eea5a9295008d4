/* SPDX-License-Identifier: Apache-2.0 */
#include "archive/layer_tree.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <search.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "base/cleanup.h"
#include "base/memory.h"
#include "base/text.h"

/* While unpacking nobody else has business here. */
#define MODE_MEANWHILE 0700

static int by_parent_and_name(const void *left, const void *right)
{
    const struct directory *a = left, *b = right;
    if (a->parent != b->parent)
        return (uintptr_t)a->parent < (uintptr_t)b->parent ? -1 : 1;
    return strcmp(a->name, b->name);
}

static int open_beneath(int dir_fd, const char *path)
{
    struct open_how how = {
        .flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV,
    };
    return (int)syscall(SYS_openat2, dir_fd, path, &how, sizeof how);
}

bool tree_is_whiteout(int dir_fd, const char *name)
{
    struct stat st;
    return fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISCHR(st.st_mode) &&
           st.st_rdev == makedev(0, 0);
}

/* --- making and closing --- */

static struct directory *add(struct tree *tree, struct directory *parent, const char *name,
                             struct timespec mtime)
{
    struct directory *d = xcalloc(1, sizeof *d);
    d->parent = parent;
    d->name = xstrdup(name);
    d->slot = -1;
    d->meta = (struct meta){.mode = 0755, .mtime = mtime};
    d->older = tree->newest;
    tree->newest = d;
    tree->count++;
    if (!tsearch(d, &tree->index, by_parent_and_name))
        abort(); /* out of memory, as in xmalloc() */
    return d;
}

int tree_open(struct tree *tree, int dir_fd, uint64_t max_directories, struct error *err)
{
    *tree = (struct tree){.fs = -1, .uid = geteuid(), .gid = getegid(), .max = max_directories};
    for (size_t i = 0; i < TREE_CACHE; i++)
        tree->cache[i].fd = -1;
    if (mkdirat(dir_fd, "fs", MODE_MEANWHILE) < 0)
        return error_errno(err, "cannot make the layer's directory");
    tree->fs = open_beneath(dir_fd, "fs");
    if (tree->fs < 0)
        return error_errno(err, "cannot open the layer's directory");
    /* A default ACL or a setgid bit of the directory above would pass on to all that we make. */
    (void)fremovexattr(tree->fs, "system.posix_acl_default");
    (void)fremovexattr(tree->fs, "system.posix_acl_access");
    if (fchown(tree->fs, tree->uid, tree->gid) < 0 || fchmod(tree->fs, MODE_MEANWHILE) < 0)
        return error_errno(err, "cannot own the layer's directory");
    tree->root = add(tree, NULL, "", (struct timespec){0});
    tree->last = tree->root;
    return 0;
}

static void keep_in_index(void *directory)
{
    (void)directory; /* freed through the list */
}

static void forget_xattrs(struct directory *d)
{
    for (size_t i = 0; i < d->xattr_count; i++) {
        free((void *)d->xattrs[i].name);
        free((void *)d->xattrs[i].value);
    }
    free(d->xattrs);
    d->xattrs = NULL;
    d->xattr_count = 0;
}

void tree_close(struct tree *tree)
{
    tdestroy(tree->index, keep_in_index);
    for (struct directory *d = tree->newest, *older; d; d = older) {
        older = d->older;
        forget_xattrs(d);
        free(d->name);
        free(d);
    }
    for (size_t i = 0; i < TREE_CACHE; i++)
        cleanup_close(&tree->cache[i].fd);
    cleanup_close(&tree->fs);
    *tree = (struct tree){.fs = -1};
}

void tree_describe(struct directory *d, const struct meta *meta, const struct tar_entry *entry)
{
    d->meta = *meta;
    forget_xattrs(d);
    if (entry->xattr_count == 0)
        return;
    d->xattrs = xcalloc(entry->xattr_count, sizeof *d->xattrs);
    for (size_t i = 0; i < entry->xattr_count; i++) {
        const struct tar_xattr *from = &entry->xattrs[i];
        if (xattr_fate(from->name, TAR_DIRECTORY) != XATTR_KEPT)
            continue;
        char *value = xmalloc(from->length + 1);
        memcpy(value, from->value, from->length);
        d->xattrs[d->xattr_count++] =
            (struct tar_xattr){.name = xstrdup(from->name), .value = value, .length = from->length};
    }
}

/* --- descriptors --- */

static int path_of(const struct directory *d, char out[PATH_MAX])
{
    size_t at = PATH_MAX - 1;
    out[at] = '\0';
    for (; d->parent; d = d->parent) {
        size_t length = strlen(d->name);
        if (length + 1 > at)
            return -ENAMETOOLONG;
        if (out[at] != '\0')
            out[--at] = '/';
        at -= length;
        memcpy(out + at, d->name, length);
    }
    memmove(out, out + at, PATH_MAX - at);
    return 0;
}

/* From the parent's descriptor when that is at hand, else down from fs/. */
static int open_directory(struct tree *tree, const struct directory *d)
{
    const struct directory *parent = d->parent;
    char path[PATH_MAX];
    int fd;
    if (parent->slot >= 0)
        fd = open_beneath(tree->cache[parent->slot].fd, d->name);
    else if (path_of(d, path) < 0)
        return -ENAMETOOLONG;
    else
        fd = open_beneath(tree->fs, path);
    return fd < 0 ? -errno : fd;
}

static size_t least_used(const struct tree *tree)
{
    size_t oldest = 0;
    for (size_t i = 0; i < TREE_CACHE; i++) {
        if (tree->cache[i].fd < 0)
            return i;
        if (tree->cache[i].used < tree->cache[oldest].used)
            oldest = i;
    }
    return oldest;
}

int tree_fd(struct tree *tree, struct directory *d, struct error *err)
{
    if (!d->parent)
        return tree->fs;
    tree->clock++;
    if (d->slot < 0) {
        int fd = open_directory(tree, d);
        if (fd < 0)
            return error_set(err, fd, "cannot open directory %s: %s", d->name, error_describe(fd));
        size_t slot = least_used(tree);
        if (tree->cache[slot].fd >= 0) {
            tree->cache[slot].directory->slot = -1;
            close(tree->cache[slot].fd);
        }
        tree->cache[slot].fd = fd;
        tree->cache[slot].directory = d;
        d->slot = (int)slot;
    }
    tree->cache[d->slot].used = tree->clock;
    return tree->cache[d->slot].fd;
}

/* --- finding and making --- */

static struct directory *child(const struct tree *tree, struct directory *parent, char *name)
{
    struct directory key = {.parent = parent, .name = name};
    struct directory **found = tfind(&key, &tree->index, by_parent_and_name);
    return found ? *found : NULL;
}

/* Something that is no directory has the name of one. */
static int in_the_way(int parent_fd, const char *name, struct error *err)
{
    struct stat st;
    autobuf shown = {0};
    buf_printable(&shown, name);
    if (fstatat(parent_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(st.st_mode))
        return error_set(err, -ELOOP,
                         "%s is a symbolic link in this layer: nothing is unpacked through links",
                         buf_text(&shown));
    return error_set(err, -ENOTDIR, "%s is in this layer already and not a directory",
                     buf_text(&shown));
}

static int make_child(struct tree *tree, struct directory *parent, const char *name,
                      struct timespec mtime, struct directory **out, struct error *err)
{
    if (tree->count >= tree->max)
        return error_set(err, -EFBIG,
                         "more than %llu directories in one layer: allow more with --max-files",
                         (unsigned long long)tree->max);
    int fd = tree_fd(tree, parent, err);
    if (fd < 0)
        return fd;
    bool opaque = false;
    int rc = mkdirat(fd, name, MODE_MEANWHILE);
    /* A whiteout hides what lies below; a directory of the same layer takes its place and, hiding
     * the same, is opaque. */
    if (rc < 0 && errno == EEXIST && tree_is_whiteout(fd, name)) {
        opaque = true;
        rc = unlinkat(fd, name, 0) < 0 ? -1 : mkdirat(fd, name, MODE_MEANWHILE);
    }
    if (rc < 0 && errno == EEXIST)
        return in_the_way(fd, name, err);
    if (rc < 0)
        return error_errno(err, "cannot make directory %s", name);
    *out = add(tree, parent, name, mtime);
    (*out)->opaque = opaque;
    return 0;
}

static size_t copy_part(const char *path, size_t length, char part[NAME_MAX + 1])
{
    const char *slash = memchr(path, '/', length);
    size_t n = slash ? (size_t)(slash - path) : length;
    memcpy(part, path, n); /* parts were bounded where the name was parsed */
    part[n] = '\0';
    return n;
}

struct directory *tree_find(const struct tree *tree, const char *path, size_t length)
{
    char part[NAME_MAX + 1];
    struct directory *d = tree->root;
    for (size_t at = 0; d && at < length;) {
        at += copy_part(path + at, length - at, part) + 1;
        d = child(tree, d, part);
    }
    return d;
}

int tree_make(struct tree *tree, const char *path, size_t length, struct timespec mtime,
              struct directory **out, struct error *err)
{
    char part[NAME_MAX + 1];
    struct directory *d = tree->root;
    if (length == tree->last_length && memcmp(path, tree->last_path, length) == 0) {
        *out = tree->last;
        return 0;
    }
    for (size_t at = 0; at < length;) {
        at += copy_part(path + at, length - at, part) + 1;
        struct directory *next = child(tree, d, part);
        int rc = next ? 0 : make_child(tree, d, part, mtime, &next, err);
        if (rc < 0)
            return rc;
        d = next;
    }
    memcpy(tree->last_path, path, length);
    tree->last_length = length;
    tree->last = d;
    *out = d;
    return 0;
}

/* --- the end --- */

static int finish_one(const struct tree *tree, struct directory *d, int fd, struct error *err)
{
    if (d->opaque && fsetxattr(fd, "user.overlay.opaque", "y", 1, 0) < 0)
        return error_errno(err, "cannot mark it opaque");
    return meta_apply(tree, fd, &d->meta, MODE_MEANWHILE, d->xattrs, d->xattr_count, err);
}

int tree_finish(struct tree *tree, struct error *err)
{
    /* Newest first: nothing is made below a directory any more once it has its times, and no
     * directory is closed to us before those in it are done. */
    for (struct directory *d = tree->newest; d; d = d->older) {
        int fd = tree_fd(tree, d, err);
        int rc = fd < 0 ? fd : finish_one(tree, d, fd, err);
        if (rc < 0) {
            autobuf shown = {0};
            buf_printable(&shown, d->parent ? d->name : "/");
            return error_prefix(err, "directory %s", buf_text(&shown));
        }
    }
    return 0;
}
