/* SPDX-License-Identifier: Apache-2.0 */
#include "compose/yaml.h"

#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/cleanup.h"
#include "base/memory.h"
#include "base/text.h"

#define NODE_COST 32
#define LIST_COST 128 /* jansson makes room for some members at once */
#define ANCHORS_MAX 1000
#define TAG_PREFIX "tag:yaml.org,2002:"

struct anchor {
    char *name;
    json_t *value; /* ours; NULL while it is being read */
    size_t cost;
};

struct reading {
    yaml_parser_t parser;
    const char *file;
    struct anchor *anchors;
    size_t anchor_count, cost;
    struct error *err;
};

static void reading_free(struct reading *r)
{
    for (size_t i = 0; i < r->anchor_count; i++) {
        free(r->anchors[i].name);
        json_decref(r->anchors[i].value);
    }
    free(r->anchors);
    yaml_parser_delete(&r->parser);
}

static void cleanup_event(yaml_event_t *event)
{
    yaml_event_delete(event);
}
#define autoevent __attribute__((cleanup(cleanup_event))) yaml_event_t

static int wrong(struct reading *r, yaml_mark_t place, const char *what)
{
    autobuf shown = {0};
    buf_printable(&shown, what);
    return error_set(r->err, -EINVAL, "%s:%zu: %s", r->file, place.line + 1, buf_text(&shown));
}

static int next(struct reading *r, yaml_event_t *out)
{
    if (yaml_parser_parse(&r->parser, out))
        return 0;
    memset(out, 0, sizeof *out);
    return error_set(r->err, -EINVAL, "%s:%zu: %s%s%s", r->file, r->parser.problem_mark.line + 1,
                     r->parser.context ? r->parser.context : "", r->parser.context ? ", " : "",
                     r->parser.problem ? r->parser.problem : "it cannot be read");
}

static int spend(struct reading *r, yaml_mark_t place, size_t cost)
{
    if (cost > YAML_EXPANDED_MAX - r->cost)
        return wrong(r, place, "with its aliases replaced the file is too large");
    r->cost += cost;
    return 0;
}

/* Of a text in the answer's JSON: what it has of control characters is six times as long there. */
static size_t text_cost(const char *text, size_t length)
{
    size_t cost = NODE_COST + length;
    for (size_t i = 0; i < length; i++)
        cost += (unsigned char)text[i] < 0x20 ? 5 : text[i] == '"' || text[i] == '\\';
    return cost;
}

/* --- anchors --- */

static struct anchor *find_anchor(struct reading *r, const char *name)
{
    for (size_t i = r->anchor_count; i-- > 0;)
        if (streq(r->anchors[i].name, name))
            return &r->anchors[i];
    return NULL;
}

/* Begins one, which nothing inside of it can refer to; its number, or -1 where there is none. */
static int begin_anchor(struct reading *r, yaml_mark_t place, const yaml_char_t *name, int *out)
{
    *out = -1;
    if (!name)
        return 0;
    if (r->anchor_count == ANCHORS_MAX)
        return wrong(r, place, "there are too many anchors");
    r->anchors = xrealloc(r->anchors, r->anchor_count + 1, sizeof *r->anchors);
    r->anchors[r->anchor_count] = (struct anchor){.name = xstrdup((const char *)name)};
    *out = (int)r->anchor_count++;
    return 0;
}

static void end_anchor(struct reading *r, int number, json_t *value, size_t cost_before)
{
    if (number < 0)
        return;
    r->anchors[number].value = json_incref(value);
    r->anchors[number].cost = r->cost - cost_before;
}

static int read_alias(struct reading *r, const yaml_event_t *event, json_t **out)
{
    const struct anchor *anchor = find_anchor(r, (const char *)event->data.alias.anchor);
    if (!anchor || !anchor->value)
        return wrong(r, event->start_mark,
                     anchor ? "an alias of what it is in"
                            : "an alias of an anchor that is not there");
    int rc = spend(r, event->start_mark, anchor->cost);
    if (rc == 0)
        *out = json_deep_copy(anchor->value);
    return rc;
}

/* --- nodes --- */

static bool is_one_of(const char *text, const char *const *words)
{
    while (*words && !streq(text, *words))
        words++;
    return *words;
}

