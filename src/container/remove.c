/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The end of a run and the end of a container.
 *
 * Killed at any instruction, the next command finishes: as long as the status names a process, its
 * control group and id range are there to be given back; as long as config.json is there, all of
 * the container is; without it everything else is rubbish that can be swept, with the anonymous
 * volumes that it lists.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/memory.h"
#include "base/text.h"
#include "container/disk.h"
#include "container/events.h"
#include "container/networks.h"
#include "container/ports.h"
#include "container/restart.h"
#include "container/strays.h"
#include "container/volumes.h"
#include "runtime/ids.h"
#include "runtime/syscalls.h"

#define KILL_PATIENCE_MS 10000
#define DONOR_PATIENCE_MS 100

/* --- from disk --- */

static int forget_config(int parent, const char *id, struct error *err)
{
    char path[CONTAINER_ID_MAX + sizeof CONFIG_NAME];
    snprintf(path, sizeof path, "%s/%s", id, CONFIG_NAME);
    if (unlinkat(parent, path, 0) < 0 && errno != ENOENT && errno != ENOTDIR)
        return error_errno(err, "cannot remove container %.12s", id);
    return 0;
}

/* The few files that most containers consist of, without reading the directory. */
static int remove_state(const struct containers *all, const char *id, struct error *err)
{
    static const char *const usual[] = {IMAGE_NAME, STATUS_NAME, EXIT_RECORD_NAME};
    char path[CONTAINER_ID_MAX + 16];
    for (size_t i = 0; i < sizeof usual / sizeof *usual; i++) {
        snprintf(path, sizeof path, "%s/%s", id, usual[i]);
        (void)unlinkat(all->state_fd, path, 0);
    }
    if (unlinkat(all->state_fd, id, AT_REMOVEDIR) == 0)
        return 0;
    return remove_tree_at(all->state_fd, id, err);
}

int disk_remove(struct containers *all, const char *id, const char *name, bool in_root,
                struct error *err)
{
    int rc = forget_config(all->state_fd, id, err);
    if (rc == 0 && in_root)
        rc = forget_config(all->root_fd, id, err);
    if (rc < 0)
        return rc;
    if (name)
        name_release(all, name, id, in_root);
    autofd home = in_root ? open_directory_at(all->root_fd, id, NULL) : -1;
    if (home >= 0)
        container_volumes_remove(all, home);
    if (in_root)
        rc = remove_tree_at(all->root_fd, id, err);
    /* Last, because it is the lock. */
    return rc < 0 ? rc : remove_state(all, id, err);
}

/* --- the end of a run --- */

static int end_group(struct container *c, struct error *err)
{
    autocgroup group = CGROUP_EMPTY;
    struct cgroup_events events;
    strays_end(c);
    if (!c->status.cgroup)
        return 0;
    struct error first = {0};
    int rc = cgroup_open(c->status.cgroup, &group, &first);
    if (rc == -ENOENT)
        return 0;
    if (rc < 0)
        return error_set(err, rc, "%s", first.text);
    if (cgroup_events(&group, &events, NULL) == 0) {
        c->status.oom_killed |= events.oom_kills > 0;
        c->status.pids_hit |= events.pids_max > 0;
    }
    /* The end of a pid namespace's first process is the end of all in it; others live on. */
    if (!(c->plan.namespaces & PLAN_NS_PID) || c->plan.pid_container)
        rc = cgroup_kill(&group, err);
    if (rc < 0)
        return rc;
    rc = cgroup_remove(&group, &first);
    if (rc == -EBUSY) { /* somebody was moved into it from outside */
        rc = cgroup_kill(&group, err);
        return rc < 0 ? rc : cgroup_remove(&group, err);
    }
    return rc < 0 ? error_set(err, rc, "%s", first.text) : 0;
}

/* What remains of the run is written to where it outlives the boot; then it is over. */
static int keep_end(struct container *c, bool known, struct error *err)
{
    struct last_run last = {.started = c->status.started,
                            .ended = known,
                            .exit = c->exit,
                            .oom_killed = c->status.oom_killed,
                            .pids_hit = c->status.pids_hit,
                            .donor_ended = c->status.donor_ended,
                            .restarts = c->status.restarts,
                            .quick_ends = c->status.quick_ends};
    int rc = last_write(c->home, &last, true, err);
    if (rc < 0)
        return rc;
    if (unlinkat(c->state, STATUS_NAME, 0) < 0 && errno != ENOENT)
        return error_errno(err, "cannot remove the status of container %.12s", c->id);
    free(take_ptr(c->status.cgroup));
    c->status.pid = c->status.monitor = 0;
    c->status.id_base = 0;
    c->now = known ? CONTAINER_EXITED : CONTAINER_DEAD;
    c->ending = false;
    return 0;
}

static int note_exit(struct container *c, int wait_status, bool *known, struct error *err)
{
    if (wait_status >= 0 && c->plan.remove) { /* nobody will come and read it */
        c->exit = exit_record_of(wait_status, clock_wall());
        *known = true;
        return 0;
    }
    if (wait_status >= 0) {
        int rc = exit_record_write(c->state, wait_status, clock_wall());
        if (rc < 0)
            return error_set(err, rc, "cannot note how container %.12s ended: %s", c->id,
                             error_describe(rc));
    }
    *known = exit_record_read(c->state, &c->exit) == 0;
    return 0;
}

/* Whether the container whose processes it had joined is gone, or going: the kernel then kills all
 * of them, and the first is seen to end only after the others. */
