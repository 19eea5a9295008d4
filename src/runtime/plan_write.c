/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config.json from a plan: straight into the buffer, no tree, because every `run` does it.
 */
#include "base/cleanup.h"
#include "base/text.h"
#include "runtime/plan_fields.h"

#include <ctype.h>
#include <string.h>
#include <sys/mount.h>

/* --- tables ------------------------------------------------------------------------------------
 */

/* Whether a later element has the key (`length` bytes and '=') of element i. */
static bool overridden(const struct strv *map, size_t i, size_t length)
{
    for (size_t k = i + 1; k < map->len; k++) {
        const char *other = map->items[k];
        if (strncmp(map->items[i], other, length) == 0 &&
            (other[length] == '=' || other[length] == '\0'))
            return true;
    }
    return false;
}

static void write_map(const struct strv *map, const char *key, struct json_out *w)
{
    char name[256];
    json_begin(w, key, '{');
    for (size_t i = 0; i < map->len; i++) {
        const char *item = map->items[i], *end = strchrnul(item, '=');
        size_t length = (size_t)(end - item);
        if (overridden(map, i, length))
            continue;
        char *owned = length < sizeof name ? NULL : strndup(item, length);
        if (!owned && length < sizeof name) {
            memcpy(name, item, length);
            name[length] = '\0';
        }
        json_str(w, owned ? owned : name, *end ? end + 1 : "");
        free(owned);
    }
    json_end(w, '}');
}

static void write_caps(uint64_t set, const char *key, struct json_out *w)
{
    if (!set)
        return;
    json_begin(w, key, '[');
    for (unsigned n = 0; n < 64; n++)
        if (set >> n & 1 && caps_name(n))
            json_str(w, NULL, caps_name(n));
    json_end(w, ']');
}

/* An object without members is taken back. */
static void write_object(const struct field *field, const void *from, struct json_out *w)
{
    struct json_out before = *w;
    size_t length = w->buf->len;
    json_begin(w, field->key, '{');
    fields_write(field->members, from, w);
    if (w->started || field->must) {
        json_end(w, '}');
    } else {
        *w = before;
        w->buf->len = length;
    }
}

static void write_field(const struct field *field, const void *from, struct json_out *w)
{
    const void *at = (const char *)from + field->at;
    switch (field->kind) {
    case FIELD_TEXT:
    case FIELD_CONTENT:
    case FIELD_ID:
    case FIELD_PATH:
    case FIELD_DIGEST:
        if (*(char *const *)at)
            json_str(w, field->key, *(char *const *)at);
        break;
    case FIELD_BOOL:
        json_bool(w, field->key, *(const bool *)at);
        break;
    case FIELD_I64:
        if (*(const int64_t *)at >= field->min)
            json_i64(w, field->key, *(const int64_t *)at);
        break;
    case FIELD_U32:
        json_u64(w, field->key, *(const uint32_t *)at);
        break;
    case FIELD_LIST:
    case FIELD_PATHS:
    case FIELD_DIGESTS:
        if (((const struct strv *)at)->len || field->must)
            json_strs(w, field->key, at);
        break;
    case FIELD_MAP:
        if (((const struct strv *)at)->len)
            write_map(at, field->key, w);
        break;
    case FIELD_CAPS:
        write_caps(*(const uint64_t *)at, field->key, w);
        break;
    case FIELD_OBJECT:
        write_object(field, from, w);
        break;
    case FIELD_CUSTOM:
        field->write(from, field->key, w);
        break;
    }
}

void fields_write(const struct field *table, const void *from, struct json_out *w)
{
    for (const struct field *field = table; field->key; field++)
        write_field(field, from, w);
}

void plan_write(const struct plan *plan, unsigned indent, struct buf *out)
{
    struct json_out w = {.buf = out, .indent = indent};
    buf_room(out, 16384); /* most plans: one allocation */
    json_begin(&w, NULL, '{');
    fields_write(plan_fields, plan, &w);
    json_end(&w, '}');
    if (indent)
        buf_char(out, '\n');
}

/* --- parts that are not shaped like the struct --------------------------------------------------
 */

static const char *word_of(const struct plan_word *words, unsigned long value)
{
    for (; words->name; words++)
        if (words->value == value)
            return words->name;
    return NULL;
}

void part_oci_version_write(const void *from, const char *key, struct json_out *w)
{
    (void)from;
    json_str(w, key, "1.2.0");
}

