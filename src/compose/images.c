/* SPDX-License-Identifier: Apache-2.0 */
#include "compose/images.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/memory.h"
#include "base/text.h"
#include "compose/interpolate.h"
#include "compose/yaml.h"

#define FILES_MAX 200
#define NESTED_MAX 16
#define ENVIRONMENT_FILE_MAX (1u << 20)

/* Files that are merged, in one directory, with variables of their own. */
struct project {
    const struct project *outer; /* that includes it; NULL */
    char *directory;             /* what is relative is so to it; "." or a path */
    struct strv environment;     /* of its .env, "NAME=VALUE" */
    struct variables variables;
    json_t *services; /* name → what concerns images, see reduce() */
    unsigned depth;
    struct compose_images *out;
    size_t *files; /* that were read, of all projects */
    struct error *err;
};

static void project_free(struct project *p)
{
    free(p->directory);
    strv_free(&p->environment);
    json_decref(p->services);
}

void compose_images_free(struct compose_images *images)
{
    for (size_t i = 0; i < images->build_count; i++) {
        struct compose_build *b = &images->builds[i];
        free(b->service);
        free(b->context);
        free(b->dockerfile);
        free(b->text);
        free(b->target);
        strv_free(&b->args);
        strv_free(&b->contexts);
    }
    free(images->builds);
    strv_free(&images->names);
    strv_free(&images->unset);
    *images = (struct compose_images){0};
}

/* --- places and variables --- */

static char *place(const char *directory, const char *path)
{
    return *path == '/' || streq(directory, ".") ? xstrdup(path)
                                                 : xasprintf("%s/%s", directory, path);
}

static char *directory_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return !slash ? xstrdup(".") : xstrndup(path, slash == path ? 1 : (size_t)(slash - path));
}

static const char *find_variable(void *closure, const char *name)
{
    const struct project *p = closure;
    const char *value = getenv(name);
    size_t length = strlen(name);
    /* What includes has been read before, and goes before. */
    if (!value && p->outer)
        value = find_variable((void *)p->outer, name);
    for (size_t i = p->environment.len; !value && i-- > 0;)
        if (strncmp(p->environment.items[i], name, length) == 0 &&
            p->environment.items[i][length] == '=')
            value = p->environment.items[i] + length + 1;
    return value;
}

static int read_environment(struct project *p, const char *path, bool needed)
{
    autobuf text = {0};
    int rc = read_named_file(path, ENVIRONMENT_FILE_MAX, &text);
    if (rc == -ENOENT && !needed)
        return 0;
    if (rc < 0)
        return error_set(p->err, rc, "cannot read %s: %s", path, error_describe(rc));
    return environment_parse(buf_text(&text), path, &p->variables, &p->environment, p->err);
}

/* The whole file, with its variables. */
static int read_file(struct project *p, const char *path, json_t **out)
{
    autobuf text = {0};
    autojson tree = NULL;
    if (++*p->files > FILES_MAX)
        return error_set(p->err, -EINVAL, "%s: more than %d files are included or extended", path,
                         FILES_MAX);
    int rc = read_named_file(path, YAML_MAX, &text);
    if (rc < 0)
        return error_set(p->err, rc, "cannot read the compose file %s: %s", path,
                         error_describe(rc));
    rc = yaml_read_apart(buf_text(&text), text.len, path, &tree, p->err);
    if (rc < 0)
        return rc;
    if (!json_is_object(tree))
        return error_set(p->err, -EINVAL, "%s is no compose file: a mapping is needed", path);
    rc = interpolate_tree(&p->variables, tree, p->err);
    if (rc < 0)
        return error_prefix(p->err, "%s", path);
    *out = take_ptr(tree);
    return 0;
}

/* --- one service --- */

static int wrong(const struct project *p, const char *service, const char *what)
{
    autobuf shown = {0};
    buf_printable(&shown, service);
    return error_set(p->err, -EINVAL, "service \"%.100s\": %s", buf_text(&shown), what);
}

/* What a key has, without a tag of compose's; `replaces` when one says that nothing is merged, and
 * then NULL when it is taken away. */
static json_t *value_of(const json_t *object, const char *key, bool *replaces)
{
    json_t *value = json_object_get(object, key);
    json_t *other = json_object_get(value, "!override");
    *replaces = other || json_object_get(value, "!reset");
    return *replaces ? other : json_is_null(value) ? NULL : value;
}

