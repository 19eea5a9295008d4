/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes to logical lines: directives, comments, continuation, here-documents. */
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/memory.h"
#include "base/text.h"
#include "build/dockerfile_parts.h"

void line_free(struct line *line)
{
    buf_free(&line->text);
    buf_free(&line->comment);
    free(line->seams);
    *line = (struct line){0};
}

struct place line_place(const struct line *line, size_t at)
{
    size_t low = 0, high = line->seam_count;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (line->seams[middle].at <= at)
            low = middle;
        else
            high = middle;
    }
    if (line->seam_count == 0)
        return (struct place){.line = 1, .column = 1};
    struct place place = line->seams[low].place;
    place.column += (unsigned)(at - line->seams[low].at);
    return place;
}

/* A line of the file. */
struct bytes {
    const char *data;
    size_t length; /* without its end */
    size_t whole;  /* with it */
};

static bool peek(const struct reading *reading, struct bytes *out)
{
    const char *begin = reading->file->text + reading->at;
    size_t left = reading->file->length - reading->at;
    if (left == 0)
        return false;
    const char *end = memchr(begin, '\n', left);
    out->data = begin;
    out->whole = end ? (size_t)(end - begin) + 1 : left;
    out->length = end ? (size_t)(end - begin) : left;
    while (out->length > 0 && begin[out->length - 1] == '\r')
        out->length--;
    return true;
}

static void step_over(struct reading *reading, const struct bytes *bytes)
{
    reading->at += bytes->whole;
    reading->number++;
}

static size_t blanks(const struct bytes *bytes)
{
    size_t i = 0;
    while (i < bytes->length && strchr(BLANKS, bytes->data[i]))
        i++;
    return i;
}

/* --- directives --- */

/* "# name = value". */
static bool split_directive(const char *text, char **name, char **value)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    text += 1 + strspn(text + 1, BLANKS);
    size_t length = strspn(text, letters);
    const char *after = text + length + strspn(text + length, BLANKS);
    if (length == 0 || *after != '=')
        return false;
    after += 1 + strspn(after + 1, BLANKS);
    size_t end = strlen(after);
    while (end > 0 && strchr(BLANKS, after[end - 1]))
        end--;
    if (end == 0)
        return false;
    *name = xstrndup(text, length);
    *value = xstrndup(after, end);
    return true;
}

/* A comment in the beginning of the file. 1 when it is a directive; what is none ends them. */
static int read_directive(struct reading *reading, const struct bytes *bytes, size_t at,
                          struct error *err)
{
    autofree char *text = xstrndup(bytes->data + at, bytes->length - at);
    autofree char *name = NULL, *value = NULL;
    struct dockerfile *file = reading->file;
    struct place place = {.line = reading->number, .column = (unsigned)at + 1};
    if (reading->number == 1 && starts_with(text, "#!"))
        return 0;
    bool is = split_directive(text, &name, &value);
    bool escape = is && strcasecmp(name, "escape") == 0;
    char **field = !is                               ? NULL
                   : strcasecmp(name, "syntax") == 0 ? &file->syntax
                   : strcasecmp(name, "check") == 0  ? &file->check
                                                     : NULL;
    if (!escape && !field) {
        reading->directives = false;
        return 0;
    }
    if (field ? *field != NULL : file->escape != 0)
        return dockerfile_wrong(file, place, err, "the directive \"%s\" is there twice; keep one",
                                name);
    if (field) {
        *field = take_ptr(value);
        return 1;
    }
    if (!streq(value, "\\") && !streq(value, "`"))
        return dockerfile_wrong(file, place, err, "escape is either \\ or `");
    file->escape = value[0];
    return 1;
}

/* --- joining --- */

/* A single escape character at the end, blanks after it. Gives the length before it. */
static bool continues(const char *text, size_t length, char escape, size_t *kept)
{
    while (length > 0 && (text[length - 1] == ' ' || text[length - 1] == '\t'))
        length--;
    if (length == 0 || text[length - 1] != escape || (length > 1 && text[length - 2] == escape))
        return false;
    *kept = length - 1;
    return true;
}

