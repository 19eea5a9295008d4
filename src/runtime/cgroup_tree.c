/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which control-group trees there are, and directories in them.
 *
 * Guards against group names that lead elsewhere: every name is checked, and every directory is
 * reached by openat2(2) below the hierarchy's root without following links. Owns no state.
 *
 * The layout is read off the file system types below /sys/fs/cgroup: no list of mounts is parsed.
 */
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>

#include "base/io.h"
#include "base/memory.h"
#include "base/strv.h"
#include "base/text.h"
#include "runtime/cgroup_internal.h"
#include "runtime/ids.h"

#define OPEN_DIRECTORY (O_PATH | O_DIRECTORY | O_CLOEXEC)

static const char *const slot_names[CGROUP_SLOTS] = {
    [CGROUP_MEMORY] = "memory",   [CGROUP_PIDS] = "pids",         [CGROUP_CPU] = "cpu",
    [CGROUP_CPUACCT] = "cpuacct", [CGROUP_CPUSET] = "cpuset",     [CGROUP_DEVICES] = "devices",
    [CGROUP_FREEZER] = "freezer", [CGROUP_BLKIO] = "blkio",       [CGROUP_HUGETLB] = "hugetlb",
    [CGROUP_NET_CLS] = "net_cls", [CGROUP_NET_PRIO] = "net_prio", [CGROUP_RDMA] = "rdma",
    [CGROUP_UNIFIED] = "unified",
};

const char *cgroup_slot_name(enum cgroup_slot slot)
{
    return slot_names[slot];
}

/* --- names --- */

int cgroup_check_id(const char *id, struct error *err)
{
    size_t length = strlen(id);
    bool good = length > 0 && length <= 128;

    for (size_t i = 0; good && i < length; i++) {
        char c = id[i];
        good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               (i > 0 && (c == '_' || c == '-' || c == '.'));
    }
    if (!good)
        return error_set(err, -EINVAL,
                         "the container id cannot name a control group: it has to be 1 to 128 "
                         "letters, digits, '_', '.' or '-', and start with a letter or digit");
    return 0;
}

/* `path` has no leading slash. */
int cgroup_check_path(const char *path, const char *what, struct error *err)
{
    if (!*path)
        return error_set(err, -EINVAL, "%s names no group: give one such as 'mine' or '/mine'",
                         what);
    if (strlen(path) >= CGROUP_PATH_MAX)
        return error_set(err, -ENAMETOOLONG, "%s is longer than %d bytes", what,
                         CGROUP_PATH_MAX - 1);
    for (const char *part = path;; part++) {
        size_t length = strcspn(part, "/");
        if (length == 0)
            return error_set(err, -EINVAL, "%s has an empty part: write single slashes only", what);
        if (length > 255)
            return error_set(err, -ENAMETOOLONG, "%s has a part of more than 255 bytes", what);
        if (strncmp(part, ".", length) == 0 || (length == 2 && strncmp(part, "..", 2) == 0))
            return error_set(err, -EINVAL,
                             "%s may not contain '.' or '..': give the group's path from the root",
                             what);
        for (size_t i = 0; i < length; i++)
            if (part[i] <= ' ' || part[i] > '~')
                return error_set(err, -EINVAL, "%s may contain printable ASCII only", what);
        part += length;
        if (!*part)
            return 0;
    }
}

int cgroup_check_parent(const char *parent, struct error *err)
{
    return cgroup_check_path(parent[0] == '/' ? parent + 1 : parent, "--cgroup-parent", err);
}

char *cgroup_own_path(const char *proc_self_cgroup)
{
    const char *line = proc_self_cgroup;

    while (line && !starts_with(line, "0::/")) {
        line = strchr(line, '\n');
        if (line)
            line++;
    }
    if (!line)
        return NULL;
    line += strlen("0::/");
    autofree char *path = xstrndup(line, strcspn(line, "\n"));
    if (ends_with(path, "/" CGROUP_SELF_LEAF))
        path[strlen(path) - strlen("/" CGROUP_SELF_LEAF)] = '\0';
    if (cgroup_check_path(path, "own group", NULL) < 0)
        return NULL;
    return take_ptr(path);
}

/* --- the tree --- */

static bool has_type(int dir, long type)
{
    struct statfs fs;
    return fstatfs(dir, &fs) == 0 && (long)fs.f_type == type;
}

static void nothing_usable(struct cgroup_tree *tree, const char *why)
{
    if (tree->root >= 0)
        close(tree->root);
    tree->root = -1;
    tree->layout = CGROUP_NONE;
    snprintf(tree->why, sizeof(tree->why), "%s", why);
}

