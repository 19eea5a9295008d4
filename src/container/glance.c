/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One container as a list shows it.
 *
 * A list may be of a thousand, so what most of them are is told from three small files, each by its
 * path below the directory of all containers and in one piece: the summary, the status (else how it
 * ended) and /proc/PID/stat. Whatever is not plain after that (its monitor or its summary is gone,
 * nobody has cleaned up after it) is opened as by any other command, and cleaned up.
 */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/memory.h"
#include "container/disk.h"
#include "container/health.h"
#include "container/ports.h"
#include "container/summary.h"

void glance_free(struct glance *glance)
{
    summary_free(&glance->summary);
    free(take_ptr(glance->cgroup));
    free(take_ptr(glance->published));
}

/* Whether there is nothing that disk_open() would tidy up. */
static bool is_plain(const struct container *c, const struct container_summary *summary)
{
    switch (c->now) {
    case CONTAINER_CREATED:
    case CONTAINER_DEAD:
    case CONTAINER_EXITED:
        return c->ending || (c->status.pid == 0 && !summary->passing);
    case CONTAINER_RUNNING:
    case CONTAINER_PAUSED:
    case CONTAINER_RESTARTING:
        break;
    }
    return true;
}

static void look_at_health(const struct container *c, char out[16])
{
    autofd own = c->state >= 0 ? -1 : open_directory_at(c->all->state_fd, c->id, NULL);
    int state = c->state >= 0 ? c->state : own;
    if (state >= 0)
        health_status(state, out);
}

static void take_glance(struct container *c, struct glance *out)
{
    memcpy(out->id, c->id, CONTAINER_ID_MAX);
    out->now = c->now;
    out->exit = c->exit;
    out->started = c->status.started;
    out->oom_killed = c->status.oom_killed;
    if (container_runs(c->now)) {
        if (out->summary.checked)
            look_at_health(c, out->health);
        if (container_published(&c->status))
            out->published = take_ptr(c->status.published);
    }
    out->pid = c->status.pid;
    out->cgroup = take_ptr(c->status.cgroup);
}

int container_glance(struct containers *all, const char *id, struct glance *out, struct error *err)
{
    autocontainer c = CONTAINER_EMPTY;
    struct glance glance = {0};
    if (!id_valid(id))
        return error_set(err, -EINVAL, "'%.64s' is not the whole id of a container", id);
    c.all = all;
    memcpy(c.id, id, CONTAINER_ID_MAX);
    bool plain = summary_find(all, id, &glance.summary, &c.in_state) == 0 &&
                 state_load(&c, NULL) == 0 && is_plain(&c, &glance.summary);
    if (!plain) {
        glance_free(&glance);
        container_close(&c);
        int rc = disk_open(all, id, &c, err);
        if (rc < 0)
            return rc;
        summary_of_plan(&c.plan, &glance.summary);
    }
    take_glance(&c, &glance);
    *out = glance;
    return 0;
}
