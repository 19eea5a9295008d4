/* SPDX-License-Identifier: Apache-2.0 */
/* COPY and ADD: what, from where, to where; and the modes of --chmod. */
#include <string.h>

#include "base/cleanup.h"
#include "base/memory.h"
#include "base/text.h"
#include "build/dockerfile_parts.h"
#include "build/step_parts.h"

#define MODE_MAX 07777u

/* --- modes --- */

/* Up to four octal digits. */
static bool octal_mode(const char *text, mode_t *out)
{
    mode_t mode = 0;
    size_t length = strspn(text, "01234567");
    if (length == 0 || text[length])
        return false;
    for (; *text; text++) {
        mode = mode * 8 + (mode_t)(*text - '0');
        if (mode > MODE_MAX)
            return false;
    }
    *out = mode;
    return true;
}

/* The bits that "u", "g", "o" stand for, as a mask over a mode. */
static mode_t bits_of(char who)
{
    return who == 'u' ? 04700 : who == 'g' ? 02070 : who == 'o' ? 01007 : 07777;
}

/* What the letters of permissions mean for everyone; false when one is none. */
static bool permissions(const char *text, size_t length, mode_t before, bool directory, mode_t *out)
{
    mode_t bits = 0;
    for (size_t i = 0; i < length; i++) {
        switch (text[i]) {
        case 'r':
            bits |= 0444;
            break;
        case 'w':
            bits |= 0222;
            break;
        case 'x':
            bits |= 0111;
            break;
        case 'X':
            bits |= directory || (before & 0111) ? 0111 : 0;
            break;
        case 's':
            bits |= 06000;
            break;
        case 't':
            bits |= 01000;
            break;
        default:
            return false;
        }
    }
    *out = bits;
    return true;
}

/* "g" as permissions: what the group has, for everyone. */
static mode_t copied(char who, mode_t mode)
{
    mode_t three = (who == 'u' ? mode >> 6 : who == 'g' ? mode >> 3 : mode) & 7;
    return three << 6 | three << 3 | three;
}

/* One of the parts between commas: [ugoa]*([-+=](perms|[ugo]))+ */
static bool apply_clause(const char *text, const char *end, bool directory, mode_t *mode)
{
    mode_t who = 0;
    for (; text < end && strchr("ugoa", *text); text++)
        who |= bits_of(*text);
    if (who == 0)
        who = MODE_MAX;
    if (text == end)
        return false;
    while (text < end) {
        char op = *text++;
        size_t length = 0;
        mode_t bits;
        if (!strchr("+-=", op))
            return false;
        while (text + length < end && !strchr("+-=", text[length]))
            length++;
        if (length == 1 && strchr("ugo", *text))
            bits = copied(*text, *mode);
        else if (!permissions(text, length, *mode, directory, &bits))
            return false;
        /* The sticky bit is everyone's: it goes with "a", "o" and with nobody named. */
        bits &= who;
        if (op == '=')
            *mode &= ~who;
        *mode = op == '-' ? *mode & ~bits : *mode | bits;
        text += length;
    }
    return true;
}

int step_mode_apply(const char *words, mode_t before, bool directory, mode_t *out)
{
    mode_t mode = before & MODE_MAX;
    if (octal_mode(words, out))
        return 0;
    for (;;) {
        const char *end = strchrnul(words, ',');
        if (!apply_clause(words, end, directory, &mode))
            return -EINVAL;
        if (!*end)
            break;
        words = end + 1;
    }
    *out = mode;
    return 0;
}

/* --- flags --- */

static int check_mode(const struct making *m, const struct flag *flag)
{
    mode_t mode;
    if (step_mode_apply(m->out->mode, 0, false, &mode) < 0)
        return step_wrong(m, flag->place,
                          "--chmod=%.60s is no mode; write 755, 0644 or words as in u=rwX,go=rX",
                          m->out->mode);
    return 0;
}

/* The value belongs to the flag; "git commit or sha256:…" for what ADD fetches. */
static int check_checksum(const struct making *m, const struct flag *flag)
{
    const char *sum = m->out->checksum;
    const char *colon = strchr(sum, ':');
    size_t length = strlen(sum);
    if (colon ? digest_valid(sum) : length >= 7 && length <= 64 && is_hex(sum, length))
        return 0;
    return step_wrong(m, flag->place,
                      "--checksum is sha256: and 64 hexadecimal digits, or the beginning of a git "
                      "commit");
}

