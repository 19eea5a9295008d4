/* SPDX-License-Identifier: Apache-2.0 */
/* Parts of a foreign config.json: namespaces and their ids, hooks, what the first process gets. */
#include <linux/ioprio.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>

#include "base/cleanup.h"
#include "base/memory.h"
#include "base/text.h"
#include "runtime/bundle_fields.h"

#define MAPS_MAX 340 /* user_namespaces(7) */
#define HOOKS_MAX 4096
#define WORDS_MAX 65536

struct word {
    const char *name;
    unsigned long value;
};

static bool find(const struct word *words, const char *name, unsigned long *value)
{
    for (; name && words->name; words++)
        if (streq(words->name, name)) {
            *value = words->value;
            return true;
        }
    return false;
}

/* --- namespaces --------------------------------------------------------------------------------
 */

static int read_namespace(const json_t *item, struct bundle *bundle, struct error *err)
{
    const char *type = NULL;
    int rc = field_string(item, "type", &type, err);
    if (rc < 0)
        return rc;
    int which = 0;
    while (which < BUNDLE_NS_COUNT && !streq(bundle_ns_words[which].name, type))
        which++;
    if (which == BUNDLE_NS_COUNT)
        return field_wrong(err, "type", "user, pid, mount, ipc, uts, network, cgroup or time");
    struct bundle_namespace *ns = &bundle->namespaces[which];
    if (ns->listed)
        return error_set(err, -EINVAL, "type is there twice (\"%s\")", type);
    const json_t *path = json_object_get(item, "path");
    const char *text = json_string_value(path);
    if (path && !json_is_null(path) && (!text || (*text && *text != '/')))
        return field_wrong(err, "path", "an absolute path");
    ns->listed = true;
    if (!text || !*text)
        return 0;
    if (which == BUNDLE_MOUNT)
        return bundle_refuse(err, "path", "the container's mounts need a namespace of their own");
    ns->path = xstrdup(text);
    return 0;
}

BUNDLE_READ(bundle_namespaces_read)
{
    int rc = field_array(value, key, 64, err);
    for (size_t i = 0; rc == 0 && i < json_array_size(value); i++) {
        rc = read_namespace(json_array_get(value, i), into, err);
        if (rc < 0)
            return field_under_item(err, rc, key, i);
    }
    return rc;
}

static int read_map(const json_t *item, struct bundle_map *map, struct error *err)
{
    int64_t inside = 0, outside = 0, count = 0;
    int rc = field_number(item, "containerID", 0, BUNDLE_ID_MAX, &inside, err);
    if (rc == 0)
        rc = field_number(item, "hostID", 0, BUNDLE_ID_MAX, &outside, err);
    if (rc == 0)
        rc = field_number(item, "size", 1, UINT32_MAX, &count, err);
    *map = (struct bundle_map){(uint32_t)inside, (uint32_t)outside, (uint32_t)count};
    return rc;
}

int bundle_maps_read(const json_t *value, const char *key, struct bundle_map **maps, size_t *count,
                     struct error *err)
{
    int rc = field_array(value, key, MAPS_MAX, err);
    if (rc < 0 || json_array_size(value) == 0)
        return rc;
    free(*maps);
    *maps = xcalloc(json_array_size(value), sizeof **maps);
    *count = 0;
    for (size_t i = 0; i < json_array_size(value); i++) {
        rc = read_map(json_array_get(value, i), &(*maps)[i], err);
        if (rc < 0)
            return field_under_item(err, rc, key, i);
        (*count)++;
    }
    return 0;
}

BUNDLE_READ(bundle_uids_read)
{
    struct bundle_maps *maps = &((struct bundle *)into)->maps;
    return bundle_maps_read(value, key, &maps->uids, &maps->uid_count, err);
}

BUNDLE_READ(bundle_gids_read)
{
    struct bundle_maps *maps = &((struct bundle *)into)->maps;
    return bundle_maps_read(value, key, &maps->gids, &maps->gid_count, err);
}

static int read_offset(const json_t *object, const char *key, int64_t out[2], struct error *err)
{
    const json_t *value = json_object_get(object, key);
    if (!value || json_is_null(value))
        return 0;
    if (!json_is_object(value))
        return field_wrong(err, key, "an object");
    int rc = bundle_number(value, "secs", INT32_MIN, INT32_MAX, 0, &out[0], err);
    if (rc == 0)
        rc = bundle_number(value, "nanosecs", 0, 999999999, 0, &out[1], err);
    return rc < 0 ? field_under(err, rc, key) : 0;
}

