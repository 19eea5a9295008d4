/* SPDX-License-Identifier: Apache-2.0 */
#include "compose/interpolate.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/memory.h"
#include "base/secret_name.h"
#include "base/text.h"

#define DEPTH_MAX 32
#define NAME_MAX_LENGTH 255
#define LOOKUP_COST 64
#define STRING_COST 32
#define LIST_COST 128  /* and mappings: what they take in memory */
#define PATH_SHOWN 300 /* bytes of where something is in a tree */

static bool is_first(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
}

static size_t name_length(const char *text)
{
    size_t length = 0;
    while (is_first(text[length]) || (length > 0 && text[length] >= '0' && text[length] <= '9'))
        length++;
    return length;
}

/* Time and memory are bounded together. */
static int spend(struct variables *v, size_t cost, struct error *err)
{
    if (cost > v->left)
        return error_set(err, -EFBIG, "with all variables and files it is larger than %u MiB",
                         VARIABLES_MAX >> 20);
    v->left -= cost;
    return 0;
}

static int add(struct variables *v, const char *text, size_t length, struct buf *out,
               struct error *err)
{
    int rc = spend(v, length, err);
    if (rc == 0)
        buf_add(out, text, length);
    return rc;
}

/* The only way to a value: NULL where there is none. */
static int look_up(struct variables *v, const char *name, const char **out, struct error *err)
{
    int rc = spend(v, LOOKUP_COST, err);
    if (rc < 0)
        return rc;
    const char *value = v->find(v->closure, name);
    bool withheld = value && *value && (secret_name_maybe(name) || secret_value_maybe(value));
    *out = withheld ? VARIABLE_WITHHELD : value;
    return 0;
}

static int run(struct variables *v, const char **at, bool used, unsigned depth, struct buf *out,
               struct error *err);

static int wrong(const char *text, struct error *err)
{
    autobuf shown = {0};
    char start[61];
    snprintf(start, sizeof start, "%s", text);
    buf_printable(&shown, start);
    return error_set(err, -EINVAL,
                     "\"%s\" is no variable: $NAME and ${NAME} are, and $$ stands for a dollar",
                     buf_text(&shown));
}

/* Behind the name: what is done with the value. */
struct operation {
    bool colon; /* an empty value is none */
    char sign;  /* '-', '?', '+'; 0: nothing */
};

static int required(const char *name, const struct buf *why, struct error *err)
{
    autobuf shown = {0};
    buf_printable(&shown, buf_text(why));
    return error_set(err, -EINVAL, "the variable %s is required%s%.300s", name,
                     shown.len ? ": " : "", buf_text(&shown));
}

/* One that stands for nothing, and nobody says what then. */
static void note_unset(struct variables *v, const char *name)
{
    if (v->unset && v->unset->len < VARIABLES_UNSET_MAX && !strv_has(v->unset, name))
        strv_add(v->unset, name);
}

/* *at: behind "${". */
static int run_braces(struct variables *v, const char **at, bool used, unsigned depth,
                      struct buf *out, struct error *err)
{
    const char *begin = *at - 2;
    size_t length = name_length(*at);
    struct operation operation = {0};
    autobuf word = {0};
    if (length == 0 || length > NAME_MAX_LENGTH)
        return wrong(begin, err);
    autofree char *name = xstrndup(*at, length);
    *at += length;
    operation.colon = **at == ':';
    *at += operation.colon;
    if (**at && strchr("-?+", **at))
        operation.sign = *(*at)++;
    else if (operation.colon || **at != '}')
        return wrong(begin, err);
    const char *value = NULL;
    int rc = look_up(v, name, &value, err);
    bool set = value && (*value || !operation.colon);
    bool word_used = used && operation.sign && (operation.sign == '+') == set;
    if (rc == 0)
        rc = run(v, at, word_used, depth + 1, &word, err);
    if (rc < 0)
        return rc;
    if (**at != '}')
        return wrong(begin, err);
    ++*at;
    if (!used)
        return 0;
    if (word_used && operation.sign == '?')
        return required(name, &word, err);
    if (word_used)
        return add(v, buf_text(&word), word.len, out, err);
    if (!value && !operation.sign)
        note_unset(v, name);
    return operation.sign == '+' || !value ? 0 : add(v, value, strlen(value), out, err);
}

