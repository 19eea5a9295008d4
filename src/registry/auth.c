/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/auth.h"

#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/secret.h"
#include "base/text.h"
#include "registry/auth_helper.h"
#include "registry/conf.h"

#define FILE_MAX (4u << 20)
#define LOCK_NAPS 200 /* of 50 ms */
#define DOCKER_KEY "https://index.docker.io/v1/"

void auth_free(struct auth *auth)
{
    free(auth->user);
    secret_forget(&auth->password);
    secret_forget(&auth->identity);
    secret_forget(&auth->bearer);
    *auth = (struct auth){0};
}

static bool is_somebody(const struct auth *auth)
{
    return auth->user || auth->identity || auth->bearer;
}

/* --- which files --- */

static char *runtime_file(void)
{
    const char *directory = own_directory("XDG_RUNTIME_DIR");
    if (directory)
        return xasprintf("%s/containers/auth.json", directory);
    return xasprintf("/run/containers/%u/auth.json", geteuid());
}

static char *docker_file(void)
{
    const char *directory = own_directory("DOCKER_CONFIG"), *home = own_directory("HOME");
    if (directory)
        return xasprintf("%s/config.json", directory);
    return home ? xasprintf("%s/.docker/config.json", home) : NULL;
}

/* The one file that was named; NULL: none was. */
static const char *named_file(const char *authfile)
{
    const char *variable = getenv("REGISTRY_AUTH_FILE");
    return authfile && *authfile ? authfile : variable && *variable ? variable : NULL;
}

static void list_files(const char *authfile, struct strv *out)
{
    const char *named = named_file(authfile), *home = own_directory("HOME");
    if (named) {
        strv_add(out, named);
        return;
    }
    strv_take(out, runtime_file());
    if (home)
        strv_fmt(out, "%s/.config/containers/auth.json", home);
    char *docker = docker_file();
    if (docker)
        strv_take(out, docker);
}

/* *out is NULL where there is no file. */
static int read_file(const char *path, json_t **out, struct error *err)
{
    autosecretbuf text = {0};
    *out = NULL;
    int rc = read_named_file(path, FILE_MAX, &text);
    if (rc == -ENOENT || rc == -ENOTDIR)
        return 0;
    if (rc < 0)
        return error_set(err, rc, "cannot read %s: %s", path, error_describe(rc));
    if (text.len == 0)
        return 0;
    *out = json_parse(text.data, text.len, path, err);
    if (*out && !json_is_object(*out)) {
        json_decref(*out);
        *out = NULL;
        return error_set(err, -EINVAL, "%s is no JSON object", path);
    }
    return *out ? 0 : -EINVAL;
}

/* --- one entry --- */

static int split_pair(const char *text, size_t length, struct auth *out)
{
    autosecretbuf pair = {0};
    int rc = base64_decode(text, length, &pair);
    char *colon = rc == 0 && pair.len > 0 ? memchr(pair.data, ':', pair.len) : NULL;
    if (!colon || memchr(pair.data, '\0', pair.len))
        rc = -EINVAL;
    if (rc == 0) {
        *colon = '\0';
        free(out->user);
        secret_forget(&out->password);
        out->user = xstrdup(pair.data);
        out->password = xstrdup(colon + 1);
    }
    return rc;
}

static void take_text(const char *text, char **out)
{
    if (!text || !*text)
        return;
    secret_forget(out);
    *out = xstrdup(text);
}

static int read_entry(const json_t *entry, const char *path, const char *key, struct auth *out,
                      struct error *err)
{
    const char *pair = NULL, *identity = NULL, *bearer = NULL, *user = NULL, *password = NULL;
    int rc = json_get_string(entry, "auth", &pair, err);
    if (rc == 0)
        rc = json_get_string(entry, "identitytoken", &identity, err);
    if (rc == 0)
        rc = json_get_string(entry, "registrytoken", &bearer, err);
    if (rc == 0)
        rc = json_get_string(entry, "username", &user, err);
    if (rc == 0)
        rc = json_get_string(entry, "password", &password, err);
    if (rc < 0)
        return error_prefix(err, "%s: %.200s", path, key);
    if (pair && *pair && split_pair(pair, strlen(pair), out) < 0)
        return error_set(err, -EINVAL,
                         "%s: the entry of %.200s is no user and password in base 64: sign in "
                         "again with 'caisson login'",
                         path, key);
    if (!out->user && user && password) {
        take_text(user, &out->user);
        take_text(password, &out->password);
    }
    take_text(identity, &out->identity);
    take_text(bearer, &out->bearer);
    return 0;
}