static bool is_on(const struct flag *flag)
{
    return !flag->value || streq(flag->value, "true");
}

static int copy_flag(const struct making *m, const struct flag *flag)
{
    struct step *out = m->out;
    const struct {
        const char *name;
        char **text;
        int (*check)(const struct making *, const struct flag *);
    } texts[] = {{"from", &out->from, NULL},
                 {"chown", &out->owner, NULL},
                 {"chmod", &out->mode, check_mode},
                 {"checksum", &out->checksum, check_checksum}};
    const struct {
        const char *name;
        bool *value;
    } switches[] = {
        {"link", &out->link}, {"parents", &out->parents}, {"keep-git-dir", &out->keep_git_dir}};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (!streq(flag->name, texts[i].name))
            continue;
        int rc = step_expand(m, flag->place, flag->value, texts[i].text);
        if (rc == 0 && !**texts[i].text) { /* a variable that is empty: as if it were not there */
            free(*texts[i].text);
            *texts[i].text = NULL;
            return 0;
        }
        return rc == 0 && texts[i].check ? texts[i].check(m, flag) : rc;
    }
    for (size_t i = 0; i < sizeof switches / sizeof *switches; i++)
        if (streq(flag->name, switches[i].name)) {
            *switches[i].value = is_on(flag);
            return 0;
        }
    if (streq(flag->name, "unpack")) {
        out->unpack = is_on(flag);
        return 0;
    }
    char *pattern = NULL;
    int rc = step_expand(m, flag->place, flag->value, &pattern);
    if (rc == 0)
        strv_take(&out->exclude, pattern);
    return rc;
}

/* --- sources --- */

static int add_file(const struct making *m, const struct heredoc *heredoc)
{
    autobuf text = {0};
    struct error why = {0};
    if (heredoc->expand) {
        struct expand expand = *m->expand;
        expand.raw_quotes = true;
        expand.escape = '\\';
        if (expand_word(&expand, heredoc->text, &text, &why) < 0)
            return step_wrong(m, heredoc->place, "in this here-document: %s", why.text);
    } else {
        buf_str(&text, heredoc->text);
    }
    struct step *out = m->out;
    if (text.len > *m->left)
        return step_wrong(m, heredoc->place, "with its variables this here-document is too long");
    *m->left -= text.len;
    out->files = xrealloc(out->files, out->file_count + 1, sizeof *out->files);
    out->files[out->file_count++] =
        (struct step_file){.name = xstrdup(heredoc->name), .text = buf_take(&text)};
    return 0;
}

static int add_source(const struct making *m, size_t index, size_t *heredocs)
{
    const struct instruction *i = m->instruction;
    const char *word = i->words.items[index];
    struct heredoc found = {0};
    bool tabs;
    char *path = NULL;
    if (!i->exec && *heredocs < i->heredoc_count &&
        heredoc_word(word, m->expand->escape, &found, &tabs)) {
        free(found.name);
        return add_file(m, &i->heredocs[(*heredocs)++]);
    }
    int rc = step_expand(m, i->places[index], word, &path);
    if (rc < 0)
        return rc;
    strv_take(&m->out->sources, path);
    if (!*path)
        return step_wrong(m, i->places[index],
                          "with its variables this is empty; write . for the whole context");
    return 0;
}

int step_copy(const struct making *m)
{
    const struct instruction *i = m->instruction;
    size_t last = i->words.len - 1, heredocs = 0;
    for (size_t f = 0; f < i->flag_count; f++) {
        int rc = copy_flag(m, &i->flags[f]);
        if (rc < 0)
            return rc;
    }
    for (size_t w = 0; w < last; w++) {
        int rc = add_source(m, w, &heredocs);
        if (rc < 0)
            return rc;
    }
    int rc = step_expand(m, i->places[last], i->words.items[last], &m->out->target);
    if (rc == 0 && !*m->out->target)
        return step_wrong(m, i->places[last],
                          "with its variables the destination is empty; write . for the working "
                          "directory");
    return rc;
}
