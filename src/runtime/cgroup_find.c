/* SPDX-License-Identifier: Apache-2.0 */
/* Finding the group of a container of which no record was kept: whoever made it was killed. */
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/memory.h"
#include "base/text.h"
#include "runtime/cgroup_internal.h"

/* The directory of `id` below `parent` itself or below one of its groups for device rules, in one
 * hierarchy: its path, or NULL. */
static char *find_in(const struct cgroup_tree *tree, enum cgroup_slot slot, const char *parent,
                     const char *id)
{
    autofd above = cgroup_open_path(tree->root, tree->layout, slot, parent);
    if (above < 0)
        return NULL;
    if (faccessat(above, id, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        return xasprintf("%s/%s", parent, id);
    int fd = openat(above, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    autodir stream = fd < 0 ? NULL : fdopendir(fd);
    if (!stream && fd >= 0)
        close(fd);
    const struct dirent *entry;
    while (stream && (entry = readdir(stream))) {
        if (entry->d_type != DT_DIR || !starts_with(entry->d_name, CGROUP_DEVICE_GROUP_PREFIX))
            continue;
        autofree char *below = xasprintf("%s/%s", entry->d_name, id);
        if (faccessat(above, below, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
            return xasprintf("%s/%s", parent, below);
    }
    return NULL;
}

static int find(const struct cgroup_tree *tree, const char *parent, const char *id,
                struct cgroup *out)
{
    autobuf above = {0};
    autofree char *path = NULL;
    if (tree->base)
        buf_fmt(&above, "%s/", tree->base);
    buf_str(&above, parent ? parent + (parent[0] == '/') : CGROUP_DEFAULT_PARENT);
    for (int slot = CGROUP_SLOTS - 1; slot >= 0 && !path; slot--)
        if (slot == CGROUP_UNIFIED || tree->layout != CGROUP_V2)
            path = find_in(tree, (enum cgroup_slot)slot, buf_text(&above), id);
    if (!path)
        return -ENOENT;
    autocgroup found = CGROUP_EMPTY;
    found.layout = tree->layout;
    found.root = fcntl(tree->root, F_DUPFD_CLOEXEC, 3);
    if (found.root < 0)
        return -errno;
    for (int slot = 0; slot < CGROUP_SLOTS; slot++) {
        if (slot != CGROUP_UNIFIED && tree->layout == CGROUP_V2)
            continue;
        int fd = cgroup_open_path(tree->root, tree->layout, (enum cgroup_slot)slot, path);
        found.dirs[slot] = fd < 0 ? -1 : fd;
    }
    found.path = take_ptr(path);
    *out = found;
    found = (struct cgroup)CGROUP_EMPTY;
    return 0;
}

int cgroup_find(const char *parent, const char *id, struct cgroup *out, struct error *err)
{
    struct cgroup_tree tree;
    int rc = cgroup_check_id(id, err);
    if (rc == 0 && parent)
        rc = cgroup_check_parent(parent, err);
    if (rc == 0)
        rc = cgroup_tree_open(CGROUP_MOUNT, &tree, err);
    if (rc < 0)
        return rc;
    rc = tree.layout == CGROUP_NONE ? -ENOENT : find(&tree, parent, id, out);
    cgroup_tree_close(&tree);
    return rc < 0 ? error_set(err, rc, "there is no control group of %.12s", id) : 0;
}
