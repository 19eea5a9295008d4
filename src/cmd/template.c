/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/template.h"

#include <unistd.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"
#include "cmd/print.h"
#include "cmd/template_value.h"

enum { DEEPEST = 16, LONGEST = 64 * 1024, MOST_OUTPUT = 64 * 1024 * 1024 };

/* What ended a block. */
enum stop { STOP_TEXT, STOP_END, STOP_ELSE, STOP_ELSE_IF };

struct renderer {
    const char *at;
    struct template_scope scope;
    struct buf *out;
    struct error *err;
    unsigned depth;
    bool terminal;        /* somebody looks at it */
    bool trim;            /* the last action ended in "-}}" */
    struct buf condition; /* of the {{else if}} that stopped a block */
};

static int block(struct renderer *r, bool live, enum stop *stop);

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Text outside of actions, with \t and \n as Docker's command takes them. */
static void literal(struct renderer *r, const char *text, size_t length, bool live)
{
    if (!live)
        return;
    for (size_t i = 0; i < length; i++) {
        bool escape =
            text[i] == '\\' && i + 1 < length && (text[i + 1] == 't' || text[i + 1] == 'n');
        if (escape)
            buf_char(r->out, text[++i] == 't' ? '\t' : '\n');
        else
            buf_char(r->out, text[i]);
    }
}

/* Moves over literal text and the action after it; the action's words are put into `action`.
 * 1: there is an action; 0: the template ended; -EINVAL. */
static int next_action(struct renderer *r, bool live, struct buf *action)
{
    const char *open = strstr(r->at, "{{");
    const char *end = open ? open : r->at + strlen(r->at);
    bool trim_left = open && open[2] == '-' && is_space(open[3]);
    const char *from = r->at;
    while (r->trim && from < end && is_space(*from))
        from++;
    while (trim_left && end > from && is_space(end[-1]))
        end--;
    literal(r, from, (size_t)(end - from), live);
    r->trim = false;
    if (!open) {
        r->at = end;
        return 0;
    }
    const char *at = open + 2 + (trim_left ? 1 : 0);
    const char *close = at;
    while (*close && !starts_with(close, "}}")) {
        char quote = *close++;
        if (quote != '"' && quote != '`')
            continue;
        while (*close && *close != quote)
            close += *close == '\\' && quote == '"' && close[1] ? 2 : 1;
        close += *close ? 1 : 0;
    }
    if (!*close)
        return error_set(r->err, -EINVAL, "--format: \"{{\" without \"}}\"");
    r->at = close + 2;
    r->trim = close - at >= 2 && close[-1] == '-' && is_space(close[-2]);
    close -= r->trim ? 1 : 0;
    while (at < close && is_space(*at))
        at++;
    while (close > at && is_space(close[-1]))
        close--;
    buf_add(action, at, (size_t)(close - at));
    return 1;
}

/* "if X" → "X"; NULL when the action starts with another word. */
static const char *after_word(const char *action, const char *word)
{
    size_t length = strlen(word);
    if (strncmp(action, word, length) != 0 || (action[length] && !is_space(action[length])))
        return NULL;
    action += length;
    while (is_space(*action))
        action++;
    return action;
}

static int unfinished(struct renderer *r, const char *what)
{
    return error_set(r->err, -EINVAL, "--format: {{%s}} without {{end}}", what);
}

/* {{if}} and {{with}}, with their {{else if}} and {{else}}. */
static int conditional(struct renderer *r, bool live, const char *condition, bool with)
{
    autobuf current = {0};
    bool done = !live;
    buf_str(&current, condition);
    for (;;) {
        struct template_scope outer = r->scope;
        autojson value = NULL;
        bool take = false;
        enum stop stop;
        if (!done) {
            value = template_evaluate(buf_text(&current), &r->scope, r->err);
            if (!value)
                return -EINVAL;
            take = template_truth(value);
        }
        if (take && with)
            r->scope.dot = value;
        int rc = block(r, take, &stop);
        r->scope = outer;
        done = done || take;
        if (rc == 0 && stop == STOP_ELSE) {
            rc = block(r, !done, &stop);
            if (rc == 0 && stop != STOP_END)
                rc = unfinished(r, "else");
            return rc;
        }
        if (rc < 0 || stop == STOP_END)
            return rc;
        if (stop != STOP_ELSE_IF)
            return unfinished(r, with ? "with" : "if");
        buf_clear(&current);
        buf_str(&current, buf_text(&r->condition));
    }
}

static int bind_variable(struct renderer *r, const char *name, const json_t *value)
{
    if (!*name)
        return 0;
    if (r->scope.count == TEMPLATE_VARIABLES)
        return error_set(r->err, -EINVAL, "--format: too many variables");
    size_t i = r->scope.count++;
    snprintf(r->scope.variables[i].name, TEMPLATE_NAME, "%s", name);
    r->scope.variables[i].value = value;
    return 0;
}

struct loop {
    char key[TEMPLATE_NAME], value[TEMPLATE_NAME]; /* names of variables, or empty */
    const char *over;                              /* the expression */
};

/* "$v := X" and "$k, $v := X". */
static int loop_variables(const char *text, struct loop *loop, struct error *err)
{
    const char *assign = strstr(text, ":=");
    char names[2][TEMPLATE_NAME] = {"", ""};
    unsigned count = 0;
    *loop = (struct loop){.over = text};
    if (text[0] != '$' || !assign)
        return 0;
    for (const char *at = text; at < assign; at++) {
        if (is_space(*at) || *at == ',')
            continue;
        size_t length = strcspn(at, " \t\n,:");
        if (*at != '$' || length < 2 || length > TEMPLATE_NAME || count == 2)
            return error_set(err, -EINVAL, "--format: {{range %s}}: not a variable", text);
        memcpy(names[count], at + 1, length - 1);
        names[count++][length - 1] = '\0';
        at += length - 1;
    }
    memcpy(loop->value, names[count == 2], TEMPLATE_NAME);
    if (count == 2)
        memcpy(loop->key, names[0], TEMPLATE_NAME);
    loop->over = assign + 2;
    return 0;
}