/* What stands there without quotes; YAML 1.2, 10.3.2. */
static json_t *plain_value(const char *text, size_t length)
{
    static const char *const nulls[] = {"", "~", "null", "Null", "NULL", NULL};
    static const char *const trues[] = {"true", "True", "TRUE", NULL};
    static const char *const falses[] = {"false", "False", "FALSE", NULL};
    if (is_one_of(text, nulls))
        return json_null();
    if (is_one_of(text, trues))
        return json_true();
    if (is_one_of(text, falses))
        return json_false();
    return json_stringn(text, length);
}

/* Of YAML's own tags the words; NULL for one that we do not know. "" for none. */
static const char *tag_word(const yaml_char_t *tag)
{
    static const char *const words[] = {"str", "null", "bool", "int", "float", "map", "seq", NULL};
    const char *text = (const char *)tag;
    if (!text)
        return "";
    if (streq(text, "!reset") || streq(text, "!override"))
        return text;
    if (!starts_with(text, TAG_PREFIX) || !is_one_of(text + strlen(TAG_PREFIX), words))
        return NULL;
    return text + strlen(TAG_PREFIX);
}

/* `value` is taken over. */
static int finish(struct reading *r, const yaml_event_t *event, const yaml_char_t *tag,
                  json_t *value, json_t **out)
{
    const char *word = tag_word(tag);
    if (!value || !word) {
        json_decref(value);
        return wrong(r, event->start_mark,
                     word ? "it is no UTF-8, or has a NUL in it" : "an unknown tag");
    }
    if (*word == '!') {
        json_t *wrapped = json_object();
        json_object_set_new(wrapped, word, value);
        value = wrapped;
    }
    *out = value;
    return 0;
}

static int read_scalar(struct reading *r, const yaml_event_t *event, json_t **out)
{
    const char *text = (const char *)event->data.scalar.value;
    size_t length = event->data.scalar.length;
    const char *word = tag_word(event->data.scalar.tag);
    bool plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
                 (event->data.scalar.plain_implicit || (word && *word == '!'));
    if (word && (streq(word, "null") || streq(word, "bool")))
        plain = true;
    json_t *value = strlen(text) != length ? NULL
                    : plain                ? plain_value(text, length)
                                           : json_stringn(text, length);
    int rc = spend(r, event->start_mark, text_cost(text, length));
    if (rc < 0) {
        json_decref(value);
        return rc;
    }
    return finish(r, event, event->data.scalar.tag, value, out);
}

static int read_node(struct reading *r, const yaml_event_t *event, unsigned depth, json_t **out);

static int read_sequence(struct reading *r, const yaml_event_t *event, unsigned depth, json_t **out)
{
    autojson list = json_array();
    for (;;) {
        autoevent item = {0};
        json_t *value = NULL;
        int rc = next(r, &item);
        if (rc == 0 && item.type == YAML_SEQUENCE_END_EVENT)
            break;
        if (rc == 0)
            rc = read_node(r, &item, depth + 1, &value);
        if (rc < 0)
            return rc;
        json_array_append_new(list, value);
    }
    return finish(r, event, event->data.sequence_start.tag, take_ptr(list), out);
}

/* --- mappings --- */

/* Of what is merged, keys that are there stay. */
static int merge_one(struct reading *r, yaml_mark_t place, const json_t *from, json_t *into)
{
    const char *key;
    json_t *value;
    if (!json_is_object(from))
        return wrong(r, place, "<< wants a mapping, or a list of some");
    json_object_foreach((json_t *)from, key, value) if (!json_object_get(into, key))
        json_object_set(into, key, value);
    return 0;
}

static int merge(struct reading *r, yaml_mark_t place, const json_t *from, json_t *into)
{
    int rc = 0;
    if (!json_is_array(from))
        return merge_one(r, place, from, into);
    for (size_t i = 0; rc == 0 && i < json_array_size(from); i++)
        rc = merge_one(r, place, json_array_get(from, i), into);
    return rc;
}

