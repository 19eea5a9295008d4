/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One container's control group: made, entered, found again, changed.
 *
 * State: directories <parent>/<id> below /sys/fs/cgroup, named in the container's record. A group
 * left by a crash is empty, and the next container of that name takes its place.
 *
 * What makes it quick: no mount table is read; only hierarchies that carry a limit get a directory
 * (beside a v2 tree neither freezer, cpuacct nor devices do: v2 freezes, counts, and runs the
 * device program without any controller); and the child enters v1 hierarchies itself by writing "0"
 * to `tasks`. A write of a pid to cgroup.procs makes the kernel wait for every processor to pass a
 * quiet point (some 10 ms on an idle machine) before it moves anything.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/io.h"
#include "base/memory.h"
#include "base/strv.h"
#include "base/text.h"
#include "runtime/cgroup_internal.h"

static const char *const layout_names[] = {
    [CGROUP_NONE] = "none", [CGROUP_V1] = "v1", [CGROUP_HYBRID] = "hybrid", [CGROUP_V2] = "v2"};

void cgroup_close(struct cgroup *group)
{
    free(take_ptr(group->path));
    for (int slot = 0; slot < CGROUP_SLOTS; slot++)
        if (group->dirs[slot] >= 0)
            close(take_fd(&group->dirs[slot]));
    cgroup_joined(group);
    if (group->root >= 0)
        close(take_fd(&group->root));
}

void cgroup_joined(struct cgroup *group)
{
    for (int slot = 0; slot < CGROUP_SLOTS; slot++)
        if (group->tasks[slot] >= 0)
            close(take_fd(&group->tasks[slot]));
}

int cgroup_clone_fd(const struct cgroup *group)
{
    return group->dirs[CGROUP_UNIFIED];
}

enum cgroup_slot cgroup_main_slot(const struct cgroup *group)
{
    if (group->dirs[CGROUP_UNIFIED] >= 0)
        return CGROUP_UNIFIED;
    for (int slot = 0; slot < CGROUP_UNIFIED; slot++)
        if (group->dirs[slot] >= 0)
            return (enum cgroup_slot)slot;
    return CGROUP_SLOTS;
}

/* --- making --- */

static bool same_directory(int a, int b)
{
    struct stat sa, sb;

    return a >= 0 && b >= 0 && fstat(a, &sa) == 0 && fstat(b, &sb) == 0 && sa.st_dev == sb.st_dev &&
           sa.st_ino == sb.st_ino;
}

/* Hosts mount cpu and cpuacct as one: the second name then finds the group made by the first. */
static bool is_made_already(const struct cgroup_tree *tree, enum cgroup_slot slot,
                            struct cgroup *group)
{
    if (slot != CGROUP_CPUACCT || group->dirs[CGROUP_CPU] < 0)
        return false;
    autofd there = cgroup_open_path(tree->root, tree->layout, slot, group->path);
    if (!same_directory(there, group->dirs[CGROUP_CPU]))
        return false;
    group->dirs[slot] = take_fd(&there);
    return true;
}

static int make_slot(const struct cgroup_tree *tree, enum cgroup_slot slot, const char *parent,
                     const char *id, struct cgroup *group, struct error *err)
{
    if (is_made_already(tree, slot, group))
        return 0;
    int fd = cgroup_make_group(tree, slot, parent, id);
    if (fd == -EEXIST)
        return error_set(err, fd,
                         "the control group %s already has processes in it (%s): another container "
                         "of that id runs",
                         group->path, cgroup_slot_name(slot));
    if (fd == -ENOENT || fd == -EACCES || fd == -EPERM || fd == -EROFS)
        return 0; /* the limits that need it are reported as not in force */
    if (fd < 0)
        return error_set(err, fd, "cannot make the control group %s (%s): %s", group->path,
                         cgroup_slot_name(slot), error_describe(fd));
    group->dirs[slot] = fd;
    return 0;
}