BUNDLE_READ(bundle_offsets_read)
{
    struct bundle *bundle = into;
    const char *name;
    json_t *item;
    if (!json_is_object(value))
        return field_wrong(err, key, "an object");
    json_object_foreach((json_t *)(uintptr_t)value, name, item)
    {
        if (!streq(name, "monotonic") && !streq(name, "boottime"))
            return error_set(err, -EINVAL, "%s may only have monotonic and boottime", key);
    }
    int rc = read_offset(value, "monotonic", bundle->monotonic, err);
    if (rc == 0)
        rc = read_offset(value, "boottime", bundle->boottime, err);
    bundle->has_offsets = json_object_size(value) > 0;
    return rc < 0 ? field_under(err, rc, key) : 0;
}

/* --- hooks -------------------------------------------------------------------------------------
 */

static int read_words(const json_t *object, const char *key, struct strv *out, struct error *err)
{
    const json_t *list = json_object_get(object, key);
    if (!list || json_is_null(list))
        return 0;
    int rc = field_array(list, key, WORDS_MAX, err);
    for (size_t i = 0; rc == 0 && i < json_array_size(list); i++) {
        const char *text = json_string_value(json_array_get(list, i));
        if (!text)
            return error_set(err, -EINVAL, "%s[%zu] must be a string", key, i);
        strv_add(out, text);
    }
    return rc;
}

static int read_hook(const json_t *item, struct bundle_hook *hook, struct error *err)
{
    const char *path = NULL;
    int rc = field_string(item, "path", &path, err);
    if (rc == 0 && *path != '/')
        rc = field_wrong(err, "path", "an absolute path");
    if (rc < 0)
        return rc;
    hook->path = xstrdup(path);
    rc = read_words(item, "args", &hook->args, err);
    if (rc == 0)
        rc = read_words(item, "env", &hook->env, err);
    if (rc == 0)
        rc = bundle_number(item, "timeout", 1, INT32_MAX, 0, &hook->timeout, err);
    return rc;
}

static int read_stage(const json_t *list, const char *key, struct bundle_hooks *out,
                      struct error *err)
{
    if (!list || json_is_null(list))
        return 0;
    int rc = field_array(list, key, HOOKS_MAX, err);
    if (rc < 0 || json_array_size(list) == 0)
        return rc;
    out->items = xcalloc(json_array_size(list), sizeof *out->items);
    for (size_t i = 0; i < json_array_size(list); i++) {
        out->count++;
        rc = read_hook(json_array_get(list, i), &out->items[i], err);
        if (rc < 0)
            return field_under_item(err, rc, key, i);
    }
    return 0;
}

BUNDLE_READ(bundle_hooks_read)
{
    struct bundle *bundle = into;
    if (!json_is_object(value))
        return field_wrong(err, key, "an object");
    for (int stage = 0; stage < HOOK_STAGES; stage++) {
        const char *name = bundle_stage_names[stage];
        int rc = read_stage(json_object_get(value, name), name, &bundle->hooks[stage], err);
        if (rc < 0)
            return field_under(err, rc, key);
    }
    return 0;
}

/* --- what the first process gets ---------------------------------------------------------------
 */

BUNDLE_READ(bundle_personality_read)
{
    static const struct word domains[] = {{"LINUX", PER_LINUX}, {"LINUX32", PER_LINUX32}, {NULL}};
    struct bundle_attributes *a = &((struct bundle *)into)->attributes;
    const char *domain = NULL;
    int rc = field_string(value, "domain", &domain, err);
    if (rc < 0)
        return field_under(err, rc, key);
    if (!find(domains, domain, &a->personality))
        return error_set(err, -EINVAL, "%s.domain must be LINUX or LINUX32", key);
    if (json_array_size(json_object_get(value, "flags")) > 0)
        return error_set(err, -ENOTSUP, "%s.flags is not supported: the specification names none",
                         key);
    a->has_personality = true;
    return 0;
}

BUNDLE_READ(bundle_io_priority_read)
{
    static const struct word classes[] = {{"IOPRIO_CLASS_RT", IOPRIO_CLASS_RT},
                                          {"IOPRIO_CLASS_BE", IOPRIO_CLASS_BE},
                                          {"IOPRIO_CLASS_IDLE", IOPRIO_CLASS_IDLE},
                                          {NULL}};
    struct bundle_attributes *a = &((struct bundle *)into)->attributes;
    const char *name = NULL;
    unsigned long class = 0;
    int64_t priority = 0;
    int rc = field_string(value, "class", &name, err);
    if (rc == 0 && !find(classes, name, &class))
        rc = field_wrong(err, "class", "IOPRIO_CLASS_RT, IOPRIO_CLASS_BE or IOPRIO_CLASS_IDLE");
    if (rc == 0)
        rc = bundle_number(value, "priority", 0, 7, 0, &priority, err);
    if (rc < 0)
        return field_under(err, rc, key);
    a->io_class = (int)class;
    a->io_priority = (int)priority;
    return 0;
}