/* A list of NAME=VALUE, or a mapping; as a mapping, with null where there is no value. */
static int pairs_of(const struct project *p, const char *service, const json_t *value,
                    const char *what, json_t **out)
{
    const char *key;
    json_t *item;
    size_t index;
    *out = json_object();
    if (value && !json_is_object(value) && !json_is_array(value))
        return wrong(p, service, what);
    json_object_foreach((json_t *)value, key, item)
    {
        if (json_is_object(item) || json_is_array(item))
            return wrong(p, service, what);
        json_object_set_new(*out, key,
                            json_is_boolean(item)
                                ? json_string(json_is_true(item) ? "true" : "false")
                                : json_incref(item));
    }
    json_array_foreach(value, index, item)
    {
        const char *text = json_string_value(item);
        if (!text)
            return wrong(p, service, what);
        const char *equal = strchr(text, '=');
        autofree char *name = xstrndup(text, strcspn(text, "="));
        json_object_set_new(*out, name, equal ? json_string(equal + 1) : json_null());
    }
    return 0;
}

/* `build`, as a mapping with its context made a path. */
static int reduce_build(const struct project *p, const char *service, const char *directory,
                        const json_t *value, json_t **out)
{
    static const char *const words[] = {"context", "dockerfile", "dockerfile_inline", "target"};
    static const char *const lists[] = {"args", "additional_contexts"};
    autojson build = json_object();
    if (!json_is_string(value) && !json_is_object(value))
        return wrong(p, service, "build: a directory or a mapping is needed");
    if (json_is_string(value))
        json_object_set(build, "context", (json_t *)value);
    for (size_t i = 0; json_is_object(value) && i < sizeof words / sizeof *words; i++) {
        json_t *word = json_object_get(value, words[i]);
        if (word && !json_is_null(word) && !json_is_string(word))
            return wrong(p, service,
                         "build: context, dockerfile, dockerfile_inline and target are "
                         "words");
        if (json_is_string(word))
            json_object_set(build, words[i], word);
    }
    for (size_t i = 0; json_is_object(value) && i < sizeof lists / sizeof *lists; i++) {
        json_t *pairs = NULL;
        int rc = pairs_of(
            p, service, json_object_get(value, lists[i]),
            "build: args and additional_contexts are lists of NAME=VALUE, or mappings", &pairs);
        json_object_set_new(build, lists[i], pairs);
        if (rc < 0)
            return rc;
    }
    const char *context = json_string_value(json_object_get(build, "context"));
    if (context && !strstr(context, "://") && !starts_with(context, "git@")) {
        autofree char *path = place(directory, context);
        json_object_set_new(build, "context", json_string(path));
    }
    json_object_set_new(build, "directory", json_string(directory));
    *out = take_ptr(build);
    return 0;
}

/* Images that are mounted. */
static json_t *reduce_volumes(const json_t *value)
{
    json_t *images = json_array(), *item;
    size_t index;
    json_array_foreach(value, index, item)
    {
        json_t *source = json_object_get(item, "source");
        if (streq(json_string_value(json_object_get(item, "type")), "image") &&
            json_is_string(source))
            json_array_append(images, source);
    }
    return images;
}

/* {"image": …, "build": {…}, "images": […], "replaces": {key: true}}; null takes away. */
static int reduce(const struct project *p, const char *service, const char *directory,
                  const json_t *from, json_t **out)
{
    bool replaces;
    autojson small = json_object();
    json_t *image = value_of(from, "image", &replaces), *build = NULL;
    if (image && !json_is_string(image))
        return wrong(p, service, "image: a name is needed");
    if (image || replaces)
        json_object_set_new(small, "image", image ? json_incref(image) : json_null());
    json_t *value = value_of(from, "build", &replaces);
    int rc = value ? reduce_build(p, service, directory, value, &build) : 0;
    if (rc < 0)
        return rc;
    if (value || replaces)
        json_object_set_new(small, "build", build ? build : json_null());
    json_object_set_new(small, "build-replaces", json_boolean(replaces));
    value = value_of(from, "volumes", &replaces);
    json_object_set_new(small, "images", reduce_volumes(value));
    json_object_set_new(small, "images-replace", json_boolean(replaces));
    *out = take_ptr(small);
    return 0;
}

static void merge_build(json_t *into, const json_t *over)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)over, key, value)
    {
        json_t *there = json_object_get(into, key);
        if (json_is_object(value) && json_is_object(there))
            json_object_update(there, value);
        else
            json_object_set(into, key, value);
    }
}

