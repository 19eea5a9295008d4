/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A plan from config.json. The file is ours and lies where only we can write, but a disk or an
 * editor may have damaged it: every type, length, range and name is checked, and an error names the
 * member by its whole path.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/memory.h"
#include "base/text.h"
#include "path/inroot.h"
#include "runtime/plan_fields.h"

#define LINE_MAX_BYTES 4096
#define ID_MAX_BYTES 128

/* --- errors that grow a path on their way up ----------------------------------------------------
 */

int field_under(struct error *err, int rc, const char *key)
{
    return err ? error_set(err, rc, "%s.%s", key, err->text) : rc;
}

int field_under_item(struct error *err, int rc, const char *key, size_t index)
{
    return err ? error_set(err, rc, "%s[%zu].%s", key, index, err->text) : rc;
}

int field_wrong(struct error *err, const char *key, const char *must_be)
{
    return error_set(err, -EINVAL, "%s must be %s", key, must_be);
}

static int wrong_number(struct error *err, const char *key, int64_t min, int64_t max)
{
    return error_set(err, -EINVAL, "%s must be a whole number from %lld to %lld", key,
                     (long long)min, (long long)max);
}

int field_array(const json_t *value, const char *key, size_t max, struct error *err)
{
    if (!json_is_array(value))
        return field_wrong(err, key, "an array");
    if (json_array_size(value) > max)
        return error_set(err, -EINVAL, "%s may not have more than %zu elements", key, max);
    return 0;
}

int field_string(const json_t *object, const char *key, const char **text, struct error *err)
{
    const json_t *value = json_object_get(object, key);
    if (!json_is_string(value))
        return field_wrong(err, key, "a string");
    *text = json_string_value(value);
    return 0;
}

int field_number(const json_t *object, const char *key, int64_t min, int64_t max, int64_t *number,
                 struct error *err)
{
    const json_t *value = json_object_get(object, key);
    if (!json_is_integer(value) || json_integer_value(value) < min ||
        json_integer_value(value) > max)
        return wrong_number(err, key, min, max);
    *number = json_integer_value(value);
    return 0;
}

/* --- what a text may be ------------------------------------------------------------------------
 */

static bool is_name(const char *text, size_t most)
{
    size_t length = strlen(text);
    if (length == 0 || length > most || !isalnum((unsigned char)*text))
        return false;
    for (const char *c = text; *c; c++)
        if (!isalnum((unsigned char)*c) && !strchr("_.-", *c))
            return false;
    return true;
}

bool field_is_id(const char *text)
{
    return is_name(text, ID_MAX_BYTES);
}

bool field_is_volume(const char *text)
{
    return is_name(text, VOLUME_NAME_MAX);
}

static bool is_line(const char *text, int64_t max)
{
    if (strlen(text) > (size_t)(max ? max : LINE_MAX_BYTES))
        return false;
    for (const unsigned char *c = (const unsigned char *)text; *c; c++)
        if (*c < 0x20 || *c == 0x7f)
            return false;
    return true;
}

static bool is_path(const char *text)
{
    char clean[INROOT_PATH_MAX];
    return inroot_clean(text, "path", clean, NULL) == 0;
}

const char *field_text_fault(const struct field *field, const char *text)
{
    switch (field->kind) {
    case FIELD_TEXT:
        return is_line(text, field->max) ? NULL : "one short line of text";
    case FIELD_ID:
        return field_is_id(text) ? NULL : "a name of letters, digits, '_', '.' and '-'";
    case FIELD_PATH:
    case FIELD_PATHS:
        return is_path(text) ? NULL : "an absolute path without \"..\"";
    case FIELD_DIGEST:
    case FIELD_DIGESTS:
        return digest_valid(text) ? NULL : "\"sha256:\" and 64 hexadecimal digits";
    default:
        return NULL;
    }
}

/* --- tables ------------------------------------------------------------------------------------
 */

static int read_text(const struct field *field, const json_t *value, char **at, struct error *err)
{
    if (!json_is_string(value))
        return field_wrong(err, field->key, "a string");
    const char *text = json_string_value(value), *fault = field_text_fault(field, text);
    if (fault)
        return field_wrong(err, field->key, fault);
    free(*at);
    *at = xstrdup(text);
    return 0;
}

