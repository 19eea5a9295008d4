/* SPDX-License-Identifier: Apache-2.0 */
/* Which devices a container's processes may open: what everybody gets, --device, and
 * --device-cgroup-rule in the form of the kernel's device controller ("c 10:200 rwm"). */
#include "container/device_policy.h"

#include "base/memory.h"
#include "runtime/devices.h"

static void add(struct plan *plan, struct device_rule rule)
{
    plan->device_rules =
        xrealloc(plan->device_rules, plan->device_rule_count + 1, sizeof *plan->device_rules);
    plan->device_rules[plan->device_rule_count++] = rule;
}

int device_policy(struct plan *plan, const struct strv *rules, bool all, struct error *err)
{
    struct protection *item = posture_add(&plan->posture, "devices",
                                          all ? "all of the host's"
                                          : plan->device_count || rules->len
                                              ? "the usual ones and those asked for"
                                              : "null zero full random urandom tty, own pts",
                                          "--device HOST");
    if (all) {
        plan->all_devices = plan->limits.devices_all = true;
        return 0;
    }
    item->relaxed = plan->device_count || rules->len;
    if (!item->relaxed) { /* one constant list for nearly everybody: it can be shared */
        plan->limits.devices = cgroup_default_devices;
        plan->limits.device_count = cgroup_default_device_count;
        return 0;
    }
    for (size_t i = 0; i < cgroup_default_device_count; i++)
        add(plan, cgroup_default_devices[i]);
    for (size_t i = 0; i < plan->device_count; i++) {
        const struct plan_device *d = &plan->devices[i];
        add(plan, (struct device_rule){
                      .type = d->type,
                      .major = d->major,
                      .minor = d->minor,
                      .access = (uint8_t)d->access,
                      .allow = true,
                  });
    }
    for (size_t i = 0; i < rules->len; i++) {
        struct device_rule rule;
        int rc = device_rule_parse(rules->items[i], &rule, err);
        if (rc < 0)
            return rc;
        add(plan, rule);
    }
    plan->limits.devices = plan->device_rules;
    plan->limits.device_count = plan->device_rule_count;
    return 0;
}