static int run_dollar(struct variables *v, const char **at, bool used, unsigned depth,
                      struct buf *out, struct error *err)
{
    const char *begin = (*at)++;
    if (**at == '$') {
        ++*at;
        return used ? add(v, "$", 1, out, err) : 0;
    }
    if (**at == '{') {
        ++*at;
        return run_braces(v, at, used, depth, out, err);
    }
    size_t length = name_length(*at);
    if (length == 0 || length > NAME_MAX_LENGTH)
        return wrong(begin, err);
    autofree char *name = xstrndup(*at, length);
    const char *value = NULL;
    int rc = look_up(v, name, &value, err);
    if (rc < 0)
        return rc;
    *at += length;
    if (used && !value)
        note_unset(v, name);
    return used && value ? add(v, value, strlen(value), out, err) : 0;
}

/* To the end, or inside of braces to the one that closes them. */
static int run(struct variables *v, const char **at, bool used, unsigned depth, struct buf *out,
               struct error *err)
{
    if (depth > DEPTH_MAX)
        return error_set(err, -EINVAL, "variables are nested too deeply");
    int rc = 0;
    while (rc == 0 && **at && (depth == 0 || **at != '}')) {
        size_t plain = strcspn(*at, depth > 0 ? "$}" : "$");
        if (plain > 0 && used)
            rc = add(v, *at, plain, out, err);
        *at += plain;
        if (rc == 0 && **at == '$')
            rc = run_dollar(v, at, used, depth, out, err);
    }
    return rc;
}

int interpolate_text(struct variables *v, const char *text, struct buf *out, struct error *err)
{
    const char *at = text;
    return run(v, &at, true, 0, out, err);
}

/* --- trees --- */

static int replace_strings(struct variables *v, json_t *tree, const char *path, struct error *err);

/* The string to put there, or NULL where there is none. */
static int replaced(struct variables *v, json_t *value, const char *path, json_t **out,
                    struct error *err)
{
    autobuf text = {0};
    *out = NULL;
    int rc =
        spend(v, json_is_string(value) ? STRING_COST + json_string_length(value) : LIST_COST, err);
    if (rc < 0)
        return rc;
    if (!json_is_string(value))
        return replace_strings(v, value, path, err);
    if (!strchr(json_string_value(value), '$'))
        return 0;
    rc = interpolate_text(v, json_string_value(value), &text, err);
    if (rc < 0)
        return error_prefix(err, "%s", path);
    *out = json_stringn(buf_text(&text), text.len);
    return *out ? 0 : error_set(err, -EINVAL, "%s: the value is no UTF-8", path);
}

/* Cut where it is long, so that it costs the same for each of many. */
static void path_of_key(char where[PATH_SHOWN], const char *path, const char *key)
{
    autobuf shown = {0};
    char start[101];
    snprintf(start, sizeof start, "%.100s", key);
    buf_printable(&shown, start);
    snprintf(where, PATH_SHOWN, "%s%s%.100s", path, *path ? "." : "", buf_text(&shown));
}

static int replace_strings(struct variables *v, json_t *tree, const char *path, struct error *err)
{
    const char *key;
    json_t *value, *other;
    size_t index;
    void *next;
    json_object_foreach_safe(tree, next, key, value)
    {
        char where[PATH_SHOWN];
        int rc = spend(v, strlen(key), err);
        if (rc < 0)
            return rc;
        path_of_key(where, path, key);
        rc = replaced(v, value, where, &other, err);
        if (rc < 0)
            return rc;
        if (other)
            json_object_set_new(tree, key, other);
    }
    json_array_foreach(tree, index, value)
    {
        char where[PATH_SHOWN];
        snprintf(where, sizeof where, "%.270s[%zu]", path, index);
        int rc = replaced(v, value, where, &other, err);
        if (rc < 0)
            return rc;
        if (other)
            json_array_set_new(tree, index, other);
    }
    return 0;
}

int interpolate_tree(struct variables *v, json_t *tree, struct error *err)
{
    return replace_strings(v, tree, "", err);
}

/* --- .env --- */

/* Looks where the caller looks, then in what was set before. */
struct looking {
    const struct variables *outer;
    const json_t *set;
};

static const char *find_set(void *closure, const char *name)
{
    const struct looking *l = closure;
    const char *found = l->outer->find(l->outer->closure, name);
    return found ? found : json_string_value(json_object_get(l->set, name));
}

