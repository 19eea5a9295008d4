/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/devices_dir.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "path/inroot.h"
#include "runtime/ids.h"
#include "runtime/syscalls.h"

/* Device numbers of Linux's own assignment (admin-guide/devices.rst). */
static const struct {
    const char *name, *path;
    unsigned major, minor;
} nodes[] = {{"null", "/dev/null", 1, 3},       {"zero", "/dev/zero", 1, 5},
             {"full", "/dev/full", 1, 7},       {"random", "/dev/random", 1, 8},
             {"urandom", "/dev/urandom", 1, 9}, {"tty", "/dev/tty", 5, 0}};

static const struct {
    const char *name, *target;
} links[] = {{"fd", "/proc/self/fd"},
             {"stdin", "/proc/self/fd/0"},
             {"stdout", "/proc/self/fd/1"},
             {"stderr", "/proc/self/fd/2"},
             {"ptmx", "pts/ptmx"}};

static const char *const directories[] = {"pts", "shm", "mqueue"};

/* Nodes are for the host's root to make; a file is what the host's own node is mounted on. */
static int make_place(int at, const char *name, struct error *err)
{
    if (mknodat(at, name, S_IFREG, 0) < 0)
        return error_errno(err, "cannot make a place for device /dev/%s", name);
    return 0;
}

static int make_node(int dev, size_t i, struct error *err)
{
    if (ids_limited())
        return make_place(dev, nodes[i].name, err);
    dev_t number = makedev(nodes[i].major, nodes[i].minor);
    if (mknodat(dev, nodes[i].name, S_IFCHR | 0666, number) < 0)
        return error_errno(err, "cannot make device /dev/%s", nodes[i].name);
    return 0;
}

bool devices_bound(const struct plan *plan, size_t i, struct bound_device *out)
{
    size_t standard = sizeof nodes / sizeof *nodes;
    if (!ids_limited() || i >= standard + plan->device_count)
        return false;
    *out = i < standard ? (struct bound_device){.path = nodes[i].path,
                                                .host = nodes[i].path,
                                                .number = makedev(nodes[i].major, nodes[i].minor)}
                        : (struct bound_device){.path = plan->devices[i - standard].path,
                                                .host = plan->devices[i - standard].host};
    return true;
}

static int add_host_device(int dev, const struct plan_device *device, struct error *err)
{
    struct stat st;
    autofd host = open(device->host, O_PATH | O_CLOEXEC);
    if (host < 0 || fstat(host, &st) < 0)
        return error_errno(err, "cannot use device %s", device->host);
    if (!S_ISCHR(st.st_mode) && !S_ISBLK(st.st_mode))
        return error_set(err, -ENODEV, "%s is not a device", device->host);
    const char *name = device->path + strlen("/dev/"); /* the plan holds only paths below /dev */
    autofd parent = -1;
    const char *slash = strrchr(name, '/');
    if (slash) {
        char folder[INROOT_PATH_MAX];
        snprintf(folder, sizeof folder, "%.*s", (int)(slash - name), name);
        parent = inroot_make_directory(dev, folder);
        if (parent < 0)
            return error_set(err, parent, "cannot make the directory of %s: %s", device->path,
                             error_describe(parent));
    }
    int at = slash ? parent : dev;
    name = slash ? slash + 1 : name;
    if (ids_limited())
        return make_place(at, name, err);
    if (mknodat(at, name, st.st_mode, st.st_rdev) < 0)
        return error_errno(err, "cannot make device %s", device->path);
    if (fchownat(at, name, st.st_uid, st.st_gid, AT_SYMLINK_NOFOLLOW) < 0 ||
        fchmodat(at, name, st.st_mode & 0777, 0) < 0)
        return error_errno(err, "cannot set the owner of device %s", device->path);
    return 0;
}

static int fill(int dev, const struct plan *plan, struct error *err)
{
    for (size_t i = 0; i < sizeof nodes / sizeof *nodes; i++) {
        int rc = make_node(dev, i, err);
        if (rc < 0)
            return rc;
    }
    for (size_t i = 0; i < sizeof links / sizeof *links; i++)
        if (symlinkat(links[i].target, dev, links[i].name) < 0)
            return error_errno(err, "cannot make /dev/%s", links[i].name);
    for (size_t i = 0; i < sizeof directories / sizeof *directories; i++)
        if (!(plan->ipc == PLAN_IPC_NONE && streq(directories[i], "shm")) &&
            mkdirat(dev, directories[i], 0755) < 0)
            return error_errno(err, "cannot make /dev/%s", directories[i]);
    if (plan->terminal && mknodat(dev, "console", S_IFREG | 0600, 0) < 0)
        return error_errno(err, "cannot make /dev/console");
    for (size_t i = 0; i < plan->device_count; i++) {
        int rc = add_host_device(dev, &plan->devices[i], err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int copy_host(struct error *err)
{
    autofd copy = sys_open_tree(AT_FDCWD, "/dev", AT_RECURSIVE);
    if (copy < 0)
        return error_set(err, copy, "cannot copy /dev: %s", error_describe(copy));
    int rc = sys_mount_setattr(copy, AT_RECURSIVE, 0, 0, MS_PRIVATE, -1);
    if (rc < 0)
        return error_set(err, rc, "cannot make /dev private: %s", error_describe(rc));
    return take_fd(&copy);
}

int devices_directory(const struct plan *plan, int userns, struct error *err)
{
    if (plan->all_devices)
        return copy_host(err);
    autofd fs = sys_fsopen("tmpfs");
    int rc = fs < 0 ? fs : sys_fsconfig_string(fs, "mode", "0755");
    if (rc == 0)
        rc = sys_fsconfig_string(fs, "size", "1m");
    autofd dev = rc < 0 ? rc : sys_fsmount(fs, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
    if (dev < 0)
        return error_set(err, dev, "cannot make /dev: %s", error_describe(dev));
    mode_t mask = umask(0);
    rc = fill(dev, plan, err);
    umask(mask);
    if (rc < 0)
        return rc;
    /* Linux 6.3 maps ids of tmpfs; before, the nodes belong to nobody, which their mode allows. */
    if (userns >= 0)
        (void)sys_mount_setattr(dev, 0, MOUNT_ATTR_IDMAP, 0, 0, userns);
    return take_fd(&dev);
}
