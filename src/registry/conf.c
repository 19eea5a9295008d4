/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/conf.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/memory.h"
#include "base/text.h"
#include "registry/toml.h"

#define FILES_MAX 200 /* of one registries.conf.d */
#define DOCKER_HOST "registry-1.docker.io"

/* When a mirror is asked. */
enum when { WHEN_ALL, WHEN_DIGEST, WHEN_TAG };

struct source {
    char *location;
    bool insecure;
    enum when when;
};

struct registry {
    char *prefix, *file;
    struct source own; /* its location is NULL when it is the prefix */
    bool blocked, by_digest;
    struct source *mirrors;
    size_t mirror_count;
};

struct conf {
    struct registry *registries;
    size_t count;
    struct strv aliases; /* "name=target" */
};

static void registry_free(struct registry *r)
{
    for (size_t i = 0; i < r->mirror_count; i++)
        free(r->mirrors[i].location);
    free(r->mirrors);
    free(r->own.location);
    free(r->prefix);
    free(r->file);
}

void conf_free(struct conf *conf)
{
    for (size_t i = 0; conf && i < conf->count; i++)
        registry_free(&conf->registries[i]);
    if (conf) {
        free(conf->registries);
        strv_free(&conf->aliases);
    }
    free(conf);
}

/* --- reading --- */

/* "https://host/path/" is a mistake that many make. */
static int read_location(const json_t *table, const char *key, char **out, struct error *err)
{
    const char *text = NULL;
    int rc = json_get_string(table, key, &text, err);
    if (rc < 0 || !text || !*text)
        return rc;
    if (strstr(text, "://"))
        return error_set(err, -EINVAL, "%s = \"%.200s\": leave out what stands before the host",
                         key, text);
    size_t length = strlen(text);
    while (length > 0 && text[length - 1] == '/')
        length--;
    for (const char *c = text; *c; c++)
        if ((unsigned char)*c <= ' ' || *c == '@' || *c == '?' || *c == '#' || *c == '\\')
            return error_set(err, -EINVAL, "%s = \"%.200s\" is no registry", key, text);
    *out = xstrndup(text, length);
    return 0;
}

static int read_mirror(const json_t *table, struct registry *r, struct error *err)
{
    struct source mirror = {0};
    const char *when = NULL;
    int rc = json_is_object(table)
                 ? read_location(table, "location", &mirror.location, err)
                 : error_set(err, -EINVAL, "mirror is a table: [[registry.mirror]]");
    if (rc == 0 && !mirror.location)
        rc = error_set(err, -EINVAL, "a mirror of %s without location", r->prefix);
    if (rc == 0)
        rc = json_get_bool(table, "insecure", &mirror.insecure, err);
    if (rc == 0)
        rc = json_get_string(table, "pull-from-mirror", &when, err);
    if (rc == 0 && when) {
        if (streq(when, "digest-only"))
            mirror.when = WHEN_DIGEST;
        else if (streq(when, "tag-only"))
            mirror.when = WHEN_TAG;
        else if (!streq(when, "all"))
            rc = error_set(err, -EINVAL,
                           "pull-from-mirror = \"%.40s\": one of all, digest-only, tag-only", when);
    }
    if (rc == 0 && r->by_digest)
        mirror.when = WHEN_DIGEST;
    if (rc < 0) {
        free(mirror.location);
        return rc;
    }
    r->mirrors = xrealloc(r->mirrors, r->mirror_count + 1, sizeof *r->mirrors);
    r->mirrors[r->mirror_count++] = mirror;
    return 0;
}