/* An ordinary user may make groups only below one that was handed to them. */
static void find_delegation(struct cgroup_tree *tree)
{
    autobuf text = {0};

    if (tree->layout != CGROUP_V2) {
        nothing_usable(tree, "an ordinary user cannot make v1 control groups: run as root, or on a "
                             "host with the v2 tree only");
        return;
    }
    if (read_kernel_file("/proc/self/cgroup", 65536, &text, NULL) == 0)
        tree->base = cgroup_own_path(buf_text(&text));
    autofd own =
        tree->base ? cgroup_open_path(tree->root, CGROUP_V2, CGROUP_UNIFIED, tree->base) : -1;
    if (own >= 0 && faccessat(own, "cgroup.procs", W_OK, AT_EACCESS) == 0 &&
        faccessat(own, ".", W_OK, AT_EACCESS) == 0)
        return;
    free(take_ptr(tree->base));
    nothing_usable(tree, "no control group is delegated to this user: it takes a user manager of "
                         "systemd (log in, or 'loginctl enable-linger')");
    tree->undelegated = true;
}

int cgroup_tree_look(const char *mount, struct cgroup_tree *out, struct error *err)
{
    struct cgroup_tree tree = {.root = -1, .write_flags = O_WRONLY};

    tree.root = open(mount, OPEN_DIRECTORY);
    if (tree.root < 0 && errno != ENOENT && errno != EACCES && errno != ENOTDIR)
        return error_errno(err, "cannot open %s", mount);
    if (tree.root < 0) {
        nothing_usable(&tree, "no control groups are mounted at " CGROUP_MOUNT);
    } else if (has_type(tree.root, CGROUP2_SUPER_MAGIC)) {
        tree.layout = CGROUP_V2;
    } else {
        autofd unified = openat(tree.root, "unified", OPEN_DIRECTORY | O_NOFOLLOW);
        if (unified >= 0 && has_type(unified, CGROUP2_SUPER_MAGIC))
            tree.layout = CGROUP_HYBRID;
        for (int slot = 0; tree.layout == CGROUP_NONE && slot < CGROUP_UNIFIED; slot++) {
            autofd dir = openat(tree.root, slot_names[slot], OPEN_DIRECTORY);
            if (dir >= 0 && has_type(dir, CGROUP_SUPER_MAGIC))
                tree.layout = CGROUP_V1;
        }
        if (tree.layout == CGROUP_NONE)
            nothing_usable(&tree, "no control groups are mounted at " CGROUP_MOUNT);
    }
    *out = tree;
    return 0;
}

int cgroup_tree_open(const char *mount, struct cgroup_tree *out, struct error *err)
{
    int rc = cgroup_tree_look(mount, out, err);

    if (rc == 0 && out->layout != CGROUP_NONE && ids_limited())
        find_delegation(out);
    return rc;
}

void cgroup_tree_close(struct cgroup_tree *tree)
{
    if (tree->root >= 0)
        close(tree->root);
    tree->root = -1;
    free(take_ptr(tree->base));
}

/* --- directories --- */

static int open_beneath(int dir, const char *path)
{
    struct open_how how = {
        .flags = OPEN_DIRECTORY,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
    };
    int fd = (int)syscall(SYS_openat2, dir, path, &how, sizeof(how));

    return fd < 0 ? -errno : fd;
}

/* A hierarchy's root; /sys/fs/cgroup/cpu may be the host's own link to cpu,cpuacct. */
static int open_hierarchy(int root, enum cgroup_layout layout, enum cgroup_slot slot)
{
    int fd = openat(root, layout == CGROUP_V2 ? "." : slot_names[slot], OPEN_DIRECTORY);

    return fd < 0 ? -errno : fd;
}

int cgroup_open_path(int root, enum cgroup_layout layout, enum cgroup_slot slot, const char *path)
{
    if (layout == CGROUP_V2)
        return open_beneath(root, path);
    char full[CGROUP_PATH_MAX + 256];
    snprintf(full, sizeof(full), "%s/%s", slot_names[slot], path);
    int fd = open_beneath(root, full);
    if (fd != -ELOOP)
        return fd;
    autofd hierarchy = open_hierarchy(root, layout, slot);
    return hierarchy < 0 ? hierarchy : open_beneath(hierarchy, path);
}

/* An empty mounted-nowhere directory would swallow groups without limiting anything. */
static bool is_hierarchy(const struct cgroup_tree *tree, enum cgroup_slot slot, int dir)
{
    if (tree->write_flags & O_CREAT)
        return true;
    return has_type(dir, slot == CGROUP_UNIFIED ? CGROUP2_SUPER_MAGIC : CGROUP_SUPER_MAGIC);
}

void cgroup_inherit_cpuset(int dir, int write_flags)
{
    static const char *const files[] = {"cpuset.cpus", "cpuset.mems"};

    for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
        char parent[32];
        autobuf own = {0}, above = {0};
        snprintf(parent, sizeof(parent), "../%s", files[i]);
        autofd own_fd = openat(dir, files[i], O_RDONLY | O_CLOEXEC);
        if (own_fd >= 0 && read_fd(own_fd, 65536, &own) == 0 && own.len > 1)
            continue;
        autofd above_fd = openat(dir, parent, O_RDONLY | O_CLOEXEC);
        if (above_fd >= 0 && read_fd(above_fd, 65536, &above) == 0 && above.len > 0)
            cgroup_write_file(dir, files[i], above.data, write_flags);
    }
}