/* Memory and processes are always accounted for; the rest only where a limit needs it. */
static uint32_t slots_to_make(const struct cgroup_tree *tree, const struct cgroup_plan *plan,
                              const struct cgroup_limits *limits)
{
    if (tree->layout == CGROUP_V2)
        return 1u << CGROUP_UNIFIED;
    uint32_t slots = plan->slots | 1u << CGROUP_MEMORY | 1u << CGROUP_PIDS |
                     cgroup_value_slots(tree->layout, limits);
    if (limits->account_io)
        slots |= 1u << CGROUP_BLKIO;
    if (limits->everywhere)
        slots |= 1u << CGROUP_CPU | 1u << CGROUP_CPUACCT | 1u << CGROUP_CPUSET |
                 1u << CGROUP_DEVICES | 1u << CGROUP_BLKIO;
    return slots | 1u << (tree->layout == CGROUP_HYBRID ? CGROUP_UNIFIED : CGROUP_CPUACCT);
}

static int open_tasks(struct cgroup *group, int write_flags, struct error *err)
{
    for (int slot = 0; slot < CGROUP_UNIFIED; slot++) {
        if (group->dirs[slot] < 0 || group->tasks[slot] >= 0)
            continue;
        group->tasks[slot] = openat(group->dirs[slot], "tasks", write_flags | O_CLOEXEC, 0600);
        if (group->tasks[slot] < 0)
            return error_errno(err, "cannot open tasks of the control group %s (%s)", group->path,
                               cgroup_slot_name((enum cgroup_slot)slot));
    }
    return 0;
}

int cgroup_open_tasks(struct cgroup *group, struct error *err)
{
    return open_tasks(group, O_WRONLY, err);
}

static int make_slots(const struct cgroup_making *m, uint32_t slots, struct cgroup *group,
                      struct error *err)
{
    int rc = 0;
    for (int slot = 0; rc == 0 && slot < CGROUP_SLOTS; slot++)
        if (slots & (1u << slot) && group->dirs[slot] < 0)
            rc = make_slot(&m->tree, (enum cgroup_slot)slot, m->place.parent, m->place.id, group,
                           err);
    return rc;
}

static int fill(const struct cgroup_making *m, struct cgroup *group, struct error *err)
{
    int rc = make_slots(m, slots_to_make(&m->tree, &m->plan, m->limits), group, err);
    if (rc == 0)
        rc = cgroup_apply(&m->tree, &m->plan, group, err);
    if (rc == 0)
        rc = cgroup_write_values(&m->tree, m->limits, group, err);
    if (rc == 0 && !m->limits->devices_all)
        cgroup_apply_devices(&m->tree, m->limits, m->place.parent, m->place.shared, m->place.id,
                             group);
    if (rc == 0)
        rc = open_tasks(group, m->tree.write_flags, err);
    return rc;
}

/* Whoever names a parent finds the group exactly there. */
static void find_place(const struct cgroup_tree *tree, const char *parent, const char *id,
                       const struct cgroup_limits *limits, struct cgroup_place *out)
{
    autobuf path = {0};

    if (tree->base)
        buf_fmt(&path, "%s/", tree->base);
    out->id = id;
    out->shared = !parent && !limits->devices_all;
    parent = parent ? parent : CGROUP_DEFAULT_PARENT;
    buf_str(&path, parent + (parent[0] == '/'));
    if (out->shared) {
        char name[32];
        cgroup_device_group(limits->devices, limits->device_count, name);
        buf_fmt(&path, "/%s", name);
    }
    out->parent = buf_take(&path);
}

/* No tree, or none that we may use: everything asked for is not in force, for one reason. */
static void nothing_in_force(const struct cgroup_tree *tree, const struct cgroup_plan *plan,
                             const struct cgroup_limits *limits, struct cgroup *group)
{
    uint32_t asked = plan->asked | (limits->devices_all ? 0 : 1u << CGROUP_LIMIT_DEVICES);

    for (int limit = 0; limit < CGROUP_LIMIT_COUNT; limit++)
        if (asked & (1u << limit))
            cgroup_not_in_force(group, (enum cgroup_limit)limit, "%s", tree->why);
}

