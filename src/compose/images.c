/* SPDX-License-Identifier: Apache-2.0 */
#include "compose/images.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/memory.h"
#include "base/secret_name.h"
#include "base/text.h"
#include "compose/project.h"

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
    free(images->root);
    *images = (struct compose_images){0};
}

/* --- include --- */

static int read_project(struct project *p, const struct strv *files,
                        const struct strv *environment);

static int add_place(const struct project *p, const json_t *word, const char *what,
                     struct strv *out)
{
    char *path = NULL;
    if (!json_is_string(word))
        return error_set(p->err, -EINVAL, "%s: a path or a list of paths is needed", what);
    int rc = place(p, p->directory, json_string_value(word), &path);
    if (rc < 0)
        return error_prefix(p->err, "%s", what);
    strv_take(out, path);
    return 0;
}

/* A path, or a list of paths. */
static int place_all(const struct project *p, const json_t *value, const char *what,
                     struct strv *out)
{
    int rc = 0;
    if (!json_is_array(value))
        return add_place(p, value, what, out);
    for (size_t i = 0; rc == 0 && i < json_array_size(value); i++)
        rc = add_place(p, json_array_get(value, i), what, out);
    return rc;
}

/* "PATH", or {path, env_file, project_directory}. */
static int check_entry(const struct project *p, const json_t *entry)
{
    static const char *const keys[] = {"path", "env_file", "project_directory"};
    const char *key;
    json_t *value;
    if (!json_is_string(entry) && !json_is_object(entry))
        return error_set(p->err, -EINVAL, "include: a path or a mapping is needed");
    json_object_foreach((json_t *)entry, key, value)
    {
        autobuf shown = {0};
        bool known = starts_with(key, "x-");
        for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
            known |= streq(key, keys[i]);
        buf_printable(&shown, key);
        if (!known)
            return error_set(p->err, -EINVAL, "include: \"%.100s\" is not understood",
                             buf_text(&shown));
    }
    return 0;
}

/* What an entry says, as paths from here. */
static int read_entry(const struct project *p, const json_t *entry, struct strv *files,
                      struct strv *environment, char **directory)
{
    const json_t *paths = json_is_object(entry) ? json_object_get(entry, "path") : entry;
    const json_t *variables = json_object_get(entry, "env_file");
    const json_t *named = json_object_get(entry, "project_directory");
    autostrv own = {0};
    int rc = check_entry(p, entry);
    if (rc == 0)
        rc = place_all(p, paths, "include", files);
    if (rc == 0 && files->len == 0)
        rc = error_set(p->err, -EINVAL, "include: a path is needed");
    if (rc == 0 && variables)
        rc = place_all(p, variables, "include: env_file", environment);
    if (rc == 0 && named)
        rc = add_place(p, named, "include: project_directory", &own);
    if (rc == 0)
        *directory = own.len > 0 ? xstrdup(own.items[0]) : directory_of(files->items[0]);
    return rc;
}

static int check_paths(const struct project *p, const struct strv *paths)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < paths->len; i++)
        rc = stay_inside(p, paths->items[i], ": name it with -f");
    return rc < 0 ? error_prefix(p->err, "include") : 0;
}

static int include_one(struct project *p, const json_t *entry)
{
    struct project inner __attribute__((cleanup(project_free))) = {.outer = p,
                                                                   .depth = p->depth + 1,
                                                                   .out = p->out,
                                                                   .names = p->names,
                                                                   .totals = p->totals,
                                                                   .err = p->err,
                                                                   .variables = p->variables};
    autostrv files = {0}, environment = {0};
    if (p->depth == NESTED_MAX)
        return error_set(p->err, -EINVAL, "include: it goes round in a circle, or too deep");
    int rc = read_entry(p, entry, &files, &environment, &inner.directory);
    if (rc == 0)
        rc = check_paths(p, &files);
    if (rc == 0)
        rc = read_project(&inner, &files, json_object_get(entry, "env_file") ? &environment : NULL);
    p->variables.left = inner.variables.left;
    p->variables.names_left = inner.variables.names_left;
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
    const json_t *include = json_object_get(tree, "include");
    for (size_t i = 0; rc == 0 && i < json_array_size(include); i++)
        rc = include_one(p, json_array_get(include, i));
    json_object_foreach(json_object_get(tree, "services"), name, value)
    {
        if (rc == 0)
            rc = take_service(p, json_object_get(tree, "services"), name);
    }
    return rc < 0 ? prefix_path(p, path) : 0;
}

/* --- what comes of it --- */

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

/* Those without a value are the environment's, which some of it are kept from. */
static void copy_arguments(struct project *p, const json_t *pairs, struct strv *out)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)pairs, key, value)
    {
        const char *text = json_string_value(value);
        const char *ours = text ? NULL : find_variable(p, key);
        if (!text && (secret_name_maybe(key) || (ours && secret_value_maybe(ours)))) {
            if (ours)
                strv_fmt(out, "%s=" VARIABLE_WITHHELD, key);
        } else {
            strv_fmt(out, "%s%s%s", key, text ? "=" : "", text ? text : "");
        }
    }
}

