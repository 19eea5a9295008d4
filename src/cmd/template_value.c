/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/template_value.h"

#include <ctype.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"
#include "cmd/template_printf.h"

enum { DEEPEST = 32, MOST_TERMS = 8 };

struct reader {
    const char *at;
    const struct template_scope *scope;
    unsigned depth;
    struct error *err;
};

static json_t *pipeline(struct reader *r);

bool template_truth(const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return json_object_size(value) > 0;
    case JSON_ARRAY:
        return json_array_size(value) > 0;
    case JSON_STRING:
        return json_string_length(value) > 0;
    case JSON_INTEGER:
        return json_integer_value(value) != 0;
    case JSON_REAL:
        return json_real_value(value) < 0 || json_real_value(value) > 0;
    case JSON_TRUE:
        return true;
    default:
        return false;
    }
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void print_object(const json_t *object, struct buf *out)
{
    size_t count = 0;
    autofree const char **keys = xcalloc(json_object_size(object), sizeof *keys);
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)object, key, value) keys[count++] = key;
    qsort(keys, count, sizeof *keys, by_name);
    buf_str(out, "map[");
    for (size_t i = 0; i < count; i++) {
        buf_fmt(out, "%s%s:", i ? " " : "", keys[i]);
        template_print(json_object_get(object, keys[i]), out);
    }
    buf_char(out, ']');
}

void template_print(const json_t *value, struct buf *out)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        print_object(value, out);
        break;
    case JSON_ARRAY:
        buf_char(out, '[');
        for (size_t i = 0; i < json_array_size(value); i++) {
            buf_str(out, i ? " " : "");
            template_print(json_array_get(value, i), out);
        }
        buf_char(out, ']');
        break;
    case JSON_STRING:
        buf_add(out, json_string_value(value), json_string_length(value));
        break;
    case JSON_INTEGER:
        buf_fmt(out, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        break;
    case JSON_REAL:
        buf_fmt(out, "%g", json_real_value(value));
        break;
    case JSON_TRUE:
        buf_str(out, "true");
        break;
    case JSON_FALSE:
        buf_str(out, "false");
        break;
    default:
        buf_str(out, "<no value>");
    }
}

static json_t *no_such_field(const json_t *from, const char *name, struct error *err)
{
    const char *key;
    json_t *value;
    autostrv keys = {0};
    json_object_foreach((json_t *)from, key, value) strv_add(&keys, key);
    const char *near = nearest_word(name, (const char *const *)strv_argv(&keys), keys.len);
    error_set(err, -EINVAL, "--format: there is no field .%s%s%s%s", name,
              near ? "; did you mean ." : "", near ? near : "", near ? "?" : "");
    return NULL;
}

/* .name of `from`. Keys that an image or a user chose (labels) are lower case by custom and may be
 * absent; ours start in upper case, and one that is not there is a mistake. */
static json_t *field(const json_t *from, const char *name, struct error *err)
{
    if (json_is_null(from))
        return json_null();
    if (!json_is_object(from)) {
        error_set(err, -EINVAL, "--format: .%s of something that has no fields", name);
        return NULL;
    }
    json_t *value = json_object_get(from, name);
    if (value)
        return json_incref(value);
    return isupper((unsigned char)name[0]) ? no_such_field(from, name, err) : json_null();
}

static size_t name_length(const char *text)
{
    size_t length = 0;
    while (isalnum((unsigned char)text[length]) || text[length] == '_')
        length++;
    return length;
}

/* ".A.B" after a value; takes over `value`. */
static json_t *path(struct reader *r, json_t *value)
{
    while (value && r->at[0] == '.' && name_length(r->at + 1) > 0) {
        size_t length = name_length(r->at + 1);
        autofree char *name = xstrndup(r->at + 1, length);
        r->at += 1 + length;
        json_t *next = field(value, name, r->err);
        json_decref(value);
        value = next;
    }
    return value;
}