static void add_part(const struct reading *reading, const struct bytes *bytes, size_t from,
                     size_t to, struct line *out)
{
    struct place place = {.line = reading->number, .column = (unsigned)from + 1};
    if ((out->seam_count & (out->seam_count - 1)) == 0)
        out->seams =
            xrealloc(out->seams, out->seam_count ? out->seam_count * 2 : 1, sizeof *out->seams);
    out->seams[out->seam_count++] = (struct seam){.at = out->text.len, .place = place};
    buf_add(&out->text, bytes->data + from, to - from);
}

/* The lines after one that goes on. */
static void join(struct reading *reading, char escape, struct line *out)
{
    struct bytes bytes;
    bool more = true;
    while (more && peek(reading, &bytes)) {
        size_t begin = blanks(&bytes), end = bytes.length;
        bool comment = begin < bytes.length && bytes.data[begin] == '#';
        if (begin == bytes.length) {
            if (out->empty == 0)
                out->empty = reading->number;
        } else if (!comment) {
            more = continues(bytes.data, bytes.length, escape, &end);
            add_part(reading, &bytes, 0, end, out);
            out->last = reading->number;
        }
        step_over(reading, &bytes);
    }
}

/* A line between instructions: of the comments only those right above one are kept. */
static int read_between(struct reading *reading, const struct bytes *bytes, size_t begin,
                        struct line *out, struct error *err)
{
    bool comment = begin < bytes->length;
    int rc = 0;
    if (reading->directives && comment)
        rc = read_directive(reading, bytes, begin, err);
    if (rc < 0)
        return rc;
    if (rc == 0 && !(reading->number == 1 && comment))
        reading->directives = false;
    if (rc == 1 || !comment) {
        buf_clear(&out->comment);
        return 0;
    }
    size_t end = bytes->length;
    for (begin++; begin < end && strchr(BLANKS, bytes->data[begin]);)
        begin++;
    while (end > begin && strchr(BLANKS, bytes->data[end - 1]))
        end--;
    if (begin == end) {
        buf_clear(&out->comment);
        return 0;
    }
    if (out->comment.len > 0)
        buf_char(&out->comment, '\n');
    buf_add(&out->comment, bytes->data + begin, end - begin);
    return 0;
}

int line_next(struct reading *reading, struct line *out, struct error *err)
{
    struct bytes bytes;
    while (peek(reading, &bytes)) {
        size_t begin = blanks(&bytes), end = bytes.length;
        if (begin == bytes.length || bytes.data[begin] == '#') {
            int rc = read_between(reading, &bytes, begin, out, err);
            if (rc < 0)
                return rc;
            step_over(reading, &bytes);
            continue;
        }
        reading->directives = false;
        if (reading->file->escape == 0)
            reading->file->escape = '\\';
        bool more = continues(bytes.data, bytes.length, reading->file->escape, &end);
        add_part(reading, &bytes, begin, end < begin ? begin : end, out);
        out->last = reading->number;
        step_over(reading, &bytes);
        if (more)
            join(reading, reading->file->escape, out);
        const char *text = buf_text(&out->text);
        if (text[strspn(text, BLANKS)])
            return 1;
        line_free(out);
    }
    return 0;
}

int heredoc_read(struct reading *reading, struct heredoc *heredoc, bool tabs, struct error *err)
{
    autobuf text = {0};
    struct bytes bytes;
    size_t length = strlen(heredoc->name);
    while (peek(reading, &bytes)) {
        size_t skip = 0;
        while (tabs && skip < bytes.length && bytes.data[skip] == '\t')
            skip++;
        step_over(reading, &bytes);
        if (bytes.length - skip == length &&
            memcmp(bytes.data + skip, heredoc->name, length) == 0) {
            heredoc->text = buf_take(&text);
            return 0;
        }
        buf_add(&text, bytes.data + skip, bytes.whole - skip);
    }
    return dockerfile_wrong(reading->file, heredoc->place, err,
                            "this here-document has no end: a line with nothing but \"%.60s\" is "
                            "missing",
                            heredoc->name);
}
