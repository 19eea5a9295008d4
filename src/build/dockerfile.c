/* SPDX-License-Identifier: Apache-2.0 */
#include "build/dockerfile.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/memory.h"
#include "base/text.h"
#include "build/dockerfile_parts.h"
#include "build/remote.h"

#define SHOWN_BEFORE 60 /* bytes of a line that are shown around the place */
#define SHOWN_AFTER 40
#define SENTENCE_MAX 600 /* bytes */
#define BYTE_ORDER_MARK "\xef\xbb\xbf"

/* --- telling where --- */

static bool middle_of_character(char c)
{
    return ((unsigned char)c & 0xc0) == 0x80;
}

/* Tabs as a space, what is not printable escaped. Gives the columns that it takes. */
static size_t show(struct buf *out, const char *text, size_t length)
{
    size_t before = out->len, columns = 0;
    autofree char *copy = xstrndup(text, length);
    for (size_t i = 0; copy[i]; i++)
        if (copy[i] == '\t')
            copy[i] = ' ';
    buf_printable(out, copy);
    for (size_t i = before; i < out->len; i++)
        columns += !middle_of_character(out->data[i]);
    return columns;
}

static bool find_line(const struct dockerfile *file, unsigned number, const char **line,
                      size_t *length)
{
    const char *at = file->text, *end = file->text + file->length;
    for (unsigned i = 1; at && at < end; i++) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        if (i == 1 && starts_with(at, BYTE_ORDER_MARK))
            at += strlen(BYTE_ORDER_MARK);
        if (i == number) {
            *line = at;
            *length = (size_t)((newline ? newline : end) - at);
            while (*length > 0 && at[*length - 1] == '\r')
                --*length;
            return true;
        }
        at = newline ? newline + 1 : NULL;
    }
    return false;
}

/* The line, clipped around the place, and a caret below. */
static void excerpt(const struct dockerfile *file, struct place place, struct buf *out)
{
    const char *line;
    size_t length, at = place.column > 0 ? place.column - 1 : 0;
    if (!file->text || !find_line(file, place.line, &line, &length))
        return;
    autofree char *whole = xstrndup(line, length);
    autobuf bare = {0};
    remote_redact(whole, &bare); /* a password is not shown, wherever the caret is then */
    line = buf_text(&bare);
    length = bare.len;
    if (at > length)
        at = length;
    size_t from = at > SHOWN_BEFORE ? at - SHOWN_BEFORE : 0;
    size_t to = length - at > SHOWN_AFTER ? at + SHOWN_AFTER : length;
    if (to - from < SHOWN_BEFORE + SHOWN_AFTER) /* the beginning of a line leaves room */
        to =
            length - from > SHOWN_BEFORE + SHOWN_AFTER ? from + SHOWN_BEFORE + SHOWN_AFTER : length;
    while (from > 0 && middle_of_character(line[from]))
        from--;
    while (to < length && middle_of_character(line[to]))
        to++;
    int margin = snprintf(NULL, 0, "%u", place.line) + 5;
    buf_fmt(out, "\n  %u | %s", place.line, from > 0 ? "…" : "");
    size_t columns = (size_t)margin + (from > 0) + show(out, line + from, at - from);
    show(out, line + at, to - at);
    buf_fmt(out, "%s\n%*s^", to < length ? "…" : "", (int)columns, "");
}

int dockerfile_wrong(const struct dockerfile *file, struct place place, struct error *err,
                     const char *format, ...)
{
    autobuf said = {0}, sentence = {0}, shown = {0};
    va_list ap;
    va_start(ap, format);
    buf_vfmt(&said, format, ap);
    va_end(ap);
    buf_printable(&sentence, buf_text(&said)); /* it repeats words of the file */
    if (!file)
        return error_set(err, -EINVAL, "%s", buf_text(&sentence));
    excerpt(file, place, &shown);
    return error_set(err, -EINVAL, "%.200s:%u:%u: %.*s%s", file->name, place.line, place.column,
                     SENTENCE_MAX, buf_text(&sentence), buf_text(&shown));
}

/* --- the file --- */

static int check_bytes(struct dockerfile *file, struct error *err)
{
    const char *nul = memchr(file->text, '\0', file->length);
    if (!nul)
        return 0;
    struct place place = {.line = 1, .column = 1};
    for (const char *at = file->text; at < nul; at++) {
        place.column++;
        if (*at == '\n')
            place = (struct place){.line = place.line + 1, .column = 1};
    }
    return dockerfile_wrong(file, place, err,
                            "a NUL byte: this is no text, so it is hardly a Dockerfile");
}

static void begin_stage(struct dockerfile *file, size_t index)
{
    const struct instruction *from = &file->instructions[index];
    struct stage stage = {.from = index, .first = index + 1};
    stage.base = xstrdup(from->words.items[0]);
    if (from->words.len == 3) {
        stage.name = xstrdup(from->words.items[2]);
        for (char *c = stage.name; *c; c++)
            if (*c >= 'A' && *c <= 'Z')
                *c = (char)(*c - 'A' + 'a');
    }
    for (size_t i = 0; i < from->flag_count; i++)
        if (streq(from->flags[i].name, "platform"))
            stage.platform = xstrdup(from->flags[i].value);
    file->stages = xrealloc(file->stages, file->stage_count + 1, sizeof *file->stages);
    file->stages[file->stage_count++] = stage;
}