static json_t *variable(struct reader *r)
{
    size_t length = name_length(++r->at);
    const json_t *found = length == 0 ? r->scope->root : NULL;
    for (size_t i = r->scope->count; i-- > 0 && !found;)
        if (strncmp(r->scope->variables[i].name, r->at, length) == 0 &&
            r->scope->variables[i].name[length] == '\0')
            found = r->scope->variables[i].value;
    if (!found) {
        error_set(r->err, -EINVAL, "--format: there is no variable $%.*s", (int)length, r->at);
        return NULL;
    }
    r->at += length;
    return path(r, json_incref((json_t *)found));
}

/* "…" with \" \\ \n \t, or `…` as it stands. */
static json_t *quoted(struct reader *r)
{
    autobuf text = {0};
    char quote = *r->at++;
    for (; *r->at && *r->at != quote; r->at++) {
        char c = *r->at;
        if (c == '\\' && quote == '"' && r->at[1]) {
            c = *++r->at;
            c = c == 'n' ? '\n' : c == 't' ? '\t' : c;
        }
        buf_char(&text, c);
    }
    if (*r->at != quote) {
        error_set(r->err, -EINVAL, "--format: a string does not end");
        return NULL;
    }
    r->at++;
    json_t *value = json_stringn(buf_text(&text), text.len);
    if (!value)
        error_set(r->err, -EINVAL, "--format: a string is not valid UTF-8");
    return value;
}

static json_t *number(struct reader *r)
{
    size_t length = strspn(r->at, "-0123456789");
    autofree char *digits = xstrndup(r->at, length);
    int64_t value;
    if (parse_i64(digits, INT64_MIN + 1, INT64_MAX, &value) < 0) {
        error_set(r->err, -EINVAL, "--format: %s is not a number", digits);
        return NULL;
    }
    r->at += length;
    return json_integer(value);
}

static void skip_space(struct reader *r)
{
    r->at += strspn(r->at, " \t\n\r");
}

static json_t *parenthesised(struct reader *r)
{
    if (r->depth >= DEEPEST) {
        error_set(r->err, -EINVAL, "--format: parentheses are nested too deeply");
        return NULL;
    }
    r->depth++;
    r->at++;
    autojson value = pipeline(r);
    r->depth--;
    if (!value)
        return NULL;
    if (*r->at != ')') {
        error_set(r->err, -EINVAL, "--format: a parenthesis is not closed");
        return NULL;
    }
    r->at++;
    return path(r, take_ptr(value));
}

static json_t *term(struct reader *r)
{
    switch (*r->at) {
    case '(':
        return parenthesised(r);
    case '$':
        return variable(r);
    case '"':
    case '`':
        return quoted(r);
    case '.':
        if (name_length(r->at + 1) == 0) {
            r->at++;
            return json_incref((json_t *)r->scope->dot);
        }
        return path(r, json_incref((json_t *)r->scope->dot));
    default:
        if (isdigit((unsigned char)*r->at) || *r->at == '-')
            return number(r);
        error_set(r->err, -EINVAL, "--format: \"%.40s\" is neither a field nor a function", r->at);
        return NULL;
    }
}

/* --- functions --- */

typedef json_t *template_function(json_t *const *arguments, size_t count, struct error *err);

static json_t *text_value(struct buf *text)
{
    json_t *value = json_stringn(buf_text(text), text->len);
    return value ? value : json_string("");
}

static json_t *function_json(json_t *const *arguments, size_t count, struct error *err)
{
    (void)count;
    (void)err;
    autofree char *text = json_dumps(arguments[0], JSON_COMPACT | JSON_ENCODE_ANY);
    return json_string(text ? text : "null");
}

static json_t *function_len(json_t *const *arguments, size_t count, struct error *err)
{
    const json_t *of = arguments[0];
    (void)count;
    if (json_is_object(of))
        return json_integer((json_int_t)json_object_size(of));
    if (json_is_array(of))
        return json_integer((json_int_t)json_array_size(of));
    if (json_is_string(of))
        return json_integer((json_int_t)json_string_length(of));
    if (json_is_null(of))
        return json_integer(0);
    error_set(err, -EINVAL, "--format: len of something that has no length");
    return NULL;
}

static json_t *change_case(const json_t *of, int (*change)(int), bool words)
{
    autobuf text = {0};
    autobuf changed = {0};
    template_print(of, &text);
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        bool here = !words || i == 0 || text.data[i - 1] == ' ';
        buf_char(&changed, here && (unsigned char)c < 0x80 ? (char)change(c) : c);
    }
    return text_value(&changed);
}