void part_version_write(const void *from, const char *key, struct json_out *w)
{
    (void)from;
    json_i64(w, key, PLAN_VERSION);
}

void part_root_path_write(const void *from, const char *key, struct json_out *w)
{
    (void)from;
    json_str(w, key, PLAN_ROOT_PATH);
}

void part_groups_write(const void *from, const char *key, struct json_out *w)
{
    const struct plan *plan = from;
    if (!plan->group_count)
        return;
    json_begin(w, key, '[');
    for (size_t i = 0; i < plan->group_count; i++)
        json_u64(w, NULL, plan->groups[i]);
    json_end(w, ']');
}

void part_rlimits_write(const void *from, const char *key, struct json_out *w)
{
    const struct plan *plan = from;
    if (!plan->rlimit_count)
        return;
    json_begin(w, key, '[');
    for (size_t i = 0; i < plan->rlimit_count; i++) {
        const struct rlimit_spec *limit = &plan->rlimits[i];
        const char *name = rlimit_name(limit->resource);
        char type[32] = "RLIMIT_";
        if (!name)
            continue;
        for (size_t n = strlen(type); *name && n < sizeof type - 1; name++)
            type[n++] = (char)toupper((unsigned char)*name);
        json_begin(w, NULL, '{');
        json_str(w, "type", type);
        /* What is more than a reader's 63 bits is without limit to every kernel. */
        json_u64(w, "soft", limit->soft > INT64_MAX ? UINT64_MAX : limit->soft);
        json_u64(w, "hard", limit->hard > INT64_MAX ? UINT64_MAX : limit->hard);
        json_end(w, '}');
    }
    json_end(w, ']');
}

void part_apparmor_write(const void *from, const char *key, struct json_out *w)
{
    const struct plan *plan = from;
    if (plan->label.kind == LABEL_APPARMOR && label_name(&plan->label))
        json_str(w, key, label_name(&plan->label));
}

void part_selinux_write(const void *from, const char *key, struct json_out *w)
{
    const struct plan *plan = from;
    if (plan->label.kind == LABEL_SELINUX && plan->label.value)
        json_str(w, key, plan->label.value);
}

void part_seccomp_write(const void *from, const char *key, struct json_out *w)
{
    const struct plan *plan = from;
    json_str(w, key, word_of(plan_seccomp_words, plan->seccomp));
}

void part_ipc_write(const void *from, const char *key, struct json_out *w)
{
    const struct plan *plan = from;
    if (plan->ipc != PLAN_IPC_PRIVATE)
        json_str(w, key, word_of(plan_ipc_words, plan->ipc));
}

void part_endpoints_write(const void *from, const char *key, struct json_out *w)
{
    const struct plan *plan = from;
    if (!plan->endpoint_count)
        return;
    json_begin(w, key, '[');
    for (size_t i = 0; i < plan->endpoint_count; i++) {
        json_begin(w, NULL, '{');
        fields_write(endpoint_fields, &plan->endpoints[i], w);
        json_end(w, '}');
    }
    json_end(w, ']');
}

void part_ports_write(const void *from, const char *key, struct json_out *w)
{
    const struct port_bindings *ports = &((const struct plan *)from)->ports;
    if (!ports->count)
        return;
    json_begin(w, key, '[');
    for (size_t i = 0; i < ports->count; i++) {
        char text[PORT_TEXT_MAX];
        port_binding_format(&ports->items[i], text);
        json_str(w, NULL, text);
    }
    json_end(w, ']');
}

void part_posture_write(const void *from, const char *key, struct json_out *w)
{
    const struct posture *posture = &((const struct plan *)from)->posture;
    if (!posture->count)
        return;
    json_begin(w, key, '[');
    for (size_t i = 0; i < posture->count; i++) {
        json_begin(w, NULL, '{');
        fields_write(protection_fields, &posture->items[i], w);
        json_end(w, '}');
    }
    json_end(w, ']');
}

/* --- namespaces and ids ------------------------------------------------------------------------
 */

static const char *joined(const struct plan *plan, unsigned long namespace)
{
    if (namespace == PLAN_NS_NET && plan->network == PLAN_NET_CONTAINER)
        return plan->network_container;
    if (namespace == PLAN_NS_PID)
        return plan->pid_container;
    if (namespace == PLAN_NS_USER)
        return plan->user_container;
    return namespace == PLAN_NS_IPC ? plan->ipc_container : NULL;
}