/* The tree in `m` is filled in. What was made when it fails is in `group`. */
static int begin(struct cgroup_making *m, const char *parent, const char *id, struct cgroup *group,
                 struct error *err)
{
    int rc = cgroup_check_id(id, err);
    if (rc == 0 && parent)
        rc = cgroup_check_parent(parent, err);
    if (rc == 0)
        rc = cgroup_plan_limits(m->tree.layout, m->limits, &m->plan, err);
    if (rc == 0)
        rc = cgroup_check_devices(m->limits->devices, m->limits->device_count, err);
    if (rc < 0)
        return rc;
    if (m->tree.layout == CGROUP_NONE) {
        nothing_in_force(&m->tree, &m->plan, m->limits, group);
        return 0;
    }
    m->plan.fresh = true;
    group->layout = m->tree.layout;
    group->root = fcntl(m->tree.root, F_DUPFD_CLOEXEC, 3);
    if (group->root < 0)
        return error_errno(err, "cannot keep the control-group mount point open");
    find_place(&m->tree, parent, id, m->limits, &m->place);
    group->path = xasprintf("%s/%s", m->place.parent, id);
    return make_slots(m, slots_to_make(&m->tree, &m->plan, m->limits) & 1u << CGROUP_UNIFIED, group,
                      err);
}

int cgroup_finish(const struct cgroup_making *m, struct cgroup *group, struct error *err)
{
    if (!group->path)
        return cgroup_write_values(&m->tree, m->limits, group, err);
    int rc = fill(m, group, err);
    if (rc == 0 && cgroup_main_slot(group) == CGROUP_SLOTS)
        free(take_ptr(group->path));
    return rc;
}

static void undo(struct cgroup *group)
{
    cgroup_remove(group, NULL);
    cgroup_close(group);
    *group = (struct cgroup)CGROUP_EMPTY;
}

int cgroup_create_in(const struct cgroup_tree *tree, const char *parent, const char *id,
                     const struct cgroup_limits *limits, struct cgroup *out, struct error *err)
{
    struct cgroup made = CGROUP_EMPTY;
    struct cgroup_making m = {.tree = *tree, .limits = limits};
    int rc = begin(&m, parent, id, &made, err);
    if (rc == 0)
        rc = cgroup_finish(&m, &made, err);
    free(m.place.parent);
    if (rc < 0)
        undo(&made);
    else
        *out = made;
    return rc;
}

int cgroup_begin(const char *parent, const char *id, const struct cgroup_limits *limits,
                 struct cgroup_making **making, struct cgroup *out, struct error *err)
{
    struct cgroup made = CGROUP_EMPTY;
    struct cgroup_making *m = xcalloc(1, sizeof *m);
    m->limits = limits;
    int rc = cgroup_tree_open(CGROUP_MOUNT, &m->tree, err);
    if (rc < 0)
        m->tree.root = -1;
    else
        rc = begin(m, parent, id, &made, err);
    if (rc < 0) {
        undo(&made);
        cgroup_making_end(m);
        return rc;
    }
    *making = m;
    *out = made;
    return 0;
}

void cgroup_making_end(struct cgroup_making *m)
{
    if (!m)
        return;
    free(m->place.parent);
    cgroup_tree_close(&m->tree);
    free(m);
}

/* --- entering --- */

int cgroup_join(const int *tasks, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (tasks[i] >= 0 && write(tasks[i], "0", 1) != 1)
            return -errno;
    return 0;
}

int cgroup_add(const struct cgroup *group, pid_t pid, struct error *err)
{
    char text[16];

    snprintf(text, sizeof(text), "%d", (int)pid);
    for (int slot = 0; slot < CGROUP_SLOTS; slot++) {
        if (group->dirs[slot] < 0)
            continue;
        int rc = cgroup_write_file(group->dirs[slot], "cgroup.procs", text, O_WRONLY);
        if (rc < 0)
            return error_set(err, rc, "cannot move process %d into the control group %s (%s): %s",
                             (int)pid, group->path, cgroup_slot_name((enum cgroup_slot)slot),
                             error_describe(rc));
    }
    return 0;
}

