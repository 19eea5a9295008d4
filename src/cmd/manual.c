/* SPDX-License-Identifier: Apache-2.0 */
/* Manual pages (man(7) macros) from the verbs' tables. */
#include <string.h>

#include "base/table.h"
#include "base/text.h"
#include "cmd/generate.h"
#include "cmd/help.h"
#include "cmd/version.h"

void dashed_name(const char *name, struct buf *out)
{
    for (; *name; name++)
        buf_char(out, *name == ' ' ? '-' : *name);
}

/* What roff reads as something else than the character itself. */
static const char *const special[128] = {
    ['\\'] = "\\e",  ['-'] = "\\-",    ['~'] = "\\(ti",
    ['^'] = "\\(ha", ['\''] = "\\(aq", ['`'] = "\\(ga",
};

/* Text as roff shows it: '-' is a minus that can be copied, a leading '.' no request, and what is
 * not ASCII is named by its number. */
static void escaped(struct buf *out, const char *text, size_t length)
{
    bool line_start = out->len == 0 || out->data[out->len - 1] == '\n';
    for (size_t i = 0, bytes; i < length; i += bytes) {
        uint32_t point = text_decode(text + i, &bytes);
        if (line_start && (point == '.' || point == '\''))
            buf_str(out, "\\&");
        line_start = point == '\n';
        if (point >= 128)
            buf_fmt(out, "\\[u%04X]", point);
        else if (special[point])
            buf_str(out, special[point]);
        else
            buf_char(out, (char)point);
    }
}

static void plain(struct buf *out, const char *text)
{
    escaped(out, text, strlen(text));
}

static void paragraphs(struct buf *out, const char *text)
{
    while (*text) {
        const char *end = strstr(text, "\n\n");
        size_t length = end ? (size_t)(end - text) : strlen(text);
        escaped(out, text, length);
        buf_char(out, '\n');
        text += length;
        if (end)
            buf_str(out, ".PP\n");
        text += strspn(text, "\n");
    }
}

static void title(struct buf *out, const char *name, const char *date)
{
    buf_str(out, ".\\\" Made from the option tables; do not edit.\n.TH ");
    for (const char *c = name; *c; c++)
        buf_char(out, *c >= 'a' && *c <= 'z' ? (char)(*c - 32) : *c);
    buf_fmt(out, " 1 \"%s\" \"caisson %s\" \"caisson manual\"\n.nh\n.ad l\n", date,
            caisson_version);
}

static void option_item(const struct option *o, struct buf *out)
{
    buf_str(out, ".TP\n");
    if (o->letter)
        buf_fmt(out, "\\fB\\-%c\\fR, ", o->letter);
    buf_str(out, "\\fB\\-\\-");
    plain(out, o->name);
    buf_str(out, "\\fR");
    if (o->value_name) {
        buf_str(out, o->flags & OPTION_OPTIONAL ? "[=\\fI" : " \\fI");
        plain(out, o->value_name);
        buf_str(out, o->flags & OPTION_OPTIONAL ? "\\fR]" : "\\fR");
    }
    buf_char(out, '\n');
    plain(out, o->help);
    buf_str(out, ".\n");
    for (size_t i = 0; o->words && o->words[i]; i++) {
        buf_str(out, i ? ", \\fB" : "One of \\fB");
        plain(out, o->words[i]);
        buf_str(out, "\\fR");
    }
    if (o->words && o->words[0])
        buf_str(out, ".\n");
    if (o->kind == OPTION_LIST)
        buf_str(out, "May be repeated.\n");
}

static void option_sections(const struct option *options, struct buf *out)
{
    const char *group;
    if (!option_group(options, 0))
        return;
    buf_str(out, ".SH OPTIONS\n");
    for (size_t i = 0; (group = option_group(options, i)); i++) {
        if (!streq(group, "Options") || option_group(options, 1)) {
            buf_str(out, ".SS ");
            plain(out, group);
            buf_char(out, '\n');
        }
        for (const struct option *o = options; o->name; o++)
            if (option_in_group(o, group))
                option_item(o, out);
    }
}

