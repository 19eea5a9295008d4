/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/policy.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "base/memory.h"
#include "base/text.h"
#include "registry/conf.h"

#define SYSTEM_FILE "/etc/containers/policy.json"
#define TRANSPORT "docker"
#define KEYS_MAX 64

struct policy {
    char *file;
    struct rules standard; /* "default" */
    struct rules *scopes;  /* of TRANSPORT */
    size_t count;
};

/* --- freeing --- */

static void rules_free(struct rules *rules)
{
    for (size_t i = 0; i < rules->count; i++) {
        struct requirement *r = &rules->items[i];
        free(r->what);
        strv_free(&r->files);
        free(r->keys);
        free(r->broken);
        identity_free(&r->identity);
    }
    free(rules->items);
    free(rules->scope);
    *rules = (struct rules){0};
}

void policy_free(struct policy *policy)
{
    if (!policy)
        return;
    rules_free(&policy->standard);
    for (size_t i = 0; i < policy->count; i++)
        rules_free(&policy->scopes[i]);
    free(policy->scopes);
    free(policy->file);
    free(policy);
}

/* --- keys --- */

static void add_key(struct requirement *r, const struct public_key *key)
{
    r->keys = xrealloc(r->keys, r->key_count + 1, sizeof *r->keys);
    r->keys[r->key_count++] = *key;
}

/* keyData: base 64 of a PEM file. */
static int add_data(struct requirement *r, const char *text, struct error *err)
{
    struct public_key key;
    autobuf pem = {0};
    if (base64_decode(text, strlen(text), &pem) < 0)
        return error_set(err, -EINVAL, "it is no base 64");
    int rc = public_key_parse(buf_text(&pem), pem.len, "a key in the policy", &key, err);
    if (rc == 0)
        add_key(r, &key);
    return rc;
}

static int add_source(struct requirement *r, const char *key, const char *text, struct error *err)
{
    int rc = 0;
    if (r->files.len + r->key_count == KEYS_MAX)
        rc = error_set(err, -E2BIG, "more than %d keys", KEYS_MAX);
    else if (starts_with(key, "keyData"))
        rc = add_data(r, text, err);
    else if (*text != '/')
        rc = error_set(err, -EINVAL, "\"%.200s\" is no absolute path", text);
    else
        strv_add(&r->files, text);
    return rc < 0 ? error_prefix(err, "\"%s\"", key) : 0;
}

static int add_sources(struct requirement *r, const json_t *object, const char *key,
                       struct error *err)
{
    autostrv texts = {0};
    const char *text = NULL;
    int rc = ends_with(key, "s") ? json_get_strings(object, key, &texts, err)
                                 : json_get_string(object, key, &text, err);
    if (text)
        strv_add(&texts, text);
    if (rc == 0 && texts.len == 0)
        rc = error_set(err, -EINVAL, "\"%s\" names no key", key);
    for (size_t i = 0; rc == 0 && i < texts.len; i++)
        rc = add_source(r, key, texts.items[i], err);
    return rc;
}

static void read_files(struct rules *rules)
{
    for (size_t i = 0; i < rules->count; i++) {
        struct requirement *r = &rules->items[i];
        for (size_t k = 0; !r->broken && k < r->files.len; k++) {
            struct public_key key;
            struct error why = {0};
            if (public_key_read(r->files.items[k], &key, &why) == 0)
                add_key(r, &key);
            else
                r->broken = xstrdup(why.text);
        }
    }
}

/* One that cannot be read is an error of the images that it is needed for. */
void policy_read_keys(struct policy *policy)
{
    read_files(&policy->standard);
    for (size_t i = 0; i < policy->count; i++)
        read_files(&policy->scopes[i]);
}

struct policy *policy_of_keys(const struct public_key *keys, size_t count)
{
    struct policy *policy = xcalloc(1, sizeof *policy);
    struct requirement *r = xcalloc(1, sizeof *r);
    r->kind = REQUIRE_SIGNATURE;
    r->identity.kind = MATCH_REPOSITORY;
    for (size_t i = 0; i < count; i++)
        add_key(r, &keys[i]);
    policy->standard.items = r;
    policy->standard.count = 1;
    return policy;
}

/* --- requirements --- */

/* Which keys say who has to have signed: exactly one of them is there. */
static int find_source(const json_t *object, const char **source, struct error *err)
{
    static const char *const sources[] = {"keyPath", "keyPaths", "keyData", "keyDatas",
                                          "fulcio",  "pki",      NULL};
    for (size_t i = 0; sources[i]; i++) {
        if (!json_object_get(object, sources[i]))
            continue;
        if (*source)
            return error_set(err, -EINVAL, "\"%s\" and \"%s\" contradict each other", *source,
                             sources[i]);
        *source = sources[i];
    }
    return *source ? 0
                   : error_set(err, -EINVAL,
                               "one of \"keyPath\", \"keyPaths\", \"keyData\", \"keyDatas\", "
                               "\"fulcio\" and \"pki\" has to be there");
}

