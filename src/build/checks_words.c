/* SPDX-License-Identifier: Apache-2.0 */
/* Checks of the other instructions, but for the text of RUN. */
#include <string.h>

#include "base/cleanup.h"
#include "base/memory.h"
#include "base/secret_name.h"
#include "base/text.h"
#include "build/checks_parts.h"
#include "build/dockerfile_parts.h"
#include "build/outline.h"
#include "build/remote.h"

#define GUESSES_MAX 1000 /* names that are compared with others */

/* --- variables --- */

static bool has_lower(const char *name)
{
    for (; *name; name++)
        if (*name >= 'a' && *name <= 'z')
            return true;
    return false;
}

static void undefined(struct checking *c, struct place place, const char *name)
{
    const struct scope *scope = &c->stages[c->stage].scope;
    size_t length = strlen(name);
    autostrv names = {0};
    if (c->out->count == FINDINGS_MAX || c->guesses == GUESSES_MAX)
        return;
    if (length == 0 || !strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_", *name) ||
        scope_knows(scope, name, length) || predefined_argument(name, length))
        return;
    c->guesses++;
    strv_add(&names, "PATH");
    scope_names(scope, &names);
    const char *near = nearest_word(name, (const char *const *)strv_argv(&names), names.len);
    /* An image may bring it; but images' variables are in upper case. */
    if (scope_unknown_base(scope) && !near && !has_lower(name))
        return;
    if (near)
        report(c->out, RULE_UNDEFINED_VAR, place,
               "the variable $%.60s is not declared; did you mean $%.60s?", name, near);
    else
        report(c->out, RULE_UNDEFINED_VAR, place,
               "the variable $%.60s is not declared; declare it with ARG or ENV", name);
}

static void check_word(struct checking *c, struct place place, const char *word)
{
    autostrv unset = {0};
    autobuf text = {0};
    const struct expand expand = {.lookup = scope_value,
                                  .closure = &c->stages[c->stage].scope,
                                  .escape = c->file->escape,
                                  .unset = &unset};
    if (!strchr(word, '$') || expand_word(&expand, word, &text, NULL) < 0)
        return;
    for (size_t i = 0; i < unset.len; i++)
        undefined(c, place, unset.items[i]);
}

static bool expands(enum instruction_kind kind)
{
    switch (kind) {
    case INSTRUCTION_ADD:
    case INSTRUCTION_ARG:
    case INSTRUCTION_COPY:
    case INSTRUCTION_ENV:
    case INSTRUCTION_EXPOSE:
    case INSTRUCTION_LABEL:
    case INSTRUCTION_STOPSIGNAL:
    case INSTRUCTION_USER:
    case INSTRUCTION_VOLUME:
    case INSTRUCTION_WORKDIR:
        return true;
    default:
        return false;
    }
}

static void check_variables(struct checking *c, const struct instruction *i)
{
    if (expands(i->kind))
        for (size_t w = 0; w < i->words.len; w++)
            check_word(c, i->places[w], i->words.items[w]);
    for (size_t f = 0; f < i->flag_count; f++)
        if (i->flags[f].value)
            check_word(c, i->flags[f].place, i->flags[f].value);
}

/* --- names and values --- */

static void check_names(struct checking *c, const struct instruction *i)
{
    for (size_t w = 0; w < i->words.len; w++) {
        const char *word = i->words.items[w];
        size_t length = strcspn(word, "=");
        if (secret_name(word, length, true))
            report(c->out, RULE_SECRETS_USED_IN_ARG_OR_ENV, i->places[w],
                   "%.*s looks like a secret, and everybody who has the image can read it; use "
                   "RUN --mount=type=secret",
                   length > 60 ? 60 : (int)length, word);
    }
}

