/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The processes of a group: listed, stopped, ended; and the group removed after them.
 *
 * Guards against three things. A process id read from a list may belong to a stranger a moment
 * later: signals go through a pidfd that was checked against the list after it was opened. A
 * container that forks while it is being killed: v2 kills atomically, on v1 no process may be
 * added first. A container that made groups of its own, deeply nested: the walk holds two
 * descriptors, whatever the depth.
 */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/memory.h"
#include "base/text.h"
#include "runtime/cgroup_internal.h"

#define PROCS_LIMIT ((size_t)64 * 1024 * 1024)
#define NESTED_MAX 4096 /* groups looked at below one container's */
#define KILL_SECONDS 10
#define BATCH 64 /* pidfds open at a time */

static void sleep_ms(long ms)
{
    struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    nanosleep(&t, NULL);
}

/* --- nested groups --- */

/* The first child group's name, or false. */
static bool first_child(int dir, char name[256])
{
    int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    autodir stream = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *entry;

    if (!stream) {
        if (fd >= 0)
            close(fd);
        return false;
    }
    while ((entry = readdir(stream))) {
        if (entry->d_type != DT_DIR || streq(entry->d_name, ".") || streq(entry->d_name, ".."))
            continue;
        snprintf(name, 256, "%s", entry->d_name);
        return true;
    }
    return false;
}

/* Removes everything below `top`, leaves first. A child that is busy is entered; when it is still
 * busy after we came back up from it, it has processes. */