/* "https://host/v1/" is Docker's old way to write "host". */
static bool key_is(const char *key, const char *wanted)
{
    const char *scheme = strstr(key, "://");
    if (!scheme)
        return streq(key, wanted);
    size_t host = strcspn(scheme + 3, "/");
    return strlen(wanted) == host && strncmp(scheme + 3, wanted, host) == 0;
}

static const json_t *find_key(const json_t *auths, const char *wanted, const char **key)
{
    json_t *value;
    const char *name;
    bool docker = streq(wanted, "docker.io");
    json_object_foreach((json_t *)(uintptr_t)auths, name, value)
    {
        if (key_is(name, wanted) || (docker && key_is(name, "index.docker.io"))) {
            *key = name;
            return value;
        }
    }
    return NULL;
}

/* "host/a/b", "host/a", "host". */
static int search_entries(const json_t *auths, const char *path, const char *domain,
                          const char *repository, struct auth *out, struct error *err)
{
    autofree char *wanted = *repository ? xasprintf("%s/%s", domain, repository) : xstrdup(domain);
    for (;;) {
        const char *key = NULL;
        const json_t *entry = find_key(auths, wanted, &key);
        if (entry)
            return read_entry(entry, path, key, out, err);
        char *slash = strrchr(wanted, '/');
        if (!slash)
            return 0;
        *slash = '\0';
    }
}

/* Which helper a file names for a registry; borrowed; NULL. */
static const char *helper_of(const json_t *root, const char *domain)
{
    const char *key = NULL;
    const json_t *helpers = json_object_get(root, "credHelpers");
    const json_t *own = json_is_object(helpers) ? find_key(helpers, domain, &key) : NULL;
    const char *name = json_string_value(own);
    if (!name)
        name = json_string_value(json_object_get(root, "credsStore"));
    return name && *name ? name : NULL;
}

static const char *helper_key(const char *domain)
{
    return streq(domain, "docker.io") ? DOCKER_KEY : domain;
}

static int find_in(const char *path, const char *domain, const char *repository, struct auth *out,
                   struct error *err)
{
    autojson root = NULL;
    json_t *auths = NULL;
    int rc = read_file(path, &root, err);
    if (rc < 0 || !root)
        return rc;
    const char *helper = helper_of(root, domain);
    if (helper)
        rc = auth_helper_get(helper, helper_key(domain), out, err);
    if (rc == 0 && !is_somebody(out))
        rc = json_get_object(root, "auths", &auths, err);
    if (rc == 0 && auths)
        rc = search_entries(auths, path, domain, repository, out, err);
    return rc;
}

int auth_find(const char *authfile, const char *domain, const char *repository, struct auth *out,
              struct error *err)
{
    autostrv files = {0};
    struct auth auth = {0};
    int rc = 0;
    list_files(authfile, &files);
    for (size_t i = 0; rc == 0 && i < files.len && !is_somebody(&auth); i++)
        rc = find_in(files.items[i], domain, repository, &auth, err);
    if (rc < 0)
        auth_free(&auth);
    else
        *out = auth;
    return rc;
}

int auth_apply(const char *authfile, struct endpoint *e, struct error *err)
{
    autoauth auth = {0};
    int rc = auth_find(authfile, e->name, e->repository, &auth, err);
    if (rc < 0)
        return rc;
    e->user = auth.user;
    e->password = auth.password;
    e->identity = auth.identity;
    e->bearer = auth.bearer;
    auth = (struct auth){0};
    return 0;
}

/* --- changing --- */

/* Whoever may read the directory can hold the lock: not for ever. */
static int lock_patiently(int fd)
{
    int rc = -EWOULDBLOCK;
    for (unsigned naps = 0; naps < LOCK_NAPS && rc == -EWOULDBLOCK; naps++) {
        const struct timespec nap = {.tv_nsec = 50 * 1000000L};
        if (naps > 0)
            nanosleep(&nap, NULL);
        rc = lock_fd(fd, LOCK_EX | LOCK_NB);
    }
    return rc;
}

