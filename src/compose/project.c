/* SPDX-License-Identifier: Apache-2.0 */
/* Where a project's files are, and what of them is read: see project.h. */
#include "compose/project.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/memory.h"
#include "base/text.h"
#include "compose/yaml.h"

#define ENVIRONMENT_FILE_MAX (1u << 20)

void project_free(struct project *p)
{
    free(p->directory);
    json_decref(p->environment);
    json_decref(p->services);
}

/* --- limits --- */

int charge(const struct project *p, size_t entries)
{
    if (entries > ENTRIES_MAX - p->totals->entries)
        return error_set(p->err, -E2BIG,
                         "services have more than %d volumes, arguments and contexts together, "
                         "with what they extend",
                         ENTRIES_MAX);
    p->totals->entries += entries;
    return 0;
}

size_t text_cost(const char *text)
{
    return text ? 1 + strlen(text) / 256 : 1;
}

static int count_file(struct project *p)
{
    if (++p->totals->files > FILES_MAX)
        return error_set(p->err, -E2BIG,
                         "more than %d files are included, extended or read for "
                         "variables",
                         FILES_MAX);
    return 0;
}

/* --- paths --- */

int place(const struct project *p, const char *directory, const char *path, char **out)
{
    bool as_it_is = *path == '/' || streq(directory, ".");
    if (!*path || strlen(path) + strlen(directory) + 2 > PATH_MAX)
        return error_set(p->err, -EINVAL, *path ? "a path is too long" : "a path is empty");
    *out = as_it_is ? xstrdup(path) : xasprintf("%s/%s", directory, path);
    return 0;
}

char *directory_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return !slash ? xstrdup(".") : xstrndup(path, slash == path ? 1 : (size_t)(slash - path));
}

int prefix_path(const struct project *p, const char *path)
{
    autobuf shown = {0};
    buf_printable(&shown, path);
    return error_prefix(p->err, "%.300s", buf_text(&shown));
}

/* Whether a directory is the owner's alone: what lies above one that others can write to is not the
 * project's. */
static bool is_owned(const char *directory, uid_t owner)
{
    struct stat st;
    /* Whose home is a repository does not mean all that is unpacked in it. */
    return !streq(directory, getenv("HOME")) && lstat(directory, &st) == 0 && st.st_uid == owner &&
           !(st.st_mode & (S_IWOTH | S_ISVTX));
}

static bool is_repository(const char *directory, uid_t owner)
{
    struct stat st;
    autofree char *git = xasprintf("%s/.git", directory);
    return lstat(git, &st) == 0 && st.st_uid == owner;
}

int find_root(const char *directory, char **out, struct error *err)
{
    struct stat st;
    autofree char *real = realpath(directory, NULL);
    if (!real || stat(real, &st) < 0)
        return error_errno(err, "cannot find the directory %s", directory);
    autofree char *above = xstrdup(real);
    while (!is_repository(above, st.st_uid)) {
        char *slash = strrchr(above, '/');
        *slash = '\0';
        if (slash == above || !is_owned(above, st.st_uid)) {
            *out = take_ptr(real);
            return 0;
        }
    }
    *out = take_ptr(above);
    return 0;
}

/* Both are without links. */
static bool is_inside(const char *path, const char *root)
{
    size_t length = strlen(root);
    return streq(root, "/") ||
           (strncmp(path, root, length) == 0 && (path[length] == '/' || !path[length]));
}

static int leads_out(const struct project *p, const char *path, const char *way_out)
{
    autobuf shown = {0}, root = {0};
    buf_printable(&shown, path);
    buf_printable(&root, p->totals->root);
    return error_set(p->err, -EINVAL, "%.300s leads out of the project (%.300s)%s",
                     buf_text(&shown), buf_text(&root), way_out);
}

int stay_inside(const struct project *p, const char *path, const char *way_out)
{
    autofree char *real = realpath(path, NULL);
    return !real || is_inside(real, p->totals->root) ? 0 : leads_out(p, path, way_out);
}

