/* SPDX-License-Identifier: Apache-2.0 */
#include "container/skeleton.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "base/io.h"
#include "base/memory.h"
#include "base/text.h"
#include "path/inroot.h"
#include "runtime/rootfs.h"

#define PASSWD_COPY "passwd"
#define GROUP_COPY "group"

static const struct {
    const char *path;
    mode_t mode;
} directories[] = {
    {"proc", 0555}, {"sys", 0555},      {"dev", 0755},  {"etc", 0755},
    {"run", 0755},  {"var/tmp", 01777}, {"tmp", 01777}, {"home/nonroot", 0755},
};

static const char *const files[] = {"etc/passwd", "etc/group", "etc/hosts", "etc/hostname",
                                    "etc/resolv.conf"};

/* A mount point that the image has as something odd is left alone: the run that needs it says so.
 */
static int make_places(int root, struct error *err)
{
    for (size_t i = 0; i < sizeof directories / sizeof *directories; i++) {
        autofd found = inroot_open(root, directories[i].path, O_PATH);
        if (found >= 0)
            continue;
        autofd made = inroot_make_directory(root, directories[i].path);
        if (made == -ENOSPC || made == -EDQUOT || made == -EIO)
            return error_set(err, made, "cannot prepare /%s of the image: %s", directories[i].path,
                             error_describe(made));
        char self[40];
        snprintf(self, sizeof self, "/proc/self/fd/%d", made);
        if (made >= 0 && chmod(self, directories[i].mode) < 0)
            return error_errno(err, "cannot prepare /%s of the image", directories[i].path);
    }
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        autofd made = inroot_make_file(root, files[i], 0644);
        if (made == -ENOSPC || made == -EDQUOT || made == -EIO)
            return error_set(err, made, "cannot prepare /%s of the image: %s", files[i],
                             error_describe(made));
    }
    return 0;
}

static int copy_account_file(int root, const char *path, int home, const char *name,
                             struct error *err)
{
    autobuf text = {0};
    struct stat st;
    autofd fd = inroot_open_file(root, path);
    if (fd == -EINVAL)
        return error_set(err, fd, "the image's /%s is not a regular file", path);
    if (fd >= 0) {
        if (fstat(fd, &st) < 0)
            return error_errno(err, "cannot look at the image's /%s", path);
        int rc = st.st_size > SKELETON_FILE_MAX ? -EFBIG : read_fd(fd, SKELETON_FILE_MAX, &text);
        if (rc < 0)
            return error_set(err, rc, "cannot read the image's /%s (at most %u bytes): %s", path,
                             SKELETON_FILE_MAX, error_describe(rc));
    } else if (fd != -ENOENT && fd != -ELOOP && fd != -ENOTDIR && fd != -ENXIO) {
        return error_set(err, fd, "cannot open the image's /%s: %s", path, error_describe(fd));
    }
    return write_file_at(home, name, buf_text(&text), text.len, 0600, VOLATILE, err);
}

/* overlayfs does not heed an opaque mark on a layer's root, so what lies below such a layer is left
 * out here. */
bool layer_hides_all_below(int layer)
{
    char path[40], value[4];
    snprintf(path, sizeof path, "/proc/self/fd/%d", layer);
    return getxattr(path, "user.overlay.opaque", value, sizeof value) == 1 && value[0] == 'y';
}

int skeleton_layers(struct store *store, const struct strv *diff_ids, int *layers, size_t *count,
                    struct error *err)
{
    *count = 0;
    for (size_t i = 0; i < diff_ids->len; i++) {
        int fd = store_open_layer(store, diff_ids->items[i], err);
        if (fd < 0)
            return fd;
        if (i > 0 && layer_hides_all_below(fd))
            while (*count > 0)
                close(layers[--*count]);
        layers[(*count)++] = fd;
    }
    return 0;
}

/* The image with `home`/fs as its writable layer. */
static int fill(struct store *store, const struct image *image, int home, struct error *err)
{
    size_t count = 0;
    int layers[OCI_LAYERS_MAX];
    if (mkdirat(home, "fs", 0755) < 0 || mkdirat(home, "work", 0700) < 0 ||
        mkdirat(home, "empty", 0755) < 0)
        return error_errno(err, "cannot create the skeleton of image %s", image->id);
    int rc = skeleton_layers(store, &image->config.diff_ids, layers, &count, err);
    autofd root = -1;
    if (rc == 0 && count == 0) {
        root = open_directory_at(home, "fs", err);
    } else if (rc == 0) {
        struct rootfs_source source = {
            .layers = layers, .count = count, .upper = home, .userns = -1, .no_devices = 1};
        root = rootfs_mount(&source, err);
    }
    for (size_t i = 0; i < count; i++)
        close(layers[i]);
    if (rc < 0 || root < 0)
        return rc < 0 ? rc : root;
    rc = make_places(root, err);
    if (rc == 0)
        rc = copy_account_file(root, "etc/passwd", home, PASSWD_COPY, err);
    if (rc == 0)
        rc = copy_account_file(root, "etc/group", home, GROUP_COPY, err);
    return rc;
}