static void check_pairs(struct checking *c, const struct instruction *i)
{
    if (i->kind != INSTRUCTION_LABEL)
        check_names(c, i);
    if (i->legacy)
        report(c->out, RULE_LEGACY_KEY_VALUE_FORMAT, i->place,
               "%s NAME VALUE is the old way to write it; write %s NAME=VALUE",
               instruction_name(i->kind), instruction_name(i->kind));
}

/* --- ports --- */

static void check_ports(struct checking *c, const struct instruction *i)
{
    for (size_t w = 0; w < i->words.len; w++) {
        const char *word = i->words.items[w], *slash = strchr(word, '/');
        bool upper = false;
        for (const char *p = slash && !strchr(word, '$') ? slash : ""; *p; p++)
            upper |= *p >= 'A' && *p <= 'Z';
        if (upper)
            report(c->out, RULE_EXPOSE_PROTO_CASING, i->places[w],
                   "the protocol in %.60s is written in lower case", word);
        if (!strchr(word, '$') && strchr(word, ':'))
            report(c->out, RULE_EXPOSE_INVALID_FORMAT, i->places[w],
                   "%.60s: EXPOSE names ports of the container; addresses and ports of the host "
                   "are given with --publish",
                   word);
    }
}

/* --- commands --- */

static void check_once(struct checking *c, const struct instruction *i,
                       const struct instruction **last)
{
    if (*last) {
        begin_instruction(c, *last);
        report(c->out, RULE_MULTIPLE_INSTRUCTIONS_DISALLOWED, (*last)->place,
               "only the last %s of a stage counts, and another one follows in line %u",
               instruction_name(i->kind), i->place.line);
        begin_instruction(c, i);
    }
    *last = i;
}

static void check_command(struct checking *c, const struct instruction *i)
{
    struct stage_state *state = &c->stages[c->stage];
    check_once(c, i, i->kind == INSTRUCTION_CMD ? &state->command : &state->entrypoint);
    if (!i->exec && !state->shell)
        report(c->out, RULE_JSON_ARGS_RECOMMENDED, i->place,
               "%s as text runs in a shell, which hands no signals on; write it as [\"…\"], or say "
               "SHELL first",
               instruction_name(i->kind));
}

static void check_workdir(struct checking *c, const struct instruction *i)
{
    struct stage_state *state = &c->stages[c->stage];
    autostrv unset = {0};
    autobuf path = {0};
    const struct expand expand = {.lookup = scope_value,
                                  .closure = &state->scope,
                                  .escape = c->file->escape,
                                  .unset = &unset};
    if (expand_word(&expand, i->words.items[0], &path, NULL) < 0)
        return;
    if (buf_text(&path)[0] == '/' || unset.len > 0)
        state->workdir = true;
    else if (!state->workdir)
        report(c->out, RULE_WORKDIR_RELATIVE_PATH, i->place,
               "\"%.100s\" is somewhere else when the base image changes; begin it with /",
               buf_text(&path));
}

/* --- files --- */

static bool is_url(const char *source)
{
    return starts_with(source, "http://") || starts_with(source, "https://");
}

static bool is_git(const char *source)
{
    autofree char *address = xstrndup(source, strcspn(source, "#?"));
    return starts_with(source, "git@") || starts_with(source, "git://") ||
           starts_with(source, "ssh://") || (is_url(source) && ends_with(address, ".git"));
}

static bool has_flag(const struct instruction *i, const char *name)
{
    for (size_t f = 0; f < i->flag_count; f++)
        if (streq(i->flags[f].name, name))
            return true;
    return false;
}