static int read_fields(const json_t *table, struct registry *r, struct error *err)
{
    json_t *mirrors = NULL;
    int rc = read_location(table, "location", &r->own.location, err);
    if (rc == 0)
        rc = read_location(table, "prefix", &r->prefix, err);
    if (rc == 0 && !r->prefix && r->own.location)
        r->prefix = xstrdup(r->own.location);
    if (rc == 0 && !r->prefix)
        rc = error_set(err, -EINVAL, "a [[registry]] has neither prefix nor location");
    if (rc == 0 && starts_with(r->prefix, "*.") && strchr(r->prefix, '/'))
        rc = error_set(err, -EINVAL, "prefix = \"%.200s\": \"*.\" goes with a host alone",
                       r->prefix);
    if (rc == 0)
        rc = json_get_bool(table, "insecure", &r->own.insecure, err);
    if (rc == 0)
        rc = json_get_bool(table, "blocked", &r->blocked, err);
    if (rc == 0)
        rc = json_get_bool(table, "mirror-by-digest-only", &r->by_digest, err);
    if (rc == 0)
        rc = json_get_array(table, "mirror", &mirrors, err);
    for (size_t i = 0; rc == 0 && i < json_array_size(mirrors); i++)
        rc = read_mirror(json_array_get(mirrors, i), r, err);
    return rc;
}

/* A later file's entry for the same prefix replaces an earlier one's. */
static void put(struct conf *conf, const struct registry *r)
{
    for (size_t i = 0; i < conf->count; i++)
        if (streq(conf->registries[i].prefix, r->prefix)) {
            registry_free(&conf->registries[i]);
            conf->registries[i] = *r;
            return;
        }
    conf->registries = xrealloc(conf->registries, conf->count + 1, sizeof *conf->registries);
    conf->registries[conf->count++] = *r;
}

static int read_registries(const json_t *root, const char *file, struct conf *conf,
                           struct error *err)
{
    json_t *list = NULL;
    if (json_object_get(root, "registries"))
        return error_set(err, -EINVAL,
                         "this is version 1 of the format ([registries.…]), which is not read "
                         "any more: write [[registry]] tables");
    int rc = json_get_array(root, "registry", &list, err);
    for (size_t i = 0; rc == 0 && i < json_array_size(list); i++) {
        struct registry r = {.file = xstrdup(file)};
        rc = read_fields(json_array_get(list, i), &r, err);
        if (rc == 0) {
            reference_plain_host(r.prefix);
            put(conf, &r);
        } else
            registry_free(&r);
    }
    return rc;
}

static int read_aliases(const json_t *root, struct conf *conf, struct error *err)
{
    json_t *table = NULL, *value;
    const char *name;
    int rc = json_get_object(root, "aliases", &table, err);
    if (rc < 0 || !table)
        return rc;
    json_object_foreach(table, name, value)
    {
        const char *target = json_string_value(value);
        if (!target || strchr(name, '='))
            return error_set(err, -EINVAL, "the alias \"%.100s\" stands for no name", name);
        strv_fmt(&conf->aliases, "%s=%s", name, target);
    }
    return 0;
}

int conf_parse(const char *text, size_t length, const char *file, struct conf **conf,
               struct error *err)
{
    autojson root = toml_parse(text, length, file, err);
    if (!root)
        return -EINVAL;
    if (!*conf)
        *conf = xcalloc(1, sizeof **conf);
    int rc = read_registries(root, file, *conf, err);
    if (rc == 0)
        rc = read_aliases(root, *conf, err);
    return rc < 0 ? error_prefix(err, "%s", file) : 0;
}

/* --- files --- */

const char *own_directory(const char *variable)
{
    const char *path = getenv(variable);
    struct stat st;
    if (!path || *path != '/' || stat(path, &st) < 0)
        return path && *path == '/' && errno == ENOENT ? path : NULL;
    return st.st_uid == geteuid() ? path : NULL;
}

/* A missing file says nothing. */
static int read_path(const char *path, struct conf **conf, bool *found, struct error *err)
{
    autobuf text = {0};
    int rc = read_named_file(path, TOML_MAX, &text);
    if (rc == -ENOENT || rc == -ENOTDIR)
        return 0;
    if (rc < 0)
        return error_set(err, rc, "cannot read %s: %s", path, error_describe(rc));
    *found = true;
    return conf_parse(buf_text(&text), text.len, path, conf, err);
}

