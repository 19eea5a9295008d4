/* SPDX-License-Identifier: Apache-2.0 */
/* One service: what concerns images, of it and of what it extends. See project.h. */
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/memory.h"
#include "base/text.h"
#include "compose/project.h"

#define SERVICE_NAME_MAX 255

int service_wrong(const struct project *p, const char *service, const char *what)
{
    autobuf shown = {0};
    buf_printable(&shown, service);
    return error_set(p->err, -EINVAL, "service \"%.100s\": %s", buf_text(&shown), what);
}

int check_services(const struct project *p, const json_t *services)
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)services, name, value)
    {
        size_t length = strlen(name);
        if (length == 0 || length > SERVICE_NAME_MAX || strspn(name, letters) != length)
            return service_wrong(p, name,
                                 "no name of a service: letters, digits, \".\", \"_\" and "
                                 "\"-\", at most 255, are one");
    }
    return 0;
}

/* What a key has, without a tag of compose's; `replaces` when one says that nothing is merged, and
 * then NULL when it is taken away. */
static json_t *value_of(const json_t *object, const char *key, bool *replaces)
{
    json_t *value = json_object_get(object, key);
    *replaces = tag_of(value);
    return *replaces ? json_object_get(value, "!override") : json_is_null(value) ? NULL : value;
}

/* --- build --- */

/* A list of NAME=VALUE, or a mapping; as a mapping, with null where there is no value. */
static int add_pair(const struct project *p, const char *name, const json_t *value, json_t *into)
{
    const char *text = json_is_true(value)    ? "true"
                       : json_is_false(value) ? "false"
                                              : json_string_value(value);
    int rc = charge(p, text_cost(name) + text_cost(text));
    if (rc == 0)
        json_object_set_new(into, name, text ? json_string(text) : json_null());
    return rc;
}

static int add_word(const struct project *p, const char *word, json_t *into)
{
    const char *equal = strchr(word, '=');
    autofree char *name = xstrndup(word, strcspn(word, "="));
    autojson value = equal ? json_string(equal + 1) : json_null();
    return add_pair(p, name, value, into);
}

static int pairs_of(const struct project *p, const char *service, const json_t *value, json_t *into)
{
    static const char what[] = "build: args and additional_contexts are lists of NAME=VALUE, or "
                               "mappings, without !reset and !override";
    const char *key;
    json_t *item;
    size_t index;
    int rc = 0;
    if (tag_of(value) ||
        (value && !json_is_null(value) && !json_is_object(value) && !json_is_array(value)))
        return service_wrong(p, service, what);
    json_object_foreach((json_t *)value, key, item)
    {
        if (json_is_object(item) || json_is_array(item))
            return service_wrong(p, service, what);
        rc = add_pair(p, key, item, into);
        if (rc < 0)
            return rc;
    }
    json_array_foreach(value, index, item)
    {
        if (!json_is_string(item))
            return service_wrong(p, service, what);
        rc = add_word(p, json_string_value(item), into);
        if (rc < 0)
            return rc;
    }
    return rc;
}

bool is_address(const char *context)
{
    static const char *const schemes[] = {"https://", "http://", "ssh://", "git://"};
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++)
        if (strncasecmp(context, schemes[i], strlen(schemes[i])) == 0)
            return true;
    return starts_with(context, "git@") && strchr(context, ':');
}

/* Made a path, from here. */
static int place_context(const struct project *p, const char *service, const char *directory,
                         json_t *build)
{
    const char *context = json_string_value(json_object_get(build, "context"));
    autofree char *path = NULL;
    json_object_set_new(build, "directory", json_string(directory));
    if (!context || is_address(context))
        return 0;
    if (!*context || streq(context, "-") || strstr(context, "://"))
        return service_wrong(p, service,
                             "build: a directory is needed, or an address of https, "
                             "http, ssh or git");
    int rc = place(p, directory, context, &path);
    if (rc == 0)
        json_object_set_new(build, "context", json_string(path));
    return rc < 0 ? service_wrong(p, service, "build: the path of the context is too long") : 0;
}

static int take_words(const struct project *p, const char *service, const json_t *value,
                      json_t *build)
{
    static const char *const words[] = {"context", "dockerfile", "dockerfile_inline", "target"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        json_t *word = json_object_get(value, words[i]);
        if (word && !json_is_null(word) && !json_is_string(word))
            return service_wrong(p, service,
                                 "build: context, dockerfile, dockerfile_inline and target are "
                                 "words");
        int rc = charge(p, text_cost(json_string_value(word)));
        if (rc < 0)
            return rc;
        if (json_is_string(word))
            json_object_set(build, words[i], word);
    }
    return 0;
}

