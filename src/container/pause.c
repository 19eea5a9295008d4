/* SPDX-License-Identifier: Apache-2.0 */
/* pause and unpause: the whole control group is frozen, nothing inside can notice or refuse. */
#include <fcntl.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "container/disk.h"
#include "container/events.h"

static int mark(const struct container *c, struct error *err)
{
    autofd fd = openat(c->state, PAUSED_NAME, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    return fd < 0 ? error_errno(err, "cannot note that container %s is paused", c->plan.name) : 0;
}

static int freeze(struct container *c, bool frozen, struct error *err)
{
    autocgroup group = CGROUP_EMPTY;
    if (!c->status.cgroup || streq(c->status.cgroup, "none"))
        return error_set(err, -ENOTSUP,
                         "container %s has no control group (see caisson inspect %s), so it cannot "
                         "be paused",
                         c->plan.name, c->plan.name);
    int rc = cgroup_open(c->status.cgroup, &group, err);
    if (rc == 0 && frozen)
        rc = mark(c, err);
    if (rc == 0)
        rc = frozen ? cgroup_freeze(&group, err) : cgroup_thaw(&group, err);
    if (rc == 0 && !frozen)
        (void)unlinkat(c->state, PAUSED_NAME, 0);
    if (rc < 0)
        return rc;
    /* On v1 the freezer may have become one more hierarchy. */
    autobuf record = {0};
    cgroup_record(&group, &record);
    if (streq(buf_text(&record), c->status.cgroup))
        return 0;
    free(c->status.cgroup);
    c->status.cgroup = buf_take(&record);
    return container_save_status(c, err);
}

int container_pause(struct container *c, bool frozen, struct error *err)
{
    int rc = container_lock(c, err);
    if (rc < 0)
        return rc;
    if (c->now != CONTAINER_RUNNING && c->now != CONTAINER_PAUSED)
        rc = error_set(err, -ESRCH, "container %s is not running", c->plan.name);
    else if (frozen == (c->now == CONTAINER_PAUSED))
        rc = error_set(err, -EALREADY, "container %s is %s", c->plan.name,
                       frozen ? "paused already" : "not paused");
    else
        rc = freeze(c, frozen, err);
    if (rc == 0)
        event_tell(c->all, &c->plan, c->id, frozen ? "pause" : "unpause", NULL, NULL);
    if (rc == 0)
        c->now = frozen ? CONTAINER_PAUSED : CONTAINER_RUNNING;
    container_unlock(c);
    return rc;
}
