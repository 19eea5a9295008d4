/* SPDX-License-Identifier: Apache-2.0 */
/* Devices of a foreign config.json: which may be used (linux.resources.devices), and which nodes
 * there are (linux.devices). */
#include <string.h>

#include "base/cleanup.h"
#include "base/memory.h"
#include "base/text.h"
#include "path/inroot.h"
#include "runtime/bundle_fields.h"

#define RULES_MAX 4096
#define DEVICES_MAX 4096

static int read_letters(const char *text, uint8_t *access)
{
    *access = 0;
    for (; *text; text++)
        if (*text == 'r')
            *access |= DEVICE_READ;
        else if (*text == 'w')
            *access |= DEVICE_WRITE;
        else if (*text == 'm')
            *access |= DEVICE_MKNOD;
        else
            return -EINVAL;
    return 0;
}

static int read_rule(const json_t *item, struct device_rule *rule, struct error *err)
{
    const json_t *type = json_object_get(item, "type"), *access = json_object_get(item, "access");
    const char *word = type && !json_is_null(type) ? json_string_value(type) : "a";
    const char *letters = access && !json_is_null(access) ? json_string_value(access) : "rwm";
    *rule = (struct device_rule){.major = -1, .minor = -1};
    if (!word || (*word && (strlen(word) != 1 || !strchr("abcu", *word))))
        return field_wrong(err, "type", "\"a\", \"b\" or \"c\"");
    rule->type = !*word ? 'a' : *word == 'u' ? 'c' : *word;
    if (!letters || read_letters(*letters ? letters : "rwm", &rule->access) < 0)
        return field_wrong(err, "access", "letters of r, w and m");
    int rc = bundle_number(item, "major", -1, 4095, -1, &rule->major, err);
    if (rc == 0)
        rc = bundle_number(item, "minor", -1, 1048575, -1, &rule->minor, err);
    if (rc == 0 && !json_is_boolean(json_object_get(item, "allow")))
        rc = field_wrong(err, "allow", "true or false");
    rule->allow = json_is_true(json_object_get(item, "allow"));
    return rc;
}

static void add_rule(struct plan *plan, const struct device_rule *rule)
{
    plan->device_rules =
        xrealloc(plan->device_rules, plan->device_rule_count + 1, sizeof *plan->device_rules);
    plan->device_rules[plan->device_rule_count++] = *rule;
}

BUNDLE_READ(bundle_rules_read)
{
    struct bundle *bundle = into;
    int rc = field_array(value, key, RULES_MAX, err);
    for (size_t i = 0; rc == 0 && i < json_array_size(value); i++) {
        struct device_rule rule;
        rc = read_rule(json_array_get(value, i), &rule, err);
        if (rc < 0)
            return field_under_item(err, rc, key, i);
        add_rule(&bundle->plan, &rule);
    }
    return rc;
}

static bool is_everything(const struct device_rule *rule)
{
    return rule->type == 'a' && rule->major < 0 && rule->minor < 0 && rule->access == DEVICE_RWM;
}

/* Every container has the devices that the specification promises, and may make nodes that it
 * cannot open. What was before a rule for everything counts no more. */
void bundle_settle_limits(struct bundle *bundle)
{
    static const struct device_rule nodes[] = {{'c', -1, -1, DEVICE_MKNOD, true},
                                               {'b', -1, -1, DEVICE_MKNOD, true}};
    struct plan *plan = &bundle->plan;
    size_t first = 0;
    for (size_t i = 0; i < plan->device_rule_count; i++)
        if (is_everything(&plan->device_rules[i]))
            first = i;
    size_t count = plan->device_rule_count - first;
    if (first > 0)
        memmove(plan->device_rules, plan->device_rules + first, count * sizeof *plan->device_rules);
    plan->device_rule_count = count;
    plan->all_devices =
        count == 1 && is_everything(plan->device_rules) && plan->device_rules->allow;
    if (!plan->all_devices) {
        for (size_t i = 0; i < 2; i++)
            add_rule(plan, &nodes[i]);
        for (size_t i = 0; i < cgroup_default_device_count; i++)
            add_rule(plan, &cgroup_default_devices[i]);
    }
    plan->limits.everywhere = true;
    plan->limits.devices_all = plan->all_devices;
    plan->limits.devices = plan->device_rules;
    plan->limits.device_count = plan->device_rule_count;
    plan->limits.cpuset_cpus = plan->cpuset_cpus;
    plan->limits.cpuset_mems = plan->cpuset_mems;
    plan->limits.values = bundle->values;
    plan->limits.value_count = bundle->value_count;
}

/* --- nodes -------------------------------------------------------------------------------------
 */

static int read_device(const json_t *item, struct bundle_device *device, struct error *err)
{
    char clean[INROOT_PATH_MAX];
    const char *path = NULL, *type = NULL;
    int64_t major = 0, minor = 0, mode = 0, uid = 0, gid = 0;
    int rc = field_string(item, "path", &path, err);
    if (rc == 0)
        rc = inroot_clean(path, "path", clean, err);
    if (rc == 0 && streq(clean, "/"))
        rc = field_wrong(err, "path", "below the root");
    if (rc == 0)
        rc = field_string(item, "type", &type, err);
    if (rc == 0 && (strlen(type) != 1 || !strchr("bcup", *type)))
        rc = field_wrong(err, "type", "\"c\", \"b\", \"u\" or \"p\"");
    bool pipe = rc == 0 && *type == 'p';
    if (rc == 0)
        rc = pipe ? 0 : bundle_numbers(item, &major, &minor, err);
    if (rc == 0)
        rc = bundle_number(item, "fileMode", 0, INT32_MAX, 0666, &mode, err);
    if (rc == 0)
        rc = bundle_number(item, "uid", 0, BUNDLE_ID_MAX, 0, &uid, err);
    if (rc == 0)
        rc = bundle_number(item, "gid", 0, BUNDLE_ID_MAX, 0, &gid, err);
    if (rc < 0)
        return rc;
    *device = (struct bundle_device){
        .path = xstrdup(clean),
        .type = *type == 'u' ? 'c' : *type,
        .major = (uint32_t)major,
        .minor = (uint32_t)minor,
        .mode = (uint32_t)mode & 0777,
        .uid = (uint32_t)uid,
        .gid = (uint32_t)gid,
    };
    return 0;
}

BUNDLE_READ(bundle_devices_read)
{
    struct bundle *bundle = into;
    int rc = field_array(value, key, DEVICES_MAX, err);
    if (rc < 0 || json_array_size(value) == 0)
        return rc;
    bundle->devices = xcalloc(json_array_size(value), sizeof *bundle->devices);
    for (size_t i = 0; i < json_array_size(value); i++) {
        rc = read_device(json_array_get(value, i), &bundle->devices[i], err);
        if (rc < 0)
            return field_under_item(err, rc, key, i);
        bundle->device_count++;
    }
    return 0;
}
