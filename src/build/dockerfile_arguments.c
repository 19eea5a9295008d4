/* SPDX-License-Identifier: Apache-2.0 */
/* What follows an instruction's flags, as each instruction wants it. */
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/memory.h"
#include "base/text.h"
#include "build/dockerfile_parts.h"

/* Where the arguments of one instruction stand. */
struct arguments {
    struct reading *reading;
    const struct line *line;
    size_t at;
    struct instruction *out;
    struct error *err;
};

__attribute__((format(printf, 3, 4))) static int wrong(const struct arguments *a,
                                                       struct place place, const char *format, ...)
{
    autobuf text = {0};
    va_list ap;
    va_start(ap, format);
    buf_vfmt(&text, format, ap);
    va_end(ap);
    return dockerfile_wrong(a->reading->file, place, a->err, "%s", buf_text(&text));
}

static void add_word(const struct arguments *a, char *word, size_t offset)
{
    struct instruction *out = a->out;
    size_t count = out->words.len;
    if ((count & (count - 1)) == 0)
        out->places = xrealloc(out->places, count ? count * 2 : 1, sizeof *out->places);
    out->places[count] = line_place(a->line, a->at + offset);
    strv_take(&out->words, word);
}

/* Words outside of quotes. */
static int add_words(const struct arguments *a)
{
    const char *rest = a->out->rest;
    bool copies = a->out->kind == INSTRUCTION_COPY || a->out->kind == INSTRUCTION_ADD;
    for (size_t i = 0; rest[i]; i += strspn(rest + i, BLANKS)) {
        size_t length = copies ? heredoc_length(rest + i, a->reading->file->escape)
                               : word_length(rest + i, a->reading->file->escape);
        if (a->out->words.len == DOCKERFILE_WORDS_MAX)
            return wrong(a, line_place(a->line, a->at + i), "more than %d words",
                         DOCKERFILE_WORDS_MAX);
        add_word(a, xstrndup(rest + i, length), i);
        i += length;
    }
    return 0;
}

/* 1 when what begins at `offset` of the rest is a JSON array, whose strings are then the words. */
static int add_json(const struct arguments *a, size_t offset)
{
    autostrv words = {0};
    int rc = json_words(a->out->rest + offset, &words);
    if (rc == -E2BIG)
        return wrong(a, line_place(a->line, a->at + offset), "this array is too long");
    if (rc < 0)
        return wrong(a, line_place(a->line, a->at + offset),
                     "a JSON array holds strings and nothing else here: put quotes around its "
                     "parts, or write the command without brackets");
    for (size_t i = 0; i < words.len; i++)
        add_word(a, xstrdup(words.items[i]), offset);
    a->out->exec = rc == 1;
    return rc;
}

static int nothing_follows(const struct arguments *a, const char *what)
{
    return wrong(a, a->out->place, "%s needs %s", instruction_name(a->out->kind), what);
}

static int read_command(const struct arguments *a)
{
    int rc = add_json(a, 0);
    if (rc != 0)
        return rc < 0 ? rc : 0;
    add_word(a, xstrdup(a->out->rest), 0);
    return 0;
}

static int read_run(const struct arguments *a)
{
    int rc = *a->out->rest ? read_command(a) : 0;
    if (rc == 0 && a->out->words.len == 0)
        return nothing_follows(a, "a command, as in RUN make");
    return rc;
}

static int read_cmd(const struct arguments *a)
{
    return *a->out->rest ? read_command(a)
                         : nothing_follows(a, "a command; [] as command takes that of the base "
                                              "image away");
}

static int read_shell(const struct arguments *a)
{
    int rc = add_json(a, 0);
    if (rc == 0 || (rc > 0 && a->out->words.len == 0))
        return nothing_follows(a, "a JSON array, as in SHELL [\"/bin/sh\", \"-c\"]");
    return rc < 0 ? rc : 0;
}