static json_t *function_upper(json_t *const *arguments, size_t count, struct error *err)
{
    (void)count;
    (void)err;
    return change_case(arguments[0], toupper, false);
}

static json_t *function_lower(json_t *const *arguments, size_t count, struct error *err)
{
    (void)count;
    (void)err;
    return change_case(arguments[0], tolower, false);
}

static json_t *function_title(json_t *const *arguments, size_t count, struct error *err)
{
    (void)count;
    (void)err;
    return change_case(arguments[0], toupper, true);
}

static json_t *function_join(json_t *const *arguments, size_t count, struct error *err)
{
    autobuf text = {0};
    (void)count;
    if (!json_is_array(arguments[0]) || !json_is_string(arguments[1])) {
        error_set(err, -EINVAL, "--format: join takes a list and a separator");
        return NULL;
    }
    for (size_t i = 0; i < json_array_size(arguments[0]); i++) {
        buf_str(&text, i ? json_string_value(arguments[1]) : "");
        template_print(json_array_get(arguments[0], i), &text);
    }
    return text_value(&text);
}

static json_t *function_index(json_t *const *arguments, size_t count, struct error *err)
{
    json_t *at = arguments[0];
    for (size_t i = 1; i < count && at; i++) {
        if (json_is_object(at) && json_is_string(arguments[i]))
            at = json_object_get(at, json_string_value(arguments[i]));
        else if (json_is_array(at) && json_is_integer(arguments[i]) &&
                 json_integer_value(arguments[i]) >= 0)
            at = json_array_get(at, (size_t)json_integer_value(arguments[i]));
        else if (json_is_null(at))
            return json_null();
        else
            at = NULL;
        if (!at && (json_is_string(arguments[i]) || i + 1 == count))
            return json_null();
    }
    if (!at)
        error_set(err, -EINVAL, "--format: index beyond the end of a list");
    return json_incref(at);
}

static json_t *function_print(json_t *const *arguments, size_t count, struct error *err)
{
    autobuf text = {0};
    (void)err;
    for (size_t i = 0; i < count; i++)
        template_print(arguments[i], &text);
    return text_value(&text);
}

static json_t *function_println(json_t *const *arguments, size_t count, struct error *err)
{
    autobuf text = {0};
    (void)err;
    for (size_t i = 0; i < count; i++) {
        buf_str(&text, i ? " " : "");
        template_print(arguments[i], &text);
    }
    buf_char(&text, '\n');
    return text_value(&text);
}

static json_t *function_printf(json_t *const *arguments, size_t count, struct error *err)
{
    autobuf text = {0};
    const char *format = json_string_value(arguments[0]);
    if (!format) {
        error_set(err, -EINVAL, "--format: printf begins with a text");
        return NULL;
    }
    return template_printf(format, arguments + 1, count - 1, &text, err) < 0 ? NULL
                                                                             : text_value(&text);
}

static json_t *function_not(json_t *const *arguments, size_t count, struct error *err)
{
    (void)count;
    (void)err;
    return json_boolean(!template_truth(arguments[0]));
}

static json_t *function_eq(json_t *const *arguments, size_t count, struct error *err)
{
    (void)err;
    for (size_t i = 1; i < count; i++)
        if (json_equal(arguments[0], arguments[i]))
            return json_true();
    return json_false();
}

static json_t *function_ne(json_t *const *arguments, size_t count, struct error *err)
{
    (void)count;
    (void)err;
    return json_boolean(!json_equal(arguments[0], arguments[1]));
}

static json_t *function_and(json_t *const *arguments, size_t count, struct error *err)
{
    (void)err;
    for (size_t i = 0; i + 1 < count; i++)
        if (!template_truth(arguments[i]))
            return json_incref(arguments[i]);
    return json_incref(arguments[count - 1]);
}

static json_t *function_or(json_t *const *arguments, size_t count, struct error *err)
{
    (void)err;
    for (size_t i = 0; i + 1 < count; i++)
        if (template_truth(arguments[i]))
            return json_incref(arguments[i]);
    return json_incref(arguments[count - 1]);
}

