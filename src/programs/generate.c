/* SPDX-License-Identifier: Apache-2.0 */
/* Built and run while caisson is built, never installed: see cmd/generate.h. */
#include "cmd/generate.h"

#include <fcntl.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/memory.h"
#include "base/text.h"
#include "cmd/parse.h"
#include "cmd/print.h"

/* The day of the pages: SOURCE_DATE_EPOCH where builds shall be reproducible, else today. */
static void page_date(char date[RFC3339_MAX])
{
    const char *epoch = getenv("SOURCE_DATE_EPOCH");
    uint64_t seconds;
    nanoseconds when = clock_wall();
    if (epoch && parse_u64(epoch, INT64_MAX / NSEC_PER_SEC, &seconds) == 0)
        when = (nanoseconds)seconds * NSEC_PER_SEC;
    format_rfc3339(when, date);
    date[strlen("2026-01-02")] = '\0';
}

static int write_page(int dir, const char *name, const struct buf *text, struct error *err)
{
    return write_file_at(dir, name, buf_text(text), text->len, 0644, VOLATILE, err);
}

static int write_manual(int dir, const char *verb, const struct buf *page, struct error *err)
{
    autobuf name = {0};
    buf_fmt(&name, "%s-", program_line->name);
    dashed_name(verb, &name);
    buf_str(&name, ".1");
    return write_page(dir, buf_text(&name), page, err);
}

/* The page of a verb, and for each further spelling one that leads to it. */
static int manual_pages(int dir, const struct verb *verb, const char *date, struct error *err)
{
    autobuf page = {0};
    autobuf link = {0};
    const char *spelling;
    char room[SPELLING_MAX];
    manual_verb(verb, date, &page);
    buf_fmt(&link, ".so man1/%s-", program_line->name);
    dashed_name(verb->name, &link);
    buf_str(&link, ".1\n");
    int rc = write_manual(dir, verb->name, &page, err);
    for (size_t i = 1; rc == 0 && (spelling = verb_spelling(verb, i, room)); i++)
        rc = write_manual(dir, spelling, &link, err);
    return rc;
}

static int generate_manual(int dir, struct error *err)
{
    char date[RFC3339_MAX];
    page_date(date);
    autobuf overview = {0};
    autofree char *name = xasprintf("%s.1", program_line->name);
    manual_overview(date, &overview);
    int rc = write_page(dir, name, &overview, err);
    for (const struct verb *const *v = program_line->verbs; rc == 0 && *v; v++)
        if ((*v)->group)
            rc = manual_pages(dir, *v, date, err);
    return rc;
}

static const struct {
    const char *shell, *before, *after; /* the program's name between: where the shell looks */
    void (*complete)(struct buf *out);
} shells[] = {
    {"bash", "", "", complete_bash},
    {"zsh", "_", "", complete_zsh},
    {"fish", "", ".fish", complete_fish},
};

static int generate(const char *what, const char *where, struct error *err)
{
    int rc = make_directories(where, 0755, err);
    if (rc < 0)
        return rc;
    autofd dir = open_directory_at(AT_FDCWD, where, err);
    if (dir < 0)
        return dir;
    if (streq(what, "man"))
        return generate_manual(dir, err);
    for (size_t i = 0; i < sizeof shells / sizeof *shells; i++) {
        autobuf text = {0};
        if (!streq(what, shells[i].shell))
            continue;
        autofree char *name =
            xasprintf("%s%s%s", shells[i].before, program_line->name, shells[i].after);
        shells[i].complete(&text);
        return write_page(dir, name, &text, err);
    }
    return error_set(err, -EINVAL, "caisson-generate makes man, bash, zsh or fish, not \"%s\"",
                     what);
}

int main(int argc, char **argv)
{
    struct error err = {0};
    if (argc != 3)
        error_set(&err, -EINVAL, "usage: caisson-generate man|bash|zsh|fish DIR");
    static const struct command_line *const programs[] = {&caisson_line, &runtime_line};
    int rc = argc == 3 ? 0 : -EINVAL;
    for (size_t i = 0; rc == 0 && i < sizeof programs / sizeof *programs; i++) {
        program_line = programs[i];
        rc = generate(argv[1], argv[2], &err);
    }
    if (rc == 0)
        return 0;
    tell_error(&err);
    return 1;
}