static int read_pair(struct reading *r, const yaml_event_t *key, unsigned depth, json_t *into,
                     json_t *merged)
{
    autoevent event = {0};
    autojson value = NULL;
    char shown[200];
    if (key->type != YAML_SCALAR_EVENT)
        return wrong(r, key->start_mark, "a key has to be a word");
    const char *name = (const char *)key->data.scalar.value;
    bool is_merge = key->data.scalar.style == YAML_PLAIN_SCALAR_STYLE && streq(name, "<<");
    if (strlen(name) != key->data.scalar.length)
        return wrong(r, key->start_mark, "a key has a NUL in it");
    if (json_object_get(into, name)) {
        snprintf(shown, sizeof shown, "the key \"%.150s\" is there twice", name);
        return wrong(r, key->start_mark, shown);
    }
    int rc = spend(r, key->start_mark, text_cost(name, key->data.scalar.length));
    if (rc == 0)
        rc = next(r, &event);
    if (rc == 0)
        rc = read_node(r, &event, depth + 1, &value);
    if (rc == 0 && is_merge)
        return merge(r, key->start_mark, value, merged);
    if (rc == 0 && json_object_set(into, name, value) < 0)
        rc = wrong(r, key->start_mark, "a key is no UTF-8");
    return rc;
}

static int read_mapping(struct reading *r, const yaml_event_t *event, unsigned depth, json_t **out)
{
    autojson map = json_object();
    autojson merged = json_object();
    for (;;) {
        autoevent key = {0};
        int rc = next(r, &key);
        if (rc == 0 && key.type == YAML_MAPPING_END_EVENT)
            break;
        if (rc == 0)
            rc = read_pair(r, &key, depth, map, merged);
        if (rc < 0)
            return rc;
    }
    (void)merge_one(r, event->start_mark, merged, map);
    return finish(r, event, event->data.mapping_start.tag, take_ptr(map), out);
}

static int read_node(struct reading *r, const yaml_event_t *event, unsigned depth, json_t **out)
{
    size_t before = r->cost;
    const yaml_char_t *name =
        event->type == YAML_SCALAR_EVENT           ? event->data.scalar.anchor
        : event->type == YAML_SEQUENCE_START_EVENT ? event->data.sequence_start.anchor
        : event->type == YAML_MAPPING_START_EVENT  ? event->data.mapping_start.anchor
                                                   : NULL;
    int number;
    if (depth > YAML_DEPTH_MAX)
        return wrong(r, event->start_mark, "it is nested too deeply");
    int rc = begin_anchor(r, event->start_mark, name, &number);
    if (rc < 0)
        return rc;
    switch (event->type) {
    case YAML_ALIAS_EVENT:
        return read_alias(r, event, out);
    case YAML_SCALAR_EVENT:
        rc = read_scalar(r, event, out);
        break;
    case YAML_SEQUENCE_START_EVENT:
        rc = spend(r, event->start_mark, LIST_COST);
        if (rc == 0)
            rc = read_sequence(r, event, depth, out);
        break;
    case YAML_MAPPING_START_EVENT:
        rc = spend(r, event->start_mark, LIST_COST);
        if (rc == 0)
            rc = read_mapping(r, event, depth, out);
        break;
    default:
        return wrong(r, event->start_mark, "a value is missing");
    }
    if (rc == 0)
        end_anchor(r, number, *out, before);
    return rc;
}

/* --- the document --- */

/* An empty one is null. */
static int read_document(struct reading *r, json_t **out)
{
    for (bool read = false;;) {
        autoevent event = {0};
        int rc = next(r, &event);
        if (rc < 0)
            return rc;
        if (event.type == YAML_STREAM_END_EVENT)
            break;
        if (event.type == YAML_STREAM_START_EVENT || event.type == YAML_DOCUMENT_END_EVENT)
            continue;
        if (event.type == YAML_DOCUMENT_START_EVENT && read)
            return wrong(r, event.start_mark, "a second document begins: one file is one");
        if (event.type == YAML_DOCUMENT_START_EVENT) {
            read = true;
            continue;
        }
        rc = read_node(r, &event, 0, out);
        if (rc < 0)
            return rc;
    }
    if (!*out)
        *out = json_null();
    return 0;
}

int yaml_read(const char *text, size_t length, const char *file, json_t **out, struct error *err)
{
    struct reading r = {.file = file, .err = err};
    autojson value = NULL;
    if (length > YAML_MAX)
        return error_set(err, -EFBIG, "%s is larger than %u MiB", file, YAML_MAX >> 20);
    if (!yaml_parser_initialize(&r.parser))
        return error_set(err, -ENOMEM, "cannot read %s: no memory", file);
    yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&r.parser, (const unsigned char *)text, length);
    int rc = read_document(&r, &value);
    reading_free(&r);
    if (rc == 0)
        *out = take_ptr(value);
    return rc;
}
