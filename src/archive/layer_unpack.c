/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "archive/layer.h"
#include "archive/layer_name.h"
#include "archive/layer_tree.h"
#include "archive/recipe.h"
#include "archive/tar.h"
#include "base/io.h"
#include "base/memory.h"
#include "base/text.h"

struct unpack {
    struct layer_limits limits;
    struct tree tree;
    struct tar_reader *tar;
    struct recipe_writer *recipe;
    struct layer_result result;
};

/* One entry on its way into the tree. */
struct item {
    const struct tar_entry *entry;
    struct layer_name name;
    struct meta meta;
    struct directory *parent;
    int parent_fd;
};

static int keep_raw(void *closure, const void *bytes, size_t length, struct error *err)
{
    struct unpack *u = closure;
    return recipe_bytes(u->recipe, bytes, length, err);
}

/* A path for a message, cut in the middle when it would crowd out the reason. */
static void show_path(struct buf *out, const char *path)
{
    const size_t most = 240, tail = 100;
    size_t length = strlen(path);
    autobuf cut = {0};
    if (length > most) {
        buf_add(&cut, path, most - tail);
        buf_str(&cut, "…");
        buf_str(&cut, path + length - tail);
    }
    buf_printable(out, length > most ? buf_text(&cut) : path);
}

/* What a maker's EEXIST means: 0 after a whiteout of the same layer was taken away (it only speaks
 * of the layers below), or an error. */
static int make_room(const struct item *item, struct error *err)
{
    if (!tree_is_whiteout(item->parent_fd, item->name.base))
        return error_set(err, -EEXIST, "it is in this layer twice, and only one can be meant");
    if (unlinkat(item->parent_fd, item->name.base, 0) < 0)
        return error_errno(err, "cannot replace its whiteout");
    return 0;
}

static int find_parent(struct unpack *u, struct item *item, struct error *err)
{
    int rc = tree_make(&u->tree, item->name.path, item->name.parent, item->meta.mtime,
                       &item->parent, err);
    if (rc < 0)
        return rc;
    item->parent_fd = tree_fd(&u->tree, item->parent, err);
    return item->parent_fd < 0 ? item->parent_fd : 0;
}

/* --- regular files --- */

static int write_part(struct unpack *u, int fd, uint64_t length, struct error *err)
{
    while (length > 0) {
        const void *bytes;
        ssize_t n = tar_peek(u->tar, &bytes, err);
        if (n < 0)
            return (int)n;
        size_t take = (uint64_t)n < length ? (size_t)n : (size_t)length;
        int rc = write_all(fd, bytes, take);
        if (rc < 0)
            return error_set(err, rc, "cannot write it: %s", error_describe(rc));
        tar_used(u->tar, take);
        length -= take;
    }
    return 0;
}

static int write_content(struct unpack *u, int fd, const struct tar_entry *e, struct error *err)
{
    if (!e->sparse)
        return write_part(u, fd, e->size, err);
    for (size_t i = 0; i < e->segment_count; i++) {
        if (lseek(fd, (off_t)e->segments[i].offset, SEEK_SET) < 0)
            return error_errno(err, "cannot write it");
        int rc = write_part(u, fd, e->segments[i].length, err);
        if (rc < 0)
            return rc;
    }
    if (ftruncate(fd, (off_t)e->size) < 0)
        return error_errno(err, "cannot write it");
    return 0;
}

static int count_size(struct unpack *u, uint64_t size, struct error *err)
{
    if (size > u->limits.max_bytes - u->result.size) {
        autobuf limit = {0};
        format_binary_size(&limit, u->limits.max_bytes);
        return error_set(err, -EFBIG,
                         "the layer's files take more than %s: allow more with "
                         "--max-size",
                         buf_text(&limit));
    }
    u->result.size += size;
    return 0;
}

