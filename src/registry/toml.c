/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/toml.h"

#include <string.h>

#include "base/text.h"

#define DEPTH_MAX 16
#define DOTS_MAX 16

struct reader {
    const char *at, *end, *file;
    unsigned line, depth;
    struct error *err;
};

static int wrong(const struct reader *r, const char *what)
{
    return error_set(r->err, -EINVAL, "%s:%u: %s", r->file, r->line, what);
}

static char look(const struct reader *r)
{
    return r->at < r->end ? *r->at : '\0';
}

static void skip_blank(struct reader *r)
{
    while (look(r) == ' ' || look(r) == '\t')
        r->at++;
}

static void skip_comment(struct reader *r)
{
    skip_blank(r);
    if (look(r) == '#')
        while (r->at < r->end && *r->at != '\n')
            r->at++;
    if (look(r) == '\r')
        r->at++;
}

/* Also ends of lines: between lines and inside arrays. */
static void skip_lines(struct reader *r)
{
    for (;;) {
        skip_comment(r);
        if (look(r) != '\n')
            return;
        r->at++;
        r->line++;
    }
}

static int end_line(struct reader *r)
{
    skip_comment(r);
    if (r->at < r->end && *r->at != '\n')
        return wrong(r, "something stands behind the value");
    return 0;
}

/* --- strings --- */

static void add_utf8(struct buf *out, uint32_t c)
{
    char bytes[4];
    size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const unsigned char first[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = n; i-- > 1; c >>= 6)
        bytes[i] = (char)(0x80 | (c & 0x3f));
    bytes[0] = (char)(first[n] | c);
    buf_add(out, bytes, n);
}

