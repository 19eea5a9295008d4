/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/identity.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/memory.h"
#include "base/text.h"

static const struct kind {
    const char *name;
    const char *keys[4]; /* "type", and what else it has */
} kinds[] = {
    [MATCH_REPO_DIGEST_OR_EXACT] = {"matchRepoDigestOrExact", {"type"}},
    [MATCH_EXACT] = {"matchExact", {"type"}},
    [MATCH_REPOSITORY] = {"matchRepository", {"type"}},
    [EXACT_REFERENCE] = {"exactReference", {"type", "dockerReference"}},
    [EXACT_REPOSITORY] = {"exactRepository", {"type", "dockerRepository"}},
    [REMAP_IDENTITY] = {"remapIdentity", {"type", "prefix", "signedPrefix"}},
};
#define KINDS (sizeof kinds / sizeof *kinds)

int json_only(const json_t *object, const char *const *keys, struct error *err)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)object, key, value)
    {
        size_t i = 0;
        while (keys[i] && !streq(keys[i], key))
            i++;
        if (!keys[i])
            return error_set(err, -EINVAL, "unknown key \"%.100s\"", key);
        if (json_is_null(value))
            return error_set(err, -EINVAL, "\"%s\" is null", key);
    }
    return 0;
}

void identity_free(struct identity *identity)
{
    free(identity->reference);
    free(identity->prefix);
    free(identity->signed_prefix);
    *identity = (struct identity){0};
}

const char *identity_name(const struct identity *identity)
{
    return kinds[identity->kind].name;
}

/* --- reading --- */

/* Whether a name stands for more than a repository. */
static bool is_whole(const char *text)
{
    const char *last = strrchr(text, '/') ? strrchr(text, '/') : text;
    return strpbrk(last, ":@") != NULL;
}

static int take_string(const json_t *object, const char *key, char **out, struct error *err)
{
    const char *text = NULL;
    int rc = json_get_string(object, key, &text, err);
    if (rc == 0 && (!text || !*text))
        rc = error_set(err, -EINVAL, "\"%s\" is missing", key);
    if (rc == 0)
        *out = xstrdup(text);
    return rc;
}

static int take_reference(const json_t *object, const char *key, bool whole, char **out,
                          struct error *err)
{
    autoreference ref = {0};
    int rc = take_string(object, key, out, err);
    if (rc == 0)
        rc = reference_parse(*out, &ref, err);
    if (rc == 0 && is_whole(*out) != whole)
        rc =
            error_set(err, -EINVAL, "\"%.200s\" %s", *out,
                      whole ? "has neither tag nor digest" : "is no repository: leave the tag out");
    return rc < 0 ? error_prefix(err, "\"%s\"", key) : 0;
}

static int take_fields(const json_t *object, struct identity *out, struct error *err)
{
    int rc = 0;
    if (out->kind == EXACT_REFERENCE)
        return take_reference(object, "dockerReference", true, &out->reference, err);
    if (out->kind == EXACT_REPOSITORY)
        return take_reference(object, "dockerRepository", false, &out->reference, err);
    if (out->kind == REMAP_IDENTITY) {
        rc = take_string(object, "prefix", &out->prefix, err);
        if (rc == 0)
            rc = take_string(object, "signedPrefix", &out->signed_prefix, err);
    }
    return rc;
}

int identity_parse(const json_t *object, struct identity *out, struct error *err)
{
    const char *type = NULL;
    struct identity identity = {.said = true};
    int rc = json_get_string(object, "type", &type, err);
    if (rc < 0)
        return rc;
    if (!type)
        return error_set(err, -EINVAL, "\"type\" is missing");
    while (identity.kind < KINDS && !streq(kinds[identity.kind].name, type))
        identity.kind++;
    if (identity.kind == KINDS)
        return error_set(err, -EINVAL, "unknown type \"%.100s\"", type);
    rc = json_only(object, kinds[identity.kind].keys, err);
    if (rc == 0)
        rc = take_fields(object, &identity, err);
    if (rc < 0) {
        identity_free(&identity);
        return rc;
    }
    *out = identity;
    return 0;
}

/* --- matching --- */

static bool same_repository(const struct reference *a, const struct reference *b)
{
    return streq(a->domain, b->domain) && streq(a->path, b->path);
}

static bool same(const struct reference *a, const struct reference *b)
{
    return same_repository(a, b) && streq(a->digest, b->digest) &&
           (a->digest[0] || streq(a->tag, b->tag));
}

/* What is pulled by its digest needs no other word for what it is. */
static bool repository_or_exact(const struct reference *pulled, const struct reference *claimed)
{
    return pulled->digest[0] ? same_repository(pulled, claimed) : same(pulled, claimed);
}

/* *out becomes the name that has to be signed for what is pulled; -EINVAL: there is no such name.
 */
static int remap(const struct identity *identity, const struct reference *pulled,
                 struct reference *out)
{
    autofree char *name = xasprintf("%s/%s", pulled->domain, pulled->path);
    size_t length = strlen(identity->prefix);
    bool inside = strncmp(name, identity->prefix, length) == 0 &&
                  (name[length] == '/' || name[length] == '\0');
    autofree char *mapped =
        xasprintf("%s%s%s%s", inside ? identity->signed_prefix : "", inside ? name + length : name,
                  pulled->digest[0] ? "@" : ":", reference_version(pulled));
    return reference_parse(mapped, out, NULL);
}

static bool matches_exact_reference(const char *wanted, const struct reference *claimed)
{
    autoreference ref = {0};
    return reference_parse(wanted, &ref, NULL) == 0 && same(&ref, claimed);
}

static bool matches_exact_repository(const char *wanted, const struct reference *claimed)
{
    autoreference ref = {0};
    return reference_parse(wanted, &ref, NULL) == 0 && same_repository(&ref, claimed);
}

static bool matches_remapped(const struct identity *identity, const struct reference *pulled,
                             const struct reference *claimed)
{
    autoreference mapped = {0};
    return remap(identity, pulled, &mapped) == 0 && repository_or_exact(&mapped, claimed);
}

bool identity_matches(const struct identity *identity, const struct reference *pulled,
                      const char *text)
{
    autoreference claimed = {0};
    if (reference_parse(text, &claimed, NULL) < 0)
        return false;
    if (identity->kind == EXACT_REPOSITORY)
        return matches_exact_repository(identity->reference, &claimed);
    if (identity->kind == MATCH_REPOSITORY)
        return same_repository(pulled, &claimed);
    /* All others are about a tag or digest, and "latest" is not one that was signed. */
    if (!is_whole(text))
        return false;
    switch (identity->kind) {
    case MATCH_EXACT:
        return same(pulled, &claimed);
    case EXACT_REFERENCE:
        return matches_exact_reference(identity->reference, &claimed);
    case REMAP_IDENTITY:
        return matches_remapped(identity, pulled, &claimed);
    default:
        return repository_or_exact(pulled, &claimed);
    }
}
