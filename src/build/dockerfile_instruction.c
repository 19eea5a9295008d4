/* SPDX-License-Identifier: Apache-2.0 */
/* A logical line as an instruction: its keyword, its flags, its here-documents. */
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/memory.h"
#include "base/text.h"
#include "build/dockerfile_parts.h"

enum flag_shape {
    FLAG_TEXT,   /* --name=value, once */
    FLAG_SWITCH, /* --name, --name=true, --name=false, once */
    FLAG_LIST,   /* --name=value, again and again */
};

static const struct {
    enum instruction_kind kind;
    const char *name;
    enum flag_shape shape;
} known_flags[] = {
    {INSTRUCTION_ADD, "checksum", FLAG_TEXT},
    {INSTRUCTION_ADD, "chmod", FLAG_TEXT},
    {INSTRUCTION_ADD, "chown", FLAG_TEXT},
    {INSTRUCTION_ADD, "exclude", FLAG_LIST},
    {INSTRUCTION_ADD, "keep-git-dir", FLAG_SWITCH},
    {INSTRUCTION_ADD, "link", FLAG_SWITCH},
    {INSTRUCTION_ADD, "unpack", FLAG_SWITCH},
    {INSTRUCTION_COPY, "chmod", FLAG_TEXT},
    {INSTRUCTION_COPY, "chown", FLAG_TEXT},
    {INSTRUCTION_COPY, "exclude", FLAG_LIST},
    {INSTRUCTION_COPY, "from", FLAG_TEXT},
    {INSTRUCTION_COPY, "link", FLAG_SWITCH},
    {INSTRUCTION_COPY, "parents", FLAG_SWITCH},
    {INSTRUCTION_FROM, "platform", FLAG_TEXT},
    {INSTRUCTION_HEALTHCHECK, "interval", FLAG_TEXT},
    {INSTRUCTION_HEALTHCHECK, "retries", FLAG_TEXT},
    {INSTRUCTION_HEALTHCHECK, "start-interval", FLAG_TEXT},
    {INSTRUCTION_HEALTHCHECK, "start-period", FLAG_TEXT},
    {INSTRUCTION_HEALTHCHECK, "timeout", FLAG_TEXT},
    {INSTRUCTION_RUN, "mount", FLAG_LIST},
    {INSTRUCTION_RUN, "network", FLAG_TEXT},
    {INSTRUCTION_RUN, "security", FLAG_TEXT},
};
#define KNOWN_FLAGS (sizeof known_flags / sizeof *known_flags)

static const char *const names[] = {
    [INSTRUCTION_ADD] = "ADD",
    [INSTRUCTION_ARG] = "ARG",
    [INSTRUCTION_CMD] = "CMD",
    [INSTRUCTION_COPY] = "COPY",
    [INSTRUCTION_ENTRYPOINT] = "ENTRYPOINT",
    [INSTRUCTION_ENV] = "ENV",
    [INSTRUCTION_EXPOSE] = "EXPOSE",
    [INSTRUCTION_FROM] = "FROM",
    [INSTRUCTION_HEALTHCHECK] = "HEALTHCHECK",
    [INSTRUCTION_LABEL] = "LABEL",
    [INSTRUCTION_MAINTAINER] = "MAINTAINER",
    [INSTRUCTION_ONBUILD] = "ONBUILD",
    [INSTRUCTION_RUN] = "RUN",
    [INSTRUCTION_SHELL] = "SHELL",
    [INSTRUCTION_STOPSIGNAL] = "STOPSIGNAL",
    [INSTRUCTION_USER] = "USER",
    [INSTRUCTION_VOLUME] = "VOLUME",
    [INSTRUCTION_WORKDIR] = "WORKDIR",
};
#define NAMES (sizeof names / sizeof *names)

const char *instruction_name(enum instruction_kind kind)
{
    return names[kind];
}

/* --- keyword --- */

static int read_keyword(const struct reading *reading, struct instruction *out, struct error *err)
{
    for (size_t i = 0; i < NAMES; i++)
        if (strcasecmp(out->keyword, names[i]) == 0) {
            out->kind = (enum instruction_kind)i;
            return 0;
        }
    autofree char *upper = xstrdup(out->keyword);
    autobuf shown = {0};
    for (char *c = upper; *c; c++)
        if (*c >= 'a' && *c <= 'z')
            *c = (char)(*c - 'a' + 'A');
    const char *near = nearest_word(upper, names, NAMES);
    buf_printable(&shown, out->keyword);
    if (near)
        return dockerfile_wrong(reading->file, out->place, err,
                                "unknown instruction: %.60s; did you mean %s?", buf_text(&shown),
                                near);
    return dockerfile_wrong(reading->file, out->place, err,
                            "unknown instruction: %.60s; the line before it goes on only when it "
                            "ends in %c",
                            buf_text(&shown), reading->file->escape);
}