/* A regular file, wherever it is. 0 or -errno. */
static int read_regular(const char *path, size_t limit, struct buf *out)
{
    autofree char *real = realpath(path, NULL);
    return real ? read_file_at(AT_FDCWD, real, limit, out, NULL) : -errno;
}

/* --- variables --- */

/* What includes has been read before, and goes before. */
static const char *find_set(const struct project *p, const char *name)
{
    const char *value = p->outer ? find_set(p->outer, name) : NULL;
    return value ? value : json_string_value(json_object_get(p->environment, name));
}

const char *find_variable(void *project, const char *name)
{
    const char *value = getenv(name);
    return value ? value : find_set(project, name);
}

int read_environment(struct project *p, const char *path, bool needed)
{
    autobuf text = {0}, shown = {0};
    buf_printable(&shown, path);
    int rc = count_file(p);
    if (rc == 0)
        rc = stay_inside(p, path, "");
    if (rc < 0)
        return rc;
    rc = read_regular(path, ENVIRONMENT_FILE_MAX, &text);
    if (rc == -ENOENT && !needed)
        return 0;
    if (rc < 0)
        return error_set(p->err, rc, "cannot read %.300s: %s", buf_text(&shown),
                         rc == -EINVAL ? "it is no regular file" : error_describe(rc));
    return environment_parse(buf_text(&text), buf_text(&shown), &p->variables, p->environment,
                             p->err);
}

/* --- compose files --- */

const char *tag_of(const json_t *value)
{
    return json_object_get(value, "!override") ? "!override"
           : json_object_get(value, "!reset")  ? "!reset"
                                               : NULL;
}

static bool is_key(const char *name)
{
    static const char *const keys[] = {"configs",  "include", "models",  "name",   "networks",
                                       "services", "secrets", "version", "volumes"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (streq(name, keys[i]))
            return true;
    return starts_with(name, "x-");
}

/* What is not understood might name images. */
static int check_keys(struct project *p, const json_t *tree)
{
    const char *key;
    json_t *value, *services = json_object_get(tree, "services"),
                   *include = json_object_get(tree, "include");
    json_object_foreach((json_t *)tree, key, value)
    {
        autobuf shown = {0};
        buf_printable(&shown, key);
        if (!is_key(key))
            return error_set(p->err, -EINVAL, "\"%.100s\" is no key of a compose file",
                             buf_text(&shown));
    }
    if (services && tag_of(services))
        return error_set(p->err, -EINVAL, "services: %s is only understood of each service",
                         tag_of(services));
    if (services && !json_is_null(services) && !json_is_object(services))
        return error_set(p->err, -EINVAL, "services: a mapping is needed");
    if (include && !json_is_null(include) && !json_is_array(include))
        return error_set(p->err, -EINVAL, "include: a list is needed");
    return check_services(p, services);
}

int read_file(struct project *p, const char *path, json_t **out)
{
    autobuf text = {0}, shown = {0};
    autojson tree = NULL;
    buf_printable(&shown, path);
    int rc = count_file(p);
    if (rc < 0)
        return rc;
    rc = read_regular(path, YAML_MAX, &text);
    if (rc < 0)
        return error_set(p->err, rc, "cannot read the compose file %.300s: %s", buf_text(&shown),
                         rc == -EINVAL ? "it is no regular file" : error_describe(rc));
    rc = yaml_read_apart(buf_text(&text), text.len, buf_text(&shown), &tree, p->err);
    if (rc < 0)
        return rc;
    if (!json_is_object(tree))
        return error_set(p->err, -EINVAL, "%.300s is no compose file: a mapping is needed",
                         buf_text(&shown));
    rc = check_keys(p, tree);
    if (rc == 0)
        rc = interpolate_tree(&p->variables, tree, p->err);
    if (rc < 0)
        return prefix_path(p, path);
    *out = take_ptr(tree);
    return 0;
}
