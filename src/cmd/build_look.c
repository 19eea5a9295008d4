/* SPDX-License-Identifier: Apache-2.0 */
/* --check and --call of build: what a Dockerfile says, and nothing is built. */
#include "build/look.h"
#include "build/remote.h"

#include <stdio.h>

#include "base/cleanup.h"
#include "base/memory.h"
#include "base/text.h"
#include "cmd/build_worker.h"
#include "cmd/list.h"
#include "cmd/print.h"

static const char *const levels[] = {
    [CHECK_STYLE] = "style", [CHECK_WARNING] = "warning", [CHECK_SECURITY] = "security"};

static void add_line(const struct dockerfile *file, unsigned number, struct buf *out)
{
    const char *at = file->text;
    for (unsigned n = 1; n < number && *at; n++)
        at += strcspn(at, "\n") + (at[strcspn(at, "\n")] == '\n');
    autofree char *line = xstrndup(at, strcspn(at, "\r\n"));
    autobuf bare = {0};
    remote_redact(line, &bare);
    buf_fmt(out, "  %u | ", number);
    buf_printable(out, buf_text(&bare));
    buf_char(out, '\n');
}

int build_check(const struct build_options *options, const struct build_input *input,
                struct error *err)
{
    autolook look = {0};
    autobuf text = {0};
    int rc = look_check(options, input, &look, err);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < look.findings.count; i++) {
        const struct finding *f = &look.findings.items[i];
        buf_fmt(&text, "%s:%u: %s: %s: ", look.file.name, f->place.line, levels[f->rule->level],
                f->rule->name);
        buf_printable(&text, f->sentence);
        buf_char(&text, '\n');
        add_line(&look.file, f->place.line, &text);
    }
    if (look.findings.count == 0)
        buf_fmt(&text, "%s: nothing was found\n", look.file.name);
    rc = print(&text);
    return rc != 0 ? rc : look.findings.count > 0;
}

static int targets(const struct build_input *input, struct error *err)
{
    static const struct list_column columns[] = {
        {"Name", {.heading = "TARGET"}, false},
        {"Base", {.heading = "BASE"}, false},
        {"Description", {.heading = "DESCRIPTION"}, false},
        {"Default", {.heading = "DEFAULT"}, true},
    };
    autolook look = {0};
    autolist list = {0};
    int rc = look_targets(input, &look, err);
    if (rc < 0)
        return rc;
    list_start(&list, columns, sizeof columns / sizeof *columns);
    for (size_t i = 0; i < look.targets.count; i++) {
        const struct outline_target *t = &look.targets.items[i];
        list_fmt(&list, "%s%s", t->name ? t->name : "", t->is_default ? " (default)" : "");
        list_cell(&list, t->base);
        list_cell(&list, t->description ? t->description : "");
        list_cell(&list, t->is_default ? "true" : "false");
    }
    return list_print(&list, &(struct list_style){0}, err);
}

static void add_mounts(const char *title, const struct outline_mounts *mounts, struct buf *out)
{
    if (mounts->count == 0)
        return;
    buf_fmt(out, "\n%s\n", title);
    for (size_t i = 0; i < mounts->count; i++)
        buf_fmt(out, "  %s%s%s%s\n", mounts->items[i].id, mounts->items[i].target ? "  at " : "",
                mounts->items[i].target ? mounts->items[i].target : "",
                mounts->items[i].required ? "  (required)" : "");
}

static int outline(const struct build_options *options, const struct build_input *input,
                   struct error *err)
{
    autolook look = {0};
    autobuf text = {0};
    int rc = look_outline(options, input, &look, err);
    if (rc < 0)
        return rc;
    const struct outline *o = &look.outline;
    const struct stage *stage = &look.file.stages[o->stage];
    buf_fmt(&text, "TARGET  %s\n", stage->name ? stage->name : "(the last stage)");
    if (o->description)
        buf_fmt(&text, "        %s\n", o->description);
    if (o->arg_count > 0)
        buf_str(&text, "\nARGUMENTS\n");
    for (size_t i = 0; i < o->arg_count; i++) {
        const struct outline_arg *a = &o->args[i];
        buf_fmt(&text, "  %s%s%s%s%s\n", a->name, a->value ? "=" : "", a->value ? a->value : "",
                a->description ? "  " : "", a->description ? a->description : "");
    }
    add_mounts("SECRETS", &o->secrets, &text);
    add_mounts("SSH AGENTS", &o->ssh, &text);
    add_mounts("CACHES", &o->caches, &text);
    return print(&text);
}

int build_call(const char *what, const struct build_options *options,
               const struct build_input *input, struct error *err)
{
    if (streq(what, "targets"))
        return targets(input, err);
    if (streq(what, "outline"))
        return outline(options, input, err);
    return build_check(options, input, err);
}