/* --- flags --- */

static int unknown_flag(const struct reading *reading, const struct instruction *instruction,
                        const struct flag *flag, struct error *err)
{
    const char *flags[KNOWN_FLAGS];
    size_t count = 0;
    autobuf shown = {0}, all = {0};
    for (size_t i = 0; i < KNOWN_FLAGS; i++)
        if (known_flags[i].kind == instruction->kind) {
            buf_fmt(&all, "%s--%s", count > 0 ? ", " : "", known_flags[i].name);
            flags[count++] = known_flags[i].name;
        }
    const char *near = nearest_word(flag->name, flags, count);
    buf_printable(&shown, flag->name);
    if (near)
        return dockerfile_wrong(reading->file, flag->place, err,
                                "unknown flag: --%.60s; did you mean --%s?", buf_text(&shown),
                                near);
    if (count > 0)
        return dockerfile_wrong(reading->file, flag->place, err, "unknown flag: --%.60s; %s has %s",
                                buf_text(&shown), names[instruction->kind], buf_text(&all));
    return dockerfile_wrong(reading->file, flag->place, err,
                            "unknown flag: --%.60s; %s has none, and a word that begins with -- "
                            "goes after the others or into [\"…\"]",
                            buf_text(&shown), names[instruction->kind]);
}

static int check_flag(const struct reading *reading, const struct instruction *instruction,
                      const struct flag *flag, struct error *err)
{
    size_t i = 0;
    while (i < KNOWN_FLAGS &&
           (known_flags[i].kind != instruction->kind || !streq(known_flags[i].name, flag->name)))
        i++;
    if (i == KNOWN_FLAGS)
        return unknown_flag(reading, instruction, flag, err);
    if (known_flags[i].shape != FLAG_SWITCH && !flag->value)
        return dockerfile_wrong(reading->file, flag->place, err,
                                "--%s has no value; write --%s=VALUE", flag->name, flag->name);
    if (known_flags[i].shape == FLAG_SWITCH && flag->value && !streq(flag->value, "true") &&
        !streq(flag->value, "false"))
        return dockerfile_wrong(reading->file, flag->place, err, "--%s is either true or false",
                                flag->name);
    for (size_t j = 0; known_flags[i].shape != FLAG_LIST && j < instruction->flag_count; j++)
        if (streq(instruction->flags[j].name, flag->name))
            return dockerfile_wrong(reading->file, flag->place, err,
                                    "--%s is there twice; keep one", flag->name);
    return 0;
}

/* "--name=value" without the quotes and escapes in it. */
static void split_flag(const char *text, size_t length, char escape, struct flag *out)
{
    autobuf word = {0};
    char quote = 0;
    for (size_t i = 2; i < length; i++) {
        if (text[i] == escape && quote != '\'') {
            if (i + 1 < length)
                buf_char(&word, text[++i]);
        } else if (quote ? text[i] == quote : text[i] == '"' || text[i] == '\'') {
            quote = quote ? 0 : text[i];
        } else {
            buf_char(&word, text[i]);
        }
    }
    const char *equals = strchr(buf_text(&word), '=');
    out->value = equals ? xstrdup(equals + 1) : NULL;
    out->name = equals ? xstrndup(buf_text(&word), (size_t)(equals - buf_text(&word)))
                       : xstrdup(buf_text(&word));
}

int flags_read(struct reading *reading, const struct line *line, size_t *at,
               struct instruction *out, struct error *err)
{
    const char *text = buf_text(&line->text);
    for (;;) {
        *at += strspn(text + *at, BLANKS);
        if (!starts_with(text + *at, "--"))
            return 0;
        size_t length = word_length(text + *at, reading->file->escape);
        struct flag flag = {.place = line_place(line, *at)};
        split_flag(text + *at, length, reading->file->escape, &flag);
        *at += length;
        if (!*flag.name && !flag.value) { /* "--" ends them */
            free(flag.name);
            *at += strspn(text + *at, BLANKS);
            return 0;
        }
        int rc = check_flag(reading, out, &flag, err);
        if (rc == 0 && out->flag_count == DOCKERFILE_WORDS_MAX)
            rc = dockerfile_wrong(reading->file, flag.place, err, "more than %d flags",
                                  DOCKERFILE_WORDS_MAX);
        if (rc < 0) {
            free(flag.name);
            free(flag.value);
            return rc;
        }
        out->flags = xrealloc(out->flags, out->flag_count + 1, sizeof *out->flags);
        out->flags[out->flag_count++] = flag;
    }
}

/* --- here-documents --- */

