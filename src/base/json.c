/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"

#include <inttypes.h>
#include <sys/auxv.h>

json_t *json_parse(const char *text, size_t length, const char *what, struct error *err)
{
    json_error_t detail;
    /* jansson would open /dev/urandom; the kernel's auxiliary vector has random bytes for us. */
    static bool seeded;
    if (!seeded) {
        size_t seed = 0;
        const void *random = (const void *)(uintptr_t)getauxval(AT_RANDOM);
        if (random)
            memcpy(&seed, random, sizeof seed);
        json_object_seed(seed | 1);
        seeded = true;
    }
    json_t *json = json_loadb(text, length, JSON_REJECT_DUPLICATES, &detail);
    if (!json)
        error_set(err, -EINVAL, "%s is not valid JSON: line %d, column %d: %s", what, detail.line,
                  detail.column, detail.text);
    return json;
}

/* The member, with null and absence alike NULL; a sentence when `object` is none. */
static int member(const json_t *object, const char *key, json_t **value, struct error *err)
{
    if (!json_is_object(object))
        return error_set(err, -EINVAL, "an object with \"%s\" was expected", key);
    json_t *found = json_object_get(object, key);
    *value = json_is_null(found) ? NULL : found;
    return 0;
}

int json_get_string(const json_t *object, const char *key, const char **value, struct error *err)
{
    json_t *found = NULL;
    int rc = member(object, key, &found, err);
    if (rc < 0 || !found)
        return rc;
    if (!json_is_string(found) || strlen(json_string_value(found)) != json_string_length(found))
        return error_set(err, -EINVAL, "\"%s\" must be a string", key);
    *value = json_string_value(found);
    return 0;
}

int json_get_object(const json_t *object, const char *key, json_t **value, struct error *err)
{
    json_t *found = NULL;
    int rc = member(object, key, &found, err);
    if (rc < 0 || !found)
        return rc;
    if (!json_is_object(found))
        return error_set(err, -EINVAL, "\"%s\" must be an object", key);
    *value = found;
    return 0;
}

int json_get_array(const json_t *object, const char *key, json_t **value, struct error *err)
{
    json_t *found = NULL;
    int rc = member(object, key, &found, err);
    if (rc < 0 || !found)
        return rc;
    if (!json_is_array(found))
        return error_set(err, -EINVAL, "\"%s\" must be an array", key);
    *value = found;
    return 0;
}

int json_get_bool(const json_t *object, const char *key, bool *value, struct error *err)
{
    json_t *found = NULL;
    int rc = member(object, key, &found, err);
    if (rc < 0 || !found)
        return rc;
    if (!json_is_boolean(found))
        return error_set(err, -EINVAL, "\"%s\" must be true or false", key);
    *value = json_is_true(found);
    return 0;
}

int json_get_i64(const json_t *object, const char *key, int64_t *value, struct error *err)
{
    json_t *found = NULL;
    int rc = member(object, key, &found, err);
    if (rc < 0 || !found)
        return rc;
    if (!json_is_integer(found))
        return error_set(err, -EINVAL, "\"%s\" must be a whole number", key);
    *value = json_integer_value(found);
    return 0;
}

int json_get_strings(const json_t *object, const char *key, struct strv *value, struct error *err)
{
    json_t *array = NULL, *item;
    int rc = json_get_array(object, key, &array, err);
    if (rc < 0 || !array)
        return rc;
    size_t i;
    json_array_foreach(array, i, item)
    {
        if (!json_is_string(item) || strlen(json_string_value(item)) != json_string_length(item))
            return error_set(err, -EINVAL, "\"%s\" must hold only strings", key);
        strv_add(value, json_string_value(item));
    }
    return 0;
}