static int apply_file(struct unpack *u, const struct item *item, int fd, struct error *err)
{
    const struct tar_entry *e = item->entry;
    autofree struct tar_xattr *kept = NULL;
    size_t count = 0;
    if (e->xattr_count > 0)
        kept = xcalloc(e->xattr_count, sizeof *kept);
    for (size_t i = 0; i < e->xattr_count; i++) {
        if (xattr_fate(e->xattrs[i].name, TAR_FILE) == XATTR_KEPT)
            kept[count++] = e->xattrs[i];
    }
    return meta_apply(&u->tree, fd, &item->meta, item->meta.mode & 0777, kept, count, err);
}

static int unpack_file(struct unpack *u, const struct item *item, struct error *err)
{
    const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    const struct tar_entry *e = item->entry;
    int rc = count_size(u, e->size, err);
    if (rc == 0)
        rc = recipe_file(u->recipe, item->name.path, e, err);
    if (rc < 0)
        return rc;
    /* Setuid and the like only once the owner is right. */
    mode_t mode = item->meta.mode & 0777;
    autofd fd = openat(item->parent_fd, item->name.base, flags, mode);
    if (fd < 0 && errno == EEXIST) {
        rc = make_room(item, err);
        if (rc < 0)
            return rc;
        fd = openat(item->parent_fd, item->name.base, flags, mode);
    }
    if (fd < 0)
        return error_errno(err, "cannot make it");
    rc = write_content(u, fd, e, err);
    return rc == 0 ? apply_file(u, item, fd, err) : rc;
}

/* --- things without a descriptor: symlinks, devices, pipes --- */

static int apply_by_name(struct unpack *u, const struct item *item, struct error *err)
{
    const char *base = item->name.base;
    if (meta_owner_differs(&u->tree, &item->meta) &&
        fchownat(item->parent_fd, base, item->meta.uid, item->meta.gid, AT_SYMLINK_NOFOLLOW) < 0)
        return meta_chown_failed(&item->meta, err);
    /* Made just now and no symlink, so that fchmodat(2), which follows, cannot go astray. */
    if (item->entry->type != TAR_SYMLINK && (item->meta.mode & 07000) &&
        fchmodat(item->parent_fd, base, item->meta.mode, 0) < 0)
        return error_errno(err, "cannot set its mode");
    struct timespec times[2] = {item->meta.mtime, item->meta.mtime};
    if (utimensat(item->parent_fd, base, times, AT_SYMLINK_NOFOLLOW) < 0)
        return error_errno(err, "cannot set its time");
    return 0;
}

static int make_named(const struct item *item)
{
    const struct tar_entry *e = item->entry;
    mode_t mode = item->meta.mode & 0777;
    dev_t device = makedev(e->major, e->minor);
    switch (e->type) {
    case TAR_SYMLINK:
        return symlinkat(e->link, item->parent_fd, item->name.base);
    case TAR_CHARACTER:
        return mknodat(item->parent_fd, item->name.base, S_IFCHR | mode, device);
    case TAR_BLOCK_DEVICE:
        return mknodat(item->parent_fd, item->name.base, S_IFBLK | mode, device);
    default:
        return mknodat(item->parent_fd, item->name.base, S_IFIFO | mode, 0);
    }
}

static int unpack_named(struct unpack *u, const struct item *item, struct error *err)
{
    const struct tar_entry *e = item->entry;
    bool device = e->type == TAR_CHARACTER || e->type == TAR_BLOCK_DEVICE;
    if (e->type == TAR_CHARACTER && e->major == 0 && e->minor == 0)
        return error_set(err, -EINVAL, "a device 0/0 is a whiteout in disguise");
    if (device && (e->major > 0xfff || e->minor > 0xfffff))
        return error_set(err, -EINVAL, "device %u/%u cannot exist", e->major, e->minor);
    if (e->type == TAR_SYMLINK && *e->link == '\0')
        return error_set(err, -EINVAL, "a symbolic link to nothing");
    int rc = make_named(item);
    if (rc < 0 && errno == EEXIST) {
        rc = make_room(item, err);
        if (rc < 0)
            return rc;
        rc = make_named(item);
    }
    if (rc < 0 && errno == EPERM && device) {
        /* Only the host's root makes devices, and no container could open them. */
        u->result.skipped_devices++;
        return 0;
    }
    if (rc < 0)
        return error_errno(err, "cannot make it");
    return apply_by_name(u, item, err);
}