/* Both are reduced. */
static void merge_service(json_t *into, const json_t *over)
{
    json_t *image = json_object_get(over, "image"), *build = json_object_get(over, "build");
    json_t *there = json_object_get(into, "build");
    if (image)
        json_object_set(into, "image", image);
    if (build && json_is_object(build) && json_is_object(there) &&
        !json_is_true(json_object_get(over, "build-replaces")))
        merge_build(there, build);
    else if (build)
        json_object_set(into, "build", build);
    if (json_is_true(json_object_get(over, "images-replace")))
        json_object_set(into, "images", json_object_get(over, "images"));
    else
        json_array_extend(json_object_get(into, "images"), json_object_get(over, "images"));
}

/* --- extends --- */

static int find_service(struct project *p, const char *directory, const json_t *services,
                        const char *name, unsigned depth, json_t **out);

/* What a service is based on, reduced; NULL: nothing. */
static int find_base(struct project *p, const char *directory, const json_t *services,
                     const char *name, unsigned depth, json_t **out)
{
    json_t *extends = json_object_get(json_object_get(services, name), "extends");
    const char *other = json_string_value(extends), *file = NULL;
    *out = NULL;
    if (!extends || json_is_null(extends))
        return 0;
    if (json_is_object(extends)) {
        other = json_string_value(json_object_get(extends, "service"));
        file = json_string_value(json_object_get(extends, "file"));
        if (json_object_get(extends, "file") && !file)
            return wrong(p, name, "extends: file: a path is needed");
    }
    if (!other)
        return wrong(p, name, "extends: a service is needed");
    if (depth == NESTED_MAX)
        return wrong(p, name, "extends: it goes round in a circle, or too deep");
    if (!file)
        return find_service(p, directory, services, other, depth + 1, out);
    autojson tree = NULL;
    autofree char *path = place(directory, file), *below = directory_of(path);
    int rc = read_file(p, path, &tree);
    if (rc == 0)
        rc = find_service(p, below, json_object_get(tree, "services"), other, depth + 1, out);
    return rc < 0 ? error_prefix(p->err, "%s", path) : 0;
}

static int find_service(struct project *p, const char *directory, const json_t *services,
                        const char *name, unsigned depth, json_t **out)
{
    autojson base = NULL;
    autojson own = NULL;
    json_t *service = json_object_get(services, name);
    if (!service)
        return wrong(p, name, "there is none of this name");
    if (!json_is_object(service))
        return wrong(p, name, "a mapping is needed");
    int rc = find_base(p, directory, services, name, depth, &base);
    if (rc == 0)
        rc = reduce(p, name, directory, service, &own);
    if (rc < 0)
        return rc;
    if (base)
        merge_service(base, own);
    *out = base ? take_ptr(base) : take_ptr(own);
    return 0;
}

/* --- projects --- */

static int read_project(struct project *p, const struct strv *files,
                        const struct strv *environment);

/* A word, or a list of words. */
static int words_of(const struct project *p, const json_t *value, const char *what,
                    struct strv *out)
{
    if (json_is_string(value))
        strv_add(out, json_string_value(value));
    else if (!json_is_array(value))
        return error_set(p->err, -EINVAL, "%s: a path or a list of paths is needed", what);
    for (size_t i = 0; i < json_array_size(value); i++) {
        const char *word = json_string_value(json_array_get(value, i));
        if (!word)
            return error_set(p->err, -EINVAL, "%s: a path or a list of paths is needed", what);
        strv_add(out, word);
    }
    return 0;
}

static int place_all(const struct project *p, const json_t *value, const char *what,
                     struct strv *out)
{
    autostrv words = {0};
    int rc = words_of(p, value, what, &words);
    for (size_t i = 0; rc == 0 && i < words.len; i++)
        strv_take(out, place(p->directory, words.items[i]));
    return rc;
}

static int include_one(struct project *p, const json_t *entry)
{
    struct project inner __attribute__((cleanup(project_free))) = {
        .outer = p,
        .depth = p->depth + 1,
        .out = p->out,
        .files = p->files,
        .err = p->err,
        .variables = {.left = p->variables.left, .unset = p->variables.unset}};
    autostrv files = {0}, environment = {0};
    const json_t *paths = json_is_object(entry) ? json_object_get(entry, "path") : entry;
    const json_t *directory = json_object_get(entry, "project_directory");
    const json_t *variables = json_object_get(entry, "env_file");
    if (p->depth == NESTED_MAX)
        return error_set(p->err, -EINVAL, "include: it goes round in a circle, or too deep");
    int rc = place_all(p, paths, "include", &files);
    if (rc == 0 && files.len == 0)
        rc = error_set(p->err, -EINVAL, "include: a path is needed");
    if (rc == 0 && variables)
        rc = place_all(p, variables, "include: env_file", &environment);
    if (rc == 0 && json_is_string(directory))
        inner.directory = place(p->directory, json_string_value(directory));
    if (rc == 0)
        rc = read_project(&inner, &files, variables ? &environment : NULL);
    p->variables.left = inner.variables.left;
    return rc;
}