static int read_list(const struct field *field, const json_t *value, struct strv *at,
                     struct error *err)
{
    int rc = field_array(value, field->key, FIELD_LIST_MAX, err);
    for (size_t i = 0; rc == 0 && i < json_array_size(value); i++) {
        const char *text = json_string_value(json_array_get(value, i));
        const char *fault = text ? field_text_fault(field, text) : "a string";
        if (fault)
            return error_set(err, -EINVAL, "%s[%zu] must be %s", field->key, i, fault);
        strv_add(at, text);
    }
    return rc;
}

static int read_map(const struct field *field, const json_t *value, struct strv *at,
                    struct error *err)
{
    const char *name;
    json_t *item;
    if (!json_is_object(value))
        return field_wrong(err, field->key, "an object");
    if (json_object_size(value) > FIELD_LIST_MAX)
        return error_set(err, -EINVAL, "%s may not have more than %d members", field->key,
                         FIELD_LIST_MAX);
    json_object_foreach((json_t *)(uintptr_t)value, name, item)
    {
        if (!*name || strchr(name, '='))
            return error_set(err, -EINVAL, "%s may not have a member called \"%.64s\"", field->key,
                             name);
        if (!json_is_string(item))
            return error_set(err, -EINVAL, "%s.%.64s must be a string", field->key, name);
        strv_fmt(at, "%s=%s", name, json_string_value(item));
    }
    return 0;
}

static int read_caps(const struct field *field, const json_t *value, uint64_t *at,
                     struct error *err)
{
    uint64_t set = 0, one = 0;
    int rc = field_array(value, field->key, 64, err);
    for (size_t i = 0; rc == 0 && i < json_array_size(value); i++) {
        const char *name = json_string_value(json_array_get(value, i));
        if (!name || !starts_with(name, "CAP_") || caps_parse(name, &one, NULL) < 0)
            return error_set(err, -EINVAL, "%s[%zu] must be the name of a capability", field->key,
                             i);
        set |= one;
    }
    if (rc == 0)
        *at = set;
    return rc;
}

static int read_integer(const struct field *field, const json_t *value, int64_t *number,
                        struct error *err)
{
    if (!json_is_integer(value) || json_integer_value(value) < field->min ||
        json_integer_value(value) > field->max)
        return wrong_number(err, field->key, field->min, field->max);
    *number = json_integer_value(value);
    return 0;
}

static int read_object(const struct field *field, const json_t *value, void *into,
                       struct error *err)
{
    if (!json_is_object(value))
        return field_wrong(err, field->key, "an object");
    int rc = fields_read(field->members, value, into, err);
    return rc < 0 ? field_under(err, rc, field->key) : 0;
}

static int read_field(const struct field *field, const json_t *value, void *into, struct error *err)
{
    void *at = (char *)into + field->at;
    int64_t number = 0;
    int rc;
    switch (field->kind) {
    case FIELD_TEXT:
    case FIELD_CONTENT:
    case FIELD_ID:
    case FIELD_PATH:
    case FIELD_DIGEST:
        return read_text(field, value, at, err);
    case FIELD_BOOL:
        if (!json_is_boolean(value))
            return field_wrong(err, field->key, "true or false");
        *(bool *)at = json_is_true(value);
        return 0;
    case FIELD_I64:
        return read_integer(field, value, at, err);
    case FIELD_U32:
        rc = read_integer(field, value, &number, err);
        if (rc == 0)
            *(uint32_t *)at = (uint32_t)number;
        return rc;
    case FIELD_LIST:
    case FIELD_PATHS:
    case FIELD_DIGESTS:
        return read_list(field, value, at, err);
    case FIELD_MAP:
        return read_map(field, value, at, err);
    case FIELD_CAPS:
        return read_caps(field, value, at, err);
    case FIELD_OBJECT:
        return read_object(field, value, into, err);
    case FIELD_CUSTOM:
        return field->read(value, into, field->key, err);
    }
    return 0;
}