/* Puts what was read where it belongs. */
static int place_instruction(struct dockerfile *file, size_t index, struct error *err)
{
    const struct instruction *i = &file->instructions[index];
    if (i->kind == INSTRUCTION_FROM)
        begin_stage(file, index);
    else if (file->stage_count > 0)
        file->stages[file->stage_count - 1].count++;
    else if (i->kind == INSTRUCTION_ARG)
        file->global_count++;
    else
        return dockerfile_wrong(file, i->place, err,
                                "nothing but ARG goes before the first FROM; begin with FROM "
                                "IMAGE");
    return 0;
}

static int read_all(struct dockerfile *file, struct error *err)
{
    struct reading reading = {.file = file, .number = 1, .directives = true};
    if (starts_with(file->text, BYTE_ORDER_MARK))
        reading.at = strlen(BYTE_ORDER_MARK);
    size_t room = 0;
    for (;;) {
        autoline line = {0};
        struct instruction instruction;
        int rc = line_next(&reading, &line, err);
        if (rc <= 0)
            return rc;
        rc = instruction_read(&reading, &line, 0, false, &instruction, err);
        if (rc < 0)
            return rc;
        if (file->count == room) {
            room = room ? room * 2 : 16;
            file->instructions = xrealloc(file->instructions, room, sizeof instruction);
        }
        file->instructions[file->count++] = instruction;
        if (file->count > DOCKERFILE_INSTRUCTIONS_MAX)
            return dockerfile_wrong(file, instruction.place, err, "more than %d instructions",
                                    DOCKERFILE_INSTRUCTIONS_MAX);
        rc = place_instruction(file, file->count - 1, err);
        if (rc < 0)
            return rc;
    }
}

static int parse(struct dockerfile *file, struct error *err)
{
    struct place begin = {.line = 1, .column = 1};
    int rc = check_bytes(file, err);
    if (rc == 0)
        rc = read_all(file, err);
    if (rc < 0)
        return rc;
    if (file->escape == 0)
        file->escape = '\\';
    if (file->count == 0)
        return dockerfile_wrong(file, begin, err,
                                "there is no instruction in this file; begin with FROM IMAGE or "
                                "FROM scratch");
    if (file->stage_count == 0)
        return dockerfile_wrong(file, file->instructions[0].place, err,
                                "there is no FROM in this file; it is what a build begins with, as "
                                "in FROM debian:12 or FROM scratch");
    return 0;
}

int dockerfile_parse(const char *name, const char *text, size_t length, struct dockerfile *out,
                     struct error *err)
{
    autodockerfile file = {.name = xstrdup(name)};
    if (length > DOCKERFILE_MAX)
        return error_set(err, -EINVAL, "%.200s is longer than %u MiB: it is hardly a Dockerfile",
                         name, DOCKERFILE_MAX >> 20);
    file.text = xmalloc(length + 1);
    if (length > 0)
        memcpy(file.text, text, length);
    file.text[length] = '\0';
    file.length = length;
    int rc = parse(&file, err);
    if (rc == 0) {
        *out = file;
        file = (struct dockerfile){0};
    }
    return rc;
}

void dockerfile_free(struct dockerfile *file)
{
    for (size_t i = 0; i < file->count; i++)
        instruction_free(&file->instructions[i]);
    for (size_t i = 0; i < file->stage_count; i++) {
        free(file->stages[i].name);
        free(file->stages[i].base);
        free(file->stages[i].platform);
    }
    free(file->instructions);
    free(file->stages);
    free(file->name);
    free(file->text);
    free(file->syntax);
    free(file->check);
    *file = (struct dockerfile){0};
}

int instruction_parse(const char *what, const char *text, char escape, struct instruction *out,
                      struct error *err)
{
    autodockerfile file = {
        .name = xstrdup(what), .text = xstrdup(text), .length = strlen(text), .escape = escape};
    struct reading reading = {.file = &file, .number = 1};
    autoline line = {0}, more = {0};
    struct instruction made;
    if (file.length > DOCKERFILE_MAX)
        return error_set(err, -EINVAL, "%.200s is longer than %u MiB", what, DOCKERFILE_MAX >> 20);
    int rc = line_next(&reading, &line, err);
    if (rc == 0)
        rc = dockerfile_wrong(&file, (struct place){1, 1}, err, "there is no instruction in it");
    if (rc < 0)
        return rc;
    rc = instruction_read(&reading, &line, 0, true, &made, err);
    if (rc < 0)
        return rc;
    rc = line_next(&reading, &more, err);
    if (rc > 0)
        rc = dockerfile_wrong(&file, line_place(&more, 0), err,
                              "it is one instruction, and another one follows");
    if (rc < 0)
        instruction_free(&made);
    else
        *out = made;
    return rc;
}