static void check_source(struct checking *c, const struct instruction *i, size_t w)
{
    const struct check_request *request = c->request;
    autobuf path = {0}, bare = {0};
    const struct expand expand = {
        .lookup = scope_value, .closure = &c->stages[c->stage].scope, .escape = c->file->escape};
    if (expand_word(&expand, i->words.items[w], &path, NULL) < 0)
        return;
    const char *text = buf_text(&path);
    remote_redact(text, &bare);
    if (i->kind == INSTRUCTION_ADD && (is_url(text) || is_git(text))) {
        if (!is_git(text) && !has_flag(i, "checksum"))
            report(c->out, RULE_ADD_WITHOUT_CHECKSUM, i->places[w],
                   "nothing says what %.200s has to be; add --checksum=sha256:…", buf_text(&bare));
        return;
    }
    text += strspn(text, "/");
    if (request->ignored && *text && !has_flag(i, "from") && !strpbrk(text, "*?[") &&
        request->ignored(request->closure, text))
        report(c->out, RULE_COPY_IGNORED_FILE, i->places[w],
               "%.200s is not there: .dockerignore leaves it out", text);
}

static void check_sources(struct checking *c, const struct instruction *i)
{
    for (size_t w = 0; w + 1 < i->words.len; w++) {
        struct heredoc heredoc = {0};
        bool tabs;
        if (!i->exec && heredoc_word(i->words.items[w], c->file->escape, &heredoc, &tabs))
            free(heredoc.name);
        else
            check_source(c, i, w);
    }
}

/* --- comments --- */

static bool described(const struct instruction *i, const char *name, size_t length)
{
    autofree char *copy = xstrndup(name, length);
    autofree char *description = outline_description(i, copy);
    return description != NULL;
}

/* Whether there is a comment that could be meant to describe something. */
static bool has_comment(const struct instruction *i)
{
    autostrv lines = {0};
    if (!i->comment)
        return false;
    strv_split(&lines, i->comment, '\n');
    for (size_t l = 0; l < lines.len; l++)
        if (!starts_with(lines.items[l], "check="))
            return true;
    return false;
}

void check_comment(struct checking *c, const struct instruction *i)
{
    const struct strv *words = &i->words;
    bool from = i->kind == INSTRUCTION_FROM && words->len == 3;
    if ((!from && i->kind != INSTRUCTION_ARG) || !has_comment(i))
        return;
    const char *name = words->items[from ? 2 : 0];
    for (size_t w = from ? 2 : 0; w < words->len; w++)
        if (described(i, words->items[w], strcspn(words->items[w], "=")))
            return;
    report(c->out, RULE_INVALID_DEFINITION_DESCRIPTION, i->place,
           "the comment right above is read as a description and does not begin with \"%.*s\"; "
           "begin it so, or put an empty line between",
           (int)strcspn(name, "="), name);
}

/* --- all --- */

void check_global(struct checking *c, const struct instruction *instruction)
{
    check_names(c, instruction);
    check_comment(c, instruction);
}

void check_instruction(struct checking *c, const struct instruction *i)
{
    struct stage_state *state = &c->stages[c->stage];
    check_variables(c, i);
    check_comment(c, i);
    switch (i->kind) {
    case INSTRUCTION_ARG:
    case INSTRUCTION_ENV:
    case INSTRUCTION_LABEL:
        check_pairs(c, i);
        break;
    case INSTRUCTION_ADD:
    case INSTRUCTION_COPY:
        check_sources(c, i);
        break;
    case INSTRUCTION_CMD:
    case INSTRUCTION_ENTRYPOINT:
        check_command(c, i);
        break;
    case INSTRUCTION_HEALTHCHECK:
        check_once(c, i, &state->health);
        break;
    case INSTRUCTION_EXPOSE:
        check_ports(c, i);
        break;
    case INSTRUCTION_MAINTAINER:
        report(c->out, RULE_MAINTAINER_DEPRECATED, i->place,
               "MAINTAINER is not used any more; write LABEL "
               "org.opencontainers.image.authors=\"…\"");
        break;
    case INSTRUCTION_RUN:
        check_run(c, i);
        break;
    case INSTRUCTION_SHELL:
        state->shell = true;
        break;
    case INSTRUCTION_WORKDIR:
        check_workdir(c, i);
        break;
    default:
        break;
    }
}
