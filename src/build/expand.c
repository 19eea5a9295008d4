/* SPDX-License-Identifier: Apache-2.0 */
#include "build/expand.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/memory.h"
#include "base/text.h"
#include "build/pattern.h"

#define DEPTH_MAX 100  /* of ${a:-${b:-…}} */
#define UNSET_MAX 1000 /* names that are noted */
#define BLANKS " \t\v\f\r\n"

/* How far one word is read. */
struct scan {
    const struct expand *expand;
    const char *at;
    unsigned depth;
    size_t left; /* bytes that may still come of it */
    struct error *err;
};

/* Where the result goes: as one text, and as words when `words` is there. */
struct sink {
    struct buf *text;
    struct strv *words;
    struct buf word;
};

static int too_long(const struct scan *s)
{
    return error_set(s->err, -EINVAL, "with its variables this is longer than %u bytes",
                     EXPAND_MAX);
}

static int take_room(struct scan *s, size_t length)
{
    if (length > s->left)
        return too_long(s);
    s->left -= length;
    return 0;
}

static void end_word(struct sink *sink)
{
    if (sink->word.len > 0)
        strv_add(sink->words, buf_text(&sink->word));
    buf_clear(&sink->word);
}

/* `splits`: white space ends the word. */
static int put(struct scan *s, struct sink *sink, const char *text, size_t length, bool splits)
{
    int rc = take_room(s, length);
    if (rc < 0)
        return rc;
    buf_add(sink->text, text, length);
    for (size_t i = 0; sink->words && i < length; i++) {
        if (splits && strchr(BLANKS, text[i]))
            end_word(sink);
        else
            buf_char(&sink->word, text[i]);
    }
    return 0;
}

static int dollar(struct scan *s, struct buf *out);

/* --- quotes --- */

static int single_quotes(struct scan *s, struct buf *out)
{
    const char *end = strchr(++s->at, '\'');
    if (!end)
        return error_set(s->err, -EINVAL,
                         "a quotation mark (') is not closed; put \\ before it where it is meant "
                         "as it is");
    int rc = take_room(s, (size_t)(end - s->at));
    if (rc == 0)
        buf_add(out, s->at, (size_t)(end - s->at));
    s->at = end + 1;
    return rc;
}

/* Of what follows an escape only ", $ and the escape itself lose it; `keep` keeps it there too. */
static int double_quotes(struct scan *s, bool keep, struct buf *out)
{
    char escape = s->expand->escape;
    for (s->at++; *s->at && *s->at != '"';) {
        int rc = take_room(s, 2);
        if (rc == 0 && *s->at == '$') {
            rc = dollar(s, out);
        } else if (rc == 0 && *s->at == escape) {
            char next = *++s->at;
            bool taken = next == '"' || next == '$' || next == escape;
            if (keep || (!taken && next))
                buf_char(out, escape);
            if (taken)
                buf_char(out, *s->at++);
        } else if (rc == 0) {
            buf_char(out, *s->at++);
        }
        if (rc < 0)
            return rc;
    }
    if (*s->at != '"')
        return error_set(s->err, -EINVAL,
                         "a quotation mark (\") is not closed; put \\ before it where it is meant "
                         "as it is");
    s->at++;
    return 0;
}

/* --- a piece of text, up to `stop` --- */

/* One thing at s->at: a variable, something in quotes, an escape, or a byte. */
static int piece(struct scan *s, bool keep_escapes, struct sink *sink)
{
    autobuf made = {0};
    char c = *s->at;
    int rc;
    if (c == '$') {
        rc = dollar(s, &made);
        return rc < 0 ? rc : put(s, sink, buf_text(&made), made.len, true);
    }
    if ((c == '\'' || c == '"') && !s->expand->raw_quotes) {
        rc = c == '"' ? double_quotes(s, keep_escapes, &made) : single_quotes(s, &made);
        return rc < 0 ? rc : put(s, sink, buf_text(&made), made.len, false);
    }
    if (c != s->expand->escape) {
        s->at++;
        return put(s, sink, &c, 1, true);
    }
    s->at++;
    rc = keep_escapes ? put(s, sink, &c, 1, false) : 0;
    if (rc == 0 && *s->at) {
        rc = put(s, sink, s->at, 1, false);
        s->at++;
    }
    return rc;
}

/* Reads to the end, or past `stop` where it is not 0. -ENODATA when there is none. */
static int scan_to(struct scan *s, char stop, bool keep_escapes, struct sink *sink)
{
    while (*s->at && (!stop || *s->at != stop)) {
        int rc = piece(s, keep_escapes, sink);
        if (rc < 0)
            return rc;
    }
    if (stop && !*s->at)
        return -ENODATA;
    s->at += stop != 0;
    return 0;
}

