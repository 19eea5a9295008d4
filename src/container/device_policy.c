/* SPDX-License-Identifier: Apache-2.0 */
/* Which devices a container's processes may open: what everybody gets, --device, and
 * --device-cgroup-rule in the form of the kernel's device controller ("c 10:200 rwm"). */
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/cleanup.h"
#include "base/memory.h"
#include "base/text.h"
#include "container/device_policy.h"

static void add(struct plan *plan, struct device_rule rule)
{
    plan->device_rules =
        xrealloc(plan->device_rules, plan->device_rule_count + 1, sizeof *plan->device_rules);
    plan->device_rules[plan->device_rule_count++] = rule;
}

static int number(const char *text, int64_t *value)
{
    uint64_t n;
    if (streq(text, "*")) {
        *value = -1;
        return 0;
    }
    int rc = parse_u64(text, 0xfffff, &n);
    if (rc == 0)
        *value = (int64_t)n;
    return rc;
}

static int parse_rule(const char *text, struct device_rule *rule)
{
    char type, major[16], minor[16], access[8];
    int end = 0;
    if (sscanf(text, "%c %15[0-9*]:%15[0-9*] %7[rwm]%n", &type, major, minor, access, &end) != 4 ||
        text[end] || !strchr("abc", type))
        return -EINVAL;
    *rule = (struct device_rule){.type = type, .allow = true};
    for (const char *c = access; *c; c++)
        rule->access |= (uint8_t)(*c == 'r'   ? DEVICE_READ
                                  : *c == 'w' ? DEVICE_WRITE
                                              : DEVICE_MKNOD);
    int rc = number(major, &rule->major);
    return rc < 0 ? rc : number(minor, &rule->minor);
}

static int asked_device(struct plan *plan, const struct plan_device *device, struct error *err)
{
    struct stat st;
    if (stat(device->host, &st) < 0)
        return error_errno(err, "--device %s", device->host);
    if (!S_ISCHR(st.st_mode) && !S_ISBLK(st.st_mode))
        return error_set(err, -ENODEV, "--device %s is not a device", device->host);
    add(plan, (struct device_rule){
                  .type = S_ISCHR(st.st_mode) ? 'c' : 'b',
                  .major = (int64_t)major(st.st_rdev),
                  .minor = (int64_t)minor(st.st_rdev),
                  .access = (uint8_t)device->access,
                  .allow = true,
              });
    return 0;
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
        int rc = asked_device(plan, &plan->devices[i], err);
        if (rc < 0)
            return rc;
    }
    for (size_t i = 0; i < rules->len; i++) {
        struct device_rule rule;
        if (parse_rule(rules->items[i], &rule) < 0)
            return error_set(err, -EINVAL,
                             "--device-cgroup-rule \"%s\" is not TYPE MAJOR:MINOR ACCESS, such as "
                             "\"c 10:200 rwm\"",
                             rules->items[i]);
        add(plan, rule);
    }
    plan->limits.devices = plan->device_rules;
    plan->limits.device_count = plan->device_rule_count;
    return 0;
}