static void not_done(struct requirement *r, const char *what)
{
    r->kind = REQUIRE_UNKNOWN;
    r->what = xstrdup(what);
}

static int parse_sigstore(const json_t *object, struct requirement *r, struct error *err)
{
    static const char *const keys[] = {"type",
                                       "keyPath",
                                       "keyPaths",
                                       "keyData",
                                       "keyDatas",
                                       "fulcio",
                                       "pki",
                                       "signedIdentity",
                                       "rekorPublicKeyPath",
                                       "rekorPublicKeyPaths",
                                       "rekorPublicKeyData",
                                       "rekorPublicKeyDatas",
                                       NULL};
    const char *source = NULL;
    json_t *identity = NULL;
    int rc = json_only(object, keys, err);
    if (rc == 0)
        rc = find_source(object, &source, err);
    if (rc == 0)
        rc = json_get_object(object, "signedIdentity", &identity, err);
    if (rc == 0 && identity && (rc = identity_parse(identity, &r->identity, err)) < 0)
        error_prefix(err, "\"signedIdentity\"");
    if (rc < 0)
        return rc;
    r->kind = REQUIRE_SIGNATURE;
    if (streq(source, "fulcio"))
        not_done(r, "certificates of Fulcio (\"fulcio\")");
    else if (streq(source, "pki"))
        not_done(r, "certificates (\"pki\")");
    else
        rc = add_sources(r, object, source, err);
    for (size_t i = 8; rc == 0 && r->kind != REQUIRE_UNKNOWN && keys[i]; i++)
        if (json_object_get(object, keys[i]))
            not_done(r, "entries of the log Rekor (\"rekorPublicKey…\")");
    return rc;
}

static int parse_gpg(const json_t *object, struct requirement *r, struct error *err)
{
    static const char *const keys[] = {"type",    "keyType",        "keyPath", "keyPaths",
                                       "keyData", "signedIdentity", NULL};
    static const char *const known[] = {"GPGKeys", "signedByGPGKeys", "X509Certificates",
                                        "signedByX509CAs", NULL};
    const char *type = NULL;
    json_t *identity = NULL;
    int rc = json_only(object, keys, err);
    if (rc == 0)
        rc = json_get_string(object, "keyType", &type, err);
    if (rc == 0 && !type)
        rc = error_set(err, -EINVAL, "\"keyType\" is missing");
    for (size_t i = 0; rc == 0 && !streq(known[i], type); i++)
        if (!known[i])
            rc = error_set(err, -EINVAL, "unknown \"keyType\": \"%.100s\"", type);
    if (rc == 0)
        rc = json_get_object(object, "signedIdentity", &identity, err);
    if (rc == 0 && identity && (rc = identity_parse(identity, &r->identity, err)) < 0)
        error_prefix(err, "\"signedIdentity\"");
    not_done(r, "signatures by GPG (\"signedBy\")");
    return rc;
}

static int parse_base_layer(const json_t *object, struct requirement *r, struct error *err)
{
    static const char *const keys[] = {"type", "baseLayerIdentity", NULL};
    not_done(r, "signatures of base layers (\"signedBaseLayer\")");
    return json_only(object, keys, err);
}

static int parse_plain(const json_t *object, struct error *err)
{
    static const char *const keys[] = {"type", NULL};
    return json_only(object, keys, err);
}

static int parse_requirement(const json_t *object, struct requirement *r, struct error *err)
{
    const char *type = NULL;
    int rc = json_get_string(object, "type", &type, err);
    if (rc < 0)
        return rc;
    if (!type)
        return error_set(err, -EINVAL, "\"type\" is missing");
    if (streq(type, "insecureAcceptAnything") || streq(type, "reject")) {
        r->kind = streq(type, "reject") ? REQUIRE_REJECT : REQUIRE_NOTHING;
        return parse_plain(object, err);
    }
    if (streq(type, "sigstoreSigned"))
        return parse_sigstore(object, r, err);
    if (streq(type, "signedBy"))
        return parse_gpg(object, r, err);
    if (streq(type, "signedBaseLayer"))
        return parse_base_layer(object, r, err);
    return error_set(err, -EINVAL, "unknown type \"%.100s\"", type);
}

static int parse_rules(const json_t *list, struct rules *rules, struct error *err)
{
    size_t count = json_array_size(list);
    if (!json_is_array(list) || count == 0)
        return error_set(err, -EINVAL,
                         "a list of requirements is needed, such as [{\"type\": \"reject\"}]");
    rules->items = xcalloc(count, sizeof *rules->items);
    for (size_t i = 0; i < count; i++) {
        int rc = parse_requirement(json_array_get(list, i), &rules->items[rules->count++], err);
        if (rc < 0)
            return error_prefix(err, "requirement %zu", i + 1);
    }
    return 0;
}

/* --- the file --- */

static const struct rules *find(const struct policy *policy, const char *scope)
{
    for (size_t i = 0; i < policy->count; i++)
        if (streq(policy->scopes[i].scope, scope))
            return &policy->scopes[i];
    return NULL;
}