/* --- variables --- */

/* A name, a number, or one of the shell's own parameters. */
static size_t name_length(const char *text)
{
    static const char digits[] = "0123456789";
    size_t length = strspn(text, digits);
    if (length > 0)
        return length;
    if (*text && strchr("@*#?-$!", *text))
        return 1;
    while ((text[length] >= 'a' && text[length] <= 'z') ||
           (text[length] >= 'A' && text[length] <= 'Z') || text[length] == '_' ||
           (unsigned char)text[length] >= 0x80 || (text[length] && strchr(digits, text[length])))
        length++;
    return length;
}

static const char *value_of(struct scan *s, const char *name, size_t length)
{
    return s->expand->lookup ? s->expand->lookup(s->expand->closure, name, length) : NULL;
}

static void note_unset(struct scan *s, const char *name, size_t length)
{
    if (!s->expand->unset || s->expand->unset->len >= UNSET_MAX)
        return;
    autofree char *copy = xstrndup(name, length);
    if (!strv_has(s->expand->unset, copy))
        strv_add(s->expand->unset, copy);
}

static int put_value(struct scan *s, const char *name, size_t length, struct buf *out)
{
    const char *value = value_of(s, name, length);
    if (!value) {
        note_unset(s, name, length);
        return 0;
    }
    int rc = take_room(s, strlen(value));
    if (rc == 0)
        buf_str(out, value);
    return rc;
}

static int bad(const struct scan *s, const char *begin, const char *why)
{
    autobuf shown = {0};
    autofree char *part = xstrndup(begin, 60);
    buf_printable(&shown, part);
    return error_set(s->err, -EINVAL, "%s: %s", buf_text(&shown), why);
}

static int no_brace(const struct scan *s, const char *begin)
{
    return bad(s, begin, "the } is missing that ends it; where $ is meant as it is, put \\ before");
}

/* What stands in ${…} behind the operator, expanded. */
static int operand(struct scan *s, const char *begin, char stop, bool keep_escapes, struct buf *out)
{
    struct sink sink = {.text = out};
    if (++s->depth > DEPTH_MAX)
        return bad(s, begin, "too many ${…} in one another");
    int rc = scan_to(s, stop, keep_escapes, &sink);
    s->depth--;
    if (rc == -ENODATA && stop == '/')
        return bad(s, begin, "a / is missing: it is written ${NAME/PATTERN/WORD}");
    return rc == -ENODATA ? no_brace(s, begin) : rc;
}

/* A variable in braces with something to be done to it. */
struct change {
    const char *begin; /* the $ */
    const char *name;
    size_t length;
    const char *value; /* NULL */
    bool empty_too;    /* with a colon: empty counts as unset */
    char op;
};

static int take_value(struct scan *s, const struct change *c, struct buf *out)
{
    int rc = c->value ? take_room(s, strlen(c->value)) : 0;
    if (rc == 0 && c->value)
        buf_str(out, c->value);
    return rc;
}

/* - + ? */
static int choose(struct scan *s, const struct change *c, struct buf *out)
{
    autobuf word = {0};
    bool there = c->value && !(c->empty_too && !*c->value);
    int rc = operand(s, c->begin, '}', false, &word);
    if (rc < 0)
        return rc;
    if (c->op == '?' && !there)
        return error_set(s->err, -EINVAL, "%.*s: %.300s", (int)c->length, c->name,
                         word.len > 0 ? buf_text(&word)
                         : c->value ? "it is not allowed to be empty; --build-arg gives it a value"
                                    : "it is not set; --build-arg gives it a value");
    if (c->op != '+' && there)
        return take_value(s, c, out);
    if (c->op == (there ? '+' : '-'))
        buf_add(out, buf_text(&word), word.len);
    return 0;
}

/* # ## % %% */
static int trim(struct scan *s, const struct change *c, struct buf *out)
{
    autobuf text = {0};
    int rc = operand(s, c->begin, '}', true, &text);
    if (rc < 0)
        return rc;
    const char *pattern = buf_text(&text), *value = c->value ? c->value : "";
    bool longest = *pattern == c->op;
    if (!c->value)
        note_unset(s, c->name, c->length);
    pattern += longest;
    autopattern parts = {0};
    if (pattern_read(pattern, &parts) < 0)
        return bad(s, c->begin, "in a pattern \\ goes before *, ? and \\ only");
    size_t length = strlen(value), cut = 0;
    bool found = c->op == '#' ? pattern_prefix(&parts, value, length, longest, &cut)
                              : pattern_suffix(&parts, value, length, longest, &cut);
    if (!found)
        cut = c->op == '#' ? 0 : length;
    rc = take_room(s, length);
    if (rc == 0)
        buf_add(out, c->op == '#' ? value + cut : value, c->op == '#' ? length - cut : cut);
    return rc;
}

