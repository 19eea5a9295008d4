/* SPDX-License-Identifier: Apache-2.0 */
/* kill, pause, resume, delete. */
#include "lifecycle/life.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "runtime/hook.h"
#include "runtime/syscalls.h"

#define END_MS 10000

static int kill_first(struct living *c, int signal, struct error *err)
{
    autofd pidfd = living_pidfd(c, err);
    if (pidfd < 0)
        return pidfd;
    int rc = sys_pidfd_send_signal(pidfd, signal);
    if (rc < 0)
        return error_set(err, rc, "cannot signal container %s: %s%s", c->id, error_describe(rc),
                         rc == -ESRCH ? " (container not running)" : "");
    return 0;
}

/* An ordinary user's may have no group: then the end of the first process is that of all. */
static int kill_all(struct living *c, int signal, struct error *err)
{
    autocgroup group = CGROUP_EMPTY;
    autofree pid_t *pids = NULL;
    size_t count = 0;
    int rc = living_group(c, &group, err);
    if (rc < 0)
        return rc == -ENOENT
                   ? error_set(err, -ESRCH, "cannot signal %s: container not running", c->id)
                   : rc;
    if (!group.path)
        return kill_first(c, signal, err);
    if (signal == SIGKILL)
        return cgroup_kill(&group, err);
    rc = cgroup_processes(&group, &pids, &count, err);
    for (size_t i = 0; rc == 0 && i < count; i++) {
        autofd pidfd = sys_pidfd_open(pids[i]);
        if (pidfd >= 0)
            (void)sys_pidfd_send_signal(pidfd, signal);
    }
    return rc;
}

int life_kill(struct living *c, int signal, bool all, struct error *err)
{
    return all ? kill_all(c, signal, err) : kill_first(c, signal, err);
}

int life_freeze(struct living *c, bool frozen, struct error *err)
{
    autocgroup group = CGROUP_EMPTY;
    autobuf record = {0};
    if (frozen ? c->now != LIFE_RUNNING && c->now != LIFE_CREATED : c->now != LIFE_PAUSED)
        return error_set(err, -EBUSY, "cannot %s container %s: it is %s",
                         frozen ? "pause" : "resume", c->id, life_name(c->now));
    int rc = living_group(c, &group, err);
    if (rc == 0)
        rc = frozen ? cgroup_freeze(&group, err) : cgroup_thaw(&group, err);
    if (rc < 0)
        return rc;
    cgroup_record(&group, &record); /* on v1 the freezer may have been added */
    if (streq(buf_text(&record), c->cgroup))
        return 0;
    free(c->cgroup);
    c->cgroup = buf_take(&record);
    return living_save(c, err);
}

static int end_first(const struct living *c, struct error *err)
{
    autofd pidfd = living_pidfd(c, NULL);
    struct pollfd end = {.fd = pidfd, .events = POLLIN};
    if (pidfd < 0)
        return 0;
    int rc = sys_pidfd_send_signal(pidfd, SIGKILL);
    if (rc < 0 && rc != -ESRCH)
        return error_set(err, rc, "cannot kill container %s: %s", c->id, error_describe(rc));
    if (poll(&end, 1, END_MS) == 0)
        return error_set(err, -ETIMEDOUT, "container %s does not end although it was killed",
                         c->id);
    return 0;
}

/* Whatever is left in the group, frozen or not; and the group. */
static int end_group(const struct living *c, struct error *err)
{
    autocgroup group = CGROUP_EMPTY;
    struct cgroup_unit unit;
    int rc = living_group(c, &group, err);
    if (rc == -ENOENT)
        return 0;
    if (rc == 0)
        rc = cgroup_kill(&group, err);
    if (rc < 0)
        return rc;
    /* So that the name is free again. That systemd does not answer keeps nobody: what counts is
     * that the group goes. */
    if (living_unit(c, &unit))
        (void)cgroup_stop_unit(&unit, NULL);
    return cgroup_remove(&group, err);
}

int life_delete(const struct containers_root *root, struct living *c, bool force,
                struct strv *warnings, struct error *err)
{
    autobundle bundle = {0};
    autobuf state = {0};
    struct error ignored = {0};
    /* Engines delete what they created and never started. */
    if (c->now != LIFE_STOPPED && c->now != LIFE_CREATED && !force)
        return error_set(err, -EBUSY,
                         "cannot delete container %s that is not stopped: it is %s; kill it, or "
                         "give --force",
                         c->id, life_name(c->now));
    if (c->now == LIFE_CREATING)
        return error_set(err, -EBUSY, "container %s is being created", c->id);
    int rc = end_first(c, err);
    if (rc == 0)
        rc = end_group(c, err);
    if (rc < 0)
        return rc;
    /* A host that has changed (a profile that is gone) is no reason to keep it. */
    if (living_read_config(c, &bundle, &ignored) < 0)
        strv_fmt(warnings, "its hooks are not run: %s", ignored.text);
    rc = living_remove(root, c, err);
    if (rc < 0)
        return rc;
    living_state(c, "stopped", 0, 0, &state);
    hooks_try(&bundle, HOOK_POSTSTOP, buf_text(&state), warnings);
    return 0;
}
