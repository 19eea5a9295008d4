/* SPDX-License-Identifier: Apache-2.0 */
#include "container/changes.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "archive/tree_give.h"
#include "archive/tree_read.h"
#include "base/io.h"
#include "base/memory.h"
#include "base/text.h"
#include "container/skeleton.h"
#include "path/inroot.h"
#include "runtime/rootfs.h"

#define LAYERS_MAX (OCI_LAYERS_MAX + 2)

struct comparing {
    int lower; /* the image, as the container would see it untouched */
    struct strv foreign;
    struct buf path; /* without leading "/" */
    each_change *each;
    void *closure;
    uint64_t left; /* how many files may still come */
    size_t room;   /* bytes that the names of the directories on the way may still take */
    unsigned depth;
};

int container_upper(const struct container *c, struct error *err)
{
    int fd = inroot_open_beneath(c->home, "upper/fs", O_PATH | O_DIRECTORY);
    if (fd < 0 && fd != -ENOENT)
        return error_set(err, fd, "cannot open the writable layer of container %s: %s",
                         c->plan.name, error_describe(fd));
    return fd;
}

void container_foreign_places(const struct plan *plan, struct strv *out)
{
    static const char *const own[] = {"proc",      "sys",          "dev",
                                      "etc/hosts", "etc/hostname", "etc/resolv.conf"};
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        strv_add(out, own[i]);
    if (plan->passwd)
        strv_add(out, "etc/passwd");
    if (plan->group)
        strv_add(out, "etc/group");
    for (size_t i = 0; i < plan->mount_count; i++)
        strv_add(out, plan->mounts[i].target + 1);
}

/* The image's layers, with what a run needs there, and nothing of the container. */
static int open_lower(const struct container *c, struct store *store, struct error *err)
{
    struct skeleton skeleton = {.fs = -1, .empty = -1};
    struct image image = {0};
    int layers[LAYERS_MAX];
    size_t count = 0, opened = 0;
    snprintf(image.id, sizeof image.id, "%s", c->plan.image_id);
    image.config.diff_ids = c->plan.layers; /* borrowed for the call */
    int rc = skeleton_open_layers(store, &image, &skeleton, err);
    if (rc == 0 && c->plan.layers.len > OCI_LAYERS_MAX)
        rc = error_set(err, -E2BIG, "the image has more than %d layers", OCI_LAYERS_MAX);
    if (rc == 0)
        rc = skeleton_layers(store, &c->plan.layers, layers, &opened, err);
    count = opened;
    if (rc == 0) {
        if (skeleton.empty >= 0)
            layers[count++] = skeleton.empty;
        layers[count++] = skeleton.fs;
        struct rootfs_source source = {
            .layers = layers, .count = count, .upper = -1, .userns = -1, .no_devices = 1};
        rc = rootfs_mount(&source, err);
    }
    for (size_t i = 0; i < opened; i++)
        close(layers[i]);
    skeleton_close(&skeleton);
    return rc;
}

static int compare_directory(struct comparing *c, int dir, struct error *err);

static int tell(struct comparing *c, char kind, struct error *err)
{
    autofree char *path = xasprintf("/%s", buf_text(&c->path));
    return c->each(c->closure, kind, path, err);
}

static int compare_one(struct comparing *c, int dir, const char *name, struct error *err)
{
    struct stat st;
    autofd fd = inroot_open_beneath(dir, name, O_PATH | O_NOFOLLOW);
    if (fd < 0 || fstat(fd, &st) < 0)
        return 0; /* gone since its directory was read */
    autofd below = inroot_open_beneath(c->lower, buf_text(&c->path), O_PATH | O_NOFOLLOW);
    if (S_ISCHR(st.st_mode) && st.st_rdev == makedev(0, 0))
        return below < 0 ? 0 : tell(c, 'D', err);
    int rc = tell(c, below < 0 ? 'A' : 'C', err);
    return rc == 0 && S_ISDIR(st.st_mode) ? compare_directory(c, fd, err) : rc;
}

static int compare_directory(struct comparing *c, int dir, struct error *err)
{
    autostrv names = {0};
    autofd readable = inroot_open_beneath(dir, ".", O_RDONLY | O_DIRECTORY);
    if (readable < 0)
        return error_set(err, readable, "cannot read /%s: %s", buf_text(&c->path),
                         error_describe(readable));
    if (c->depth == TREE_DEPTH_MAX)
        return error_set(err, -ELOOP, "/%.300s: directories are nested more than %d deep here",
                         buf_text(&c->path), TREE_DEPTH_MAX);
    size_t room = c->room;
    int rc = directory_names(readable, c->left, &c->room, &names, err);
    size_t cost = room - c->room;
    c->left -= rc == 0 ? names.len : 0;
    c->depth++;
    for (size_t i = 0; rc == 0 && i < names.len; i++) {
        size_t length = c->path.len;
        buf_fmt(&c->path, "%s%s", length ? "/" : "", names.items[i]);
        if (!strv_has(&c->foreign, buf_text(&c->path)))
            rc = compare_one(c, dir, names.items[i], err);
        c->path.len = length;
        c->path.data[length] = '\0';
    }
    c->depth--;
    c->room += cost;
    return rc;
}

int container_changes(struct container *c, struct store *store, each_change *each, void *closure,
                      struct error *err)
{
    struct comparing comparing = {
        .each = each,
        .closure = closure,
        .left = TREE_ENTRIES_MAX,
        .room = TREE_MEMORY_MAX,
        .lower = -1,
    };
    autofd upper = container_upper(c, err);
    if (upper == -ENOENT)
        return 0;
    if (upper < 0)
        return upper;
    autofd lower = open_lower(c, store, err);
    if (lower < 0)
        return lower;
    comparing.lower = lower;
    container_foreign_places(&c->plan, &comparing.foreign);
    int rc = compare_directory(&comparing, upper, err);
    strv_free(&comparing.foreign);
    buf_free(&comparing.path);
    return rc < 0 ? error_prefix(err, "container %s", c->plan.name) : 0;
}
