/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether a plan can be kept: what plan_read() would refuse is refused before anything runs, for a
 * container whose config.json cannot be read can neither be stopped nor looked at. An image has a
 * say in much of a plan, and flags in the rest.
 *
 * Reading everything back would cost a start a twentieth of its time. So this walks the same tables
 * over the struct, with the same rules for texts; a test holds the two together.
 */
#include <limits.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/memory.h"
#include "path/inroot.h"
#include "runtime/plan_fields.h"

static int check_text(const struct field *field, const char *text, struct error *err)
{
    if (!text)
        return field->must ? error_set(err, -EINVAL, "%s is missing", field->key) : 0;
    if (field->kind == FIELD_CONTENT)
        return 0;
    const char *fault = json_keeps(text) ? field_text_fault(field, text) : "valid UTF-8";
    return fault ? field_wrong(err, field->key, fault) : 0;
}

static int check_list(const struct field *field, const struct strv *list, struct error *err)
{
    if (list->len > FIELD_LIST_MAX)
        return error_set(err, -E2BIG, "%s may not have more than %d elements", field->key,
                         FIELD_LIST_MAX);
    for (size_t i = 0; field->kind != FIELD_LIST && i < list->len; i++) {
        int rc = check_text(field, list->items[i], err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* Of equal names the last is written; names that are not UTF-8 would become equal. */
static int check_map(const struct field *field, const struct strv *map, struct error *err)
{
    if (map->len > FIELD_LIST_MAX)
        return error_set(err, -E2BIG, "%s may not have more than %d members", field->key,
                         FIELD_LIST_MAX);
    for (size_t i = 0; i < map->len; i++) {
        const char *item = map->items[i];
        if (!*item || *item == '=')
            return error_set(err, -EINVAL, "%s has a member without a name", field->key);
        if (!json_keeps(item))
            return error_set(err, -EINVAL, "%s has a member that is not valid UTF-8", field->key);
    }
    return 0;
}

static int check_number(const struct field *field, int64_t value, struct error *err)
{
    if (value <= field->max)
        return 0;
    return error_set(err, -ERANGE, "%s may not be more than %lld", field->key,
                     (long long)field->max);
}

static int check_fields(const struct field *table, const void *from, struct error *err);

static int check_field(const struct field *field, const void *from, struct error *err)
{
    const void *at = (const char *)from + field->at;
    int rc;
    switch (field->kind) {
    case FIELD_TEXT:
    case FIELD_CONTENT:
    case FIELD_ID:
    case FIELD_PATH:
    case FIELD_DIGEST:
        return check_text(field, *(char *const *)at, err);
    case FIELD_I64:
        return check_number(field, *(const int64_t *)at, err);
    case FIELD_U32:
        return check_number(field, *(const uint32_t *)at, err);
    case FIELD_LIST:
    case FIELD_PATHS:
    case FIELD_DIGESTS:
        return check_list(field, at, err);
    case FIELD_MAP:
        return check_map(field, at, err);
    case FIELD_OBJECT:
        rc = check_fields(field->members, from, err);
        return rc < 0 ? field_under(err, rc, field->key) : 0;
    case FIELD_BOOL:
    case FIELD_CAPS:
    case FIELD_CUSTOM:
        return 0;
    }
    return 0;
}

static int check_fields(const struct field *table, const void *from, struct error *err)
{
    int rc = 0;
    for (const struct field *field = table; rc == 0 && field->key; field++)
        rc = check_field(field, from, err);
    return rc;
}

/* A path that comes back as it is, and not, with other bytes, longer. */
static bool path_keeps(const char *path)
{
    char clean[INROOT_PATH_MAX];
    return path && json_keeps(path) && inroot_clean(path, "path", clean, NULL) == 0;
}

/* A source on the host may have any bytes; each that is not UTF-8 becomes three. */
static bool source_keeps(const struct plan_mount *m)
{
    switch (m->kind) {
    case PLAN_BIND:
        return m->source && *m->source == '/' &&
               strlen(m->source) * (json_keeps(m->source) ? 1 : 3) < INROOT_PATH_MAX;
    case PLAN_VOLUME:
        return m->source && field_is_volume(m->source);
    case PLAN_IMAGE:
        return m->source && digest_valid(m->source) && m->manifest && digest_valid(m->manifest);
    case PLAN_TMPFS:
        return true;
    }
    return false;
}

/* Relative, and clean already. */
static bool subpath_keeps(const char *subpath)
{
    char clean[INROOT_PATH_MAX];
    autofree char *path = xasprintf("/%s", subpath);
    return json_keeps(subpath) && inroot_clean(path, "path", clean, NULL) == 0 &&
           clean[1] != '\0' && strcmp(clean + 1, subpath) == 0;
}

static int check_mount(const struct plan_mount *m, struct error *err)
{
    if (!path_keeps(m->target) || strspn(m->target, "/") == strlen(m->target))
        return field_wrong(err, "destination", "an absolute path of valid UTF-8 below /");
    if (!source_keeps(m))
        return field_wrong(err, "source", "a path that is not too long, or a valid name");
    if (m->subpath && !subpath_keeps(m->subpath))
        return field_wrong(err, "options", "with a relative subpath of valid UTF-8");
    return m->data && !json_keeps(m->data) ? field_wrong(err, "options", "valid UTF-8") : 0;
}

/* What has functions of its own in the tables. */
static int check_parts(const struct plan *plan, struct error *err)
{
    int rc = 0;
    if (plan->group_count > NGROUPS_MAX)
        return error_set(err, -E2BIG, "process.user.additionalGids may not have more than %d",
                         NGROUPS_MAX);
    for (size_t i = 0; rc == 0 && i < plan->posture.count; i++) {
        rc = check_fields(protection_fields, &plan->posture.items[i], err);
        if (rc < 0)
            return field_under_item(err, rc, "caisson.posture", i);
    }
    for (size_t i = 0; rc == 0 && i < plan->mount_count; i++) {
        rc = check_mount(&plan->mounts[i], err);
        if (rc < 0)
            return field_under_item(err, rc, "mounts", i);
    }
    for (size_t i = 0; i < plan->device_count; i++)
        if (!path_keeps(plan->devices[i].host) || !path_keeps(plan->devices[i].path))
            return field_under_item(err,
                                    field_wrong(err, "path", "an absolute path of valid UTF-8"),
                                    "linux.devices", i);
    if (plan->label.value && !json_keeps(plan->label.value))
        return error_set(err, -EINVAL, "the security label must be valid UTF-8");
    return 0;
}

int plan_check(const struct plan *plan, struct error *err)
{
    struct error detail = {0};
    int rc = check_fields(plan_fields, plan, &detail);
    if (rc == 0)
        rc = check_parts(plan, &detail);
    if (rc == 0)
        rc = plan_check_whole(plan, &detail);
    return rc < 0 ? error_set(err, rc,
                              "nobody could look at this container again: config.json: %s; change "
                              "the flag or the image that it comes from",
                              detail.text)
                  : 0;
}

int plan_write_checked(const struct plan *plan, size_t max, struct buf *out, struct error *err)
{
    plan_write(plan, 0, out);
    if (out->len <= max)
        return 0;
    return error_set(err, -EFBIG,
                     "the container's config.json would have %zu bytes, more than %zu: the "
                     "labels, variables or words of the image and the flags, or the image's "
                     "/etc/passwd and /etc/group, are too long",
                     out->len, max);
}