void part_namespaces_write(const void *from, const char *key, struct json_out *w)
{
    const struct plan *plan = from;
    json_begin(w, key, '[');
    for (const struct plan_word *word = plan_namespace_words; word->name; word++) {
        const char *container = joined(plan, word->value);
        bool own = word->value == 0 || (plan->namespaces & word->value);
        if (!own && !container)
            continue;
        json_begin(w, NULL, '{');
        json_str(w, "type", word->name);
        if (container) {
            char path[300];
            snprintf(path, sizeof path, PLAN_JOIN_PREFIX "%s", container);
            json_str(w, "path", path);
        }
        json_end(w, '}');
    }
    json_end(w, ']');
}

void write_mapping(struct json_out *w, const char *key, uint64_t inside, uint64_t outside,
                   uint64_t size)
{
    json_begin(w, key, '[');
    json_begin(w, NULL, '{');
    json_u64(w, "containerID", inside);
    json_u64(w, "hostID", outside);
    json_u64(w, "size", size);
    json_end(w, '}');
    json_end(w, ']');
}

void part_id_mappings_write(const void *from, const char *key, struct json_out *w)
{
    const struct plan *plan = from;
    if (plan->namespaces & PLAN_NS_USER)
        write_mapping(w, key, 0, plan->id_base, PLAN_ID_COUNT);
}

void part_cgroups_path_write(const void *from, const char *key, struct json_out *w)
{
    const struct plan *plan = from;
    const char *parent = plan->cgroup_parent ? plan->cgroup_parent : CGROUP_DEFAULT_PARENT;
    autobuf path = {0};
    buf_str(&path, parent);
    if (!ends_with(parent, "/"))
        buf_char(&path, '/');
    buf_str(&path, plan->id ? plan->id : "");
    json_str(w, key, buf_text(&path));
}

/* --- devices -----------------------------------------------------------------------------------
 */

static void write_access(struct json_out *w, unsigned access)
{
    char text[4];
    size_t n = 0;
    if (access & DEVICE_READ)
        text[n++] = 'r';
    if (access & DEVICE_WRITE)
        text[n++] = 'w';
    if (access & DEVICE_MKNOD)
        text[n++] = 'm';
    json_strn(w, "access", text, n);
}

static void write_type(struct json_out *w, char type)
{
    json_strn(w, "type", &type, 1);
}

void part_devices_write(const void *from, const char *key, struct json_out *w)
{
    const struct plan *plan = from;
    if (!plan->device_count)
        return;
    json_begin(w, key, '[');
    for (size_t i = 0; i < plan->device_count; i++) {
        const struct plan_device *device = &plan->devices[i];
        json_begin(w, NULL, '{');
        json_str(w, "path", device->path);
        write_type(w, device->type);
        json_u64(w, "major", device->major);
        json_u64(w, "minor", device->minor);
        json_end(w, '}');
    }
    json_end(w, ']');
}

void part_device_hosts_write(const void *from, const char *key, struct json_out *w)
{
    const struct plan *plan = from;
    if (!plan->device_count)
        return;
    json_begin(w, key, '[');
    for (size_t i = 0; i < plan->device_count; i++) {
        json_begin(w, NULL, '{');
        json_str(w, "host", plan->devices[i].host);
        write_access(w, plan->devices[i].access);
        json_end(w, '}');
    }
    json_end(w, ']');
}

/* The first rule is what holds without any other. */
void part_device_rules_write(const void *from, const char *key, struct json_out *w)
{
    const struct plan *plan = from;
    json_begin(w, key, '[');
    json_begin(w, NULL, '{');
    json_bool(w, "allow", plan->all_devices);
    write_access(w, DEVICE_RWM);
    json_end(w, '}');
    /* What is in force, and not only what was asked for beyond the usual. */
    for (size_t i = 0; i < plan->limits.device_count; i++) {
        const struct device_rule *rule = &plan->limits.devices[i];
        json_begin(w, NULL, '{');
        json_bool(w, "allow", rule->allow);
        write_type(w, rule->type);
        if (rule->major >= 0)
            json_i64(w, "major", rule->major);
        if (rule->minor >= 0)
            json_i64(w, "minor", rule->minor);
        write_access(w, rule->access);
        json_end(w, '}');
    }
    json_end(w, ']');
}
