/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/assemble.h"

#include <linux/magic.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "base/io.h"
#include "base/text.h"
#include "path/inroot.h"
#include "runtime/files_dir.h"
#include "runtime/syscalls.h"

int assemble_directory(int root, const char *path, struct error *err)
{
    struct open_how how = {
        .flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS,
    };
    int fd = (int)syscall(SYS_openat2, root, path, &how, sizeof how);
    if (fd < 0 && errno == ENOENT && mkdirat(root, path, 0755) == 0)
        fd = (int)syscall(SYS_openat2, root, path, &how, sizeof how);
    if (fd < 0)
        return error_errno(err, "/%s of the image must be an ordinary directory", path);
    return fd;
}

int assemble_attach(int mount, int target, const char *path, struct error *err)
{
    int rc = sys_move_mount(mount, target);
    if (rc < 0)
        return error_set(err, rc, "cannot mount %s: %s", path, error_describe(rc));
    return 0;
}

/* Ids are given as the container sees them. */
static int configure_one(int fs, const char *key, const char *value, const struct ids *ids)
{
    char number[16];
    uint64_t id;
    if (!value)
        return sys_fsconfig_flag(fs, key);
    if (ids && (streq(key, "uid") || streq(key, "gid"))) {
        if (parse_u64(value, UINT16_MAX, &id) < 0)
            return -EINVAL;
        uint32_t stand_in = key[0] == 'u' ? ids->stand_in_uid : ids->stand_in_gid;
        snprintf(number, sizeof number, "%u", ids_outside(ids, stand_in, (uint32_t)id));
        value = number;
    }
    return sys_fsconfig_string(fs, key, value);
}

static int configure(int fs, const char *data, const struct ids *ids)
{
    char text[512];
    if (!data)
        return 0;
    if (strlen(data) >= sizeof text)
        return -E2BIG;
    memcpy(text, data, strlen(data) + 1);
    for (char *part = text; part && *part;) {
        char *next = strchr(part, ',');
        if (next)
            *next++ = '\0';
        char *value = strchr(part, '=');
        if (value)
            *value++ = '\0';
        int rc = configure_one(fs, part, value, ids);
        if (rc < 0)
            return rc;
        part = next;
    }
    return 0;
}

int assemble_fs(const char *type, const char *data, unsigned attributes, const struct ids *ids,
                struct error *err)
{
    autofd fs = sys_fsopen(type);
    int rc = fs < 0 ? fs : configure(fs, data, ids);
    if (rc == 0)
        rc = sys_fsmount(fs, attributes);
    if (rc < 0)
        return error_set(err, rc, "cannot make a %s file system%s%s: %s", type,
                         data ? " with options " : "", data ? data : "", error_describe(rc));
    return rc;
}

/* --- targets -----------------------------------------------------------------------------------
 */

static bool is_or_below(const char *path, const char *top)
{
    size_t length = strlen(top);
    return strncmp(path, top, length) == 0 && (path[length] == '/' || path[length] == '\0');
}

/* 0: not known. */
uint64_t assemble_mount_id(int fd)
{
    struct statx st;
    if (statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &st) < 0 || !(st.stx_mask & STATX_MNT_ID))
        return 0;
    return st.stx_mnt_id;
}

static void remember_own(struct assembly *a, int fd)
{
    uint64_t id = assemble_mount_id(fd);
    if (id != 0 && a->own_count < ASSEMBLY_MOUNTS_MAX)
        a->own[a->own_count++] = id;
}

/* Below a bind with others on it the mount is not one that we know: then it is the child's too. */
static bool is_own(const struct assembly *a, int fd)
{
    uint64_t id = assemble_mount_id(fd);
    for (size_t i = 0; i < a->own_count; i++)
        if (a->own[i] == id)
            return true;
    return false;
}

/* Where a mount goes, made when it is missing. 1: it is the child's to mount. */
static int open_target(const struct assembly *a, const char *path, bool directory, int *out,
                       struct error *err)
{
    char self[40], where[INROOT_PATH_MAX];
    struct statfs fs;
    struct stat at, root;
    autofd fd =
        directory ? inroot_make_directory(a->root, path) : inroot_make_file(a->root, path, 0644);
    if (fd == -EROFS)
        return error_set(err, fd,
                         "mount point %s is missing in the image and its root is read-only", path);
    if (fd < 0)
        return error_set(err, fd, "cannot make the mount point %s in the container: %s", path,
                         error_describe(fd));
    /* What the descriptor is open on, as seen from the top of the new root. */
    snprintf(self, sizeof self, "/proc/self/fd/%d", fd);
    ssize_t n = a->by_child ? 0 : readlink(self, where, sizeof where - 1);
    if (n < 0 || fstatfs(fd, &fs) < 0)
        return error_errno(err, "cannot look at the mount point %s", path);
    where[n] = '\0';
    if (fs.f_type == PROC_SUPER_MAGIC || fs.f_type == SYSFS_MAGIC || is_or_below(where, "/proc") ||
        is_or_below(where, "/sys"))
        return error_set(err, -EPERM, "mount point %s leads into /proc or /sys", path);
    /* What lies over the root is where setns(2) puts a process, beside /proc, masks and all. */
    if (fstat(fd, &at) < 0 || fstat(a->root, &root) < 0)
        return error_errno(err, "cannot look at the mount point %s", path);
    if (at.st_ino == root.st_ino && at.st_dev == root.st_dev)
        return error_set(err, -EPERM, "mount point %s leads to the root of the container", path);
    if (!a->by_child && (is_or_below(where, "/dev") || !is_own(a, fd)))
        return 1;
    *out = take_fd(&fd);
    return 0;
}