/* `build`, as a mapping with its context made a path. */
static int reduce_build(const struct project *p, const char *service, const char *directory,
                        const json_t *value, json_t **out)
{
    static const char *const lists[] = {"args", "additional_contexts"};
    autojson build = json_object();
    int rc = 0;
    if (!json_is_string(value) && !json_is_object(value))
        return service_wrong(p, service, "build: a directory or a mapping is needed");
    if (json_is_string(value))
        json_object_set(build, "context", (json_t *)value);
    else
        rc = take_words(p, service, value, build);
    for (size_t i = 0; rc == 0 && i < sizeof lists / sizeof *lists; i++) {
        json_t *pairs = json_object();
        json_object_set_new(build, lists[i], pairs);
        rc = pairs_of(p, service, json_object_get(value, lists[i]), pairs);
    }
    if (rc == 0)
        rc = place_context(p, service, directory, build);
    if (rc == 0)
        *out = take_ptr(build);
    return rc;
}

/* --- what is merged --- */

static int check_image(const struct project *p, const char *service, const json_t *name)
{
    return !json_is_string(name) ? service_wrong(p, service, "image: a name is needed")
           : json_string_length(name) > IMAGE_NAME_MAX
               ? service_wrong(p, service, "image: the name is too long")
               : 0;
}

/* One that is mounted is an image only where it says so. */
static int reduce_volume(const struct project *p, const char *service, const json_t *volume,
                         json_t *images)
{
    const json_t *type = json_object_get(volume, "type"),
                 *source = json_object_get(volume, "source");
    if (json_is_string(volume))
        return 0;
    if (!json_is_object(volume) || tag_of(volume) || (type && !json_is_string(type)))
        return service_wrong(p, service,
                             "volumes: words and mappings are needed, with a word as "
                             "their type");
    if (!streq(json_string_value(type), "image"))
        return 0;
    if (!json_is_string(source) || json_string_length(source) > IMAGE_NAME_MAX)
        return service_wrong(p, service, "volumes: an image needs the name of one as its source");
    json_array_append(images, (json_t *)source);
    return 0;
}

static int reduce_volumes(const struct project *p, const char *service, const json_t *value,
                          json_t *images)
{
    int rc = charge(p, json_array_size(value));
    if (rc == 0 && value && !json_is_array(value))
        rc = service_wrong(p, service, "volumes: a list is needed");
    for (size_t i = 0; rc == 0 && i < json_array_size(value); i++)
        rc = reduce_volume(p, service, json_array_get(value, i), images);
    return rc;
}

/* See find_service(). */
static int reduce(const struct project *p, const char *service, const char *directory,
                  const json_t *from, json_t **out)
{
    bool replaces;
    autojson small = json_object();
    json_t *image = value_of(from, "image", &replaces), *build = NULL, *images = json_array();
    json_object_set_new(small, "images", images);
    int rc = image ? check_image(p, service, image) : 0;
    if (rc < 0)
        return rc;
    if (image || replaces)
        json_object_set_new(small, "image", image ? json_incref(image) : json_null());
    json_t *value = value_of(from, "build", &replaces);
    rc = value ? reduce_build(p, service, directory, value, &build) : 0;
    if (rc < 0)
        return rc;
    if (value || replaces)
        json_object_set_new(small, "build", build ? build : json_null());
    json_object_set_new(small, "build-replaces", json_boolean(replaces));
    value = value_of(from, "volumes", &replaces);
    json_object_set_new(small, "images-replace", json_boolean(replaces));
    rc = reduce_volumes(p, service, value, images);
    if (rc == 0)
        *out = take_ptr(small);
    return rc;
}

static int merge_build(const struct project *p, json_t *into, const json_t *over)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)over, key, value)
    {
        json_t *there = json_object_get(into, key);
        int rc = charge(p, json_object_size(value));
        if (rc < 0)
            return rc;
        if (json_is_object(value) && json_is_object(there))
            json_object_update(there, value);
        else
            json_object_set(into, key, value);
    }
    return 0;
}

