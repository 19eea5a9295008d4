/* SPDX-License-Identifier: Apache-2.0 */
/* Whether the limits of an ordinary user's container can be in force, said before it runs. */
#include <stdio.h>

#include "base/cleanup.h"
#include "base/memory.h"
#include "base/text.h"
#include "cmd/front.h"
#include "runtime/ids.h"

static int tell_why(const struct plan *plan, const char *why, bool tell, struct error *err)
{
    if (plan->posture.level[0] == 'p')
        return 0;
    int rc = cgroup_refuse_any(plan->limits.by_flag, why, err);
    if (rc < 0)
        return rc;
    if (tell && !streq(getenv("CAISSON_HINTS"), "no"))
        fprintf(stderr, "caisson: warning: no limits of memory, processes and processors: %s\n",
                why);
    return 0;
}

int front_check_limits(const struct plan *plan, bool tell, struct error *err)
{
    char why[400];
    return ids_limited() && cgroup_none(why, sizeof why) ? tell_why(plan, why, tell, err) : 0;
}

int front_delegate(const struct container *c, bool tell, struct error *err)
{
    struct error why = {0};
    if (container_runs(c->now))
        return 0;
    autofree char *description = xasprintf("caisson container %s", c->plan.name);
    int rc = cgroup_delegate(c->id, description, &why);
    return rc < 0 ? tell_why(&c->plan, why.text, tell, err)
                  : front_check_limits(&c->plan, tell, err);
}