/* Made below tmp/ under a lock, so that a dead maker's remains are known as such, then renamed.
 * Somebody else's finished skeleton of the same image is as good. */
static int make(struct store *store, const struct image *image, const char *name, struct error *err)
{
    uint64_t random;
    char place[48];
    if (getrandom(&random, sizeof random, 0) != (ssize_t)sizeof random)
        return error_errno(err, "cannot get random bytes");
    snprintf(place, sizeof place, "tmp/skeleton.%016llx", (unsigned long long)random);
    if (mkdirat(store->root_fd, place, 0700) < 0)
        return error_errno(err, "cannot create %s", place);
    autofd home = open_directory_at(store->root_fd, place, err);
    if (home < 0)
        return home;
    int rc = lock_fd(home, LOCK_EX);
    mode_t mask = umask(022);
    if (rc == 0)
        rc = fill(store, image, home, err);
    umask(mask);
    if (rc == 0) {
        (void)remove_tree_at(home, "work", NULL);
        if (renameat(store->root_fd, place, store->root_fd, name) < 0 && errno != EEXIST &&
            errno != ENOTEMPTY)
            rc = error_errno(err, "cannot keep the skeleton of image %s", image->id);
    }
    (void)remove_tree_at(store->root_fd, place, NULL);
    return rc;
}

/* The image's skeleton, made when it is missing. */
static int open_home(struct store *store, const struct image *image, struct error *err)
{
    char name[32 + DIGEST_MAX];
    snprintf(name, sizeof name, "skeletons/%s", digest_hex(image->id));
    int home = openat(store->root_fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (home < 0 && errno == ENOENT) {
        int rc = make(store, image, name, err);
        if (rc < 0)
            return rc;
        home = openat(store->root_fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    }
    if (home < 0)
        return error_errno(err, "cannot open the skeleton of image %s", image->id);
    return home;
}

static int open_layers_of(int home, const struct image *image, struct skeleton *s,
                          struct error *err)
{
    s->fs = openat(home, "fs", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (s->fs >= 0 && image->config.diff_ids.len == 0)
        s->empty = openat(home, "empty", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (s->fs < 0 || (image->config.diff_ids.len == 0 && s->empty < 0))
        return error_errno(err, "cannot open the skeleton of image %s", image->id);
    return 0;
}

int skeleton_open_layers(struct store *store, const struct image *image, struct skeleton *out,
                         struct error *err)
{
    struct skeleton s = {.fs = -1, .empty = -1};
    autofd home = open_home(store, image, err);
    int rc = home < 0 ? home : open_layers_of(home, image, &s, err);
    if (rc < 0) {
        skeleton_close(&s);
        return rc;
    }
    *out = s;
    return 0;
}

int skeleton_bare_layers(struct store *store, const struct image *image, int *layers, size_t *count,
                         struct error *err)
{
    *count = 0;
    autofd home = open_home(store, image, err);
    if (home < 0)
        return home;
    int *above = layers + 1;
    autofd empty = openat(home, "empty", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (empty < 0)
        return error_errno(err, "cannot open the skeleton of image %s", image->id);
    int rc = skeleton_layers(store, &image->config.diff_ids, above, count, err);
    if (rc == 0 && *count == 0) {
        above[0] = fcntl(empty, F_DUPFD_CLOEXEC, 3);
        *count = above[0] >= 0;
        rc = above[0] < 0 ? error_errno(err, "cannot duplicate a descriptor") : 0;
    }
    layers[0] = take_fd(&empty);
    ++*count;
    return rc;
}

int skeleton_open(struct store *store, const struct image *image, struct skeleton *out,
                  struct error *err)
{
    struct skeleton s = {.fs = -1, .empty = -1};
    autofd home = open_home(store, image, err);
    int rc = home < 0 ? home : open_layers_of(home, image, &s, err);
    if (rc == 0)
        rc = read_file_at(home, PASSWD_COPY, SKELETON_FILE_MAX, &s.passwd, err);
    if (rc == 0)
        rc = read_file_at(home, GROUP_COPY, SKELETON_FILE_MAX, &s.group, err);
    if (rc < 0) {
        skeleton_close(&s);
        return rc;
    }
    *out = s;
    return 0;
}

void skeleton_close(struct skeleton *skeleton)
{
    if (skeleton->fs >= 0)
        close(skeleton->fs);
    if (skeleton->empty >= 0)
        close(skeleton->empty);
    buf_free(&skeleton->passwd);
    buf_free(&skeleton->group);
}