static int read_unicode(struct reader *r, size_t digits, struct buf *out)
{
    uint32_t c = 0;
    for (size_t i = 0; i < digits; i++) {
        char d = look(r);
        int value = d >= '0' && d <= '9'   ? d - '0'
                    : d >= 'a' && d <= 'f' ? d - 'a' + 10
                    : d >= 'A' && d <= 'F' ? d - 'A' + 10
                                           : -1;
        if (value < 0)
            return wrong(r, "\\u and \\U want hexadecimal digits");
        c = c << 4 | (uint32_t)value;
        r->at++;
    }
    if (c == 0 || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
        return wrong(r, "\\u and \\U want a character");
    add_utf8(out, c);
    return 0;
}

static int read_escape(struct reader *r, struct buf *out)
{
    static const char from[] = "btnfr\"\\", to[] = "\b\t\n\f\r\"\\";
    char c = look(r);
    const char *known = c ? strchr(from, c) : NULL;
    if (r->at < r->end)
        r->at++;
    if (known)
        buf_char(out, to[known - from]);
    else if (c == 'u' || c == 'U')
        return read_unicode(r, c == 'u' ? 4 : 8, out);
    else
        return wrong(r, "an escape that there is not");
    return 0;
}

static int read_string(struct reader *r, struct buf *out)
{
    char quote = *r->at++;
    if (r->end - r->at >= 2 && r->at[0] == quote && r->at[1] == quote)
        return wrong(r, "strings of several lines are not read");
    for (;;) {
        unsigned char c = (unsigned char)look(r);
        if (r->at == r->end || c == '\n')
            return wrong(r, "a string without an end");
        r->at++;
        if ((char)c == quote)
            return 0;
        if (c == '\\' && quote == '"') {
            int rc = read_escape(r, out);
            if (rc < 0)
                return rc;
        } else if ((c < ' ' && c != '\t') || c == 0x7f) {
            return wrong(r, "a control character in a string");
        } else {
            buf_char(out, (char)c);
        }
    }
}

/* --- keys --- */

static bool is_bare(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_';
}

static int read_key(struct reader *r, struct strv *out)
{
    do {
        autobuf part = {0};
        skip_blank(r);
        if (look(r) == '"' || look(r) == '\'') {
            int rc = read_string(r, &part);
            if (rc < 0)
                return rc;
        } else {
            while (is_bare(look(r)))
                buf_char(&part, *r->at++);
            if (part.len == 0)
                return wrong(r, "a key is missing");
        }
        if (out->len == DOTS_MAX)
            return wrong(r, "a key of too many parts");
        strv_add(out, buf_text(&part));
        skip_blank(r);
    } while (look(r) == '.' && r->at++);
    return 0;
}

/* The table that the key's parts but the last lead to, from `table`; made where missing. Of an
 * array of tables, its last one. */
static json_t *descend(struct reader *r, json_t *table, const struct strv *key, size_t parts)
{
    for (size_t i = 0; i < parts; i++) {
        json_t *next = json_object_get(table, key->items[i]);
        if (!next) {
            next = json_object();
            if (json_object_set_new(table, key->items[i], next) < 0) {
                wrong(r, "a key that is no text");
                return NULL;
            }
        }
        if (json_is_array(next) && json_array_size(next) > 0)
            next = json_array_get(next, json_array_size(next) - 1);
        if (!json_is_object(next)) {
            wrong(r, "a key that has a value already is no table");
            return NULL;
        }
        table = next;
    }
    return table;
}

/* --- values --- */

static json_t *read_value(struct reader *r);
static int read_pair(struct reader *r, json_t *table);

static json_t *read_array(struct reader *r)
{
    autojson array = json_array();
    r->at++;
    for (;;) {
        skip_lines(r);
        if (look(r) == ']') {
            r->at++;
            return json_incref(array);
        }
        json_t *value = read_value(r);
        if (!value)
            return NULL;
        json_array_append_new(array, value);
        skip_lines(r);
        if (look(r) == ',')
            r->at++;
        else if (look(r) != ']') {
            wrong(r, "an array wants \",\" or \"]\"");
            return NULL;
        }
    }
}

static json_t *read_inline(struct reader *r)
{
    autojson table = json_object();
    r->at++;
    skip_blank(r);
    if (look(r) == '}') {
        r->at++;
        return json_incref(table);
    }
    for (;;) {
        if (read_pair(r, table) < 0)
            return NULL;
        skip_blank(r);
        char c = look(r);
        if (c != ',' && c != '}') {
            wrong(r, "a table in braces wants \",\" or \"}\"");
            return NULL;
        }
        r->at++;
        if (c == '}')
            return json_incref(table);
    }
}

static json_t *read_word(struct reader *r)
{
    autobuf word = {0};
    int64_t number;
    while (is_bare(look(r)) || look(r) == '+' || look(r) == '.' || look(r) == ':')
        buf_char(&word, *r->at++);
    const char *text = buf_text(&word);
    if (streq(text, "true") || streq(text, "false"))
        return json_boolean(*text == 't');
    if (parse_i64(text + (*text == '+'), INT64_MIN, INT64_MAX, &number) == 0)
        return json_integer(number);
    wrong(r,
          "no value that is read here: a string, a whole number, true, false, an array or a table");
    return NULL;
}

static json_t *read_nested(struct reader *r)
{
    if (r->depth == DEPTH_MAX) {
        wrong(r, "values within values, too deep");
        return NULL;
    }
    r->depth++;
    json_t *value = look(r) == '[' ? read_array(r) : read_inline(r);
    r->depth--;
    return value;
}

static json_t *read_value(struct reader *r)
{
    autobuf text = {0};
    switch (look(r)) {
    case '"':
    case '\'':
        if (read_string(r, &text) < 0)
            return NULL;
        json_t *string = json_stringn(buf_text(&text), text.len);
        if (!string)
            wrong(r, "a string that is no UTF-8");
        return string;
    case '[':
    case '{':
        return read_nested(r);
    default:
        return read_word(r);
    }
}

static int read_pair(struct reader *r, json_t *table)
{
    autostrv key = {0};
    int rc = read_key(r, &key);
    if (rc < 0)
        return rc;
    if (look(r) != '=')
        return wrong(r, "a key wants \"=\" and a value");
    r->at++;
    skip_blank(r);
    table = descend(r, table, &key, key.len - 1);
    if (!table)
        return -EINVAL;
    const char *last = key.items[key.len - 1];
    if (json_object_get(table, last))
        return wrong(r, "this key is there already");
    json_t *value = read_value(r);
    if (!value)
        return -EINVAL;
    return json_object_set_new(table, last, value) < 0 ? wrong(r, "a key that is no text") : 0;
}

/* --- tables --- */

static int open_array(struct reader *r, json_t *parent, const char *name, json_t **out)
{
    json_t *array = json_object_get(parent, name);
    if (!array) {
        array = json_array();
        if (json_object_set_new(parent, name, array) < 0)
            return wrong(r, "a key that is no text");
    }
    if (!json_is_array(array) ||
        (json_array_size(array) > 0 && !json_is_object(json_array_get(array, 0))))
        return wrong(r, "this is no array of tables above");
    *out = json_object();
    json_array_append_new(array, *out);
    return 0;
}

/* [name] or [[name]] */
static int read_header(struct reader *r, json_t *root, json_t **out)
{
    autostrv key = {0};
    r->at++;
    bool array = look(r) == '[';
    r->at += array;
    int rc = read_key(r, &key);
    if (rc < 0)
        return rc;
    if (look(r) != ']' || (array && (r->end - r->at < 2 || r->at[1] != ']')))
        return wrong(r, array ? "\"]]\" is missing" : "\"]\" is missing");
    r->at += 1 + array;
    json_t *parent = descend(r, root, &key, key.len - array);
    if (!parent)
        return -EINVAL;
    if (array)
        return open_array(r, parent, key.items[key.len - 1], out);
    *out = parent;
    return 0;
}

json_t *toml_parse(const char *text, size_t length, const char *file, struct error *err)
{
    struct error unwanted;
    struct reader r = {
        .at = text, .end = text + length, .file = file, .line = 1, .err = err ? err : &unwanted};
    autojson root = json_object();
    json_t *table = root;
    for (skip_lines(&r); r.at < r.end; skip_lines(&r)) {
        int rc = *r.at == '[' ? read_header(&r, root, &table) : read_pair(&r, table);
        if (rc == 0)
            rc = end_line(&r);
        if (rc < 0)
            return NULL;
    }
    return json_incref(root);
}