static int parse_scopes(const char *transport, const json_t *object, struct policy *policy,
                        struct error *err)
{
    const char *scope;
    json_t *list;
    bool ours = streq(transport, TRANSPORT);
    if (!json_is_object(object))
        return error_set(err, -EINVAL, "\"transports\", \"%.100s\": an object of scopes is needed",
                         transport);
    json_object_foreach((json_t *)object, scope, list)
    {
        struct rules rules = {.scope = xstrdup(scope)};
        reference_plain_host(rules.scope);
        int rc = ours && find(policy, rules.scope)
                     ? error_set(err, -EINVAL, "the scope is there twice")
                     : parse_rules(list, &rules, err);
        if (rc == 0 && ours) {
            policy->scopes = xrealloc(policy->scopes, policy->count + 1, sizeof rules);
            policy->scopes[policy->count++] = rules;
            continue;
        }
        rules_free(&rules);
        if (rc < 0)
            return error_prefix(err, "\"transports\", \"%.100s\", scope \"%.200s\"", transport,
                                scope);
    }
    return 0;
}

static int parse_root(const json_t *root, struct policy *policy, struct error *err)
{
    static const char *const keys[] = {"default", "transports", NULL};
    const char *name;
    json_t *transports = NULL, *scopes;
    if (!json_is_object(root))
        return error_set(err, -EINVAL, "an object is needed");
    int rc = json_only(root, keys, err);
    if (rc == 0 && (rc = parse_rules(json_object_get(root, "default"), &policy->standard, err)) < 0)
        error_prefix(err, "\"default\"");
    if (rc == 0)
        rc = json_get_object(root, "transports", &transports, err);
    if (rc < 0 || !transports)
        return rc;
    json_object_foreach(transports, name, scopes)
    {
        rc = parse_scopes(name, scopes, policy, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

int policy_parse(const char *text, size_t length, const char *file, struct policy **out,
                 struct error *err)
{
    autopolicy policy = xcalloc(1, sizeof *policy);
    autojson root = json_parse(text, length, file, err);
    if (!root)
        return -EINVAL;
    policy->file = xstrdup(file);
    int rc = parse_root(root, policy, err);
    if (rc < 0)
        return error_prefix(err, "%s", file);
    *out = take_ptr(policy);
    return 0;
}

static int read_path(const char *path, struct policy **out, struct error *err)
{
    autobuf text = {0};
    int rc = read_named_file(path, POLICY_MAX, &text);
    if (rc < 0)
        return error_set(err, rc, "cannot read the policy %s: %s", path, error_describe(rc));
    rc = policy_parse(buf_text(&text), text.len, path, out, err);
    if (rc == 0)
        policy_read_keys(*out);
    return rc;
}

int policy_read(const char *named, struct policy **out, struct error *err)
{
    const char *variable = getenv("CONTAINERS_POLICY"), *home = own_directory("HOME");
    if (!named && variable && *variable)
        named = variable;
    if (named)
        return read_path(named, out, err);
    autofree char *own = home ? xasprintf("%s/.config/containers/policy.json", home) : NULL;
    const char *const places[] = {own, SYSTEM_FILE};
    for (size_t i = 0; i < 2; i++) {
        struct error why = {0};
        int rc = places[i] ? read_path(places[i], out, &why) : -ENOENT;
        if (rc == 0)
            return 0;
        /* A link that leads nowhere was meant to be a policy. */
        if ((rc != -ENOENT && rc != -ENOTDIR) ||
            (places[i] && faccessat(AT_FDCWD, places[i], F_OK, AT_SYMLINK_NOFOLLOW) == 0))
            return error_set(err, rc, "%s", why.text);
    }
    struct policy *shipped = xcalloc(1, sizeof *shipped);
    shipped->standard.items = xcalloc(1, sizeof *shipped->standard.items);
    shipped->standard.count = 1;
    *out = shipped;
    return 0;
}

const char *policy_file(const struct policy *policy)
{
    return policy->file;
}

/* --- which rules --- */

/* Its image, its repository, the namespaces above, the host, "*." and what follows a dot of the
 * host; then the transport's, then the file's. */
const struct rules *policy_rules(const struct policy *policy, const struct reference *ref)
{
    autofree char *name = xasprintf("%s/%s", ref->domain, ref->path);
    autobuf whole = {0};
    reference_exact(ref, &whole);
    const struct rules *rules = find(policy, buf_text(&whole));
    while (!rules) {
        rules = find(policy, name);
        char *slash = strrchr(name, '/');
        if (!slash)
            break;
        *slash = '\0';
    }
    for (const char *dot = strchr(ref->domain, '.'); !rules && dot; dot = strchr(dot + 1, '.')) {
        autofree char *scope = xasprintf("*%s", dot);
        rules = find(policy, scope);
    }
    if (!rules)
        rules = find(policy, "");
    return rules ? rules : &policy->standard;
}