/* Comments are text, commands are set as they stand. */
static void examples(const char *text, struct buf *out)
{
    buf_str(out, ".SH EXAMPLES\n");
    bool set = false;
    while (*text) {
        size_t length = strcspn(text, "\n");
        bool comment = starts_with(text, "# ");
        if (comment && set)
            buf_str(out, ".EE\n.RE\n");
        if (comment || !set)
            buf_str(out, ".PP\n");
        if (comment) {
            escaped(out, text + 2, length - 2);
            buf_str(out, ":\n");
            set = false;
        } else {
            if (!set)
                buf_str(out, ".RS 4\n.EX\n");
            escaped(out, text, length);
            buf_char(out, '\n');
            set = true;
        }
        text += length + (text[length] == '\n');
    }
    if (set)
        buf_str(out, ".EE\n.RE\n");
}

static void exit_status(const struct verb *verb, struct buf *out)
{
    buf_str(out, ".SH EXIT STATUS\n");
    if (verb->failure != EXIT_ENGINE) {
        buf_str(out, "0 on success, 1 when something failed; standard error says what.\n");
        return;
    }
    buf_str(out, "The status of the container\\(aqs command, 128 and the number of the signal that "
                 "ended it, or\n"
                 ".TP\n.B 125\ncaisson itself failed, or was called wrongly.\n"
                 ".TP\n.B 126\nThe command cannot be executed.\n"
                 ".TP\n.B 127\nThe command was not found.\n");
}

void manual_verb(const struct verb *verb, const char *date, struct buf *out)
{
    autobuf name = {0};
    buf_fmt(&name, "%s-", program_line->name);
    dashed_name(verb->name, &name);
    title(out, buf_text(&name), date);
    buf_str(out, ".SH NAME\n");
    plain(out, buf_text(&name));
    buf_str(out, " \\- ");
    plain(out, verb->summary);
    buf_fmt(out, "\n.SH SYNOPSIS\n\\fB%s ", program_line->name);
    plain(out, verb->name);
    buf_str(out, "\\fR");
    if (option_group(verb->options, 0))
        buf_str(out, " [\\fIFLAGS\\fR]");
    if (verb->arguments && *verb->arguments) {
        buf_str(out, " \\fI");
        plain(out, verb->arguments);
        buf_str(out, "\\fR");
    }
    buf_str(out, "\n.SH DESCRIPTION\n");
    paragraphs(out, verb->description ? verb->description : verb->summary);
    if (verb->alias) {
        buf_str(out, ".PP\nAlso spelled ");
        for (const char *c = verb->alias; *c; c++)
            buf_str(out, *c == ' ' ? ", " : *c == '_' ? " " : (const char[]){*c, '\0'});
        buf_str(out, ".\n");
    }
    option_sections(verb->options, out);
    if (verb->examples)
        examples(verb->examples, out);
    exit_status(verb, out);
    buf_fmt(out, ".SH SEE ALSO\n.BR %s (1)\n", program_line->name);
}

static void verb_list(const struct verb *const *verbs, const char *group, struct buf *out)
{
    bool any = false;
    for (; *verbs; verbs++) {
        autobuf name = {0};
        if (!streq((*verbs)->group, group))
            continue;
        if (!any)
            buf_fmt(out, ".SS %s\n", group);
        any = true;
        dashed_name((*verbs)->name, &name);
        buf_fmt(out, ".TP\n.BR %s\\-", program_line->name);
        plain(out, buf_text(&name));
        buf_str(out, " (1)\n");
        plain(out, (*verbs)->summary);
        buf_str(out, ".\n");
    }
}

void manual_overview(const char *date, struct buf *out)
{
    title(out, program_line->name, date);
    buf_fmt(out, ".SH NAME\n%s \\- ", program_line->name);
    plain(out, program_line->summary);
    buf_fmt(out,
            "\n.SH SYNOPSIS\n\\fB%s\\fR [\\fIFLAGS\\fR] \\fICOMMAND\\fR "
            "[\\fIARGUMENTS\\fR]\n.SH DESCRIPTION\n",
            program_line->name);
    paragraphs(out, program_line->description);
    buf_str(out, ".SH COMMANDS\n");
    for (const char *const *group = program_line->groups; *group; group++)
        verb_list(program_line->verbs, *group, out);
    option_sections(program_line->globals, out);
    if (program_line->manual)
        buf_str(out, program_line->manual);
}
