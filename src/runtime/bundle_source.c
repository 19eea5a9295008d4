/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What of the host comes into a container: its root file system, the sources of binds, device
 * nodes; each as a detached copy of a mount. Done by the parent, among the host's mounts, where it
 * has the right to; else by the child.
 */
#include <linux/openat2.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#include "base/io.h"
#include "base/text.h"
#include "runtime/bundle_child.h"
#include "runtime/bundle_ids.h"
#include "runtime/ids.h"
#include "runtime/syscalls.h"

#define COPY_FLAGS(recursive) (AT_EMPTY_PATH | ((recursive) ? AT_RECURSIVE : 0))

static int set_attributes(int copy, const struct bundle_mount *m, int userns)
{
    unsigned long idmap = userns >= 0 ? MOUNT_ATTR_IDMAP : 0;
    uint64_t one = m->idmap_all ? 0 : idmap, all = m->idmap_all ? idmap : 0;
    int rc = 0;
    if (m->set | m->clear | one)
        rc = sys_mount_setattr(copy, 0, m->set | one, m->clear, 0, one ? userns : -1);
    if (rc == 0 && (m->set_all | m->clear_all | all))
        rc = sys_mount_setattr(copy, AT_RECURSIVE, m->set_all | all, m->clear_all, 0,
                               all ? userns : -1);
    return rc;
}

/* Without a word in the configuration nothing goes to the host or comes from it. A copy of a shared
 * mount is a peer of it, so for the rest there is nothing to do before the type is set. */
static int set_propagation(int copy, const struct bundle_mount *m)
{
    if (m->propagation == 0)
        return sys_mount_setattr(copy, AT_RECURSIVE, 0, 0, MS_PRIVATE, -1);
    int rc = 0;
    if (!m->propagation_all)
        rc = sys_mount_setattr(copy, AT_RECURSIVE, 0, 0, MS_PRIVATE, -1);
    /* unbindable is for the place in the container: it could not be attached as one */
    unsigned long type = m->propagation == MS_UNBINDABLE ? MS_PRIVATE : m->propagation;
    if (rc == 0)
        rc = sys_mount_setattr(copy, m->propagation_all ? AT_RECURSIVE : 0, 0, 0, type, -1);
    return rc;
}

int bundle_clone_bind(const struct bundle_mount *m, int userns, struct error *err)
{
    autofd source = open(m->source, O_PATH | O_CLOEXEC);
    if (source < 0)
        return error_errno(err, "cannot mount %s at %s", m->source, m->target);
    autofd own = -1;
    if (m->maps.uid_count) {
        own = bundle_ids_namespace(&m->maps, err);
        if (own < 0)
            return error_prefix(err, "cannot map the ids of %s", m->source);
        userns = own;
    }
    if (m->idmap && userns < 0)
        return error_set(err, -EINVAL,
                         "cannot map the ids of %s: idmap needs uidMappings and gidMappings, or a "
                         "user namespace",
                         m->source);
    autofd copy = sys_open_tree(source, "", COPY_FLAGS(m->recursive));
    if (copy < 0)
        return error_set(err, copy, "cannot mount %s at %s: %s", m->source, m->target,
                         error_describe(copy));
    int rc = set_propagation(copy, m);
    if (rc == 0)
        rc = set_attributes(copy, m, m->idmap ? userns : -1);
    if (rc == -EINVAL && m->idmap)
        return error_set(err, -EOPNOTSUPP,
                         "cannot map the ids of %s: its file system, or this kernel, cannot",
                         m->source);
    if (rc < 0)
        return error_set(err, rc, "cannot mount %s at %s with its options: %s", m->source,
                         m->target, error_describe(rc));
    return take_fd(&copy);
}

/* Never a peer of the host's: nothing that is mounted in the container may appear there. */
int bundle_clone_root(const struct bundle *bundle, struct error *err)
{
    struct stat st;
    unsigned long type = bundle->root_propagation & (MS_SHARED | MS_SLAVE) ? MS_SLAVE : MS_PRIVATE;
    autofd dir = open(bundle->rootfs, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        return error_errno(err, "cannot open the root file system %s", bundle->rootfs);
    if (stat("/", &st) == 0) {
        struct stat root;
        if (fstat(dir, &root) == 0 && root.st_ino == st.st_ino && root.st_dev == st.st_dev)
            return error_set(err, -EINVAL, "root.path is the host's own root: %s", bundle->rootfs);
    }
    autofd copy = sys_open_tree(dir, "", COPY_FLAGS(true));
    int rc = copy < 0 ? copy : sys_mount_setattr(copy, AT_RECURSIVE, 0, 0, type, -1);
    if (rc < 0)
        return error_set(err, rc, "cannot mount the root file system %s: %s", bundle->rootfs,
                         error_describe(rc));
    return take_fd(&copy);
}

int bundle_clone_device(const struct bundle_device *device, struct error *err)
{
    struct stat st;
    autofd copy = sys_open_tree(AT_FDCWD, device->path, 0);
    int rc = copy < 0 ? copy : fstat(copy, &st) < 0 ? -errno : 0;
    if (rc == 0 && (!(device->type == 'c' ? S_ISCHR(st.st_mode) : S_ISBLK(st.st_mode)) ||
                    st.st_rdev != makedev(device->major, device->minor)))
        return error_set(err, -ENODEV,
                         "cannot use device %s: in a user namespace it has to be the host's of "
                         "that path, which is no %c %u:%u",
                         device->path, device->type, device->major, device->minor);
    if (rc == 0)
        rc = sys_mount_setattr(copy, 0, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, 0, MS_PRIVATE, -1);
    if (rc < 0)
        return error_set(err, rc, "cannot use device %s of the host: %s", device->path,
                         error_describe(rc));
    return take_fd(&copy);
}
