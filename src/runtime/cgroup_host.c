/* SPDX-License-Identifier: Apache-2.0 */
/* What the host has, for `info` and for saying beforehand that limits cannot be in force. */
#include <fcntl.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "runtime/cgroup_internal.h"
#include "runtime/systemd.h"

bool cgroup_none(char *why, size_t size)
{
    struct cgroup_tree tree = {.root = -1};
    struct error err = {0};
    if (cgroup_tree_open(CGROUP_MOUNT, &tree, NULL) < 0)
        return false;
    bool none = tree.layout == CGROUP_NONE &&
                !(tree.undelegated && systemd_answers(SYSTEMD_USER, NULL, &err) == 0);
    if (none && err.code)
        snprintf(why, size,
                 "no control group is delegated to this user, and one could not be had: %s",
                 err.text);
    else if (none)
        snprintf(why, size, "%s", tree.why);
    cgroup_tree_close(&tree);
    return none;
}

/* The controllers of one group, as words. */
static void tell_controllers(int dir, struct buf *detail)
{
    size_t start = detail->len;
    if (read_file_at(dir, "cgroup.controllers", 4096, detail, NULL) == 0 && detail->len > start)
        detail->data[--detail->len] = '\0'; /* the newline */
}

static void tell_v1(int root, struct buf *detail)
{
    bool first = true;
    for (int slot = 0; slot < CGROUP_SLOTS; slot++) {
        const char *name = cgroup_slot_name((enum cgroup_slot)slot);
        if (faccessat(root, name, F_OK, 0) < 0)
            continue;
        buf_fmt(detail, "%s%s", first ? "" : " ", name);
        first = false;
    }
}

/* What a user manager has to give away. */
static bool tell_managed(struct buf *detail)
{
    struct cgroup_tree tree = {.root = -1};
    autobuf group = {0};
    if (systemd_answers(SYSTEMD_USER, &group, NULL) < 0 ||
        cgroup_check_path(buf_text(&group), "its group", NULL) < 0 ||
        cgroup_tree_look(CGROUP_MOUNT, &tree, NULL) < 0)
        return false;
    autofd dir = cgroup_open_path(tree.root, CGROUP_V2, CGROUP_UNIFIED, buf_text(&group));
    if (dir >= 0)
        tell_controllers(dir, detail);
    buf_str(detail, " (a scope of systemd's for each container)");
    cgroup_tree_close(&tree);
    return true;
}

void cgroup_host(enum cgroup_layout *layout, struct buf *detail)
{
    struct cgroup_tree tree;
    struct error err = {0};
    *layout = CGROUP_NONE;
    if (cgroup_tree_open(CGROUP_MOUNT, &tree, &err) < 0) {
        buf_str(detail, err.text);
        return;
    }
    *layout = tree.layout;
    if (tree.undelegated && tell_managed(detail))
        *layout = CGROUP_V2;
    else if (tree.layout == CGROUP_NONE)
        buf_str(detail, tree.why);
    else if (tree.layout == CGROUP_V2)
        tell_controllers(tree.root, detail);
    else
        tell_v1(tree.root, detail);
    cgroup_tree_close(&tree);
}