/* --- hard links --- */

static int link_target(struct unpack *u, const char *text, struct layer_name *target, int *fd,
                       struct error *err)
{
    struct stat st;
    int rc = layer_name_plain(text, target, err);
    if (rc < 0)
        return rc;
    struct directory *d = tree_find(&u->tree, target->path, target->parent);
    if (d && target->kind == NAME_PLAIN) {
        *fd = tree_fd(&u->tree, d, err);
        if (*fd < 0)
            return *fd;
        if (fstatat(*fd, target->base, &st, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISDIR(st.st_mode) &&
            !(S_ISCHR(st.st_mode) && st.st_rdev == makedev(0, 0)))
            return 0;
    }
    return error_set(err, -EINVAL, "no file of that name came before it in this layer");
}

static int unpack_hardlink(struct unpack *u, const struct item *item, struct error *err)
{
    struct layer_name target;
    int fd = -1;
    int rc = link_target(u, item->entry->link, &target, &fd, err);
    if (rc < 0) {
        autobuf shown = {0};
        show_path(&shown, item->entry->link);
        return error_prefix(err, "cannot link it to %s", buf_text(&shown));
    }
    rc = linkat(fd, target.base, item->parent_fd, item->name.base, 0);
    if (rc < 0 && errno == EEXIST) {
        rc = make_room(item, err);
        if (rc < 0)
            return rc;
        rc = linkat(fd, target.base, item->parent_fd, item->name.base, 0);
    }
    return rc < 0 ? error_errno(err, "cannot make the hard link") : 0;
}

/* --- directories and whiteouts --- */

static int unpack_directory(struct unpack *u, struct item *item, struct error *err)
{
    struct directory *d;
    int rc =
        tree_make(&u->tree, item->name.path, strlen(item->name.path), item->meta.mtime, &d, err);
    if (rc == 0)
        tree_describe(d, &item->meta, item->entry);
    return rc;
}

static int unpack_whiteout(struct unpack *u, struct item *item, struct error *err)
{
    if (item->entry->type == TAR_DIRECTORY)
        return error_set(err, -EINVAL, "a directory has the name of a whiteout");
    struct directory *same = tree_find(&u->tree, item->name.path, strlen(item->name.path));
    if (same) {
        same->opaque = true;
        return 0;
    }
    int rc = find_parent(u, item, err);
    if (rc < 0)
        return rc;
    if (mknodat(item->parent_fd, item->name.base, S_IFCHR, makedev(0, 0)) == 0)
        return 0;
    if (errno != EEXIST)
        return error_errno(err, "cannot make the whiteout");
    if (tree_is_whiteout(item->parent_fd, item->name.base))
        return error_set(err, -EEXIST, "it is in this layer twice");
    return 0; /* a file of this layer already hides what lies below */
}

static int unpack_opaque(struct unpack *u, struct item *item, struct error *err)
{
    struct directory *d;
    if (item->entry->type == TAR_DIRECTORY)
        return error_set(err, -EINVAL, "a directory has the name of a whiteout");
    int rc = tree_make(&u->tree, item->name.path, item->name.parent, item->meta.mtime, &d, err);
    if (rc == 0)
        d->opaque = true;
    return rc;
}

/* --- entries --- */

static int unpack_plain(struct unpack *u, struct item *item, struct error *err)
{
    const struct tar_entry *e = item->entry;
    if (e->type == TAR_DIRECTORY)
        return unpack_directory(u, item, err);
    if (item->name.kind == NAME_ROOT)
        return error_set(err, -EINVAL, "the root of a layer can only be a directory");
    int rc = find_parent(u, item, err);
    if (rc < 0)
        return rc;
    switch (e->type) {
    case TAR_FILE:
        return unpack_file(u, item, err);
    case TAR_HARDLINK:
        return unpack_hardlink(u, item, err);
    case TAR_SYMLINK:
    case TAR_CHARACTER:
    case TAR_BLOCK_DEVICE:
    case TAR_FIFO:
        return unpack_named(u, item, err);
    default:
        return error_set(err, -EOPNOTSUPP, "an entry of unknown type 0x%02x",
                         (unsigned char)e->flag);
    }
}

static int unpack_entry(struct unpack *u, const struct tar_entry *e, struct error *err)
{
    struct item item;
    item.entry = e;
    if (++u->result.entries > u->limits.max_entries)
        return error_set(err, -EFBIG,
                         "more than %llu entries in one layer: allow more with --max-files",
                         (unsigned long long)u->limits.max_entries);
    int rc = layer_name_parse(e->path, &item.name, err);
    if (rc == 0)
        rc = meta_of(e, &item.meta, err);
    for (size_t i = 0; rc == 0 && i < e->xattr_count; i++) {
        if (xattr_fate(e->xattrs[i].name, e->type) == XATTR_REFUSED)
            rc = error_set(err, -EINVAL, "it carries marks that only overlayfs may set");
    }
    if (rc < 0)
        return rc;
    switch (item.name.kind) {
    case NAME_WHITEOUT:
        return unpack_whiteout(u, &item, err);
    case NAME_OPAQUE:
        return unpack_opaque(u, &item, err);
    case NAME_IGNORED:
        return 0;
    default:
        return unpack_plain(u, &item, err);
    }
}

static int unpack_entries(struct unpack *u, struct error *err)
{
    const struct tar_entry *e;
    int rc;
    while ((rc = tar_next(u->tar, &e, err)) > 0) {
        rc = unpack_entry(u, e, err);
        if (rc < 0) {
            autobuf shown = {0};
            show_path(&shown, e->path);
            return error_prefix(err, "%s", buf_text(&shown));
        }
    }
    return rc;
}

static int conclude(struct unpack *u, struct stream *source, int dir_fd, struct error *err)
{
    struct stream_result streamed;
    int rc = tree_finish(&u->tree, err);
    if (rc == 0)
        rc = recipe_finish(u->recipe, err);
    if (rc == 0)
        rc = stream_finish(source, &streamed, err);
    if (rc < 0)
        return rc;
    memcpy(u->result.diff_id, streamed.plain_digest, DIGEST_MAX);
    memcpy(u->result.blob, streamed.compressed_digest, DIGEST_MAX);
    u->result.blob_bytes = streamed.compressed_bytes;
    u->result.tar_bytes = streamed.plain_bytes;
    u->result.compression = stream_format(source);
    u->result.opaque = u->tree.root->opaque;
    autobuf size = {0};
    buf_fmt(&size, "%llu\n", (unsigned long long)u->result.size);
    autofd fd = openat(dir_fd, "size", O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    rc = fd < 0 ? -errno : write_all(fd, size.data, size.len);
    return rc < 0 ? error_set(err, rc, "cannot write the layer's size: %s", error_describe(rc)) : 0;
}

int layer_unpack(struct stream *source, int dir_fd, const struct layer_limits *limits,
                 struct layer_result *out, struct error *err)
{
    struct unpack u = {.limits = {LAYER_DEFAULT_MAX_BYTES, LAYER_DEFAULT_MAX_ENTRIES}};
    if (limits && limits->max_bytes)
        u.limits.max_bytes = limits->max_bytes;
    if (limits && limits->max_entries)
        u.limits.max_entries = limits->max_entries;
    umask(0);
    autofd recipe =
        openat(dir_fd, "recipe", O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (recipe < 0)
        return error_errno(err, "cannot write the layer's recipe");
    int rc = tree_open(&u.tree, dir_fd, u.limits.max_entries, err);
    if (rc == 0) {
        u.recipe = recipe_create(recipe, err);
        rc = u.recipe ? 0 : -ENOMEM;
    }
    if (rc == 0) {
        u.tar = tar_open(source, keep_raw, &u);
        rc = unpack_entries(&u, err);
    }
    if (rc == 0)
        rc = conclude(&u, source, dir_fd, err);
    tar_close(u.tar);
    recipe_close(u.recipe);
    tree_close(&u.tree);
    if (rc == 0)
        *out = u.result;
    return rc;
}

int layer_sync(int dir_fd, struct error *err)
{
    return syncfs(dir_fd) < 0 ? error_errno(err, "cannot write the layers to disk") : 0;
}