/* Hands the controllers that this group has and we use down to its children. */
static int enable_here(const struct cgroup_tree *tree, int dir)
{
    static const char *const wanted[] = {"memory", "pids", "cpu", "cpuset", "io"};
    autobuf text = {0}, line = {0};
    autostrv have = {0};
    autofd fd = openat(dir, "cgroup.controllers", O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return -errno;
    int rc = read_fd(fd, 4096, &text);
    if (rc < 0)
        return rc;
    if (text.len > 0 && text.data[text.len - 1] == '\n')
        text.data[--text.len] = '\0';
    strv_split(&have, buf_text(&text), ' ');
    for (size_t i = 0; i < sizeof(wanted) / sizeof(*wanted); i++)
        if (strv_has(&have, wanted[i]))
            buf_fmt(&line, "%s+%s", line.len ? " " : "", wanted[i]);
    return line.len == 0
               ? 0
               : cgroup_write_file(dir, "cgroup.subtree_control", line.data, tree->write_flags);
}

/* As enable_here() in the group delegated to us, which may hold only ourselves. */
static int enable_delegated(const struct cgroup_tree *tree, int dir)
{
    int rc = enable_here(tree, dir);

    if (rc != -EBUSY)
        return rc;
    if (mkdirat(dir, CGROUP_SELF_LEAF, 0755) < 0 && errno != EEXIST)
        return rc;
    if (cgroup_write_file(dir, CGROUP_SELF_LEAF "/cgroup.procs", "0", tree->write_flags) < 0)
        return rc;
    return enable_here(tree, dir);
}

static int enter_or_make(const struct cgroup_tree *tree, enum cgroup_slot slot, int dir,
                         const char *name)
{
    if (mkdirat(dir, name, 0755) < 0 && errno != EEXIST)
        return -errno;
    int fd = openat(dir, name, OPEN_DIRECTORY | O_NOFOLLOW);
    if (fd < 0)
        return -errno;
    if (slot == CGROUP_CPUSET)
        cgroup_inherit_cpuset(fd, tree->write_flags);
    else if (slot == CGROUP_MEMORY) /* before Linux 5.11 children are not counted in by default */
        cgroup_write_file(fd, "memory.use_hierarchy", "1", tree->write_flags & ~O_CREAT);
    return fd;
}

/* Walks down `path`, making what is missing; *refused is why controllers were not handed down. */
static int walk(const struct cgroup_tree *tree, enum cgroup_slot slot, const char *path,
                int *refused)
{
    bool v2 = tree->layout == CGROUP_V2;
    size_t base = tree->base ? strlen(tree->base) : 0;
    autostrv parts = {0};
    autofd dir = open_hierarchy(tree->root, tree->layout, slot);

    if (dir < 0)
        return dir;
    if (!is_hierarchy(tree, slot, dir))
        return -ENOENT;
    if (v2 && base) {
        int fd = open_beneath(dir, tree->base);
        if (fd < 0)
            return fd;
        close(dir);
        dir = fd;
        *refused = enable_delegated(tree, dir);
        path += base + 1;
    } else if (v2) {
        *refused = enable_here(tree, dir);
    }
    strv_split(&parts, path, '/');
    for (size_t i = 0; i < parts.len; i++) {
        int fd = enter_or_make(tree, slot, dir, parts.items[i]);
        if (fd < 0)
            return fd;
        close(dir);
        dir = fd;
        int rc = v2 ? enable_here(tree, dir) : 0;
        if (rc < 0)
            *refused = rc;
    }
    return take_fd(&dir);
}

int cgroup_make_parent(const struct cgroup_tree *tree, enum cgroup_slot slot, const char *path)
{
    int refused = 0;
    int fd = cgroup_open_path(tree->root, tree->layout, slot, path);

    return fd == -ENOENT ? walk(tree, slot, path, &refused) : fd;
}

int cgroup_hand_down(const struct cgroup_tree *tree, const char *path)
{
    int refused = 0;
    int fd = walk(tree, CGROUP_UNIFIED, path, &refused);

    if (fd < 0)
        return fd;
    close(fd);
    return refused;
}

int cgroup_make_group(const struct cgroup_tree *tree, enum cgroup_slot slot, const char *parent,
                      const char *name)
{
    autofd above = cgroup_make_parent(tree, slot, parent);

    if (above < 0)
        return above;
    if (mkdirat(above, name, 0755) < 0) {
        /* Left over from a container that is gone: an empty group can be removed. */
        if (errno != EEXIST)
            return -errno;
        if (unlinkat(above, name, AT_REMOVEDIR) < 0 || mkdirat(above, name, 0755) < 0)
            return -EEXIST;
    }
    int fd = openat(above, name, OPEN_DIRECTORY | O_NOFOLLOW);
    if (fd < 0)
        return -errno;
    if (slot == CGROUP_CPUSET)
        cgroup_inherit_cpuset(fd, tree->write_flags);
    return fd;
}
