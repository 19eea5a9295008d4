/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/parse.h"

#include "base/cleanup.h"
#include "base/memory.h"
#include "base/text.h"

struct parser {
    const struct verb *verb;
    const char *command; /* "caisson run", for errors */
    char *options;
    const char **first; /* an argument that an option stands for; NULL while none does */
    struct error *err;
};

static const struct option no_options[] = {{NULL}};

static const struct option *options_of(const struct verb *verb)
{
    return verb->options ? verb->options : no_options;
}

/* A word of the user's, bounded and without anything a terminal would obey. */
static const char *shown(const char *word, struct buf *out)
{
    autofree char *head = xstrndup(word, 120);
    buf_printable(out, head);
    if (strlen(word) > 120)
        buf_str(out, "…");
    return buf_text(out);
}

void *new_options(const struct verb *verb)
{
    char *options = xcalloc(1, verb->options_size);
    for (const struct option *o = options_of(verb); o->name; o++) {
        void *field = options + o->offset;
        if (o->flags & OPTION_UNSUPPORTED)
            continue;
        if (o->kind == OPTION_TRISTATE)
            *(int *)field = -1;
        else if (o->kind == OPTION_COUNT || o->kind == OPTION_SIZE)
            *(int64_t *)field = INT64_MIN;
    }
    return options;
}

void free_options(const struct verb *verb, void *options)
{
    if (!options)
        return;
    for (const struct option *o = options_of(verb); o->name; o++)
        if (o->kind == OPTION_LIST && !(o->flags & OPTION_UNSUPPORTED))
            strv_free((struct strv *)((char *)options + o->offset));
    free(options);
}

static int unknown_flag(const struct parser *p, const char *name)
{
    enum { MOST = 256 };
    const char *names[MOST];
    size_t count = 0;
    autobuf word = {0};
    for (const struct option *o = options_of(p->verb); o->name && count < MOST - 1; o++)
        if (!(o->flags & (OPTION_HIDDEN | OPTION_UNSUPPORTED)))
            names[count++] = o->name;
    names[count++] = "help";
    const char *near = nearest_word(name, names, count);
    if (near)
        return error_set(p->err, -EINVAL,
                         "unknown flag --%s for %s; did you mean --%s? (see %s --help)",
                         shown(name, &word), p->command, near, p->command);
    return error_set(p->err, -EINVAL, "unknown flag --%s for %s (see %s --help)",
                     shown(name, &word), p->command, p->command);
}

bool option_takes_value(const struct option *o)
{
    return o->kind != OPTION_BOOL && o->kind != OPTION_TRISTATE && o->kind != OPTION_ARGUMENT;
}

/* The sentence for a value that is none of o->words. */
static int not_a_word(const struct parser *p, const struct option *o, const char *value)
{
    autobuf list = {0};
    autobuf word = {0};
    size_t count = 0;
    while (o->words[count])
        count++;
    for (size_t i = 0; i < count; i++)
        buf_fmt(&list, "%s%s", i == 0 ? "" : i + 1 == count ? " or " : ", ", o->words[i]);
    const char *near = nearest_word(value, o->words, count);
    return error_set(p->err, -EINVAL, "--%s takes %s, not \"%s\"%s%s%s", o->name, buf_text(&list),
                     shown(value, &word), near ? "; did you mean " : "", near ? near : "",
                     near ? "?" : "");
}

static bool is_one_of(const char *value, const char *const *words)
{
    for (; *words; words++)
        if (streq(value, *words))
            return true;
    return false;
}

static int parse_truth(const char *text, bool *value)
{
    static const char *const yes[] = {"true", "1", "t", "T", "TRUE", "True", NULL};
    static const char *const no[] = {"false", "0", "f", "F", "FALSE", "False", NULL};
    if (is_one_of(text, yes))
        *value = true;
    else if (is_one_of(text, no))
        *value = false;
    else
        return -EINVAL;
    return 0;
}

static int store_truth(const struct parser *p, const struct option *o, const char *value)
{
    void *field = p->options + o->offset;
    bool truth = true;
    autobuf word = {0};
    if (value && parse_truth(value, &truth) < 0)
        return error_set(p->err, -EINVAL, "--%s takes true or false, not \"%s\"", o->name,
                         shown(value, &word));
    if (o->kind == OPTION_ARGUMENT)
        *p->first = truth ? o->implied : NULL;
    else if (o->kind == OPTION_BOOL)
        *(bool *)field = truth;
    else
        *(int *)field = truth;
    return 0;
}

static int store_number(const struct parser *p, const struct option *o, const char *value)
{
    int64_t *field = (int64_t *)(void *)(p->options + o->offset);
    bool endless = o->flags & OPTION_MINUS_ONE;
    const char *or_minus_one = endless ? ", or -1 for no limit" : "";
    autobuf word = {0};
    if (endless && streq(value, "-1")) {
        *field = -1;
        return 0;
    }
    if (o->kind == OPTION_COUNT) {
        int rc = parse_i64(value, 0, INT64_MAX, field);
        if (rc < 0)
            return error_set(p->err, -EINVAL, "--%s takes a whole number%s%s, not \"%s\"", o->name,
                             rc == -ERANGE ? " in range" : "", or_minus_one, shown(value, &word));
        return 0;
    }
    uint64_t bytes = 0;
    int rc = parse_size(value, &bytes);
    if (rc < 0 && rc != -ERANGE)
        return error_set(p->err, -EINVAL, "--%s takes a size such as 64m or 1.5g%s, not \"%s\"",
                         o->name, or_minus_one, shown(value, &word));
    if (rc < 0 || bytes > INT64_MAX)
        return error_set(p->err, -EINVAL, "--%s: %s is more than any machine has", o->name,
                         shown(value, &word));
    *field = (int64_t)bytes;
    return 0;
}