static bool donor_ended(const struct container *c)
{
    autocontainer donor = CONTAINER_EMPTY;
    if (!c->plan.pid_container || !c->status.process_ns)
        return false;
    if (container_open(c->all, c->plan.pid_container, &donor, NULL) < 0)
        return true;
    pid_t pid;
    autofd pidfd = container_pidfd(&donor, NULL);
    autofd insider = pidfd < 0 ? -1 : container_insider(&donor, &pid, NULL);
    if (insider < 0 || strays_namespace(pid, "pid") != c->status.process_ns)
        return true;
    return poll(&(struct pollfd){.fd = pidfd, .events = POLLIN}, 1, DONOR_PATIENCE_MS) > 0;
}

static int destroy(struct container *c, struct error *err)
{
    int rc = disk_remove(c->all, c->id, c->plan.name, !c->in_state, err);
    if (rc == 0 && !c->unwritten)
        event_tell(c->all, &c->plan, c->id, "destroy", NULL, NULL);
    return rc;
}

static int end_locked(struct container *c, int wait_status, struct error *err)
{
    bool known = false;
    int rc = note_exit(c, wait_status, &known, err);
    c->status.donor_ended = rc == 0 && known && c->exit.signal == SIGKILL && donor_ended(c);
    if (rc == 0)
        rc = end_group(c, err);
    if (rc < 0)
        return rc;
    if (c->status.id_base)
        ids_release(c->all->state_top, c->id, c->status.id_base);
    container_ports_leave(c);
    container_networks_leave(c);
    if (c->status.oom_killed)
        event_tell(c->all, &c->plan, c->id, "oom", NULL, NULL);
    event_tell_number(c->all, &c->plan, c->id, "die", "exitCode", c->exit.code);
    if (c->status.pid > 0)
        event_tell_unmounts(c->all, &c->plan, c->id);
    if (!c->plan.remove)
        return keep_end(c, known, err);
    if (known)
        waiters_tell(c->state, &c->exit);
    container_volumes_release(c);
    c->now = known ? CONTAINER_EXITED : CONTAINER_DEAD;
    c->ending = false;
    return destroy(c, err);
}

int container_ended(struct container *c, int wait_status, struct error *err)
{
    bool locked = c->lock >= 0;
    struct error why = {0};
    int rc = container_lock(c, &why);
    if (rc == -ENOENT)
        return 0;          /* another was quicker */
    if (rc == 0 && locked) /* another process of ours may have changed it under the same lock */
        rc = state_load(c, &why);
    if (rc < 0)
        return error_set(err, rc, "%s", why.text);
    bool lost = c->now == CONTAINER_DEAD && c->plan.remove;
    if (process_alive(c->status.pid, c->status.start_time))
        rc = error_set(err, -EBUSY, "container %.12s is still running", c->id);
    else if (c->status.pid > 0 || wait_status >= 0 || lost)
        rc = end_locked(c, wait_status, err);
    if (!locked)
        container_unlock(c);
    return rc;
}

/* --- removing --- */

static int remove_locked(struct container *c, bool volumes, struct error *err)
{
    if (container_runs(c->now) || (c->now == CONTAINER_RESTARTING && !restart_forbidden(c)))
        return error_set(err, -EBUSY,
                         "container %s is running: stop it first (caisson stop %s) or remove it "
                         "with caisson rm -f %s",
                         c->plan.name, c->plan.name, c->plan.name);
    if (c->now == CONTAINER_RESTARTING)
        restart_cancel(c);
    int rc = 0;
    if (c->status.pid > 0) {
        rc = end_group(c, err);
        if (rc < 0)
            return rc;
        ids_release(c->all->state_top, c->id, c->status.id_base);
        container_ports_leave(c);
        container_networks_leave(c);
    } else { /* a start that was killed recorded nothing */
        disk_sweep_group(c->all, c->id, c->plan.cgroup_parent);
    }
    if (!volumes) /* the list of those that go with it */
        rc = remove_tree_at(c->home, VOLUMES_NAME, err);
    if (rc < 0)
        return rc;
    container_volumes_release(c);
    if (c->now == CONTAINER_EXITED)
        waiters_tell(c->state, &c->exit);
    return destroy(c, err);
}

int container_remove(struct container *c, bool volumes, struct error *err)
{
    bool locked = c->lock >= 0;
    int rc = container_lock(c, err);
    if (rc == 0)
        rc = remove_locked(c, volumes, err);
    if (!locked)
        container_unlock(c);
    return rc;
}

/* Without a control group there is nothing else to kill it by; what lives in its pid namespace goes
 * with it. */
static void kill_first(const struct container *c)
{
    autofd pidfd = container_pidfd(c, NULL);
    if (pidfd >= 0 && sys_pidfd_send_signal(pidfd, SIGKILL) == 0)
        (void)poll(&(struct pollfd){.fd = pidfd, .events = POLLIN}, 1, KILL_PATIENCE_MS);
}

int container_discard(struct containers *all, const char *id, struct error *err)
{
    autocontainer c = CONTAINER_EMPTY;
    struct error ignored = {0};
    plan_init(&c.plan);
    c.plan.namespaces = 0; /* as far as we know: then all processes of the group are killed */
    c.all = all;
    memcpy(c.id, id, CONTAINER_ID_MAX);
    c.lock = disk_lock(all, id, true, LOCK_EX, err);
    if (c.lock < 0)
        return c.lock;
    c.state = openat(c.lock, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (c.state >= 0 && status_read(c.state, STATUS_NAME, &c.status, &ignored) == 0) {
        kill_first(&c);
        (void)end_group(&c, &ignored);
        ids_release(all->state_top, id, c.status.id_base);
        container_ports_leave(&c);
    }
    disk_sweep_group(all, id, NULL);
    autofd home = open_directory_at(all->root_fd, id, NULL);
    int rc = home < 0 ? 0 : remove_tree_at(home, VOLUMES_NAME, err);
    return rc < 0 ? rc : disk_remove(all, id, NULL, true, err);
}