/* /pattern/word and //pattern/word */
static int replace(struct scan *s, const struct change *c, struct buf *out)
{
    autobuf text = {0}, word = {0};
    bool all = *s->at == '/';
    s->at += all;
    int rc = operand(s, c->begin, '/', true, &text);
    if (rc == 0)
        rc = operand(s, c->begin, '}', true, &word);
    if (rc < 0)
        return rc;
    autopattern parts = {0};
    if (pattern_read(buf_text(&text), &parts) < 0)
        return bad(s, c->begin, "in a pattern \\ goes before *, ? and \\ only");
    const char *value = c->value ? c->value : "";
    size_t length = strlen(value), at = 0, begin, end;
    if (!c->value)
        note_unset(s, c->name, c->length);
    bool more = true;
    while (more && at <= length && pattern_find(&parts, value, length, at, &begin, &end)) {
        rc = take_room(s, end - at + word.len + 1);
        if (rc < 0)
            return rc;
        buf_add(out, value + at, begin - at);
        buf_add(out, buf_text(&word), word.len);
        more = all;
        if (end == begin && begin < length)
            buf_char(out, value[end++]);
        else if (end == begin)
            more = false;
        at = end;
    }
    rc = take_room(s, length - at);
    if (rc == 0)
        buf_add(out, value + at, length - at);
    return rc;
}

/* ${…}; s->at is behind the brace. */
static int braces(struct scan *s, const char *begin, struct buf *out)
{
    struct change c = {.begin = begin, .name = s->at, .length = name_length(s->at)};
    if (!*s->at)
        return no_brace(s, begin);
    if (c.length == 0)
        return bad(s, begin, "no name stands behind ${");
    s->at += c.length;
    if (*s->at == '}') {
        s->at++;
        return put_value(s, c.name, c.length, out);
    }
    if (*s->at == ':') {
        c.empty_too = true;
        s->at++;
    }
    c.op = *s->at;
    if (!c.op)
        return no_brace(s, begin);
    s->at++;
    c.value = value_of(s, c.name, c.length);
    if (!c.value && s->expand->unset_all)
        note_unset(s, c.name, c.length);
    if (strchr("-+?", c.op))
        return choose(s, &c, out);
    if (!c.empty_too && (c.op == '#' || c.op == '%'))
        return trim(s, &c, out);
    if (!c.empty_too && c.op == '/')
        return replace(s, &c, out);
    return bad(s, begin, "what follows the name is none of :- - :+ + :? ? # ## % %% / //");
}

static int dollar(struct scan *s, struct buf *out)
{
    const char *begin = s->at++;
    if (*s->at == '{') {
        s->at++;
        return braces(s, begin, out);
    }
    size_t length = name_length(s->at);
    if (length == 0) {
        buf_char(out, '$');
        return 0;
    }
    s->at += length;
    return put_value(s, begin + 1, length, out);
}

/* --- the whole --- */

static int expand_to(const struct expand *expand, const char *word, struct sink *sink,
                     struct error *err)
{
    /* What is nested is counted on each level. A here-document may be of any size by itself. */
    size_t own = expand->raw_quotes ? strlen(word) : 0;
    struct scan scan = {
        .expand = expand, .at = word, .left = 4 * (size_t)EXPAND_MAX + 2 * own, .err = err};
    int rc = scan_to(&scan, 0, false, sink);
    return rc == 0 && sink->text->len > own + EXPAND_MAX ? too_long(&scan) : rc;
}

int expand_word(const struct expand *expand, const char *word, struct buf *out, struct error *err)
{
    autobuf text = {0};
    struct sink sink = {.text = &text};
    int rc = expand_to(expand, word, &sink, err);
    if (rc == 0)
        buf_add(out, buf_text(&text), text.len);
    return rc;
}

int expand_words(const struct expand *expand, const char *word, struct strv *out, struct error *err)
{
    autobuf text = {0};
    autostrv words = {0};
    struct sink sink = {.text = &text, .words = &words};
    int rc = expand_to(expand, word, &sink, err);
    if (rc == 0) {
        end_word(&sink);
        strv_copy(out, &words);
    }
    buf_free(&sink.word);
    return rc;
}