/* Both are reduced. */
static int merge_service(const struct project *p, json_t *into, const json_t *over)
{
    json_t *image = json_object_get(over, "image"), *build = json_object_get(over, "build");
    json_t *there = json_object_get(into, "build"), *images = json_object_get(over, "images");
    int rc = charge(p, json_array_size(images));
    if (rc < 0)
        return rc;
    if (image)
        json_object_set(into, "image", image);
    if (build && json_is_object(build) && json_is_object(there) &&
        !json_is_true(json_object_get(over, "build-replaces")))
        rc = merge_build(p, there, build);
    else if (build)
        json_object_set(into, "build", build);
    if (json_is_true(json_object_get(over, "images-replace")))
        json_object_set(into, "images", images);
    else
        json_array_extend(json_object_get(into, "images"), images);
    return rc;
}

/* --- extends --- */

/* What `extends` says; *file is NULL where it is this one. */
static int read_extends(const struct project *p, const char *service, const json_t *extends,
                        const char **name, const char **file)
{
    const char *key;
    json_t *value;
    *file = NULL;
    *name = json_string_value(extends);
    json_object_foreach((json_t *)extends, key, value)
    {
        const char **word = streq(key, "service") ? name : streq(key, "file") ? file : NULL;
        if (!word && !starts_with(key, "x-"))
            return service_wrong(p, service,
                                 "extends: only service and file are understood, and neither "
                                 "!reset nor !override");
        if (word && !json_is_string(value))
            return service_wrong(p, service,
                                 streq(key, "file") ? "extends: file: a path is needed"
                                                    : "extends: a service is needed");
        if (word)
            *word = json_string_value(value);
    }
    return *name ? 0 : service_wrong(p, service, "extends: a service is needed");
}

static int find_elsewhere(struct project *p, const char *directory, const char *file,
                          const char *name, unsigned depth, json_t **out)
{
    autojson tree = NULL;
    autofree char *path = NULL;
    int rc = place(p, directory, file, &path);
    if (rc == 0)
        rc = stay_inside(p, path, ": name it with -f");
    if (rc < 0)
        return error_prefix(p->err, "extends");
    rc = read_file(p, path, &tree);
    if (rc < 0)
        return rc;
    autofree char *below = directory_of(path);
    rc = find_service(p, below, json_object_get(tree, "services"), name, depth, out);
    return rc < 0 ? prefix_path(p, path) : 0;
}

/* What a service is based on, reduced; NULL: nothing. */
static int find_base(struct project *p, const char *directory, const json_t *services,
                     const char *name, const json_t *service, unsigned depth, json_t **out)
{
    const json_t *extends = json_object_get(service, "extends");
    const char *other, *file;
    *out = NULL;
    if (!extends || json_is_null(extends))
        return 0;
    int rc = read_extends(p, name, extends, &other, &file);
    if (rc < 0)
        return rc;
    if (depth == NESTED_MAX)
        return service_wrong(p, name, "extends: it goes round in a circle, or too deep");
    return file ? find_elsewhere(p, directory, file, other, depth + 1, out)
                : find_service(p, directory, services, other, depth + 1, out);
}

static int count_service(const struct project *p)
{
    if (++p->totals->services > SERVICES_MAX)
        return error_set(p->err, -E2BIG, "there are more than %d services, with those they extend",
                         SERVICES_MAX);
    return 0;
}

int find_service(struct project *p, const char *directory, const json_t *services, const char *name,
                 unsigned depth, json_t **out)
{
    bool replaces;
    autojson base = NULL;
    autojson own = NULL;
    const json_t *service = value_of(services, name, &replaces);
    if (!json_object_get(services, name) || (!service && replaces))
        return service_wrong(p, name, "there is none of this name");
    if (!json_is_object(service))
        return service_wrong(p, name, "a mapping is needed");
    int rc = count_service(p);
    if (rc == 0)
        rc = find_base(p, directory, services, name, service, depth, &base);
    if (rc == 0)
        rc = reduce(p, name, directory, service, &own);
    if (rc == 0 && base)
        rc = merge_service(p, base, own);
    if (rc == 0)
        *out = base ? take_ptr(base) : take_ptr(own);
    return rc;
}

int take_service(struct project *p, const json_t *services, const char *name)
{
    bool replaces;
    autojson service = NULL;
    json_t *there = json_object_get(p->services, name);
    if (!value_of(services, name, &replaces) && replaces) {
        json_object_del(p->services, name);
        return 0;
    }
    int rc = find_service(p, p->directory, services, name, 0, &service);
    if (rc < 0)
        return rc;
    if (there && !replaces)
        return merge_service(p, there, service);
    json_object_set(p->services, name, service);
    return 0;
}