/* Its bytes need not be UTF-8. */
static int set_variable(struct variables *v, const char *name, const struct buf *value, json_t *out,
                        struct error *err)
{
    int rc = spend(v, LOOKUP_COST + strlen(name), err);
    if (rc < 0)
        return rc;
    if (v->names_left == 0)
        return error_set(err, -E2BIG, "environment files set more than %d variables",
                         VARIABLES_NAMES_MAX);
    v->names_left--;
    json_object_set_new_nocheck(out, name, json_stringn_nocheck(buf_text(value), value->len));
    return 0;
}

/* Between double quotes; *at: behind the first one. It may go over several lines. */
static bool take_double(const char **at, struct buf *out)
{
    for (; **at && **at != '"'; ++*at) {
        static const char letters[] = "nrt\"\\$", meant[] = "\n\r\t\"\\";
        const char *letter = **at == '\\' && (*at)[1] ? strchr(letters, (*at)[1]) : NULL;
        if (letter && *letter == '$')
            buf_str(out, "$$"); /* for who looks for variables next */
        else
            buf_char(out, letter ? meant[letter - letters] : **at);
        *at += letter != NULL;
    }
    return *(*at)++ == '"';
}

static bool take_single(const char **at, struct buf *out)
{
    size_t length = strcspn(*at, "'");
    bool ended = (*at)[length] == '\'';
    for (size_t i = 0; i < length; i++) {
        buf_char(out, (*at)[i]);
        if ((*at)[i] == '$') /* nothing in here is a variable */
            buf_char(out, '$');
    }
    *at += length + ended;
    return ended;
}

static void take_plain(const char **at, struct buf *out)
{
    size_t length = strcspn(*at, "\n"), end = length;
    for (size_t i = 0; i < length; i++)
        if ((*at)[i] == '#' && (i == 0 || strchr(" \t", (*at)[i - 1]))) {
            end = i;
            break;
        }
    while (end > 0 && strchr(" \t\r", (*at)[end - 1]))
        end--;
    buf_add(out, *at, end);
    *at += length;
}

/* NAME=VALUE; *at: at the name. */
static int take_variable(const char **at, struct variables *v, json_t *out, struct error *err)
{
    autobuf raw = {0}, value = {0};
    if (starts_with(*at, "export") && strchr(" \t", (*at)[6]) && (*at)[6])
        *at += 6 + strspn(*at + 6, " \t");
    size_t length = 0;
    while ((*at)[length] && !strchr("=: \t\r\n#", (*at)[length]))
        length++;
    autofree char *name = xstrndup(*at, length);
    if (length == 0 || length > NAME_MAX_LENGTH || !is_first(*name))
        return error_set(err, -EINVAL, "NAME=VALUE is needed");
    *at += length;
    *at += strspn(*at, " \t");
    if (**at != '=' && **at != ':') {
        /* A name alone is ours, or nothing. */
        *at += strcspn(*at, "\n");
        return 0;
    }
    ++*at;
    *at += strspn(*at, " \t");
    bool quoted = **at == '"' || **at == '\'';
    if (quoted) {
        char quote = *(*at)++;
        if (quote == '"' ? !take_double(at, &raw) : !take_single(at, &raw))
            return error_set(err, -EINVAL, "a quote is not closed");
        *at += strspn(*at, " \t\r");
        if (**at == '#')
            *at += strcspn(*at, "\n");
        if (**at && **at != '\n')
            return error_set(err, -EINVAL, "something follows the closing quote");
    } else {
        take_plain(at, &raw);
    }
    int rc = interpolate_text(v, buf_text(&raw), &value, err);
    return rc < 0 ? rc : set_variable(v, name, &value, out, err);
}

static size_t line_of(const char *text, const char *at)
{
    size_t line = 1;
    for (; text < at; text++)
        line += *text == '\n';
    return line;
}

int environment_parse(const char *text, const char *file, struct variables *variables, json_t *out,
                      struct error *err)
{
    struct looking looking = {.outer = variables, .set = out};
    struct variables inner = *variables;
    inner.find = find_set;
    inner.closure = &looking;
    const char *at = text;
    int rc = 0;
    while (rc == 0 && *at) {
        at += strspn(at, " \t\r\n");
        if (*at == '#')
            at += strcspn(at, "\n");
        else if (*at) {
            const char *begin = at;
            rc = take_variable(&at, &inner, out, err);
            if (rc < 0)
                (void)error_prefix(err, "%s:%zu", file, line_of(text, begin));
        }
    }
    variables->left = inner.left;
    variables->names_left = inner.names_left;
    return rc;
}
