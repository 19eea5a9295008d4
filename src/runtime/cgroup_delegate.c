/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Groups for ordinary users who were given none: from their systemd.
 *
 * A login session's group belongs to root, and leaving it takes rights in the group above, so the
 * user manager is asked for a scope with Delegate=yes: one for each container that is started, into
 * which it has the host's manager move this process. The monitor and all that comes of it is born
 * there, in a leaf of its own (CGROUP_SELF_LEAF), beside the group of the container; a restart
 * finds itself in a delegated group and asks nobody.
 *
 * One scope for all of a user's containers would be a unit less to make, but who comes when the
 * last process in it ends cannot tell a scope that is there from one that is about to go, and would
 * have to be moved into it anyway. One for each is there when systemd says so, and goes with its
 * last process, whatever was killed: systemd removes it with all groups in it.
 *
 * State: the scope, caisson-ID.scope in app.slice.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/memory.h"
#include "base/text.h"
#include "runtime/cgroup_internal.h"
#include "runtime/ids.h"
#include "runtime/systemd.h"

#define PREFIX "caisson-"
#define SLICE "app.slice" /* systemd.special(7): for what a user runs beside the session itself */

static int read_in(int dir, const char *name, struct buf *out)
{
    autofd fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
    return fd < 0 ? -errno : read_fd(fd, 1 << 20, out);
}

/* A group that may be written to is of no use while others are in it who do not leave: it may then
 * hand no controllers down. */
static bool serves(const struct cgroup_tree *tree, const char *scope)
{
    autobuf controllers = {0}, processes = {0};
    const char *slash = strrchr(tree->base, '/');
    const char *name = slash ? slash + 1 : tree->base;
    if (starts_with(name, PREFIX) && !starts_with(name, scope))
        return false; /* another container's, started by this same command */
    autofd dir = cgroup_open_path(tree->root, CGROUP_V2, CGROUP_UNIFIED, tree->base);
    if (dir < 0 || read_in(dir, "cgroup.subtree_control", &controllers) < 0 ||
        read_in(dir, "cgroup.procs", &processes) < 0)
        return false;
    autofree char *alone = xasprintf("%d\n", (int)getpid());
    return controllers.len > 1 || processes.len == 0 || streq(buf_text(&processes), alone);
}

/* Where this process is; NULL when it cannot be told. */
static char *own_group(void)
{
    autobuf text = {0};
    return read_kernel_file("/proc/self/cgroup", 65536, &text, NULL) < 0
               ? NULL
               : cgroup_own_path(buf_text(&text));
}

/* Out of the way of the controllers, and all who are born of us with us. */
static int step_aside(int root, struct error *err)
{
    autofree char *path = own_group();
    autofd dir = path ? cgroup_open_path(root, CGROUP_V2, CGROUP_UNIFIED, path) : -ENOENT;
    if (dir < 0)
        return error_set(err, dir, "cannot open the control group that systemd gave: %s",
                         error_describe(dir));
    if (mkdirat(dir, CGROUP_SELF_LEAF, 0755) < 0 && errno != EEXIST)
        return error_errno(err, "cannot make a group in %s", path);
    int rc = cgroup_write_file(dir, CGROUP_SELF_LEAF "/cgroup.procs", "0", O_WRONLY);
    return rc < 0 ? error_set(err, rc, "cannot enter a group in %s: %s", path, error_describe(rc))
                  : 0;
}

static int start_scope(const char *name, const char *description, struct error *err)
{
    const struct systemd_unit unit = {.manager = SYSTEMD_USER,
                                      .name = name,
                                      .slice = SLICE,
                                      .description = description,
                                      .own = true};
    return systemd_start(&unit, NULL, err);
}

/* That of the container's last run may still be on its way out. */
static int obtain(int root, const char *scope, const char *description, struct error *err)
{
    autofree char *name = xasprintf("%s.scope", scope);
    int rc = start_scope(name, description, err);
    if (rc == -EEXIST) {
        autofree char *other = xasprintf("%s-%d.scope", scope, (int)getpid());
        rc = start_scope(other, description, err);
    }
    return rc < 0 ? rc : step_aside(root, err);
}

int cgroup_delegate(const char *id, const char *description, struct error *err)
{
    struct cgroup_tree tree;
    if (!ids_limited() || cgroup_tree_open(CGROUP_MOUNT, &tree, NULL) < 0)
        return 0;
    autofree char *scope = xasprintf(PREFIX "%.12s", id);
    bool given = tree.layout == CGROUP_V2;
    int rc = 0;
    if (tree.undelegated || (given && !serves(&tree, scope))) {
        autofd root = open(CGROUP_MOUNT, O_PATH | O_DIRECTORY | O_CLOEXEC);
        rc = root < 0 ? error_errno(err, "cannot open " CGROUP_MOUNT)
                      : obtain(root, scope, description, err);
    }
    cgroup_tree_close(&tree);
    if (given || rc == 0) /* what is not in force in the one that was given shows there */
        return 0;
    return error_prefix(err,
                        "no control group is delegated to this user, and one could not be had");
}

/* The group above both, where a process can be moved only by who may write there. */
static bool may_enter(int root, const char *from, const char *to)
{
    size_t common = 0;
    for (size_t i = 0; from[i] == to[i]; i++) {
        if (from[i] == '\0' || from[i] == '/')
            common = i;
        if (from[i] == '\0')
            break;
    }
    autofree char *above = xstrndup(to, common);
    autofd dir = common ? cgroup_open_path(root, CGROUP_V2, CGROUP_UNIFIED, above)
                        : openat(root, ".", O_PATH | O_CLOEXEC);
    return dir >= 0 && faccessat(dir, "cgroup.procs", W_OK, AT_EACCESS) == 0;
}

int cgroup_reach(const struct cgroup *group, const char *description, struct error *err)
{
    if ((!ids_limited() && geteuid() == 0) || group->layout != CGROUP_V2 || !group->path)
        return 0;
    autofree char *own = own_group();
    if (own && may_enter(group->root, own, group->path))
        return 0;
    autofree char *name = xasprintf(PREFIX "exec-%d.scope", (int)getpid());
    int rc = start_scope(name, description, err);
    return rc < 0 ? error_prefix(err, "cannot enter the control group of the container") : 0;
}
