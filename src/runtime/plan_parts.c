/* SPDX-License-Identifier: Apache-2.0 */
/* Reading the parts of config.json that are not shaped like the struct; see plan_fields.h. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/memory.h"
#include "base/text.h"
#include "path/inroot.h"
#include "runtime/plan_fields.h"

#define RULES_MAX 4096
#define DEVICE_NUMBER_MAX 0xfffff

static const struct plan_word *find_word(const struct plan_word *words, const char *name)
{
    for (; words->name; words++)
        if (strcmp(words->name, name) == 0)
            return words;
    return NULL;
}

int part_oci_version_read(const json_t *value, void *into, const char *key, struct error *err)
{
    (void)into;
    const char *text = json_string_value(value);
    return text && starts_with(text, "1.") ? 0 : field_wrong(err, key, "a version 1 (\"1.2.0\")");
}

int part_version_read(const json_t *value, void *into, const char *key, struct error *err)
{
    (void)into;
    if (json_is_integer(value) && json_integer_value(value) > PLAN_VERSION)
        return error_set(err, -EINVAL, "%s is %lld: a newer caisson wrote it", key,
                         (long long)json_integer_value(value));
    return json_is_integer(value) && json_integer_value(value) == PLAN_VERSION
               ? 0
               : field_wrong(err, key, "1");
}

int part_root_path_read(const json_t *value, void *into, const char *key, struct error *err)
{
    (void)into;
    return streq(json_string_value(value), PLAN_ROOT_PATH)
               ? 0
               : field_wrong(err, key, "\"" PLAN_ROOT_PATH "\"");
}

/* --- process -----------------------------------------------------------------------------------
 */

int part_groups_read(const json_t *value, void *into, const char *key, struct error *err)
{
    struct plan *plan = into;
    int rc = field_array(value, key, NGROUPS_MAX, err);
    if (rc < 0 || json_array_size(value) == 0)
        return rc;
    plan->groups = xcalloc(json_array_size(value), sizeof *plan->groups);
    for (size_t i = 0; i < json_array_size(value); i++) {
        const json_t *item = json_array_get(value, i);
        if (!json_is_integer(item) || json_integer_value(item) < 0 ||
            json_integer_value(item) >= UINT32_MAX)
            return error_set(err, -EINVAL, "%s[%zu] must be a group id", key, i);
        plan->groups[plan->group_count++] = (uint32_t)json_integer_value(item);
    }
    return 0;
}

static int read_rlimit(const json_t *item, struct rlimit_spec *limit, struct error *err)
{
    const char *type = NULL;
    int64_t soft = 0, hard = 0;
    int rc = field_string(item, "type", &type, err);
    if (rc == 0)
        rc = field_number(item, "soft", -1, INT64_MAX, &soft, err);
    if (rc == 0)
        rc = field_number(item, "hard", -1, INT64_MAX, &hard, err);
    if (rc < 0)
        return rc;
    int resource = starts_with(type, "RLIMIT_") ? rlimit_by_name(type) : -1;
    if (resource < 0)
        return field_wrong(err, "type", "the name of a resource limit (\"RLIMIT_NOFILE\")");
    *limit = (struct rlimit_spec){resource, (uint64_t)soft, (uint64_t)hard};
    if (limit->soft > limit->hard)
        return field_wrong(err, "soft", "at most the hard limit");
    return 0;
}

int part_rlimits_read(const json_t *value, void *into, const char *key, struct error *err)
{
    struct plan *plan = into;
    int rc = field_array(value, key, 64, err);
    if (rc < 0 || json_array_size(value) == 0)
        return rc;
    plan->rlimits = xcalloc(json_array_size(value), sizeof *plan->rlimits);
    for (size_t i = 0; i < json_array_size(value); i++) {
        rc = read_rlimit(json_array_get(value, i), &plan->rlimits[i], err);
        if (rc < 0)
            return field_under_item(err, rc, key, i);
        plan->rlimit_count++;
    }
    return 0;
}

/* Not by way of label_prepare(): whether this host still knows the label is a question for the
 * start of the container, not for looking at it. */
static int read_label(const json_t *value, struct plan *plan, enum label_kind kind,
                      const char *before, const char *key, struct error *err)
{
    const char *text = json_string_value(value);
    if (!text || !*text || strlen(text) > 1024 || strpbrk(text, "\r\n"))
        return field_wrong(err, key, "the name of a label");
    if (plan->label.kind != LABEL_NONE)
        return error_set(err, -EINVAL, "%s is there beside apparmorProfile", key);
    plan->label.kind = kind;
    plan->label.value = xasprintf("%s%s", before, text);
    plan->label.length = strlen(plan->label.value);
    return 0;
}