static int read_health(const struct arguments *a)
{
    const char *rest = a->out->rest;
    size_t length = strcspn(rest, BLANKS), next = length + strspn(rest + length, BLANKS);
    if (length == 4 && strncasecmp(rest, "NONE", 4) == 0) {
        if (rest[next])
            return wrong(a, line_place(a->line, a->at + next), "nothing follows HEALTHCHECK NONE");
        add_word(a, xstrdup("NONE"), 0);
        return 0;
    }
    if (length != 3 || strncasecmp(rest, "CMD", 3) != 0 || !rest[next])
        return nothing_follows(a, "CMD and a command, or NONE, as in HEALTHCHECK CMD /check");
    add_word(a, xstrdup("CMD"), 0);
    int rc = add_json(a, next);
    if (rc == 1 && a->out->words.len == 1)
        return nothing_follows(a, "CMD and a command, or NONE, as in HEALTHCHECK CMD /check");
    if (rc == 0)
        add_word(a, xstrdup(rest + next), next);
    return rc < 0 ? rc : 0;
}

/* COPY, ADD, VOLUME: JSON, or words. */
static int read_list(const struct arguments *a)
{
    int rc = add_json(a, 0);
    return rc < 0 ? rc : rc > 0 ? 0 : add_words(a);
}

static int read_copy(const struct arguments *a)
{
    struct heredoc heredoc = {0};
    bool tabs;
    int rc = read_list(a);
    if (rc < 0)
        return rc;
    if (a->out->words.len < 2)
        return nothing_follows(a, "something to copy and a destination, as in COPY src /src");
    size_t last = a->out->words.len - 1;
    if (!a->out->exec &&
        heredoc_word(a->out->words.items[last], a->reading->file->escape, &heredoc, &tabs)) {
        free(heredoc.name);
        return wrong(a, a->out->places[last],
                     "a here-document is something to copy; the destination goes last, as in "
                     "COPY <<EOF /file");
    }
    return 0;
}

static int read_volume(const struct arguments *a)
{
    int rc = read_list(a);
    if (rc == 0 && a->out->words.len == 0)
        return nothing_follows(a, "a path, as in VOLUME /data");
    for (size_t i = 0; rc == 0 && i < a->out->words.len; i++)
        if (!*a->out->words.items[i])
            rc = wrong(a, a->out->places[i], "the path of a volume is not empty");
    return rc;
}

static int read_expose(const struct arguments *a)
{
    int rc = add_words(a);
    return rc == 0 && a->out->words.len == 0 ? nothing_follows(a, "a port, as in EXPOSE 80/tcp")
                                             : rc;
}

static int read_one(const struct arguments *a)
{
    static const char *const examples[] = {
        [INSTRUCTION_MAINTAINER] = "a name",
        [INSTRUCTION_STOPSIGNAL] = "a signal, as in STOPSIGNAL SIGTERM",
        [INSTRUCTION_USER] = "a user, as in USER 1000:1000",
        [INSTRUCTION_WORKDIR] = "a directory, as in WORKDIR /app",
    };
    if (!*a->out->rest)
        return nothing_follows(a, examples[a->out->kind]);
    add_word(a, xstrdup(a->out->rest), 0);
    return 0;
}

/* "NAME value": what goes before the first white space, and everything after it. */
static int read_old_pair(const struct arguments *a)
{
    const char *rest = a->out->rest;
    size_t length = strcspn(rest, BLANKS), next = length + strspn(rest + length, BLANKS);
    if (!rest[next])
        return wrong(a, line_place(a->line, a->at), "%s is followed by NAME=VALUE",
                     instruction_name(a->out->kind));
    strv_free(&a->out->words);
    free(a->out->places);
    a->out->places = NULL;
    add_word(a, xasprintf("%.*s=%s", (int)length, rest, rest + next), 0);
    a->out->legacy = true;
    return 0;
}