static bool takes_heredocs(const struct instruction *instruction)
{
    return !instruction->exec &&
           (instruction->kind == INSTRUCTION_RUN || instruction->kind == INSTRUCTION_COPY ||
            instruction->kind == INSTRUCTION_ADD);
}

/* Within $((…)), where << shifts. `depth` goes from word to word. */
static bool in_arithmetic(const char *word, size_t length, unsigned *depth)
{
    bool inside = *depth > 0;
    for (size_t i = 0; i + 1 < length; i++) {
        if (i + 2 < length && memcmp(word + i, "$((", 3) == 0)
            ++*depth;
        else if (*depth > 0 && memcmp(word + i, "))", 2) == 0)
            --*depth;
    }
    return inside;
}

static int read_heredocs(struct reading *reading, const struct line *line, size_t at,
                         struct instruction *out, struct error *err)
{
    char escape = reading->file->escape;
    const char *rest = out->rest;
    unsigned depth = 0;
    for (size_t i = strspn(rest, BLANKS); rest[i]; i += strspn(rest + i, BLANKS)) {
        size_t first = word_length(rest + i, escape), length = heredoc_length(rest + i, escape);
        bool shifts = in_arithmetic(rest + i, first, &depth), tabs;
        bool perhaps = !shifts && memmem(rest + i, first, "<<", 2);
        autofree char *word = perhaps ? xstrndup(rest + i, length) : NULL;
        struct heredoc heredoc = {.place = line_place(line, at + i)};
        bool is = word && heredoc_word(word, escape, &heredoc, &tabs);
        i += is ? length : first;
        if (!is)
            continue;
        int rc = heredoc_read(reading, &heredoc, tabs, err);
        if (rc < 0) {
            free(heredoc.name);
            return rc;
        }
        out->heredocs = xrealloc(out->heredocs, out->heredoc_count + 1, sizeof *out->heredocs);
        out->heredocs[out->heredoc_count++] = heredoc;
        out->last_line = reading->number - 1;
    }
    return 0;
}

/* --- the whole --- */

int instruction_read(struct reading *reading, const struct line *line, size_t begin, bool inner,
                     struct instruction *out, struct error *err)
{
    const char *text = buf_text(&line->text);
    struct instruction made = {.last_line = line->last, .empty_line = line->empty};
    size_t at = begin + strspn(text + begin, BLANKS), end = line->text.len;
    while (end > at && strchr(BLANKS, text[end - 1]))
        end--;
    made.place = line_place(line, at);
    made.text = xstrndup(text + at, end - at);
    if (line->comment.len > 0 && !inner)
        made.comment = xstrdup(buf_text(&line->comment));
    size_t length = strcspn(text + at, BLANKS);
    made.keyword = xstrndup(text + at, length);
    at += length;
    int rc = read_keyword(reading, &made, err);
    if (rc == 0 && inner &&
        (made.kind == INSTRUCTION_ONBUILD || made.kind == INSTRUCTION_FROM ||
         made.kind == INSTRUCTION_MAINTAINER))
        rc = dockerfile_wrong(reading->file, made.place, err, "ONBUILD may not hold %s",
                              names[made.kind]);
    if (rc == 0)
        rc = flags_read(reading, line, &at, &made, err);
    if (rc == 0) {
        made.rest = xstrndup(text + at, at < end ? end - at : 0);
        rc = arguments_read(reading, line, at, &made, err);
    }
    if (rc == 0 && takes_heredocs(&made))
        rc = read_heredocs(reading, line, at, &made, err);
    if (rc < 0)
        instruction_free(&made);
    else
        *out = made;
    return rc;
}

void instruction_free(struct instruction *instruction)
{
    for (size_t i = 0; i < instruction->flag_count; i++) {
        free(instruction->flags[i].name);
        free(instruction->flags[i].value);
    }
    for (size_t i = 0; i < instruction->heredoc_count; i++) {
        free(instruction->heredocs[i].name);
        free(instruction->heredocs[i].text);
    }
    if (instruction->triggered)
        instruction_free(instruction->triggered);
    free(instruction->triggered);
    free(instruction->flags);
    free(instruction->heredocs);
    free(instruction->keyword);
    free(instruction->comment);
    free(instruction->text);
    free(instruction->rest);
    free(instruction->places);
    strv_free(&instruction->words);
    *instruction = (struct instruction){0};
}

void instruction_write(const struct instruction *instruction, struct buf *out)
{
    const struct instruction *last = instruction->triggered ? instruction->triggered : instruction;
    buf_str(out, instruction->text);
    for (size_t i = 0; i < last->heredoc_count; i++)
        buf_fmt(out, "\n%s%s", last->heredocs[i].text, last->heredocs[i].name);
}
