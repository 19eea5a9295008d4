/* SPDX-License-Identifier: Apache-2.0 */
/* events. */
#include "container/events.h"

#include "base/cleanup.h"
#include "base/memory.h"
#include "base/text.h"
#include "cmd/container_options.h"
#include "cmd/container_words.h"
#include "cmd/filter.h"
#include "cmd/front.h"
#include "cmd/print.h"
#include "cmd/template.h"
#include "oci/reference.h"

/* --- filters --- */

struct filter {
    struct strv containers, events, images, labels, networks, types, volumes;
};

static void filter_free(struct filter *f)
{
    strv_free(&f->containers);
    strv_free(&f->events);
    strv_free(&f->images);
    strv_free(&f->labels);
    strv_free(&f->networks);
    strv_free(&f->types);
    strv_free(&f->volumes);
}

static int filter_parse(const struct strv *words, struct filter *f, struct error *err)
{
    const struct filter_key keys[] = {{"container", &f->containers}, {"event", &f->events},
                                      {"image", &f->images},         {"label", &f->labels},
                                      {"network", &f->networks},     {"type", &f->types},
                                      {"volume", &f->volumes}};
    for (size_t i = 0; i < words->len; i++)
        if (!filter_take(keys, sizeof keys / sizeof *keys, words->items[i]))
            return error_set(err, -EINVAL,
                             "--filter %.60s: give container=, event=, image=, label=, network=, "
                             "type= or volume=",
                             words->items[i]);
    return 0;
}

static const char *member(const json_t *object, const char *key)
{
    const char *value = NULL;
    (void)json_get_string(object, key, &value, NULL);
    return value ? value : "";
}

static bool has_label(const json_t *attributes, const char *wanted)
{
    const char *equals = strchr(wanted, '=');
    autofree char *name = xstrndup(wanted, equals ? (size_t)(equals - wanted) : strlen(wanted));
    const char *value = NULL;
    (void)json_get_string(attributes, name, &value, NULL);
    return value && (!equals || streq(value, equals + 1));
}

/* "exec_die" and, as health states are told, everything before a colon. */
static bool is_event(const struct strv *wanted, const char *action)
{
    for (size_t i = 0; i < wanted->len; i++) {
        size_t length = strlen(wanted->items[i]);
        if (strncmp(action, wanted->items[i], length) == 0 &&
            (!action[length] || action[length] == ':'))
            return true;
    }
    return wanted->len == 0;
}

/* A container or a network: by its name, or the beginning of its id. */
static bool is_one(const struct strv *wanted, const char *id, const char *name)
{
    for (size_t i = 0; i < wanted->len; i++)
        if (streq(wanted->items[i], name) ||
            (*wanted->items[i] && starts_with(id, wanted->items[i])))
            return true;
    return wanted->len == 0;
}

static bool is_volume(const struct strv *wanted, const char *name)
{
    return wanted->len == 0 || strv_has(wanted, name);
}

/* By whatever name it is known. */
static bool is_called(const struct strv *wanted, const char *image)
{
    for (size_t i = 0; i < wanted->len; i++) {
        autoreference a = {0}, b = {0};
        if (streq(wanted->items[i], image))
            return true;
        autobuf one = {0}, other = {0};
        if (reference_parse(wanted->items[i], &a, NULL) < 0 || reference_parse(image, &b, NULL) < 0)
            continue;
        reference_familiar(&a, &one);
        reference_familiar(&b, &other);
        if (streq(buf_text(&one), buf_text(&other)))
            return true;
    }
    return false;
}

/* The image itself, also by the beginning of its id, or that of a container. */
static bool is_image(const struct strv *wanted, bool of_image, const char *id,
                     const json_t *attributes)
{
    if (wanted->len == 0 || is_called(wanted, member(attributes, of_image ? "name" : "image")))
        return true;
    const char *digits = strchr(id, ':') ? strchr(id, ':') + 1 : id;
    for (size_t i = 0; of_image && i < wanted->len; i++)
        if (*wanted->items[i] &&
            (starts_with(id, wanted->items[i]) || starts_with(digits, wanted->items[i])))
            return true;
    return false;
}