/* --- recorded and found again --- */

void cgroup_record(const struct cgroup *group, struct buf *out)
{
    bool first = true;

    if (!group->path) {
        buf_str(out, "none");
        return;
    }
    buf_fmt(out, "%s:", layout_names[group->layout]);
    for (int slot = 0; slot < CGROUP_SLOTS; slot++) {
        if (group->dirs[slot] < 0)
            continue;
        buf_fmt(out, "%s%s", first ? "" : ",", cgroup_slot_name((enum cgroup_slot)slot));
        first = false;
    }
    buf_fmt(out, ":%s", group->path);
}

static int parse_slots(const char *text, uint32_t *slots)
{
    autostrv names = {0};
    uint32_t found = 0;

    strv_split(&names, text, ',');
    for (size_t i = 0; i < names.len; i++) {
        int slot = 0;
        while (slot < CGROUP_SLOTS &&
               !streq(names.items[i], cgroup_slot_name((enum cgroup_slot)slot)))
            slot++;
        if (slot == CGROUP_SLOTS)
            return -EINVAL;
        found |= 1u << slot;
    }
    *slots = found;
    return 0;
}

static int parse_record(const char *record, enum cgroup_layout *layout, uint32_t *slots,
                        const char **path, struct error *err)
{
    const char *first = strchr(record, ':');
    const char *second = first ? strchr(first + 1, ':') : NULL;

    if (second) {
        autofree char *names = xstrndup(first + 1, (size_t)(second - first - 1));
        autofree char *word = xstrndup(record, (size_t)(first - record));
        for (int l = CGROUP_V1; l <= CGROUP_V2; l++) {
            if (!streq(word, layout_names[l]) || parse_slots(names, slots) < 0)
                continue;
            *layout = (enum cgroup_layout)l;
            *path = second + 1;
            /* Removing needs a parent, so a recorded path has two parts at least. */
            if (cgroup_check_path(*path, "group", NULL) == 0 && strchr(*path, '/'))
                return 0;
        }
    }
    return error_set(err, -EINVAL, "the container's record names no control group: '%.100s'",
                     record);
}

int cgroup_open_in(const struct cgroup_tree *tree, const char *record, struct cgroup *out,
                   struct error *err)
{
    autocgroup found = CGROUP_EMPTY;
    uint32_t slots = 0;
    const char *path = NULL;

    if (!streq(record, "none")) {
        int rc = parse_record(record, &found.layout, &slots, &path, err);
        if (rc < 0)
            return rc;
        found.path = xstrdup(path);
        found.root = fcntl(tree->root, F_DUPFD_CLOEXEC, 3);
        if (found.root < 0)
            return error_errno(err, "cannot keep the control-group mount point open");
    }
    for (int slot = 0; slot < CGROUP_SLOTS; slot++) {
        if (!(slots & (1u << slot)))
            continue;
        int fd = cgroup_open_path(found.root, found.layout, (enum cgroup_slot)slot, path);
        if (fd < 0 && fd != -ENOENT)
            return error_set(err, fd, "cannot open the control group %s (%s): %s", path,
                             cgroup_slot_name((enum cgroup_slot)slot), error_describe(fd));
        found.dirs[slot] = fd < 0 ? -1 : fd;
    }
    if (path && cgroup_main_slot(&found) == CGROUP_SLOTS)
        return error_set(err, -ENOENT, "the control group %s is gone", path);
    *out = found;
    found = (struct cgroup)CGROUP_EMPTY;
    return 0;
}

