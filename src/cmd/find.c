/* SPDX-License-Identifier: Apache-2.0 */
/* Which verb the first words name. */
#include "base/memory.h"
#include "base/text.h"
#include "cmd/parse.h"

const struct command_line *program_line = &caisson_line;

#define VERB(name) &verb_##name,
const struct verb *const all_verbs[] = {
#include "cmd/verbs.list"
    NULL,
};
#undef VERB

const char *verb_spelling(const struct verb *verb, size_t index, char out[SPELLING_MAX])
{
    if (index == 0)
        return verb->name;
    const char *at = verb->alias;
    while (at && --index > 0) {
        at = strchr(at, ' ');
        at = at ? at + 1 : NULL;
    }
    if (!at)
        return NULL;
    size_t length = strcspn(at, " ");
    if (length >= SPELLING_MAX)
        length = SPELLING_MAX - 1;
    for (size_t i = 0; i < length; i++)
        out[i] = at[i] == '_' ? ' ' : at[i];
    out[length] = '\0';
    return out;
}

/* How many of `words` the spelling takes up: 0 when it is another one. */
static size_t matches(const char *spelling, char *const *words)
{
    const char *space = strchr(spelling, ' ');
    if (!space)
        return streq(words[0], spelling) ? 1 : 0;
    size_t length = (size_t)(space - spelling);
    bool first = strncmp(words[0], spelling, length) == 0 && words[0][length] == '\0';
    return first && words[1] && streq(words[1], space + 1) ? 2 : 0;
}

static const struct verb *find_spelling(const struct verb *const *verbs, char *const *words,
                                        size_t *used)
{
    const char *spelling;
    char room[SPELLING_MAX];
    for (const struct verb *const *v = verbs; words[0] && *v; v++) {
        for (size_t i = 0; (spelling = verb_spelling(*v, i, room)); i++) {
            size_t count = matches(spelling, words);
            if (count) {
                *used = count;
                return *v;
            }
        }
    }
    return NULL;
}

const struct verb *find_verb(const struct verb *const *verbs, char *const *words, size_t *used)
{
    const struct verb *found = find_spelling(verbs, words, used);
    if (found || !words[0] || !streq(words[0], "container") || !program_line->long_forms)
        return found;
    /* Docker's long form: "container run" is "run" for every verb of containers. */
    found = find_spelling(verbs, words + 1, used);
    if (!found || !streq(found->group, GROUP_CONTAINERS))
        return NULL;
    *used += 1;
    return found;
}

bool is_verb_group(const struct verb *const *verbs, const char *word)
{
    size_t length = strlen(word);
    const char *spelling;
    char room[SPELLING_MAX];
    for (; *verbs; verbs++)
        for (size_t i = 0; (spelling = verb_spelling(*verbs, i, room)); i++)
            if (strncmp(spelling, word, length) == 0 && spelling[length] == ' ')
                return true;
    return false;
}

int unknown_verb(const struct verb *const *verbs, char *const *words, struct error *err)
{
    autostrv names = {0};
    autobuf word = {0};
    autobuf printable = {0};
    const char *spelling;
    char room[SPELLING_MAX];
    bool group = is_verb_group(verbs, words[0]);
    buf_str(&word, words[0]);
    if (group && words[1])
        buf_fmt(&word, " %s", words[1]);
    for (; *verbs; verbs++)
        for (size_t i = 0; (*verbs)->group && (spelling = verb_spelling(*verbs, i, room)); i++)
            strv_add(&names, spelling);
    const char *near =
        nearest_word(buf_text(&word), (const char *const *)strv_argv(&names), names.len);
    buf_printable(&printable, buf_text(&word));
    return error_set(err, -EINVAL, "there is no command \"%s\"%s%s%s%s%s (see %s%s%s --help)",
                     buf_text(&printable), near ? "; did you mean " : "",
                     near ? program_line->name : "", near ? " " : "", near ? near : "",
                     near ? "?" : "", program_line->name, group ? " " : "", group ? words[0] : "");
}