static bool matches(const struct filter *f, const json_t *event, const json_t *actor,
                    const json_t *attributes)
{
    for (size_t i = 0; i < f->labels.len; i++)
        if (!has_label(attributes, f->labels.items[i]))
            return false;
    if (f->types.len > 0 && !strv_has(&f->types, member(event, "Type")))
        return false;
    const char *type = member(event, "Type"), *id = member(actor, "ID");
    /* Who asks for one of a kind does not want to hear of others. */
    if ((f->containers.len > 0 && !streq(type, "container")) ||
        (f->networks.len > 0 && !streq(type, "network")) ||
        (f->volumes.len > 0 && !streq(type, "volume")))
        return false;
    const char *name = member(attributes, "name");
    return is_event(&f->events, member(event, "Action")) && is_one(&f->containers, id, name) &&
           is_one(&f->networks, id, name) && is_volume(&f->volumes, id) &&
           is_image(&f->images, streq(type, "image"), id, attributes);
}

/* --- printing --- */

struct printing {
    const struct filter *filter;
    const char *format; /* NULL: as text */
};

static void show_text(const json_t *event, const json_t *actor, const json_t *attributes,
                      struct buf *out)
{
    char when[RFC3339_MAX];
    int64_t moment = 0;
    const char *key;
    json_t *value;
    bool first = true;
    (void)json_get_i64(event, "timeNano", &moment, NULL);
    format_rfc3339(moment, when);
    buf_fmt(out, "%s %s ", when, member(event, "Type"));
    buf_printable(out, member(event, "Action"));
    buf_char(out, ' ');
    buf_printable(out, member(actor, "ID"));
    buf_str(out, " (");
    json_object_foreach((json_t *)(uintptr_t)attributes, key, value)
    {
        buf_str(out, first ? "" : ", ");
        buf_printable(out, key);
        buf_char(out, '=');
        buf_printable(out, json_string_value(value) ? json_string_value(value) : "");
        first = false;
    }
    buf_str(out, ")");
}

static int show(const char *line, const json_t *event, void *closure, struct error *err)
{
    const struct printing *p = closure;
    json_t *actor = NULL, *attributes = NULL;
    autobuf out = {0};
    int rc = 0;
    if (json_get_object(event, "Actor", &actor, NULL) < 0 || !actor ||
        json_get_object(actor, "Attributes", &attributes, NULL) < 0 || !attributes ||
        !matches(p->filter, event, actor, attributes))
        return 0;
    if (!p->format)
        show_text(event, actor, attributes, &out);
    else if (streq(p->format, "json"))
        buf_str(&out, line);
    else
        rc = template_render(p->format, event, &out, err);
    if (rc < 0)
        return rc;
    buf_char(&out, '\n');
    return print(&out) == 0 ? 0 : -EPIPE;
}

int command_events(const struct invocation *call, void *options, struct error *err)
{
    const struct events_options *o = options;
    autocontainers all = {0};
    struct filter filter = {0};
    struct event_query query = {.since = clock_wall(), .until = INT64_MAX};
    struct printing printing = {.filter = &filter, .format = o->format};
    (void)call;
    int rc = read_moment("--since", o->since, &query.since, err);
    if (rc == 0)
        rc = read_moment("--until", o->until, &query.until, err);
    if (rc == 0 && !o->since && o->until) /* as Docker: then from the beginning */
        query.since = INT64_MIN;
    if (rc == 0)
        rc = filter_parse(&o->filters, &filter, err);
    if (rc == 0)
        rc = containers_here(&all, err);
    if (rc == 0)
        rc = events_read(&all, &query, show, &printing, err);
    filter_free(&filter);
    return rc == -EPIPE ? 1 : rc; /* nobody reads any more, and nobody is to be told */
}