int fields_read(const struct field *table, const json_t *object, void *into, struct error *err)
{
    for (const struct field *field = table; field->key; field++) {
        const json_t *value = json_object_get(object, field->key);
        if (!value || json_is_null(value)) {
            if (field->must)
                return error_set(err, -EINVAL, "%s is missing", field->key);
            continue;
        }
        int rc = read_field(field, value, into, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* --- the whole ---------------------------------------------------------------------------------
 */

int plan_check_whole(const struct plan *plan, struct error *err)
{
    if (!plan->args.len)
        return field_wrong(err, "process.args", "an array of at least one string");
    for (size_t i = 0; i < plan->env.len; i++) {
        const char *equals = strchr(plan->env.items[i], '=');
        if (!equals || equals == plan->env.items[i])
            return error_set(err, -EINVAL, "process.env[%zu] must be NAME=VALUE", i);
    }
    for (size_t i = 0; i < plan->sysctls.len; i++) {
        const char *name = plan->sysctls.items[i];
        size_t length = strcspn(name, "=");
        if (strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./") <
                length ||
            *name == '/' || *name == '.' || strstr(name, ".."))
            return error_set(err, -EINVAL, "linux.sysctl may not have a member called \"%.*s\"",
                             (int)(length < 64 ? length : 64), name);
    }
    if (plan->device_count && !plan->devices[0].path)
        return error_set(err, -EINVAL, "linux.devices is missing");
    if (plan->seccomp == PLAN_SECCOMP_FILE && !plan->seccomp_file)
        return error_set(err, -EINVAL, "caisson.seccomp_file is missing");
    return 0;
}

/*
 * Resource limits without end are 2^64-1 in a runtime-spec configuration, the one number that does
 * not fit a signed one. Outside strings it becomes -1, padded so that columns in errors stay right.
 */
static void make_signed(char *text, size_t length)
{
    static const char endless[] = "18446744073709551615", minus_one[] = "-1                  ";
    const size_t size = sizeof endless - 1;
    bool quoted = false;
    for (size_t i = 0; i < length; i++) {
        if (quoted && text[i] == '\\')
            i++;
        else if (text[i] == '"')
            quoted = !quoted;
        else if (!quoted && text[i] == '1' && length - i >= size && i > 0 &&
                 strchr(": \t\r\n,[", text[i - 1]) && memcmp(text + i, endless, size) == 0 &&
                 (i + size == length || !isdigit((unsigned char)text[i + size])))
            memcpy(text + i, minus_one, size);
    }
}

json_t *plan_parse(const char *text, size_t length, const char *what, struct error *err)
{
    if (length > PLAN_TEXT_MAX) {
        error_set(err, -EFBIG, "%s: is larger than %u bytes", what, PLAN_TEXT_MAX);
        return NULL;
    }
    if (!memmem(text, length, "18446744073709551615", 20))
        return json_parse(text, length, what, err);
    autofree char *copy = xstrndup(text, length);
    /* A NUL ends the copy early, and is no JSON anyway. */
    size_t kept = strlen(copy);
    make_signed(copy, kept);
    return json_parse(kept == length ? copy : text, length, what, err);
}

int plan_read(const char *text, size_t length, struct plan *out, struct error *err)
{
    struct error detail = {0};
    autojson json = plan_parse(text, length, "config.json", err);
    if (!json)
        return length > PLAN_TEXT_MAX ? -EFBIG : -EINVAL;
    if (!json_is_object(json))
        return error_set(err, -EINVAL, "config.json: must be an object");
    struct plan_reading reading = {0};
    plan_init(&reading.plan);
    int rc = fields_read(plan_fields, json, &reading, &detail);
    if (rc == 0)
        rc = plan_check_whole(&reading.plan, &detail);
    if (rc < 0) {
        plan_free(&reading.plan);
        return error_set(err, rc, "config.json: %s", detail.text);
    }
    struct plan *plan = &reading.plan;
    plan->limits.cpuset_cpus = plan->cpuset_cpus;
    plan->limits.cpuset_mems = plan->cpuset_mems;
    plan->limits.devices = plan->device_rules;
    plan->limits.device_count = plan->device_rule_count;
    plan->limits.devices_all = plan->all_devices;
    *out = *plan;
    return 0;
}