/* The file that is written, its directory made and locked; *json is never NULL on success. */
static int open_for_change(const char *path, int *directory, json_t **json, struct error *err)
{
    autofree char *copy = xstrdup(path);
    const char *above = dirname(copy);
    int rc = make_directories(above, 0700, err);
    if (rc < 0)
        return rc;
    autofd fd = open(above, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    rc = fd < 0 ? -errno : lock_patiently(fd);
    if (rc < 0)
        return error_set(err, rc, "cannot open %s: %s", above, error_describe(rc));
    rc = read_file(path, json, err);
    if (rc == 0 && !*json)
        *json = json_object();
    if (rc == 0)
        *directory = take_fd(&fd);
    return rc;
}

static int write_file(int directory, const char *path, const json_t *json, struct error *err)
{
    autofree char *copy = xstrdup(path);
    autosecret text = json_dumps(json, JSON_INDENT(2));
    if (!text)
        return error_set(err, -ENOMEM, "cannot write %s", path);
    int rc = write_file_at(directory, basename(copy), text, strlen(text), 0600, DURABLE, err);
    return rc < 0 ? error_prefix(err, "%s", path) : 0;
}

static char *written_file(const char *authfile)
{
    const char *named = named_file(authfile);
    return named ? xstrdup(named) : runtime_file();
}

/* Docker's file names a helper: then it is the helper's. */
static int helper_in_use(const char *authfile, const char *domain, char **out, struct error *err)
{
    autofree char *docker = named_file(authfile) ? NULL : docker_file();
    autofree char *own = written_file(authfile);
    const char *const files[] = {own, docker};
    for (size_t i = 0; i < 2 && !*out; i++) {
        autojson root = NULL;
        int rc = files[i] ? read_file(files[i], &root, err) : 0;
        if (rc < 0)
            return rc;
        const char *helper = root ? helper_of(root, domain) : NULL;
        if (helper)
            *out = xstrdup(helper);
    }
    return 0;
}

static json_t *entry_of(const struct auth *auth)
{
    json_t *entry = json_object();
    if (auth->identity)
        json_object_set_new(entry, "identitytoken", json_string(auth->identity));
    if (auth->user) {
        autosecret pair = xasprintf("%s:%s", auth->user, auth->password ? auth->password : "");
        autosecretbuf text = {0};
        base64_encode(pair, strlen(pair), &text);
        json_object_set_new(entry, "auth", json_string(buf_text(&text)));
    }
    return entry;
}

static json_t *auths_of(json_t *root)
{
    json_t *auths = json_object_get(root, "auths");
    if (json_is_object(auths))
        return auths;
    auths = json_object();
    json_object_set_new(root, "auths", auths);
    return auths;
}

int auth_keep(const char *authfile, const char *domain, const struct auth *auth, char **where,
              struct error *err)
{
    autofree char *helper = NULL, *path = written_file(authfile);
    autojson root = NULL;
    autofd directory = -1;
    int rc = helper_in_use(authfile, domain, &helper, err);
    if (rc == 0 && helper) {
        rc = auth_helper_store(helper, helper_key(domain), auth, err);
        if (rc == 0)
            *where = xasprintf("docker-credential-%s", helper);
        return rc;
    }
    if (rc == 0)
        rc = open_for_change(path, &directory, &root, err);
    if (rc < 0)
        return rc;
    json_t *auths = auths_of(root);
    const char *key;
    while (find_key(auths, domain, &key))
        json_object_del(auths, key);
    if (json_object_set_new(auths, domain, entry_of(auth)) < 0)
        return error_set(err, -EINVAL, "%.200s is no name of a registry", domain);
    rc = write_file(directory, path, root, err);
    if (rc == 0) {
        *where = path;
        path = NULL;
    }
    return rc;
}

static int remove_in(const char *path, const char *domain, bool *removed, struct error *err)
{
    autojson root = NULL;
    autofd directory = -1;
    const char *key;
    if (access(path, F_OK) < 0)
        return 0;
    int rc = open_for_change(path, &directory, &root, err);
    if (rc < 0)
        return rc;
    bool changed = false;
    json_t *auths = auths_of(root);
    while (domain ? find_key(auths, domain, &key) != NULL
                  : (key = json_object_iter_key(json_object_iter(auths))) != NULL) {
        json_object_del(auths, key);
        changed = true;
    }
    *removed |= changed;
    return changed ? write_file(directory, path, root, err) : 0;
}

int auth_remove(const char *authfile, const char *domain, bool *removed, struct error *err)
{
    autostrv files = {0};
    autofree char *helper = NULL;
    int rc = domain ? helper_in_use(authfile, domain, &helper, err) : 0;
    *removed = false;
    if (rc == 0 && helper)
        rc = auth_helper_erase(helper, helper_key(domain), removed, err);
    if (domain)
        list_files(authfile, &files);
    else
        strv_take(&files, written_file(authfile));
    for (size_t i = 0; rc == 0 && i < files.len; i++)
        rc = remove_in(files.items[i], domain, removed, err);
    return rc;
}