static int read_scheduler_flags(const json_t *object, uint64_t *flags, struct error *err)
{
    static const struct word known[] = {
        {"SCHED_FLAG_RESET_ON_FORK", 0x01},  {"SCHED_FLAG_RECLAIM", 0x02},
        {"SCHED_FLAG_DL_OVERRUN", 0x04},     {"SCHED_FLAG_KEEP_POLICY", 0x08},
        {"SCHED_FLAG_KEEP_PARAMS", 0x10},    {"SCHED_FLAG_UTIL_CLAMP_MIN", 0x20},
        {"SCHED_FLAG_UTIL_CLAMP_MAX", 0x40}, {NULL}};
    autostrv names = {0};
    int rc = read_words(object, "flags", &names, err);
    for (size_t i = 0; rc == 0 && i < names.len; i++) {
        unsigned long value;
        if (!find(known, names.items[i], &value))
            return error_set(err, -EINVAL, "flags[%zu] must be the name of a flag of sched_setattr",
                             i);
        *flags |= value;
    }
    return rc;
}

BUNDLE_READ(bundle_scheduler_read)
{
    static const struct word policies[] = {{"SCHED_OTHER", SCHED_OTHER},
                                           {"SCHED_FIFO", SCHED_FIFO},
                                           {"SCHED_RR", SCHED_RR},
                                           {"SCHED_BATCH", SCHED_BATCH},
                                           {"SCHED_ISO", 4},
                                           {"SCHED_IDLE", SCHED_IDLE},
                                           {"SCHED_DEADLINE", 6},
                                           {NULL}};
    struct bundle_attributes *a = &((struct bundle *)into)->attributes;
    const char *name = NULL;
    unsigned long policy = 0;
    int64_t nice = 0, priority = 0, runtime = 0, deadline = 0, period = 0;
    uint64_t flags = 0;
    int rc = field_string(value, "policy", &name, err);
    if (rc == 0 && !find(policies, name, &policy))
        rc = field_wrong(err, "policy", "the name of a policy (\"SCHED_BATCH\")");
    if (rc == 0)
        rc = bundle_number(value, "nice", -20, 19, 0, &nice, err);
    if (rc == 0)
        rc = bundle_number(value, "priority", 0, 99, 0, &priority, err);
    if (rc == 0)
        rc = read_scheduler_flags(value, &flags, err);
    if (rc == 0)
        rc = bundle_number(value, "runtime", 0, INT64_MAX, 0, &runtime, err);
    if (rc == 0)
        rc = bundle_number(value, "deadline", 0, INT64_MAX, 0, &deadline, err);
    if (rc == 0)
        rc = bundle_number(value, "period", 0, INT64_MAX, 0, &period, err);
    if (rc < 0)
        return field_under(err, rc, key);
    a->has_scheduler = true;
    a->scheduler = (struct bundle_scheduler){
        .policy = (uint32_t)policy,
        .nice = (int32_t)nice,
        .priority = (uint32_t)priority,
        .flags = flags,
        .runtime = (uint64_t)runtime,
        .deadline = (uint64_t)deadline,
        .period = (uint64_t)period,
    };
    return 0;
}

/* "0-3,7" */
static int read_processors(const json_t *object, const char *key, char **out, struct error *err)
{
    const json_t *value = json_object_get(object, key);
    const char *text = json_string_value(value);
    if (!value || json_is_null(value))
        return 0;
    if (!text || strlen(text) > 4096 || strspn(text, "0123456789,- ") != strlen(text))
        return field_wrong(err, key, "a list of processors (\"0-3,7\")");
    free(*out);
    *out = *text ? xstrdup(text) : NULL;
    return 0;
}

BUNDLE_READ(bundle_affinity_read)
{
    struct bundle_attributes *a = &((struct bundle *)into)->attributes;
    if (!json_is_object(value))
        return field_wrong(err, key, "an object");
    int rc = read_processors(value, "initial", &a->cpus_initial, err);
    if (rc == 0)
        rc = read_processors(value, "final", &a->cpus, err);
    return rc < 0 ? field_under(err, rc, key) : 0;
}