static int store_value(const struct parser *p, const struct option *o, const char *value)
{
    void *field = p->options + o->offset;
    if (!option_takes_value(o))
        return store_truth(p, o, value);
    if (o->words && !is_one_of(value, o->words))
        return not_a_word(p, o, value);
    switch (o->kind) {
    case OPTION_STRING:
        *(const char **)field = value;
        return 0;
    case OPTION_LIST:
        strv_add(field, value);
        return 0;
    default:
        return store_number(p, o, value);
    }
}

/* One option, with what followed '=' or the letter (NULL: nothing). Takes the next word where a
 * value is needed, and then moves *next. */
static int one_option(const struct parser *p, const struct option *o, const char *attached,
                      char ***next)
{
    if (o->flags & OPTION_UNSUPPORTED)
        return error_set(p->err, -EINVAL, "%s does not support --%s: %s", p->command, o->name,
                         o->help);
    if (attached || !option_takes_value(o))
        return store_value(p, o, attached);
    if (o->flags & OPTION_OPTIONAL)
        return store_value(p, o, o->implied);
    if (!**next)
        return error_set(p->err, -EINVAL, "--%s needs a value: --%s %s (see %s --help)", o->name,
                         o->name, o->value_name ? o->value_name : "VALUE", p->command);
    return store_value(p, o, *(*next)++);
}

static int long_option(const struct parser *p, const char *word, char ***next)
{
    const char *equals = strchr(word, '=');
    size_t length = equals ? (size_t)(equals - word) : strlen(word);
    for (const struct option *o = options_of(p->verb); o->name; o++)
        if (strncmp(o->name, word, length) == 0 && o->name[length] == '\0')
            return one_option(p, o, equals ? equals + 1 : NULL, next);
    if (length == 4 && strncmp(word, "help", 4) == 0)
        return PARSE_HELP;
    autofree char *name = xstrndup(word, length);
    return unknown_flag(p, name);
}

static const struct option *by_letter(const struct verb *verb, char letter)
{
    for (const struct option *o = options_of(verb); o->name; o++)
        if (o->letter == letter)
            return o;
    return NULL;
}

/* "-it", "-eNAME=value", "-e=NAME=value", "-d=false". */
static int short_options(const struct parser *p, const char *word, char ***next)
{
    autobuf printable = {0};
    for (const char *at = word; *at; at++) {
        const struct option *o = by_letter(p->verb, *at);
        if (!o && *at == 'h')
            return PARSE_HELP;
        if (!o) {
            autofree char *rest = xstrdup(at);
            if ((unsigned char)*at < 0x80)
                rest[1] = '\0';
            return error_set(p->err, -EINVAL, "unknown flag -%s%s%s for %s (see %s --help)",
                             shown(rest, &printable), word[1] ? " in -" : "", word[1] ? word : "",
                             p->command, p->command);
        }
        const char *attached = NULL;
        if (at[1] == '=')
            attached = at + 2;
        else if (option_takes_value(o) && at[1])
            attached = at + 1;
        int rc = one_option(p, o, attached, next);
        if (rc != 0 || attached)
            return rc;
    }
    return 0;
}

static int check_count(const struct parser *p, const struct invocation *call)
{
    const struct verb *v = p->verb;
    const char *arguments = v->arguments ? v->arguments : "";
    const char *space = *arguments ? " " : "";
    const char *flags = v->options && v->options[0].name ? " [FLAGS]" : "";
    if (call->count < (size_t)v->least)
        return error_set(p->err, -EINVAL, "%s needs %s%d argument%s: %s%s%s%s (see %s --help)",
                         p->command, v->most == v->least ? "" : "at least ", v->least,
                         v->least == 1 ? "" : "s", p->command, flags, space, arguments, p->command);
    if (v->most >= 0 && call->count > (size_t)v->most) {
        autobuf word = {0};
        return error_set(p->err, -EINVAL,
                         "%s does not know what to do with \"%s\": %s%s%s%s (see %s --help)",
                         p->command, shown(call->arguments[v->most], &word), p->command, flags,
                         space, arguments, p->command);
    }
    return 0;
}

int parse_words(const struct verb *verb, char **words, struct invocation *call, void *options,
                struct error *err)
{
    char command[SPELLING_MAX + 32];
    snprintf(command, sizeof command, "%s%s%s", program_line->name, *verb->name ? " " : "",
             verb->name);
    const char *first = NULL;
    struct parser p = {verb, command, options, &first, err};
    char **kept = words; /* arguments move to the front of the array as options are taken out */
    char **next = words;
    while (*next) {
        char *word = *next++;
        int rc = 0;
        if (word[0] != '-' || word[1] == '\0') {
            *kept++ = word;
            if (!verb->stop_at_argument)
                continue;
            break;
        }
        if (streq(word, "--"))
            break;
        if (word[1] == '-')
            rc = long_option(&p, word + 2, &next);
        else
            rc = short_options(&p, word + 1, &next);
        if (rc != 0)
            return rc;
    }
    while (*next)
        *kept++ = *next++;
    if (first) { /* the option itself left room for it */
        memmove(words + 1, words, (size_t)(kept - words) * sizeof *words);
        words[0] = (char *)(uintptr_t)first;
        kept++;
    }
    *kept = NULL;
    *call = (struct invocation){verb, words, (size_t)(kept - words)};
    return check_count(&p, call);
}
