/* SPDX-License-Identifier: Apache-2.0 */
/* Single values of control files that a foreign configuration asks for. Owns no state. */
#include <fcntl.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "runtime/cgroup_internal.h"

void cgroup_value_free(struct cgroup_value *value)
{
    free(take_ptr(value->what));
    free(take_ptr(value->v1_file));
    free(take_ptr(value->v1_text));
    free(take_ptr(value->v2_file));
    free(take_ptr(value->v2_text));
}

uint32_t cgroup_value_slots(enum cgroup_layout layout, const struct cgroup_limits *limits)
{
    uint32_t slots = 0;
    for (size_t i = 0; layout != CGROUP_V2 && i < limits->value_count; i++)
        if (limits->values[i].v1_file)
            slots |= 1u << limits->values[i].slot;
    return slots;
}

static int write_value(const struct cgroup_tree *tree, const struct cgroup_value *v,
                       const struct cgroup *group, struct error *err)
{
    bool v2 = group->layout == CGROUP_V2;
    const char *file = v2 ? v->v2_file : v->v1_file, *text = v2 ? v->v2_text : v->v1_text;
    enum cgroup_slot slot = v2 ? CGROUP_UNIFIED : v->slot;
    if (group->layout == CGROUP_NONE)
        return error_set(err, -ENOTSUP, "%s cannot be enforced: there is no control group to use",
                         v->what);
    if (!file)
        return error_set(err, -ENOTSUP,
                         "%s is not supported: control groups of version %d have nothing like it",
                         v->what, v2 ? 2 : 1);
    if (group->dirs[slot] < 0)
        return error_set(err, -ENOTSUP,
                         "%s cannot be enforced: the %s controller is not there, or not ours",
                         v->what, cgroup_slot_name(slot));
    int rc = cgroup_write_file(group->dirs[slot], file, text, tree->write_flags);
    if (rc == -ENOENT)
        return error_set(err, -ENOTSUP, "%s cannot be enforced: this kernel or group has no %s",
                         v->what, file);
    if (rc < 0)
        return error_set(err, rc, "%s: the kernel refuses '%s' in %s: %s", v->what, text, file,
                         error_describe(rc));
    return 0;
}

int cgroup_write_values(const struct cgroup_tree *tree, const struct cgroup_limits *limits,
                        const struct cgroup *group, struct error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < limits->value_count; i++)
        rc = write_value(tree, &limits->values[i], group, err);
    return rc;
}