static int remove_nested(int top)
{
    autofd dir = openat(top, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    size_t depth = 0;
    bool came_up = false;
    char name[256];

    if (dir < 0)
        return -errno;
    for (;;) {
        int next;
        if (!first_child(dir, name)) {
            if (depth == 0)
                return 0;
            depth--;
            came_up = true;
            next = openat(dir, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
        } else if (unlinkat(dir, name, AT_REMOVEDIR) == 0 || errno == ENOENT) {
            came_up = false;
            continue;
        } else if (came_up || errno != EBUSY) {
            return -errno;
        } else {
            depth++;
            next = openat(dir, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        }
        if (next < 0)
            return -errno;
        close(dir);
        dir = next;
    }
}

struct pid_list {
    pid_t *items;
    size_t count, cap;
    size_t groups;
};

static int list_group(int dir, struct pid_list *list)
{
    autobuf text = {0};
    autofd fd = openat(dir, "cgroup.procs", O_RDONLY | O_CLOEXEC);
    int rc = fd < 0 ? -errno : read_fd(fd, PROCS_LIMIT, &text);

    if (rc == -EOPNOTSUPP) /* a threaded group: its threads are listed with their process above */
        return 0;
    if (rc < 0)
        return rc;
    for (char *line = text.data; line && *line;) {
        char *end = strchr(line, '\n');
        uint64_t pid;
        if (end)
            *end = '\0';
        /* 0 stands for a process that our pid namespace cannot see. */
        if (parse_u64(line, INT32_MAX, &pid) == 0 && pid > 0) {
            if (list->count == list->cap) {
                list->cap = list->cap ? list->cap * 2 : 64;
                list->items = xrealloc(list->items, list->cap, sizeof(pid_t));
            }
            list->items[list->count++] = (pid_t)pid;
        }
        line = end ? end + 1 : NULL;
    }
    return 0;
}

/* Depth first; a path instead of a stack of descriptors would have to be trusted, so a depth that
 * uses up descriptors is an error (v2 kills without looking). */
static int list_nested(int dir, struct pid_list *list)
{
    int rc = list_group(dir, list);
    int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    autodir stream = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *entry;

    if (!stream && fd >= 0)
        close(fd);
    while (rc == 0 && stream && (entry = readdir(stream))) {
        if (entry->d_type != DT_DIR || streq(entry->d_name, ".") || streq(entry->d_name, ".."))
            continue;
        if (++list->groups > NESTED_MAX)
            return -EMFILE;
        autofd child = openat(dir, entry->d_name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (child >= 0)
            rc = list_nested(child, list);
        else if (errno != ENOENT)
            rc = -errno;
        if (rc == -ENOENT || rc == -ENODEV) /* removed meanwhile */
            rc = 0;
    }
    return rc;
}

int cgroup_processes(const struct cgroup *group, pid_t **pids, size_t *count, struct error *err)
{
    enum cgroup_slot slot = cgroup_main_slot(group);
    struct pid_list list = {0};

    int rc = slot == CGROUP_SLOTS ? 0 : list_nested(group->dirs[slot], &list);
    if (rc < 0 && rc != -ENODEV && rc != -ENOENT) {
        free(list.items);
        return error_set(err, rc, "cannot list the processes of control group %s: %s", group->path,
                         error_describe(rc));
    }
    *pids = list.items;
    *count = list.count;
    return 0;
}

/* --- ending --- */

static bool is_listed(const pid_t *pids, size_t count, pid_t pid)
{
    for (size_t i = 0; i < count; i++)
        if (pids[i] == pid)
            return true;
    return false;
}

/* One batch: a pidfd for each, then only those signalled that the list still holds, so that a pid
 * which went to a stranger between list and pidfd is spared. */
static int kill_batch(const struct cgroup *group, const pid_t *pids, size_t count,
                      struct error *err)
{
    int fds[BATCH];
    autofree pid_t *again = NULL;
    size_t again_count = 0;

    for (size_t i = 0; i < count; i++)
        fds[i] = (int)syscall(SYS_pidfd_open, pids[i], 0);
    int rc = cgroup_processes(group, &again, &again_count, err);
    for (size_t i = 0; i < count; i++) {
        if (fds[i] < 0)
            continue;
        if (rc == 0 && is_listed(again, again_count, pids[i]))
            syscall(SYS_pidfd_send_signal, fds[i], SIGKILL, NULL, 0);
        close(fds[i]);
    }
    return rc;
}

static int kill_listed(const struct cgroup *group, size_t *alive, struct error *err)
{
    autofree pid_t *pids = NULL;
    size_t count = 0;
    int rc = cgroup_processes(group, &pids, &count, err);

    for (size_t i = 0; rc == 0 && i < count; i += BATCH)
        rc = kill_batch(group, pids + i, count - i < BATCH ? count - i : BATCH, err);
    if (rc == 0)
        *alive = count;
    return rc;
}

int cgroup_kill(struct cgroup *group, struct error *err)
{
    nanoseconds end = clock_monotonic() + KILL_SECONDS * NSEC_PER_SEC;
    int unified = group->dirs[CGROUP_UNIFIED];
    bool atomic = unified >= 0 && cgroup_write_file(unified, "cgroup.kill", "1", O_WRONLY) == 0;
    int pids = group->dirs[group->layout == CGROUP_V2 ? CGROUP_UNIFIED : CGROUP_PIDS];
    bool thawed = atomic;
    size_t alive = 0;

    if (!atomic && pids >= 0) /* nobody is born any more */
        cgroup_write_file(pids, "pids.max", "0", O_WRONLY);
    for (long pause = 1;; pause = pause < 32 ? pause * 2 : pause) {
        autofree pid_t *left = NULL;
        int rc =
            atomic ? cgroup_processes(group, &left, &alive, err) : kill_listed(group, &alive, err);
        if (rc < 0 || alive == 0)
            return rc;
        /* The v1 freezer keeps even SIGKILL waiting. */
        if (!thawed && group->dirs[CGROUP_FREEZER] >= 0)
            cgroup_write_file(group->dirs[CGROUP_FREEZER], "freezer.state", "THAWED", O_WRONLY);
        thawed = true;
        if (clock_monotonic() > end)
            return error_set(err, -ETIMEDOUT,
                             "%zu processes of control group %s are still there %d seconds after "
                             "SIGKILL: they wait inside the kernel, for a device or network disk",
                             alive, group->path, KILL_SECONDS);
        sleep_ms(pause);
    }
}

/* --- pausing --- */

static int freezer_state(const struct cgroup *group, bool *frozen)
{
    autobuf text = {0};
    int unified = group->dirs[CGROUP_UNIFIED];
    bool v1 = group->dirs[CGROUP_FREEZER] >= 0;
    autofd fd = openat(v1 ? group->dirs[CGROUP_FREEZER] : unified,
                       v1 ? "freezer.state" : "cgroup.events", O_RDONLY | O_CLOEXEC);
    uint64_t value = 0;

    if (fd < 0)
        return -errno;
    int rc = read_fd(fd, 4096, &text);
    if (rc < 0)
        return rc;
    if (v1)
        *frozen = starts_with(buf_text(&text), "FROZEN");
    else if (cgroup_field(buf_text(&text), "frozen", &value) == 0)
        *frozen = value == 1;
    else
        return -ENOENT;
    return 0;
}

static int wait_for_state(const struct cgroup *group, bool wanted, struct error *err)
{
    bool frozen = !wanted;

    for (int i = 0; i < 500; i++) {
        int rc = freezer_state(group, &frozen);
        if (rc < 0)
            return error_set(err, rc, "cannot tell whether control group %s is frozen: %s",
                             group->path, error_describe(rc));
        if (frozen == wanted)
            return 0;
        sleep_ms(i < 20 ? 1 : 10);
    }
    return error_set(err, -ETIMEDOUT, "the processes of control group %s did not %s in 5 seconds",
                     group->path, wanted ? "stop" : "go on");
}

static int set_frozen(struct cgroup *group, bool frozen, struct error *err)
{
    int unified = group->dirs[CGROUP_UNIFIED];

    if (!group->path)
        return error_set(err, -ENOENT,
                         "the container has no control group, so it cannot be paused");
    int rc = unified < 0
                 ? -ENOENT
                 : cgroup_write_file(unified, "cgroup.freeze", frozen ? "1" : "0", O_WRONLY);
    if (rc == -ENOENT && group->layout != CGROUP_V2) {
        rc = frozen ? cgroup_extend(group, CGROUP_FREEZER, err) : 0;
        if (rc < 0)
            return rc;
        if (group->dirs[CGROUP_FREEZER] >= 0)
            rc = cgroup_write_file(group->dirs[CGROUP_FREEZER], "freezer.state",
                                   frozen ? "FROZEN" : "THAWED", O_WRONLY);
        else
            rc = -ENOENT;
    }
    if (rc < 0)
        return error_set(err, rc, "cannot %s control group %s: %s", frozen ? "freeze" : "thaw",
                         group->path,
                         rc == -ENOENT ? "this host has no freezer" : error_describe(rc));
    return wait_for_state(group, frozen, err);
}

int cgroup_freeze(struct cgroup *group, struct error *err)
{
    return set_frozen(group, true, err);
}

int cgroup_thaw(struct cgroup *group, struct error *err)
{
    return set_frozen(group, false, err);
}

int cgroup_frozen(const struct cgroup *group, bool *frozen, struct error *err)
{
    bool state = false;
    int rc = group->dirs[CGROUP_FREEZER] < 0 && group->dirs[CGROUP_UNIFIED] < 0
                 ? -ENOENT
                 : freezer_state(group, &state);

    if (rc < 0 && rc != -ENOENT)
        return error_set(err, rc, "cannot tell whether control group %s is frozen: %s", group->path,
                         error_describe(rc));
    *frozen = state; /* without a freezer nothing was ever frozen */
    return 0;
}

/* --- removing --- */

static int remove_slot(const struct cgroup *group, enum cgroup_slot slot)
{
    const char *slash = strrchr(group->path, '/');
    autofree char *parent = xstrndup(group->path, (size_t)(slash - group->path));
    autofd above = cgroup_open_path(group->root, group->layout, slot, parent);

    if (above < 0)
        return above == -ENOENT ? 0 : above;
    /* A process that was just reaped can still be on its way out. */
    for (long pause = 1;; pause *= 2) {
        if (unlinkat(above, slash + 1, AT_REMOVEDIR) == 0 || errno == ENOENT)
            return 0;
        if (errno != EBUSY && errno != ENOTEMPTY)
            return -errno;
        int rc = remove_nested(group->dirs[slot]);
        if (rc < 0 && rc != -EBUSY)
            return rc;
        if (rc == 0 && (unlinkat(above, slash + 1, AT_REMOVEDIR) == 0 || errno == ENOENT))
            return 0;
        if (pause > 512)
            return -EBUSY;
        sleep_ms(pause);
    }
}

int cgroup_remove(struct cgroup *group, struct error *err)
{
    int result = 0;

    for (int slot = 0; slot < CGROUP_SLOTS; slot++) {
        if (group->dirs[slot] < 0)
            continue;
        int rc = remove_slot(group, (enum cgroup_slot)slot);
        if (rc < 0 && result == 0)
            result = error_set(err, rc, "cannot remove the control group %s (%s): %s", group->path,
                               cgroup_slot_name((enum cgroup_slot)slot),
                               rc == -EBUSY ? "it still has processes" : error_describe(rc));
        if (rc == 0)
            close(take_fd(&group->dirs[slot]));
    }
    return result;
}