/* One turn of a loop, from its first byte; leaves `r` behind the block. */
static int turn(struct renderer *r, const struct loop *loop, const char *start, bool trim,
                json_t *key, const json_t *value, enum stop *stop)
{
    struct template_scope outer = r->scope;
    r->at = start;
    r->trim = trim;
    r->scope.dot = value;
    int rc = bind_variable(r, loop->key, key);
    if (rc == 0)
        rc = bind_variable(r, loop->value, value);
    if (rc == 0)
        rc = block(r, true, stop);
    r->scope = outer;
    return rc;
}

static int range_turns(struct renderer *r, const struct loop *loop, json_t *over, enum stop *stop)
{
    const char *start = r->at;
    bool trim = r->trim;
    int rc = 0;
    if (json_is_object(over)) {
        const char *name;
        json_t *value;
        json_object_foreach(over, name, value)
        {
            autojson key = json_string(name);
            if (rc == 0)
                rc = turn(r, loop, start, trim, key, value, stop);
        }
        return rc;
    }
    for (size_t i = 0; rc == 0 && i < json_array_size(over); i++) {
        autojson key = json_integer((json_int_t)i);
        rc = turn(r, loop, start, trim, key, json_array_get(over, i), stop);
    }
    return rc;
}

static int range(struct renderer *r, bool live, const char *text)
{
    struct loop loop;
    enum stop stop = STOP_TEXT;
    autojson over = NULL;
    int rc = loop_variables(text, &loop, r->err);
    if (rc < 0)
        return rc;
    if (live) {
        over = template_evaluate(loop.over, &r->scope, r->err);
        if (!over)
            return -EINVAL;
        if (!json_is_array(over) && !json_is_object(over) && !json_is_null(over))
            return error_set(r->err, -EINVAL, "--format: {{range %s}}: neither a list nor a map",
                             text);
    }
    bool turns = live && template_truth(over);
    rc = turns ? range_turns(r, &loop, over, &stop) : block(r, false, &stop);
    if (rc == 0 && stop == STOP_ELSE)
        rc = block(r, live && !turns, &stop);
    if (rc == 0 && stop != STOP_END)
        rc = unfinished(r, "range");
    return rc;
}

/* A terminal obeys nothing that an image or a container chose; a pipe gets it as it is. */
static void print_value(struct renderer *r, const json_t *value)
{
    if (!r->terminal) {
        template_print(value, r->out);
        return;
    }
    autobuf text = {0};
    template_print(value, &text);
    for (const char *at = buf_text(&text); *at;) {
        size_t length = strcspn(at, "\n\t");
        autofree char *part = xstrndup(at, length);
        buf_printable(r->out, part);
        at += length;
        if (*at)
            buf_char(r->out, *at++);
    }
}

static int plain_action(struct renderer *r, bool live, const char *action)
{
    if (!live || starts_with(action, "/*"))
        return 0;
    autojson value = template_evaluate(action, &r->scope, r->err);
    if (!value)
        return -EINVAL;
    print_value(r, value);
    if (r->out->len > MOST_OUTPUT)
        return error_set(r->err, -E2BIG, "--format: more than %d bytes of output", MOST_OUTPUT);
    return 0;
}

/* One action. 1: it ends this block (see *stop); 0: go on. */
static int one_action(struct renderer *r, bool live, const char *action, enum stop *stop)
{
    const char *rest;
    if ((rest = after_word(action, "if")))
        return conditional(r, live, rest, false);
    if ((rest = after_word(action, "with")))
        return conditional(r, live, rest, true);
    if ((rest = after_word(action, "range")))
        return range(r, live, rest);
    if (after_word(action, "end")) {
        *stop = STOP_END;
        return 1;
    }
    if ((rest = after_word(action, "else"))) {
        const char *condition = after_word(rest, "if");
        *stop = condition ? STOP_ELSE_IF : STOP_ELSE;
        buf_clear(&r->condition);
        buf_str(&r->condition, condition ? condition : "");
        return 1;
    }
    return plain_action(r, live, action);
}

static int block(struct renderer *r, bool live, enum stop *stop)
{
    if (r->depth == DEEPEST)
        return error_set(r->err, -EINVAL, "--format: blocks are nested more than %d deep", DEEPEST);
    r->depth++;
    int rc;
    do {
        autobuf action = {0};
        rc = next_action(r, live, &action);
        *stop = STOP_TEXT;
        if (rc == 1)
            rc = one_action(r, live, buf_text(&action), stop);
        else if (rc == 0)
            rc = 1;
    } while (rc == 0);
    r->depth--;
    return rc < 0 ? rc : 0;
}

int template_render(const char *text, const json_t *data, struct buf *out, struct error *err)
{
    struct renderer r = {
        .at = text, .out = out, .err = err, .terminal = screen_of(STDOUT_FILENO).terminal};
    enum stop stop;
    r.scope.root = data;
    r.scope.dot = data;
    if (strlen(text) > LONGEST)
        return error_set(err, -E2BIG, "--format is longer than %d bytes", LONGEST);
    int rc = block(&r, true, &stop);
    buf_free(&r.condition);
    if (rc == 0 && stop != STOP_TEXT)
        return error_set(err, -EINVAL, "--format: {{%s}} without {{if}}, {{with}} or {{range}}",
                         stop == STOP_END ? "end" : "else");
    return rc;
}