int part_apparmor_read(const json_t *value, void *into, const char *key, struct error *err)
{
    return read_label(value, into, LABEL_APPARMOR, LABEL_APPARMOR_PREFIX, key, err);
}

int part_selinux_read(const json_t *value, void *into, const char *key, struct error *err)
{
    return read_label(value, into, LABEL_SELINUX, "", key, err);
}

/* --- linux -------------------------------------------------------------------------------------
 */

/* "container:ID", as in --network container:ID. */
static int read_join(struct plan *plan, unsigned long namespace, const char *path,
                     struct error *err)
{
    char **container = namespace == PLAN_NS_NET    ? &plan->network_container
                       : namespace == PLAN_NS_PID  ? &plan->pid_container
                       : namespace == PLAN_NS_IPC  ? &plan->ipc_container
                       : namespace == PLAN_NS_USER ? &plan->user_container
                                                   : NULL;
    const char *id = path + strlen(PLAN_JOIN_PREFIX);
    if (!container)
        return error_set(err, -EINVAL, "path is there, but this namespace cannot be joined");
    if (!starts_with(path, PLAN_JOIN_PREFIX) || !field_is_id(id))
        return field_wrong(err, "path", "\"container:\" and the id of a container");
    *container = xstrdup(id);
    if (namespace == PLAN_NS_NET)
        plan->network = PLAN_NET_CONTAINER;
    if (namespace == PLAN_NS_USER)
        plan->namespaces |= PLAN_NS_USER;
    return 0;
}

static int read_namespace(const json_t *item, struct plan *plan, unsigned *seen, struct error *err)
{
    const char *type = NULL;
    int rc = field_string(item, "type", &type, err);
    if (rc < 0)
        return rc;
    const struct plan_word *word = find_word(plan_namespace_words, type);
    if (!word)
        return field_wrong(err, "type", "the name of a namespace");
    unsigned bit = 1u << (word - plan_namespace_words);
    if (*seen & bit)
        return error_set(err, -EINVAL, "type is there twice (\"%s\")", type);
    *seen |= bit;
    const json_t *path = json_object_get(item, "path");
    if (path && !json_is_string(path))
        return field_wrong(err, "path", "a string");
    if (path)
        return read_join(plan, word->value, json_string_value(path), err);
    plan->namespaces |= (unsigned)word->value;
    if (word->value == PLAN_NS_NET)
        plan->network = plan->endpoint_count ? PLAN_NET_BRIDGE : PLAN_NET_NONE;
    return 0;
}

int part_namespaces_read(const json_t *value, void *into, const char *key, struct error *err)
{
    struct plan *plan = into;
    unsigned seen = 0;
    int rc = field_array(value, key, 64, err);
    if (rc < 0)
        return rc;
    plan->namespaces = 0;
    plan->network = PLAN_NET_HOST;
    for (size_t i = 0; i < json_array_size(value); i++) {
        rc = read_namespace(json_array_get(value, i), plan, &seen, err);
        if (rc < 0)
            return field_under_item(err, rc, key, i);
    }
    for (const struct plan_word *word = plan_namespace_words; word->name; word++)
        if (word->value == 0 && !(seen & 1u << (word - plan_namespace_words)))
            return error_set(err, -EINVAL, "%s must have an element of type \"%s\"", key,
                             word->name);
    return 0;
}

/* One range from 0, the same for users and groups. */
int part_id_mappings_read(const json_t *value, void *into, const char *key, struct error *err)
{
    struct plan *plan = into;
    int64_t inside = 0, outside = 0, size = 0;
    if (!json_is_array(value) || json_array_size(value) != 1)
        return field_wrong(err, key, "an array of one element");
    const json_t *item = json_array_get(value, 0);
    int rc = field_number(item, "containerID", 0, 0, &inside, err);
    if (rc == 0)
        rc = field_number(item, "hostID", 0, UINT32_MAX - PLAN_ID_COUNT, &outside, err);
    if (rc == 0)
        rc = field_number(item, "size", PLAN_ID_COUNT, PLAN_ID_COUNT, &size, err);
    if (rc < 0)
        return field_under_item(err, rc, key, 0);
    if (starts_with(key, "gid") && plan->id_base != (uint32_t)outside)
        return error_set(err, -EINVAL, "%s must be the same as uidMappings", key);
    plan->id_base = (uint32_t)outside;
    return 0;
}

