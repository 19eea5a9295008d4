/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/attributes.h"

#include <linux/ioprio.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/syscall.h>
#include <unistd.h>

/* As the kernel has it: sched_setattr(2). */
struct scheduling {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime, deadline, period;
};

int attributes_processors(const char *list, const char *what, struct error *err)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    for (const char *at = list; *at;) {
        char *end;
        unsigned long first = strtoul(at, &end, 10), last = first;
        if (end == at)
            return error_set(err, -EINVAL, "%s must be a list of processors, not \"%s\"", what,
                             list);
        if (*end == '-') {
            at = end + 1;
            last = strtoul(at, &end, 10);
            if (end == at)
                last = 0;
        }
        if (last < first || last >= CPU_SETSIZE)
            return error_set(err, -EINVAL, "%s: \"%s\" names no processors", what, list);
        for (; first <= last; first++)
            CPU_SET(first, &set);
        at = end + strspn(end, ", ");
    }
    if (sched_setaffinity(0, sizeof set, &set) < 0)
        return error_errno(err, "%s: cannot run on processors %s", what, list);
    return 0;
}

static int set_scheduler(const struct bundle_scheduler *s, struct error *err)
{
    struct scheduling value = {
        .size = sizeof value,
        .policy = s->policy,
        .flags = s->flags,
        .nice = s->nice,
        .priority = s->priority,
        .runtime = s->runtime,
        .deadline = s->deadline,
        .period = s->period,
    };
    if (syscall(SYS_sched_setattr, 0, &value, 0) < 0)
        return error_errno(err, "process.scheduler cannot be set");
    return 0;
}

int attributes_apply(const struct bundle_attributes *a, struct error *err)
{
    if (a->has_personality && personality(a->personality) < 0)
        return error_errno(err, "linux.personality cannot be set");
    if (a->io_class && syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0,
                               IOPRIO_PRIO_VALUE(a->io_class, a->io_priority)) < 0)
        return error_errno(err, "process.ioPriority cannot be set");
    return a->has_scheduler ? set_scheduler(&a->scheduler, err) : 0;
}
