/* SPDX-License-Identifier: Apache-2.0 */
/* What holds for the table of every verb, so that nobody has to remember it. */
#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
/* cmocka wants the three headers above */
#include <cmocka.h>

#include "base/cleanup.h"
#include "base/table.h"
#include "base/text.h"
#include "cmd/help.h"
#include "cmd/parse.h"

/* Of the program that program_line is: main() goes through all. */
#define EACH_VERB(v) for (const struct verb *const *v = program_line->verbs; *v; v++)
#define EACH_OPTION(v, o) for (const struct option *o = (v)->options; o && o->name; o++)

static size_t size_of(const struct option *o)
{
    switch (o->kind) {
    case OPTION_BOOL:
        return sizeof(bool);
    case OPTION_TRISTATE:
        return sizeof(int);
    case OPTION_STRING:
        return sizeof(const char *);
    case OPTION_LIST:
        return sizeof(struct strv);
    default:
        return sizeof(int64_t);
    }
}

#define EXPECT(condition, which, of, rule)                                                         \
    do {                                                                                           \
        const struct option *of_ = (of);                                                           \
        if (!(condition))                                                                          \
            fail_msg("%s %s%s%s: %s", program_line->name, (which)->name, of_ ? " --" : "",         \
                     of_ ? of_->name : "", rule);                                                  \
    } while (0)

static void every_option_has_a_field_of_its_own(void **state)
{
    (void)state;
    EACH_VERB(v)
    EACH_OPTION(*v, o)
    {
        if (o->flags & OPTION_UNSUPPORTED || o->kind == OPTION_ARGUMENT)
            continue;
        EXPECT(o->offset + size_of(o) <= (*v)->options_size, *v, o, "lies outside of the struct");
        for (const struct option *p = (*v)->options; p < o; p++) {
            bool apart = p->offset + size_of(p) <= o->offset || o->offset + size_of(o) <= p->offset;
            /* Two spellings of one option share a field. */
            bool same = p->offset == o->offset && p->kind == o->kind;
            bool none = p->flags & OPTION_UNSUPPORTED || p->kind == OPTION_ARGUMENT;
            EXPECT(apart || same || none, *v, o, "overlaps another");
        }
    }
}

static void names_and_letters_are_given_once(void **state)
{
    (void)state;
    EACH_VERB(v)
    EACH_OPTION(*v, o)
    for (const struct option *p = (*v)->options; p < o; p++) {
        EXPECT(!streq(p->name, o->name), *v, o, "is there twice");
        EXPECT(!o->letter || o->letter != p->letter, *v, o, "has the letter of another");
    }
}

static bool is_sentence_start(const char *text)
{
    return text && *text && (isupper((unsigned char)text[0]) || !isalpha((unsigned char)text[0])) &&
           !ends_with(text, ".") && !strchr(text, '\n');
}

static void every_option_says_what_it_does(void **state)
{
    (void)state;
    EACH_VERB(v)
    EACH_OPTION(*v, o)
    {
        EXPECT(o->help && *o->help, *v, o, "has no help");
        if (!option_visible(o))
            continue;
        EXPECT(is_sentence_start(o->help), *v, o, "help is one sentence without a full stop");
        bool truth = !option_takes_value(o);
        EXPECT(o->kind != OPTION_ARGUMENT || o->implied, *v, o, "stands for nothing");
        EXPECT(truth == !o->value_name, *v, o, "value name for what takes a value, and only then");
        EXPECT(!(o->flags & OPTION_OPTIONAL) || (o->kind == OPTION_STRING && o->implied), *v, o,
               "an optional value needs what it implies");
    }
}

static void every_verb_says_what_it_does_and_shows_it(void **state)
{
    (void)state;
    EACH_VERB(v)
    {
        if (!(*v)->group)
            continue;
        EXPECT(is_sentence_start((*v)->summary), *v, NULL,
               "summary is one sentence without a full stop");
        EXPECT((*v)->description && ends_with((*v)->description, "."), *v, NULL,
               "description ends in a full stop");
        EXPECT((*v)->examples && *(*v)->examples, *v, NULL, "has no examples");
        for (const char *line = (*v)->examples; *line;) {
            size_t length = strcspn(line, "\n");
            EXPECT(length == 0 || line[0] == '#' || line[0] == ' ' || strstr(line, "caisson"), *v,
                   NULL, "examples are lines of caisson, or comments");
            line += length + (line[length] == '\n');
        }
        EXPECT((*v)->most < 0 || (*v)->most >= (*v)->least, *v, NULL, "most is less than least");
    }
}

static void no_two_verbs_share_a_spelling(void **state)
{
    const char *spelling;
    char room[SPELLING_MAX];
    (void)state;
    EACH_VERB(v)
    for (size_t i = 0; (spelling = verb_spelling(*v, i, room)); i++) {
        size_t used;
        autofree char *first = strdup(spelling);
        char *space = strchr(first, ' ');
        if (space)
            *space = '\0';
        char *words[] = {first, space ? space + 1 : NULL, NULL};
        assert_ptr_equal(find_verb(program_line->verbs, words, &used), *v);
        assert_int_equal(used, space ? 2 : 1);
    }
}

static void help_of_every_verb_fits_the_width_and_has_no_escapes_without_a_terminal(void **state)
{
    (void)state;
    EACH_VERB(v)
    for (unsigned width = 60; width <= 120; width += 20) {
        autobuf out = {0};
        struct screen screen = {.width = width};
        help_verb(*v, &screen, &out);
        const char *text = buf_text(&out);
        assert_null(strchr(text, '\033'));
        const char *examples = strstr(text, "\nExamples:");
        for (const char *line = strchr(text, '\n'); line && line != examples;) {
            const char *next = strchr(line + 1, '\n');
            autofree char *shown = strndup(line + 1, next ? (size_t)(next - line - 1) : 0);
            /* A single word that is too long stays whole. */
            EXPECT(text_width(shown) <= width || !strchr(shown + strspn(shown, " "), ' '), *v, NULL,
                   "a line of help is too long");
            line = next;
        }
    }
}

static void colours_only_come_with_a_screen_that_has_them(void **state)
{
    autobuf out = {0};
    (void)state;
    help_overview(program_line->verbs, &(struct screen){.width = 80, .colour = true}, &out);
    assert_non_null(strstr(buf_text(&out), STYLE_BOLD "System:" STYLE_OFF));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_option_has_a_field_of_its_own),
        cmocka_unit_test(names_and_letters_are_given_once),
        cmocka_unit_test(every_option_says_what_it_does),
        cmocka_unit_test(every_verb_says_what_it_does_and_shows_it),
        cmocka_unit_test(no_two_verbs_share_a_spelling),
        cmocka_unit_test(help_of_every_verb_fits_the_width_and_has_no_escapes_without_a_terminal),
        cmocka_unit_test(colours_only_come_with_a_screen_that_has_them),
    };
    int failed = cmocka_run_group_tests_name("verbs", tests, NULL, NULL);
    program_line = &runtime_line;
    return failed + cmocka_run_group_tests_name("verbs of the runtime", tests, NULL, NULL);
}