static int is_conf(const struct dirent *entry)
{
    return entry->d_name[0] != '.' && ends_with(entry->d_name, ".conf");
}

static int read_directory(const char *path, struct conf **conf, struct error *err)
{
    struct dirent **entries = NULL;
    bool found;
    int count = scandir(path, &entries, is_conf, alphasort), rc = 0;
    if (count < 0 && errno != ENOENT && errno != ENOTDIR)
        return error_errno(err, "cannot read %s", path);
    for (int i = 0; i < count; i++) {
        autofree char *file = xasprintf("%s/%s", path, entries[i]->d_name);
        if (rc == 0 && i < FILES_MAX)
            rc = read_path(file, conf, &found, err);
        free(entries[i]);
    }
    free(entries);
    return rc;
}

int conf_read(struct conf **out, struct error *err)
{
    const char *named = getenv("CONTAINERS_REGISTRIES_CONF"), *home = own_directory("HOME");
    autofree char *own = home ? xasprintf("%s/.config/containers/registries.conf", home) : NULL;
    autoconf conf = xcalloc(1, sizeof *conf);
    bool found = false;
    int rc = 0;
    if (named && *named) {
        rc = read_path(named, &conf, &found, err);
        if (rc == 0 && !found)
            rc = error_set(err, -ENOENT, "there is no %s, which CONTAINERS_REGISTRIES_CONF names",
                           named);
    } else {
        if (own && geteuid() != 0)
            rc = read_path(own, &conf, &found, err);
        if (rc == 0 && !found)
            rc = read_path("/etc/containers/registries.conf", &conf, &found, err);
        if (rc == 0)
            rc = read_directory("/etc/containers/registries.conf.d", &conf, err);
        autofree char *more = own ? xasprintf("%s.d", own) : NULL;
        if (rc == 0 && more && geteuid() != 0)
            rc = read_directory(more, &conf, err);
    }
    if (rc < 0)
        return rc;
    *out = conf;
    conf = NULL;
    return 0;
}

/* --- asking --- */

char *conf_alias(const struct conf *conf, const char *text)
{
    size_t length = strcspn(text, ":@");
    if (!conf || strchr(text, '/'))
        return NULL;
    for (size_t i = 0; i < conf->aliases.len; i++) {
        const char *alias = conf->aliases.items[i];
        if (strncmp(alias, text, length) == 0 && alias[length] == '=')
            return xasprintf("%s%s", alias + length + 1, text + length);
    }
    return NULL;
}

int conf_reference(const struct conf *conf, const char *text, struct reference *out,
                   struct error *err)
{
    autofree char *alias = conf_alias(conf, text);
    return reference_parse(alias ? alias : text, out, err);
}

/* How much of "host/path" a prefix matches; 0: it does not. */
static size_t matches(const char *prefix, const char *name)
{
    size_t length = strlen(prefix);
    if (starts_with(prefix, "*.")) {
        size_t host = strcspn(name, "/");
        size_t tail = length - 1; /* ".example.com" */
        return host > tail && strncmp(name + host - tail, prefix + 1, tail) == 0 ? host : 0;
    }
    return strncmp(prefix, name, length) == 0 && (name[length] == '/' || name[length] == '\0')
               ? length
               : 0;
}

static const struct registry *find(const struct conf *conf, const char *name, size_t *matched)
{
    const struct registry *best = NULL;
    size_t longest = 0;
    for (size_t i = 0; conf && i < conf->count; i++) {
        size_t length = matches(conf->registries[i].prefix, name);
        if (length > 0 && strlen(conf->registries[i].prefix) > longest) {
            best = &conf->registries[i];
            longest = strlen(best->prefix);
            *matched = length;
        }
    }
    return best;
}

