/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A container's group where systemd makes it: a unit for each bundle, named by the configuration's
 * cgroupsPath, slice:prefix:name.
 *
 * The first process is there already when the unit is made, and is moved into it: a scope cannot be
 * without one. It waits meanwhile, so nothing of the container has run outside. What is written
 * into the group is told to systemd as well, which writes its own idea of it whenever it looks at
 * the unit again.
 *
 * State: the unit, which goes with the last process in it.
 */
#include <fcntl.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/memory.h"
#include "base/text.h"
#include "runtime/cgroup_internal.h"
#include "runtime/systemd.h"

static enum systemd_manager manager_of(const struct cgroup_unit *unit)
{
    return unit->of_user ? SYSTEMD_USER : SYSTEMD_HOST;
}

static int properties(const struct cgroup_plan *plan, const struct cgroup_limits *limits,
                      struct systemd_properties *out, struct error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < plan->count; i++) {
        const struct cgroup_write *w = &plan->writes[i];
        rc = systemd_property_of_file(out, w->file, w->text ? w->text : w->number, err);
    }
    for (size_t i = 0; rc == 0 && i < limits->value_count; i++) {
        const struct cgroup_value *v = &limits->values[i];
        if (v->v2_file && v->v2_text)
            rc = systemd_property_of_file(out, v->v2_file, v->v2_text, err);
    }
    return rc;
}

static int begin(const struct cgroup_unit *unit, struct cgroup_making *m, struct cgroup *group,
                 struct error *err)
{
    int rc = systemd_answers(manager_of(unit), NULL, err);
    if (rc == 0 && m->tree.layout != CGROUP_V2)
        return error_set(err, -ENOTSUP,
                         "control groups by systemd take a host with the v2 tree alone: boot with "
                         "systemd.unified_cgroup_hierarchy=1, or let the engine use cgroupfs");
    if (rc == 0)
        rc = cgroup_plan_limits(CGROUP_V2, m->limits, &m->plan, err);
    if (rc == 0)
        rc = cgroup_check_devices(m->limits->devices, m->limits->device_count, err);
    if (rc < 0)
        return rc;
    m->plan.fresh = true;
    group->layout = CGROUP_V2;
    group->root = fcntl(m->tree.root, F_DUPFD_CLOEXEC, 3);
    return group->root < 0 ? error_errno(err, "cannot keep the control-group mount point open") : 0;
}

int cgroup_begin_unit(const struct cgroup_unit *unit, const struct cgroup_limits *limits,
                      struct cgroup_making **making, struct cgroup *out, struct error *err)
{
    autocgroup made = CGROUP_EMPTY;
    struct cgroup_making *m = xcalloc(1, sizeof *m);
    m->limits = limits;
    m->unit = unit;
    int rc = cgroup_tree_look(CGROUP_MOUNT, &m->tree, err);
    if (rc < 0)
        m->tree.root = -1;
    else
        rc = begin(unit, m, &made, err);
    if (rc < 0) {
        cgroup_making_end(m);
        return rc;
    }
    *making = m;
    *out = made;
    made = (struct cgroup)CGROUP_EMPTY;
    return 0;
}

/* Where systemd says that the unit is. */
static int take_place(struct cgroup_making *m, const char *path, struct cgroup *group,
                      struct error *err)
{
    int rc = cgroup_check_path(path, "the group that systemd names", err);
    const char *slash = strrchr(path, '/');
    if (rc == 0 && (!slash || !streq(slash + 1, m->unit->name)))
        rc = error_set(err, -EBADMSG, "systemd names the group %.200s for %s", path, m->unit->name);
    if (rc < 0)
        return rc;
    int fd = cgroup_open_path(group->root, CGROUP_V2, CGROUP_UNIFIED, path);
    if (fd < 0)
        return error_set(err, fd, "cannot open the control group %s: %s", path, error_describe(fd));
    group->dirs[CGROUP_UNIFIED] = fd;
    group->path = xstrdup(path);
    m->place.parent = xstrndup(path, (size_t)(slash - path));
    m->place.id = strrchr(group->path, '/') + 1;
    return 0;
}

int cgroup_start_unit(struct cgroup_making *m, pid_t pid, struct cgroup *group, struct error *err)
{
    autoproperties limits = {0};
    autobuf path = {0};
    bool slice = systemd_is_slice(m->unit->name);
    const struct systemd_unit unit = {
        .manager = manager_of(m->unit),
        .name = m->unit->name,
        .slice = slice ? NULL : m->unit->slice,
        .description = m->unit->description,
        .pid = pid,
        .limits = &limits,
    };
    int rc = properties(&m->plan, m->limits, &limits, err);
    if (rc == 0)
        rc = systemd_start(&unit, &path, err);
    if (rc < 0)
        return rc;
    rc = take_place(m, buf_text(&path), group, err);
    if (rc == 0 && slice)
        rc = cgroup_add(group, pid, err);
    if (rc < 0)
        (void)systemd_stop(unit.manager, unit.name, NULL);
    return rc;
}

int cgroup_update_unit(const struct cgroup_unit *unit, const struct cgroup *group,
                       const struct cgroup_limits *limits, struct error *err)
{
    autoproperties changed = {0};
    struct cgroup_limits now = *limits;
    struct cgroup_plan plan;
    int rc = cgroup_complete(group, &now, err);
    if (rc == 0)
        rc = cgroup_plan_limits(CGROUP_V2, &now, &plan, err);
    if (rc == 0)
        rc = properties(&plan, &now, &changed, err);
    return rc < 0 ? rc : systemd_set(manager_of(unit), unit->name, &changed, err);
}

int cgroup_stop_unit(const struct cgroup_unit *unit, struct error *err)
{
    return systemd_stop(manager_of(unit), unit->name, err);
}