int part_cgroups_path_read(const json_t *value, void *into, const char *key, struct error *err)
{
    struct plan *plan = into;
    const char *path = json_string_value(value);
    const char *slash = path ? strrchr(path, '/') : NULL;
    if (!slash || !streq(slash + 1, plan->id) || strlen(path) >= INROOT_PATH_MAX)
        return error_set(err, -EINVAL, "%s must be a path that ends in the container's id", key);
    /* "/id" is a group right below the root; its parent is "/". */
    autofree char *parent = xstrndup(path, slash == path ? 1 : (size_t)(slash - path));
    struct error detail = {0};
    int rc = streq(parent, "/") ? 0 : cgroup_check_parent(parent, &detail);
    if (rc < 0)
        return error_set(err, rc, "%s: %s", key, detail.text);
    if (!streq(parent, CGROUP_DEFAULT_PARENT))
        plan->cgroup_parent = take_ptr(parent);
    return 0;
}

/* --- devices -----------------------------------------------------------------------------------
 */

static int read_access(const json_t *item, unsigned *access, struct error *err)
{
    const char *text = NULL;
    int rc = field_string(item, "access", &text, err);
    if (rc < 0)
        return rc;
    unsigned set = 0;
    for (const char *c = text; *c; c++) {
        unsigned one = *c == 'r'   ? DEVICE_READ
                       : *c == 'w' ? DEVICE_WRITE
                       : *c == 'm' ? DEVICE_MKNOD
                                   : 0;
        if (!one || set & one)
            return field_wrong(err, "access", "made of 'r', 'w' and 'm'");
        set |= one;
    }
    *access = set;
    return 0;
}

static int read_type(const json_t *item, const char *allowed, char *type, struct error *err)
{
    const char *text = NULL;
    int rc = field_string(item, "type", &text, err);
    if (rc < 0)
        return rc;
    if (strlen(text) != 1 || !strchr(allowed, *text))
        return error_set(err, -EINVAL, "type must be one letter of \"%s\"", allowed);
    *type = *text;
    return 0;
}

/* Where the nodes come from and how they may be used; linux.devices says what and where they are.
 */
int part_device_hosts_read(const json_t *value, void *into, const char *key, struct error *err)
{
    char clean[INROOT_PATH_MAX];
    struct plan *plan = into;
    int rc = field_array(value, key, RULES_MAX, err);
    if (rc < 0 || json_array_size(value) == 0)
        return rc;
    plan->devices = xcalloc(json_array_size(value), sizeof *plan->devices);
    for (size_t i = 0; i < json_array_size(value); i++) {
        const json_t *item = json_array_get(value, i);
        const char *host = NULL;
        rc = field_string(item, "host", &host, err);
        if (rc == 0)
            rc = read_access(item, &plan->devices[i].access, err);
        if (rc == 0 && inroot_clean(host, "host", clean, NULL) < 0)
            rc = field_wrong(err, "host", "an absolute path without \"..\"");
        if (rc < 0)
            return field_under_item(err, rc, key, i);
        plan->devices[i].host = xstrdup(host);
        plan->device_count++;
    }
    return 0;
}

static int read_device(const json_t *item, struct plan_device *device, struct error *err)
{
    char clean[INROOT_PATH_MAX];
    const char *path = NULL;
    int64_t major = 0, minor = 0;
    int rc = field_string(item, "path", &path, err);
    if (rc == 0)
        rc = read_type(item, "bc", &device->type, err);
    if (rc == 0)
        rc = field_number(item, "major", 0, DEVICE_NUMBER_MAX, &major, err);
    if (rc == 0)
        rc = field_number(item, "minor", 0, DEVICE_NUMBER_MAX, &minor, err);
    if (rc < 0)
        return rc;
    if (inroot_clean(path, "path", clean, NULL) < 0)
        return field_wrong(err, "path", "an absolute path without \"..\"");
    device->path = xstrdup(path);
    device->major = (uint32_t)major;
    device->minor = (uint32_t)minor;
    return 0;
}

int part_devices_read(const json_t *value, void *into, const char *key, struct error *err)
{
    struct plan *plan = into;
    int rc = field_array(value, key, RULES_MAX, err);
    if (rc < 0)
        return rc;
    if (json_array_size(value) != plan->device_count)
        return error_set(err, -EINVAL,
                         "%s must have as many elements as caisson.device_hosts (%zu)", key,
                         plan->device_count);
    for (size_t i = 0; i < plan->device_count; i++) {
        rc = read_device(json_array_get(value, i), &plan->devices[i], err);
        if (rc < 0)
            return field_under_item(err, rc, key, i);
    }
    return 0;
}