/* containers-certs.d(5): NAME.crt an authority; NAME.cert and NAME.key who we are. */
static void add_certificates(const char *directory, struct endpoint *e)
{
    struct dirent **entries = NULL;
    int count = scandir(directory, &entries, NULL, alphasort);
    for (int i = 0; i < count; i++) {
        const char *name = entries[i]->d_name;
        autofree char *path = xasprintf("%s/%s", directory, name);
        if (ends_with(name, ".crt")) {
            strv_add(&e->authorities, path);
        } else if (ends_with(name, ".cert") && !e->certificate) {
            autofree char *key = xasprintf("%.*s.key", (int)(strlen(path) - strlen(".cert")), path);
            if (access(key, R_OK) == 0) {
                e->certificate = xstrdup(path);
                e->key = xstrdup(key);
            }
        }
        free(entries[i]);
    }
    free(entries);
}

static void find_certificates(struct endpoint *e)
{
    const char *home = own_directory("HOME");
    static const char *const places[] = {"/etc/containers/certs.d", "/etc/docker/certs.d"};
    if (home) {
        autofree char *own = xasprintf("%s/.config/containers/certs.d/%s", home, e->host);
        add_certificates(own, e);
    }
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        autofree char *all = xasprintf("%s/%s", places[i], e->host);
        add_certificates(all, e);
    }
}

static void add_endpoint(struct endpoints *out, const char *location, const char *rest,
                         bool insecure, bool mirror)
{
    autofree char *whole = xasprintf("%s%s", location, rest);
    size_t host = strcspn(whole, "/");
    struct endpoint e = {.name = xstrndup(whole, host),
                         .repository = xstrdup(whole + host + (whole[host] == '/')),
                         .insecure = insecure,
                         .mirror = mirror};
    bool docker = streq(e.name, "docker.io");
    e.host = xstrdup(docker ? DOCKER_HOST : e.name);
    find_certificates(&e);
    out->items = xrealloc(out->items, out->count + 1, sizeof *out->items);
    out->items[out->count++] = e;
}

static bool decide(enum tls_verify verify, bool configured)
{
    return verify == TLS_NEVER || (verify == TLS_AS_CONFIGURED && configured);
}

static int find_places(const struct conf *conf, const char *name, bool digest, bool mirrors,
                       enum tls_verify verify, struct endpoints *out, struct error *err)
{
    size_t matched = 0;
    autofree char *plain = xstrdup(name);
    reference_plain_host(plain);
    name = plain;
    const struct registry *r = find(conf, name, &matched);
    if (!r) {
        add_endpoint(out, name, "", decide(verify, false), false);
        return 0;
    }
    if (r->blocked)
        return error_set(err, -EACCES, "%.200s is blocked by %s", name, r->file);
    for (size_t i = 0; mirrors && i < r->mirror_count; i++) {
        const struct source *m = &r->mirrors[i];
        if (m->when == WHEN_ALL || (m->when == WHEN_DIGEST) == digest)
            add_endpoint(out, m->location, name + matched, decide(verify, m->insecure), true);
    }
    if (r->own.location)
        add_endpoint(out, r->own.location, name + matched, decide(verify, r->own.insecure), false);
    else
        add_endpoint(out, name, "", decide(verify, r->own.insecure), false);
    return 0;
}

int conf_endpoints(const struct conf *conf, const struct reference *ref, bool digest,
                   enum tls_verify verify, struct endpoints *out, struct error *err)
{
    autofree char *name = xasprintf("%s/%s", ref->domain, ref->path);
    return find_places(conf, name, digest, true, verify, out, err);
}

int conf_registry(const struct conf *conf, const char *domain, const char *path,
                  enum tls_verify verify, struct endpoints *out, struct error *err)
{
    autofree char *name = *path ? xasprintf("%s/%s", domain, path) : xstrdup(domain);
    return find_places(conf, name, false, false, verify, out, err);
}
