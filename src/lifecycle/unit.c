/* SPDX-License-Identifier: Apache-2.0 */
/* Which unit of systemd's a container is, where the engine wants systemd to make control groups. */
#include <unistd.h>

#include "base/cleanup.h"
#include "base/memory.h"
#include "base/text.h"
#include "lifecycle/life.h"
#include "runtime/ids.h"
#include "runtime/systemd.h"

#define PROPERTY "org.systemd.property."

/* An engine that passes an image's labels on as annotations would give the image a way to set
 * properties of a unit of the host. */
static int refuse_properties(const struct bundle *bundle, struct error *err)
{
    const struct strv *all = &bundle->plan.annotations;
    for (size_t i = 0; i < all->len; i++)
        if (starts_with(all->items[i], PROPERTY)) {
            autobuf shown = {0};
            buf_printable(&shown, all->items[i]);
            return error_set(err, -ENOTSUP,
                             "config.json: annotations.%.*s is not supported: units have the "
                             "properties that linux.resources gives them, and no others; leave it "
                             "out",
                             (int)strcspn(buf_text(&shown), "="), buf_text(&shown));
        }
    return 0;
}

/* Of what an id may hold, '+' alone is nothing for the name of a unit: as systemd-escape(1) does.
 */
static char *name_for(const char *id)
{
    autobuf name = {0};
    buf_str(&name, CGROUP_FOREIGN_PARENT "-");
    for (const char *c = id; *c; c++)
        if (*c == '+')
            buf_str(&name, "\\x2b");
        else
            buf_char(&name, *c);
    buf_str(&name, ".scope");
    return buf_take(&name);
}

int unit_judge(const struct create_options *options, struct bundle *bundle, struct error *err)
{
    bool user = ids_limited() || geteuid() != 0;
    if (!options->systemd)
        return bundle->cgroup_unit
                   ? error_set(err, -ENOTSUP,
                               "config.json: linux.cgroupsPath: slice:prefix:name is for systemd; "
                               "give --systemd-cgroup, or let the engine manage control groups by "
                               "cgroupfs")
                   : 0;
    if (bundle->cgroup_name)
        return error_set(err, -EINVAL,
                         "config.json: linux.cgroupsPath has to be slice:prefix:name where systemd "
                         "makes control groups");
    int rc = refuse_properties(bundle, err);
    if (rc < 0)
        return rc;
    if (!bundle->cgroup_unit) {
        bundle->cgroup_unit = name_for(options->id);
        rc = systemd_check_name(bundle->cgroup_unit, err);
    }
    if (!bundle->cgroup_slice)
        bundle->cgroup_slice = xstrdup(user ? "user.slice" : "system.slice");
    return rc;
}