/* --- what the user asked for -------------------------------------------------------------------
 */

static unsigned attributes_of(const struct plan_mount *m)
{
    return (m->read_only ? MOUNT_ATTR_RDONLY : 0) | (m->no_exec ? MOUNT_ATTR_NOEXEC : 0) |
           (m->dev ? 0 : MOUNT_ATTR_NODEV) | (m->suid ? 0 : MOUNT_ATTR_NOSUID);
}

/* 1: it is the child's to mount. */
static int mount_asked(struct assembly *a, const struct plan_mount *m, struct error *err)
{
    struct stat st = {.st_mode = S_IFDIR};
    int source = m->kind == PLAN_TMPFS ? -1 : a->binds[a->state.binds];
    if (source >= 0 && fstat(source, &st) < 0)
        return error_errno(err, "cannot look at the source of %s", m->target);
    autofd target = -1;
    int rc = open_target(a, m->target, S_ISDIR(st.st_mode), &target, err);
    if (rc != 0)
        return rc;
    autofd fresh = -1;
    if (source < 0) {
        source = fresh = assemble_fs("tmpfs", m->data, attributes_of(m), a->ids, err);
        if (fresh < 0)
            return fresh;
    }
    rc = assemble_attach(source, target, m->target, err);
    if (rc == 0) {
        if (!a->by_child)
            remember_own(a, source);
        a->state.asked++;
        a->state.binds += m->kind != PLAN_TMPFS;
    }
    return rc;
}

/* --- generated files ---------------------------------------------------------------------------
 */

/* They lie in a tmpfs of the parent's; each is a mount of its own over the image's file. */
static int mount_generated(struct assembly *a, struct error *err)
{
    char line[256];
    struct generated_file files[GENERATED_FILES_MAX];
    size_t count = generated_files(a->plan, line, files);
    for (size_t i = a->state.generated; i < count; i++) {
        autofd copy = sys_open_tree(a->files, files[i].name, AT_SYMLINK_NOFOLLOW);
        if (copy < 0)
            return error_set(err, copy, "cannot mount %s: %s", files[i].target,
                             error_describe(copy));
        int rc =
            a->plan->root_read_only ? sys_mount_setattr(copy, 0, MOUNT_ATTR_RDONLY, 0, 0, -1) : 0;
        if (rc < 0)
            return error_set(err, rc, "cannot make %s read-only: %s", files[i].target,
                             error_describe(rc));
        autofd target = -1;
        rc = open_target(a, files[i].target, false, &target, err);
        if (rc == 0)
            rc = assemble_attach(copy, target, files[i].target, err);
        if (rc != 0)
            return rc;
        a->state.generated++;
    }
    return 0;
}

/* --- all of it ---------------------------------------------------------------------------------
 */

static int attach_dev(struct assembly *a, struct error *err)
{
    autofd target = assemble_directory(a->root, "dev", err);
    if (target < 0)
        return target;
    if (!a->by_child && !is_own(a, target))
        return error_set(err, -EPERM, "/dev of the image leads out of it");
    int rc = sys_move_mount(a->dev, target);
    if (rc == -EINVAL && !a->by_child)
        return 1; /* Linux before 6.15 */
    if (rc < 0)
        return error_set(err, rc, "cannot mount /dev: %s", error_describe(rc));
    a->state.dev = true;
    return 0;
}

int assemble(struct assembly *a, struct error *err)
{
    if (!a->by_child)
        remember_own(a, a->root);
    int rc = a->state.dev ? 0 : attach_dev(a, err);
    while (rc == 0 && a->state.asked < a->plan->mount_count)
        rc = mount_asked(a, &a->plan->mounts[a->state.asked], err);
    if (rc == 0)
        rc = mount_generated(a, err);
    a->state.finished = rc == 0;
    return rc < 0 ? rc : 0;
}