static const struct {
    const char *name;
    size_t least, most;
    template_function *call;
} functions[] = {
    {"json", 1, 1, function_json},
    {"len", 1, 1, function_len},
    {"upper", 1, 1, function_upper},
    {"lower", 1, 1, function_lower},
    {"title", 1, 1, function_title},
    {"join", 2, 2, function_join},
    {"index", 2, MOST_TERMS, function_index},
    {"print", 1, MOST_TERMS, function_print},
    {"println", 1, MOST_TERMS, function_println},
    {"printf", 1, MOST_TERMS, function_printf},
    {"not", 1, 1, function_not},
    {"eq", 2, MOST_TERMS, function_eq},
    {"ne", 2, 2, function_ne},
    {"and", 1, MOST_TERMS, function_and},
    {"or", 1, MOST_TERMS, function_or},
};
enum { FUNCTIONS = sizeof functions / sizeof *functions };

static json_t *call(size_t function, json_t *const *arguments, size_t count, struct error *err)
{
    if (count < functions[function].least || count > functions[function].most) {
        error_set(err, -EINVAL, "--format: %s does not take %zu arguments",
                  functions[function].name, count);
        return NULL;
    }
    return functions[function].call(arguments, count, err);
}

static size_t find_function(const char *name, size_t length)
{
    size_t i = 0;
    while (i < FUNCTIONS &&
           !(strncmp(functions[i].name, name, length) == 0 && functions[i].name[length] == '\0'))
        i++;
    return i;
}

static int unknown_function(const char *name, size_t length, struct error *err)
{
    const char *names[FUNCTIONS];
    autofree char *word = xstrndup(name, length);
    for (size_t i = 0; i < FUNCTIONS; i++)
        names[i] = functions[i].name;
    const char *near = nearest_word(word, names, FUNCTIONS);
    return error_set(err, -EINVAL, "--format: there is no function %s%s%s%s", word,
                     near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
}

/* The terms up to '|', ')' or the end. -EINVAL or 0. */
static int terms(struct reader *r, json_t **values, size_t *count)
{
    for (skip_space(r); *r->at && *r->at != '|' && *r->at != ')'; skip_space(r)) {
        if (*count == MOST_TERMS)
            return error_set(r->err, -EINVAL, "--format: too many arguments");
        values[*count] = term(r);
        if (!values[*count])
            return -EINVAL;
        (*count)++;
    }
    return 0;
}

/* One function call or one term; `piped`, when given, becomes the last argument. */
static json_t *command(struct reader *r, json_t *piped)
{
    json_t *values[MOST_TERMS + 1];
    json_t *result = NULL;
    size_t count = 0, function = FUNCTIONS;
    skip_space(r);
    size_t length = name_length(r->at);
    if (length && !isdigit((unsigned char)*r->at)) {
        bool yes = length == 4 && strncmp(r->at, "true", length) == 0;
        bool no = length == 5 && strncmp(r->at, "false", length) == 0;
        function = find_function(r->at, length);
        if (yes || no)
            values[count++] = json_boolean(yes);
        else if (function == FUNCTIONS && unknown_function(r->at, length, r->err))
            return NULL;
        r->at += length;
    }
    if (terms(r, values, &count) == 0) {
        if (piped)
            values[count++] = json_incref(piped);
        if (function < FUNCTIONS)
            result = call(function, values, count, r->err);
        else if (count == 1)
            result = json_incref(values[0]);
        else
            error_set(r->err, -EINVAL, "--format: %s",
                      count ? "two values without a function" : "an empty action");
    }
    for (size_t i = 0; i < count; i++)
        json_decref(values[i]);
    return result;
}

static json_t *pipeline(struct reader *r)
{
    autojson value = command(r, NULL);
    while (value && *r->at == '|') {
        r->at++;
        json_t *next = command(r, value);
        json_decref(value);
        value = next;
    }
    return take_ptr(value);
}

json_t *template_evaluate(const char *text, const struct template_scope *scope, struct error *err)
{
    struct reader r = {.at = text, .scope = scope, .err = err};
    autojson value = pipeline(&r);
    if (value && *r.at) {
        error_set(err, -EINVAL, "--format: a parenthesis was never opened");
        return NULL;
    }
    return take_ptr(value);
}
