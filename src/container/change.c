/* SPDX-License-Identifier: Apache-2.0 */
/* What changes while a container lives: its lock, status, plan. */
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "container/disk.h"
#include "container/health.h"
#include "container/restart.h"
#include "container/summary.h"

static bool still_there(const struct container *c)
{
    return c->unwritten || faccessat(c->home, CONFIG_NAME, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

int container_lock(struct container *c, struct error *err)
{
    if (c->lock >= 0)
        return 0;
    autofd lock = disk_lock(c->all, c->id, !c->in_state, LOCK_EX, err);
    if (lock < 0 && lock != -ENOENT)
        return lock;
    if (lock < 0 || !still_there(c)) {
        if (lock >= 0 && !c->in_state)
            (void)unlinkat(c->all->state_fd, c->id, AT_REMOVEDIR); /* made just now, perhaps */
        return error_set(err, -ENOENT, "container %.12s was removed meanwhile", c->id);
    }
    if (c->state < 0) {
        c->state = openat(lock, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (c->state < 0)
            return error_errno(err, "cannot open %s/containers/%s", c->all->state, c->id);
    }
    c->lock = take_fd(&lock);
    int rc = state_load(c, err);
    if (rc < 0)
        container_unlock(c);
    return rc;
}

void container_unlock(struct container *c)
{
    if (c->lock < 0)
        return;
    /* Said aloud: a child that we made may still have the descriptor. */
    (void)lock_fd(c->lock, LOCK_UN);
    close(take_fd(&c->lock));
}

int container_refresh(struct container *c, struct error *err)
{
    if (!still_there(c))
        return error_set(err, -ENOENT, "container %.12s was removed meanwhile", c->id);
    if (c->state < 0)
        c->state = openat(c->all->state_fd, c->id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return state_load(c, err);
}

int container_save_status(struct container *c, struct error *err)
{
    return status_write(c->state, &c->status, err);
}

int container_save_plan(struct container *c, struct error *err)
{
    autobuf config = {0};
    int rc = plan_write_checked(&c->plan, CONFIG_MAX, &config, err);
    if (rc == 0)
        rc = summary_write(c->home, &c->plan, err);
    return rc < 0 ? rc
                  : write_file_at(c->home, CONFIG_NAME, buf_text(&config), config.len, 0600,
                                  c->plan.remove ? VOLATILE : DURABLE, err);
}

int container_starting(struct container *c, bool again, struct error *err)
{
    struct last_run last = {.started = clock_wall()};
    if (again) {
        last.restarts = c->status.restarts + 1;
        last.quick_ends = restart_quick_ends(c) + 1;
    }
    int rc = exit_record_remove(c->state);
    if (rc == 0 && unlinkat(c->state, HEALTH_NAME, 0) < 0 && errno != ENOENT)
        rc = -errno;
    if (rc == 0 && !c->unwritten && unlinkat(c->state, PAUSED_NAME, 0) < 0 && errno != ENOENT)
        rc = -errno;
    if (rc == 0 && !c->in_state)
        rc = restart_allow(c);
    if (rc < 0)
        return error_set(err, rc, "cannot forget how container %.12s ended: %s", c->id,
                         error_describe(rc));
    status_free(&c->status);
    c->status.started = last.started;
    c->status.restarts = last.restarts;
    c->status.quick_ends = last.quick_ends;
    c->now = CONTAINER_CREATED;
    /* Not durable: a power cut right now leaves it as it was before. */
    return c->in_state ? 0 : last_write(c->home, &last, false, err);
}

int container_directory(const struct container *c, const char *name, struct error *err)
{
    if (mkdirat(c->home, name, 0700) < 0 && errno != EEXIST)
        return error_errno(err, "cannot create the directory %s of container %.12s", name, c->id);
    return open_directory_at(c->home, name, err);
}