/* Each service has copies of its own, also of what many of them extend. */
static int charge_build(const struct project *p, const json_t *build)
{
    const char *key, *name;
    json_t *value, *text;
    int rc = 0;
    json_object_foreach((json_t *)build, key, value)
    {
        if (rc == 0)
            rc = charge(p, text_cost(json_string_value(value)));
        json_object_foreach(value, name, text)
        {
            if (rc == 0)
                rc = charge(p, text_cost(name) + text_cost(json_string_value(text)));
        }
    }
    return rc;
}

static int add_build(struct project *p, const char *service, const json_t *build)
{
    struct compose_images *out = p->out;
    const char *context = json_string_value(json_object_get(build, "context"));
    if (!context)
        context = json_string_value(json_object_get(build, "directory"));
    if (out->build_count == BUILDS_MAX)
        return error_set(p->err, -E2BIG, "more than %d services are built", BUILDS_MAX);
    int rc = charge_build(p, build);
    if (rc == 0 && !is_address(context))
        rc = stay_inside(p, context, "");
    if (rc < 0)
        return error_prefix(p->err, "service \"%.100s\": build", service);
    /* A directory of the name "-" is not standard input. */
    struct compose_build made = {.service = xstrdup(service),
                                 .context = xstrdup(streq(context, "-") ? "./-" : context),
                                 .dockerfile = copy_word(build, "dockerfile"),
                                 .text = copy_word(build, "dockerfile_inline"),
                                 .target = copy_word(build, "target")};
    copy_arguments(p, json_object_get(build, "args"), &made.args);
    copy_pairs(json_object_get(build, "additional_contexts"), &made.contexts);
    out->builds = xrealloc(out->builds, out->build_count + 1, sizeof made);
    out->builds[out->build_count++] = made;
    return 0;
}

static int add_name(struct project *p, const json_t *name)
{
    const char *text = json_string_value(name);
    if (!text || !*text || json_object_get(p->names, text))
        return 0;
    if (p->out->names.len == IMAGES_MAX)
        return error_set(p->err, -E2BIG, "more than %d images are needed", IMAGES_MAX);
    json_object_set_new(p->names, text, json_true());
    strv_add(&p->out->names, text);
    return 0;
}

/* An image that is built has a name, and no registry. */
static int give_service(struct project *p, const char *name, const json_t *service)
{
    const json_t *build = json_object_get(service, "build"),
                 *images = json_object_get(service, "images");
    int rc = json_is_object(build) ? add_build(p, name, build)
                                   : add_name(p, json_object_get(service, "image"));
    for (size_t i = 0; rc == 0 && i < json_array_size(images); i++)
        rc = add_name(p, json_array_get(images, i));
    return rc;
}

static int give_services(struct project *p)
{
    const char *name;
    json_t *service;
    int rc = 0;
    json_object_foreach(p->services, name, service)
    {
        if (rc == 0)
            rc = give_service(p, name, service);
    }
    return rc;
}

/* `environment`: files; NULL: .env of the directory, where there is one. */
static int read_project(struct project *p, const struct strv *files, const struct strv *environment)
{
    int rc = 0;
    p->services = json_object();
    p->environment = json_object();
    p->variables.find = find_variable;
    p->variables.closure = p;
    if (!environment) {
        autofree char *usual = NULL;
        rc = place(p, p->directory, ".env", &usual);
        if (rc == 0)
            rc = read_environment(p, usual, false);
    }
    for (size_t i = 0; environment && rc == 0 && i < environment->len; i++)
        rc = read_environment(p, environment->items[i], true);
    for (size_t i = 0; rc == 0 && i < files->len; i++)
        rc = take_file(p, files->items[i]);
    if (rc == 0) {
        rc = give_services(p);
        if (rc < 0)
            (void)prefix_path(p, files->items[0]);
    }
    return rc;
}

int compose_images_read(const struct strv *files, struct compose_images *out, struct error *err)
{
    struct compose_images made = {0};
    struct totals totals = {0};
    autojson names = json_object();
    struct project p __attribute__((cleanup(project_free))) = {
        .directory = directory_of(files->items[0]),
        .out = &made,
        .names = names,
        .totals = &totals,
        .err = err,
        .variables = {
            .left = VARIABLES_MAX, .names_left = VARIABLES_NAMES_MAX, .unset = &made.unset}};
    int rc = find_root(p.directory, &made.root, err);
    totals.root = made.root;
    if (rc == 0)
        rc = read_project(&p, files, NULL);
    if (rc < 0) {
        compose_images_free(&made);
        return rc;
    }
    *out = made;
    return 0;
}
