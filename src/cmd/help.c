/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/help.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/memory.h"
#include "base/table.h"
#include "base/text.h"
#include "cmd/parse.h"

enum {
    NARROWEST = 40,
    WIDEST = 100, /* longer lines are hard to read, however wide the terminal */
    COLUMN = 30,  /* where descriptions start */
};

bool option_visible(const struct option *option)
{
    return !(option->flags & (OPTION_HIDDEN | OPTION_UNSUPPORTED));
}

bool option_takes_word(const struct option *option)
{
    return option_takes_value(option) && !(option->flags & OPTION_OPTIONAL);
}

static const char *group_of(const struct option *option)
{
    return option->group ? option->group : "Options";
}

bool option_in_group(const struct option *option, const char *group)
{
    return option_visible(option) && streq(group_of(option), group);
}

const char *option_group(const struct option *options, size_t index)
{
    for (const struct option *o = options; o && o->name; o++) {
        bool seen = !option_visible(o);
        for (const struct option *earlier = options; earlier < o && !seen; earlier++)
            seen = option_in_group(earlier, group_of(o));
        if (!seen && index-- == 0)
            return group_of(o);
    }
    return NULL;
}

static unsigned usable_width(const struct screen *screen)
{
    if (screen->width < NARROWEST)
        return NARROWEST;
    return screen->width > WIDEST ? WIDEST : screen->width;
}

static void heading(const struct screen *screen, struct buf *out, const char *text)
{
    if (screen->colour)
        buf_fmt(out, "\n" STYLE_BOLD "%s:" STYLE_OFF "\n", text);
    else
        buf_fmt(out, "\n%s:\n", text);
}

/* Words of `text` into lines: the cursor stands at column `at`, further lines start at `indent`. */
static void wrap(struct buf *out, const char *text, size_t at, size_t indent, size_t width)
{
    bool first = true;
    while (*text) {
        if (starts_with(text, "\n\n")) {
            buf_fmt(out, "\n\n%*s", (int)indent, "");
            at = indent;
            first = true;
        }
        text += strspn(text, " \n");
        size_t length = strcspn(text, " \n");
        if (!length)
            break;
        autofree char *word = xstrndup(text, length);
        size_t columns = text_width(word);
        if (!first && at + 1 + columns > width) {
            buf_fmt(out, "\n%*s", (int)indent, "");
            at = indent;
            first = true;
        }
        if (!first) {
            buf_char(out, ' ');
            at++;
        }
        buf_str(out, word);
        at += columns;
        text += length;
        first = false;
    }
    buf_char(out, '\n');
}

/* "  left        right", the right side wrapped in its column. */
static void entry(struct buf *out, const char *left, const char *right, unsigned column,
                  unsigned width)
{
    size_t at = 2 + text_width(left);
    buf_fmt(out, "  %s", left);
    if (column + 20 > width) {
        buf_fmt(out, "\n%6s", "");
        wrap(out, right, 6, 6, width);
        return;
    }
    if (at + 2 > column) {
        buf_char(out, '\n');
        at = 0;
    }
    buf_fmt(out, "%*s", (int)(column - at), "");
    wrap(out, right, column, column, width);
}

static void option_left(const struct option *o, struct buf *left)
{
    if (o->letter)
        buf_fmt(left, "-%c, --%s", o->letter, o->name);
    else
        buf_fmt(left, "    --%s", o->name);
    if (!o->value_name)
        return;
    if (o->flags & OPTION_OPTIONAL)
        buf_fmt(left, "[=%s]", o->value_name);
    else
        buf_fmt(left, " %s", o->value_name);
}

static void option_right(const struct option *o, struct buf *right)
{
    buf_str(right, o->help);
    for (size_t i = 0; o->words && o->words[i]; i++)
        buf_fmt(right, "%s%s", i ? ", " : " (", o->words[i]);
    if (o->words && o->words[0])
        buf_char(right, ')');
    if (o->kind == OPTION_LIST)
        buf_str(right, "; may be repeated");
}

static void option_entries(const struct option *options, const char *group, unsigned width,
                           struct buf *out)
{
    for (const struct option *o = options; o && o->name; o++) {
        if (!option_in_group(o, group))
            continue;
        autobuf left = {0};
        autobuf right = {0};
        option_left(o, &left);
        option_right(o, &right);
        entry(out, buf_text(&left), buf_text(&right), COLUMN, width);
    }
}