static int read_pairs(const struct arguments *a)
{
    struct instruction *out = a->out;
    const char *name = instruction_name(out->kind);
    int rc = add_words(a);
    if (rc < 0)
        return rc;
    if (out->words.len == 0)
        return nothing_follows(a, out->kind == INSTRUCTION_ARG ? "a name, as in ARG VERSION=1"
                                  : out->kind == INSTRUCTION_ENV
                                      ? "a name and a value, as in ENV A=1"
                                      : "a name and a value, as in LABEL "
                                        "version=1");
    if (out->kind != INSTRUCTION_ARG && !strchr(out->words.items[0], '='))
        return read_old_pair(a);
    for (size_t i = 0; i < out->words.len; i++) {
        const char *word = out->words.items[i];
        if (word[0] == '=')
            return wrong(a, out->places[i], "the name before \"=\" is missing");
        if (out->kind != INSTRUCTION_ARG && !strchr(word, '='))
            return wrong(a, out->places[i],
                         "%s takes NAME=VALUE, and here \"=\" is missing; put quotes around a "
                         "value with spaces",
                         name);
    }
    return 0;
}

static bool valid_stage_name(const char *name)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz";
    return strspn(name, letters) > 0 &&
           name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-_.")] == '\0';
}

static int read_from(const struct arguments *a)
{
    const struct strv *words = &a->out->words;
    int rc = add_words(a);
    if (rc < 0)
        return rc;
    if (words->len == 0)
        return nothing_follows(a, "an image, as in FROM debian:12 or FROM scratch");
    if (words->len != 1 && (words->len != 3 || strcasecmp(words->items[1], "as") != 0))
        return wrong(a, a->out->places[1], "FROM is followed by an image, or by IMAGE AS NAME");
    if (words->len == 1)
        return 0;
    autofree char *name = xstrdup(words->items[2]);
    for (char *c = name; *c; c++)
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c - 'A' + 'a');
    if (!valid_stage_name(name))
        return wrong(a, a->out->places[2],
                     "this is no name for a stage: it begins with a letter, and letters, digits, "
                     "'-', '_' and '.' follow");
    return 0;
}

static int read_on_build(const struct arguments *a)
{
    if (!*a->out->rest)
        return nothing_follows(a, "an instruction, as in ONBUILD COPY . /src");
    struct instruction inner = {0};
    int rc = instruction_read(a->reading, a->line, a->at, true, &inner, a->err);
    if (rc < 0)
        return rc;
    a->out->triggered = xcalloc(1, sizeof inner);
    *a->out->triggered = inner;
    a->out->last_line = inner.last_line;
    add_word(a, xstrdup(a->out->rest), 0);
    return 0;
}

int arguments_read(struct reading *reading, const struct line *line, size_t at,
                   struct instruction *out, struct error *err)
{
    static int (*const readers[])(const struct arguments *) = {
        [INSTRUCTION_ADD] = read_copy,
        [INSTRUCTION_ARG] = read_pairs,
        [INSTRUCTION_CMD] = read_cmd,
        [INSTRUCTION_COPY] = read_copy,
        [INSTRUCTION_ENTRYPOINT] = read_cmd,
        [INSTRUCTION_ENV] = read_pairs,
        [INSTRUCTION_EXPOSE] = read_expose,
        [INSTRUCTION_FROM] = read_from,
        [INSTRUCTION_HEALTHCHECK] = read_health,
        [INSTRUCTION_LABEL] = read_pairs,
        [INSTRUCTION_MAINTAINER] = read_one,
        [INSTRUCTION_ONBUILD] = read_on_build,
        [INSTRUCTION_RUN] = read_run,
        [INSTRUCTION_SHELL] = read_shell,
        [INSTRUCTION_STOPSIGNAL] = read_one,
        [INSTRUCTION_USER] = read_one,
        [INSTRUCTION_VOLUME] = read_volume,
        [INSTRUCTION_WORKDIR] = read_one,
    };
    const struct arguments arguments = {reading, line, at, out, err};
    return readers[out->kind](&arguments);
}
