/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A new name. The new one is claimed first and the old one given up last, so that a kill at any
 * moment leaves the container with one or both, of which config.json says which is its own; the
 * other is given up by the next rename or removal, or with the boot.
 */
#include "base/memory.h"
#include "base/text.h"
#include "container/disk.h"
#include "container/events.h"
#include "container/networks.h"

static int rename_locked(struct container *c, const char *name, struct error *err)
{
    if (streq(name, c->plan.name))
        return error_set(err, -EINVAL, "container %s has that name already", name);
    int rc = name_claim(c->all, name, c->id, !c->in_state, err);
    if (rc < 0)
        return rc;
    char *old = c->plan.name;
    c->plan.name = xstrdup(name);
    rc = container_save_plan(c, err);
    if (rc < 0) {
        name_release(c->all, name, c->id, !c->in_state);
        free(c->plan.name);
        c->plan.name = old;
        return rc;
    }
    name_release(c->all, old, c->id, !c->in_state);
    container_networks_rename(c);
    event_tell(c->all, &c->plan, c->id, "rename", "oldName", old);
    free(old);
    return 0;
}

int container_rename(struct container *c, const char *name, struct error *err)
{
    int rc = container_lock(c, err);
    if (rc < 0)
        return rc;
    rc = rename_locked(c, name, err);
    container_unlock(c);
    return rc;
}