void help_overview(const struct verb *const *verbs, const struct screen *screen, struct buf *out)
{
    const char *const *groups = program_line->groups;
    unsigned width = usable_width(screen);
    buf_fmt(out, "Usage: %s [FLAGS] COMMAND [ARGUMENTS]\n\n", program_line->name);
    wrap(out, program_line->description, 0, 0, width);
    for (size_t i = 0; groups[i]; i++) {
        bool any = false;
        for (const struct verb *const *v = verbs; *v; v++) {
            if (!streq((*v)->group, groups[i]))
                continue;
            if (!any)
                heading(screen, out, groups[i]);
            any = true;
            entry(out, (*v)->name, (*v)->summary, 18, width);
        }
    }
    heading(screen, out, "Flags before the command");
    option_entries(program_line->globals, "Options", width, out);
    buf_char(out, '\n');
    autofree char *more = xasprintf("See %s COMMAND --help, or the manual page %s-COMMAND(1).",
                                    program_line->name, program_line->name);
    wrap(out, more, 0, 0, width);
}

/* What follows the group's name in one of the verb's spellings; further ones are in its own help.
 * As find_verb(), takes every verb of containers to be in "container". */
static const char *spelling_in_group(const struct verb *verb, const char *group,
                                     char room[SPELLING_MAX])
{
    const char *spelling;
    size_t length = strlen(group);
    for (size_t i = 0; (spelling = verb_spelling(verb, i, room)); i++)
        if (strncmp(spelling, group, length) == 0 && spelling[length] == ' ')
            return spelling + length + 1;
    return streq(group, "container") && streq(verb->group, GROUP_CONTAINERS) ? verb->name : NULL;
}

void help_group(const struct verb *const *verbs, const char *group, const struct screen *screen,
                struct buf *out)
{
    buf_fmt(out, "Usage: %s %s COMMAND [FLAGS] [ARGUMENTS]\n", program_line->name, group);
    heading(screen, out, "Commands");
    for (; *verbs; verbs++) {
        char room[SPELLING_MAX];
        const char *spelling = (*verbs)->group ? spelling_in_group(*verbs, group, room) : NULL;
        if (spelling)
            entry(out, spelling, (*verbs)->summary, 18, usable_width(screen));
    }
    buf_fmt(out, "\nSee %s %s COMMAND --help.\n", program_line->name, group);
}

/* Lines "caisson …"; "# …" lines explain the next and step back a little. */
static void examples(const char *text, const struct screen *screen, struct buf *out)
{
    heading(screen, out, "Examples");
    while (*text) {
        size_t length = strcspn(text, "\n");
        bool comment = text[0] == '#' && screen->colour;
        buf_fmt(out, "  %s%.*s%s\n", comment ? STYLE_DIM : "", (int)length, text,
                comment ? STYLE_OFF : "");
        text += length + (text[length] == '\n');
    }
}

static void aliases(const struct verb *verb, const struct screen *screen, struct buf *out)
{
    if (!verb->alias)
        return;
    heading(screen, out, "Also spelled");
    buf_fmt(out, "  %s ", program_line->name);
    for (const char *c = verb->alias; *c; c++) {
        if (*c == ' ')
            buf_fmt(out, ", %s ", program_line->name);
        else
            buf_char(out, *c == '_' ? ' ' : *c);
    }
    buf_char(out, '\n');
}

void help_verb(const struct verb *verb, const struct screen *screen, struct buf *out)
{
    unsigned width = usable_width(screen);
    const char *group = option_group(verb->options, 0);
    buf_fmt(out, "Usage: %s %s%s%s%s\n\n", program_line->name, verb->name, group ? " [FLAGS]" : "",
            verb->arguments && *verb->arguments ? " " : "", verb->arguments ? verb->arguments : "");
    wrap(out, verb->summary, 0, 0, width);
    if (verb->description) {
        buf_char(out, '\n');
        wrap(out, verb->description, 0, 0, width);
    }
    for (size_t i = 0; (group = option_group(verb->options, i)); i++) {
        heading(screen, out, group);
        option_entries(verb->options, group, width, out);
    }
    if (verb->examples)
        examples(verb->examples, screen, out);
    aliases(verb, screen, out);
}