static int take_file(struct project *p, const char *path)
{
    autojson tree = NULL;
    const char *name;
    json_t *value;
    int rc = read_file(p, path, &tree);
    if (rc < 0)
        return rc;
    json_t *services = json_object_get(tree, "services"),
           *include = json_object_get(tree, "include");
    if (services && !json_is_null(services) && !json_is_object(services))
        return error_set(p->err, -EINVAL, "%s: services: a mapping is needed", path);
    for (size_t i = 0; rc == 0 && i < json_array_size(include); i++)
        rc = include_one(p, json_array_get(include, i));
    json_object_foreach(services, name, value)
    {
        autojson service = NULL;
        if (rc == 0)
            rc = find_service(p, p->directory, services, name, 0, &service);
        if (rc < 0)
            break;
        json_t *there = json_object_get(p->services, name);
        if (there)
            merge_service(there, service);
        else
            json_object_set(p->services, name, service);
    }
    return rc < 0 ? error_prefix(p->err, "%s", path) : 0;
}

static char *copy_word(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? xstrdup(text) : NULL;
}

static void copy_pairs(const json_t *pairs, struct strv *out)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)pairs, key, value)
    {
        const char *text = json_string_value(value);
        strv_fmt(out, "%s%s%s", key, text ? "=" : "", text ? text : "");
    }
}

static void add_build(struct compose_images *out, const char *service, const json_t *build)
{
    struct compose_build made = {.service = xstrdup(service),
                                 .context = copy_word(build, "context"),
                                 .dockerfile = copy_word(build, "dockerfile"),
                                 .text = copy_word(build, "dockerfile_inline"),
                                 .target = copy_word(build, "target")};
    if (!made.context)
        made.context = copy_word(build, "directory");
    copy_pairs(json_object_get(build, "args"), &made.args);
    copy_pairs(json_object_get(build, "additional_contexts"), &made.contexts);
    out->builds = xrealloc(out->builds, out->build_count + 1, sizeof made);
    out->builds[out->build_count++] = made;
}

static void add_name(struct compose_images *out, const json_t *name)
{
    const char *text = json_string_value(name);
    if (text && *text && !strv_has(&out->names, text))
        strv_add(&out->names, text);
}

/* An image that is built has a name, and no registry. */
static void give_services(struct project *p)
{
    const char *name;
    json_t *service;
    json_object_foreach(p->services, name, service)
    {
        json_t *build = json_object_get(service, "build"),
               *images = json_object_get(service, "images");
        if (json_is_object(build))
            add_build(p->out, name, build);
        else
            add_name(p->out, json_object_get(service, "image"));
        for (size_t i = 0; i < json_array_size(images); i++)
            add_name(p->out, json_array_get(images, i));
    }
}

/* `environment`: files; NULL: .env of the directory, where there is one. */
static int read_project(struct project *p, const struct strv *files, const struct strv *environment)
{
    int rc = 0;
    p->services = json_object();
    p->variables.find = find_variable;
    p->variables.closure = p;
    if (!p->directory)
        p->directory = directory_of(files->items[0]);
    if (!environment) {
        autofree char *usual = place(p->directory, ".env");
        rc = read_environment(p, usual, false);
    }
    for (size_t i = 0; environment && rc == 0 && i < environment->len; i++)
        rc = read_environment(p, environment->items[i], true);
    for (size_t i = 0; rc == 0 && i < files->len; i++)
        rc = take_file(p, files->items[i]);
    if (rc == 0)
        give_services(p);
    return rc;
}

int compose_images_read(const struct strv *files, struct compose_images *out, struct error *err)
{
    size_t count = 0;
    struct compose_images made = {0};
    struct project p __attribute__((cleanup(project_free))) = {
        .out = &made,
        .files = &count,
        .err = err,
        .variables = {.left = VARIABLES_MAX, .unset = &made.unset}};
    int rc = read_project(&p, files, NULL);
    if (rc < 0)
        compose_images_free(&made);
    else
        *out = made;
    return rc;
}