/* Absent: any. */
static int read_rule_number(const json_t *item, const char *key, int64_t *number, struct error *err)
{
    *number = -1;
    return json_object_get(item, key) ? field_number(item, key, 0, DEVICE_NUMBER_MAX, number, err)
                                      : 0;
}

static int read_rule(const json_t *item, bool first, struct device_rule *rule, struct error *err)
{
    unsigned access = 0;
    const json_t *allow = json_object_get(item, "allow");
    if (!json_is_boolean(allow))
        return field_wrong(err, "allow", "true or false");
    int rc = read_access(item, &access, err);
    if (rc < 0)
        return rc;
    *rule = (struct device_rule){.type = 'a',
                                 .major = -1,
                                 .minor = -1,
                                 .access = (uint8_t)access,
                                 .allow = json_is_true(allow)};
    if (first)
        return access == DEVICE_RWM ? 0 : field_wrong(err, "access", "\"rwm\"");
    rc = read_type(item, "abc", &rule->type, err);
    if (rc == 0)
        rc = read_rule_number(item, "major", &rule->major, err);
    return rc < 0 ? rc : read_rule_number(item, "minor", &rule->minor, err);
}

int part_device_rules_read(const json_t *value, void *into, const char *key, struct error *err)
{
    struct plan *plan = into;
    int rc = field_array(value, key, RULES_MAX, err);
    if (rc < 0)
        return rc;
    if (json_array_size(value) == 0)
        return field_wrong(err, key, "an array that begins with a rule for all devices");
    plan->device_rules = xcalloc(json_array_size(value), sizeof *plan->device_rules);
    for (size_t i = 0; i < json_array_size(value); i++) {
        struct device_rule rule;
        rc = read_rule(json_array_get(value, i), i == 0, &rule, err);
        if (rc < 0)
            return field_under_item(err, rc, key, i);
        if (i == 0)
            plan->all_devices = rule.allow;
        else
            plan->device_rules[plan->device_rule_count++] = rule;
    }
    return 0;
}

/* --- caisson -----------------------------------------------------------------------------------
 */

int part_seccomp_read(const json_t *value, void *into, const char *key, struct error *err)
{
    const char *text = json_string_value(value);
    const struct plan_word *word = text ? find_word(plan_seccomp_words, text) : NULL;
    if (!word)
        return field_wrong(err, key, "\"off\", \"restricted\", \"baseline\" or \"file\"");
    ((struct plan *)into)->seccomp = (enum plan_seccomp)word->value;
    return 0;
}

int part_ipc_read(const json_t *value, void *into, const char *key, struct error *err)
{
    const char *text = json_string_value(value);
    const struct plan_word *word = text ? find_word(plan_ipc_words, text) : NULL;
    if (!word)
        return field_wrong(err, key, "\"private\", \"shareable\" or \"none\"");
    ((struct plan *)into)->ipc = (enum plan_ipc)word->value;
    return 0;
}

int part_endpoints_read(const json_t *value, void *into, const char *key, struct error *err)
{
    struct plan *plan = into;
    int rc = field_array(value, key, PLAN_ENDPOINTS_MAX, err);
    for (size_t i = 0; rc == 0 && i < json_array_size(value); i++) {
        rc = fields_read(endpoint_fields, json_array_get(value, i), plan_add_endpoint(plan), err);
        if (rc < 0)
            return field_under_item(err, rc, key, i);
    }
    return rc;
}

int part_ports_read(const json_t *value, void *into, const char *key, struct error *err)
{
    struct port_bindings *ports = &((struct plan *)into)->ports;
    int rc = field_array(value, key, PORTS_MAX, err);
    for (size_t i = 0; rc == 0 && i < json_array_size(value); i++) {
        const char *text = json_string_value(json_array_get(value, i));
        rc = text ? port_parse_publish(text, ports, NULL) : -EINVAL;
        if (rc < 0)
            return field_under_item(err, field_wrong(err, "port", "such as 127.0.0.1:8080:80/tcp"),
                                    key, i);
    }
    return rc;
}

int part_posture_read(const json_t *value, void *into, const char *key, struct error *err)
{
    struct posture *posture = &((struct plan *)into)->posture;
    int rc = field_array(value, key, 256, err);
    for (size_t i = 0; rc == 0 && i < json_array_size(value); i++) {
        struct protection *item = posture_add(posture, NULL, NULL, NULL);
        rc = fields_read(protection_fields, json_array_get(value, i), item, err);
        if (rc < 0)
            return field_under_item(err, rc, key, i);
    }
    return rc;
}