int cgroup_open(const char *record, struct cgroup *out, struct error *err)
{
    struct cgroup_tree tree = {.root = -1};

    if (!streq(record, "none")) {
        tree.root = open(CGROUP_MOUNT, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (tree.root < 0)
            return error_errno(err, "cannot open %s", CGROUP_MOUNT);
    }
    int rc = cgroup_open_in(&tree, record, out, err);
    cgroup_tree_close(&tree);
    return rc;
}

/* --- changed --- */

/* Until a pass finds nobody outside: a process that forks while we move it leaves a child behind,
 * which the next pass finds. */
static int move_all(const struct cgroup *group, enum cgroup_slot slot, struct error *err)
{
    struct cgroup target = CGROUP_EMPTY;

    target.dirs[slot] = group->dirs[slot];
    target.layout = group->layout;
    target.path = group->path;
    for (int pass = 0; pass < 1000; pass++) {
        autofree pid_t *all = NULL, *inside = NULL;
        size_t all_count = 0, inside_count = 0, moved = 0;
        int rc = cgroup_processes(group, &all, &all_count, err);
        if (rc == 0)
            rc = cgroup_processes(&target, &inside, &inside_count, err);
        if (rc < 0)
            return rc;
        for (size_t i = 0; i < all_count; i++) {
            size_t j = 0;
            while (j < inside_count && inside[j] != all[i])
                j++;
            if (j < inside_count)
                continue;
            moved++;
            rc = cgroup_add(&target, all[i], err);
            if (rc < 0 && rc != -ESRCH)
                return rc;
        }
        if (moved == 0)
            return 0;
    }
    return error_set(err, -EBUSY,
                     "the processes of control group %s fork faster than they can be "
                     "moved",
                     group->path);
}

int cgroup_extend(struct cgroup *group, enum cgroup_slot slot, struct error *err)
{
    struct cgroup_tree tree = {
        .root = group->root, .layout = group->layout, .write_flags = O_WRONLY};
    const char *slash = group->path ? strrchr(group->path, '/') : NULL;

    if (!slash || group->layout == CGROUP_V2)
        return error_set(err, -ENOENT, "the container has no control group that could be extended");
    if (group->dirs[slot] < 0) {
        autofree char *parent = xstrndup(group->path, (size_t)(slash - group->path));
        int rc = make_slot(&tree, slot, parent, slash + 1, group, err);
        if (rc < 0)
            return rc;
    }
    return group->dirs[slot] < 0 ? 0 : move_all(group, slot, err);
}

int cgroup_complete(const struct cgroup *group, struct cgroup_limits *limits, struct error *err)
{
    struct cgroup_stats stats;

    if (limits->cpu_period != CGROUP_UNSET && limits->cpu_quota == CGROUP_UNSET)
        return error_set(err, -EINVAL, "--cpu-period needs --cpu-quota beside it");
    if (limits->memory_swap == CGROUP_UNSET || limits->memory_swap == CGROUP_UNLIMITED ||
        limits->memory != CGROUP_UNSET)
        return 0;
    int rc = cgroup_stats(group, &stats, err);
    if (rc == 0 && stats.memory_limit <= INT64_MAX)
        limits->memory = (int64_t)stats.memory_limit;
    return rc;
}

int cgroup_update(struct cgroup *group, const struct cgroup_limits *limits, struct error *err)
{
    struct cgroup_tree tree = {
        .root = group->root, .layout = group->layout, .write_flags = O_WRONLY};
    struct cgroup_limits now = *limits;
    struct cgroup_plan plan;

    if (!group->path)
        return error_set(err, -ENOENT,
                         "the container has no control group, so its limits cannot "
                         "be changed");
    int rc = cgroup_complete(group, &now, err);
    if (rc == 0)
        rc = cgroup_plan_limits(group->layout, &now, &plan, err);
    uint32_t slots = rc < 0 ? 0 : plan.slots | cgroup_value_slots(group->layout, &now);
    for (int slot = 0; rc == 0 && slot < CGROUP_UNIFIED; slot++)
        if ((slots & (1u << slot)) && group->dirs[slot] < 0)
            rc = cgroup_extend(group, (enum cgroup_slot)slot, err);
    if (rc == 0)
        rc = cgroup_apply(&tree, &plan, group, err);
    return rc < 0 ? rc : cgroup_write_values(&tree, &now, group, err);
}
