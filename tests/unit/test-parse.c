/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/parse.h"

#include <setjmp.h>
#include <stdarg.h>
/* cmocka wants the three headers above */
#include <cmocka.h>

#include "base/text.h"

struct toy_options {
    bool detach, interactive;
    int init;
    const char *name, *pull, *level;
    struct strv env;
    int64_t pids, memory, swap;
};

#define FIELD(x) offsetof(struct toy_options, x)
static const struct option toy_table[] = {
    {"detach", 'd', OPTION_BOOL, FIELD(detach), NULL, "Run in the background"},
    {"interactive", 'i', OPTION_BOOL, FIELD(interactive), NULL, "Keep standard input open"},
    {"init", 0, OPTION_TRISTATE, FIELD(init), NULL, "Run an init"},
    {"name", 0, OPTION_STRING, FIELD(name), "NAME", "Name the container"},
    {"pull", 0, OPTION_STRING, FIELD(pull), "WHEN", "When to pull", OPTION_OPTIONAL,
     .implied = "always"},
    {"level", 0, OPTION_STRING, FIELD(level), "LEVEL", "Level",
     .words = (const char *const[]){"restricted", "baseline", "privileged", NULL}},
    {"env", 'e', OPTION_LIST, FIELD(env), "NAME=VALUE", "Set a variable"},
    {"pids-limit", 0, OPTION_COUNT, FIELD(pids), "NUMBER", "Processes", OPTION_MINUS_ONE},
    {"memory", 'm', OPTION_SIZE, FIELD(memory), "BYTES", "Memory"},
    {"memory-swap", 0, OPTION_SIZE, FIELD(swap), "BYTES", "Swap", OPTION_MINUS_ONE},
    {"gpus", 0, OPTION_STRING, 0, "GPUS", "use --device", OPTION_UNSUPPORTED},
    {NULL},
};
static const struct verb toy = {
    .name = "run",
    .group = GROUP_CONTAINERS,
    .arguments = "IMAGE [COMMAND]",
    .summary = "Toy",
    .options = toy_table,
    .options_size = sizeof(struct toy_options),
    .least = 1,
    .most = -1,
    .stop_at_argument = true,
};
static const struct verb toy_rm = {
    .name = "image rm",
    .alias = "rmi image_remove",
    .group = GROUP_IMAGES,
    .arguments = "IMAGE",
    .summary = "Toy",
    .options = toy_table,
    .options_size = sizeof(struct toy_options),
    .least = 1,
    .most = 1,
};
static const struct verb *const toys[] = {&toy, &toy_rm, NULL};

struct outcome {
    int rc;
    struct toy_options *options;
    struct invocation call;
    struct error err;
    char *words[16];
};

static struct outcome *parse_with(const struct verb *verb, const char *const *words)
{
    struct outcome *o = calloc(1, sizeof *o);
    for (size_t i = 0; words[i]; i++)
        o->words[i] = (char *)words[i];
    o->options = new_options(verb);
    o->rc = parse_words(verb, o->words, &o->call, o->options, &o->err);
    return o;
}
#define PARSE(...) parse_with(&toy, (const char *const[]){__VA_ARGS__, NULL})
#define PARSE_RM(...) parse_with(&toy_rm, (const char *const[]){__VA_ARGS__, NULL})

static void done(struct outcome *o)
{
    free_options(&toy, o->options);
    free(o);
}

static void refuses(struct outcome *o, const char *sentence)
{
    assert_int_equal(o->rc, -EINVAL);
    assert_string_equal(o->err.text, sentence);
    done(o);
}

static void what_is_not_given_can_be_told_from_what_is(void **state)
{
    (void)state;
    struct outcome *o = PARSE("img");
    assert_int_equal(o->rc, 0);
    assert_false(o->options->detach);
    assert_int_equal(o->options->init, -1);
    assert_null(o->options->name);
    assert_true(o->options->pids == INT64_MIN);
    assert_true(o->options->memory == INT64_MIN);
    assert_int_equal(o->options->env.len, 0);
    done(o);
}

static void long_short_and_bundled_flags_mean_the_same(void **state)
{
    (void)state;
    static const char *const ways[][6] = {
        {"--detach", "--interactive", "--env", "A=1", "img"},
        {"-d", "-i", "-e", "A=1", "img"},
        {"-di", "--env=A=1", "img"},
        {"-dieA=1", "img"},
        {"-die", "A=1", "img"},
        {"-di", "-e=A=1", "img"},
    };
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        struct outcome *o = parse_with(&toy, ways[i]);
        assert_int_equal(o->rc, 0);
        assert_true(o->options->detach && o->options->interactive);
        assert_int_equal(o->options->env.len, 1);
        assert_string_equal(o->options->env.items[0], "A=1");
        assert_int_equal(o->call.count, 1);
        done(o);
    }
}

static void booleans_can_be_turned_off_by_value(void **state)
{
    (void)state;
    struct outcome *o = PARSE("-d", "--detach=false", "-i=0", "--init=true", "img");
    assert_int_equal(o->rc, 0);
    assert_false(o->options->detach || o->options->interactive);
    assert_int_equal(o->options->init, 1);
    done(o);
    o = PARSE("--init=false", "img");
    assert_int_equal(o->options->init, 0);
    done(o);
    refuses(PARSE("--detach=maybe", "img"), "--detach takes true or false, not \"maybe\"");
}

static void options_end_at_the_image_and_the_rest_is_the_containers(void **state)
{
    (void)state;
    struct outcome *o = PARSE("-d", "img", "ls", "-d", "--nonsense", "--");
    assert_int_equal(o->rc, 0);
    assert_int_equal(o->call.count, 5);
    assert_string_equal(o->call.arguments[0], "img");
    assert_string_equal(o->call.arguments[2], "-d");
    assert_string_equal(o->call.arguments[4], "--");
    assert_null(o->call.arguments[5]);
    done(o);
}

static void other_verbs_take_flags_after_arguments_too(void **state)
{
    (void)state;
    struct outcome *o = PARSE_RM("img", "-d", "--name", "x");
    assert_int_equal(o->rc, 0);
    assert_int_equal(o->call.count, 1);
    assert_true(o->options->detach);
    assert_string_equal(o->options->name, "x");
    done(o);
    o = PARSE_RM("--", "-d");
    assert_int_equal(o->rc, 0);
    assert_string_equal(o->call.arguments[0], "-d");
    done(o);
}

static void sizes_and_counts_are_numbers_with_units(void **state)
{
    (void)state;
    struct outcome *o = PARSE("-m64m", "--memory-swap", "-1", "--pids-limit=100", "img");
    assert_int_equal(o->rc, 0);
    assert_int_equal(o->options->memory, 64 << 20);
    assert_int_equal(o->options->swap, -1);
    assert_int_equal(o->options->pids, 100);
    done(o);
    o = PARSE("-m", "1.5g", "img");
    assert_true(o->options->memory == INT64_C(1536) << 20);
    done(o);
    refuses(PARSE("-m", "much", "img"), "--memory takes a size such as 64m or 1.5g, not \"much\"");
    refuses(PARSE("-m", "-1", "img"), "--memory takes a size such as 64m or 1.5g, not \"-1\"");
    refuses(PARSE("-m", "9999999p", "img"), "--memory: 9999999p is more than any machine has");
    refuses(PARSE("--pids-limit", "-2", "img"),
            "--pids-limit takes a whole number in range, or -1 for no limit, not \"-2\"");
    refuses(PARSE("--pids-limit", "1.5", "img"),
            "--pids-limit takes a whole number, or -1 for no limit, not \"1.5\"");
}

static void an_optional_value_is_only_taken_when_attached(void **state)
{
    (void)state;
    struct outcome *o = PARSE("--pull", "img");
    assert_string_equal(o->options->pull, "always");
    assert_string_equal(o->call.arguments[0], "img");
    done(o);
    o = PARSE("--pull=never", "img");
    assert_string_equal(o->options->pull, "never");
    done(o);
}

static void a_mistake_names_the_flag_and_the_way_out(void **state)
{
    (void)state;
    refuses(PARSE("--detahc", "img"), "unknown flag --detahc for caisson run; did you mean "
                                      "--detach? (see caisson run --help)");
    refuses(PARSE("--zzzzzz", "img"),
            "unknown flag --zzzzzz for caisson run (see caisson run --help)");
    refuses(PARSE("-dx", "img"), "unknown flag -x in -dx for caisson run (see caisson run --help)");
    refuses(PARSE("--name"), "--name needs a value: --name NAME (see caisson run --help)");
    refuses(PARSE("--level", "baselin", "img"),
            "--level takes restricted, baseline or privileged, not \"baselin\"; did you mean "
            "baseline?");
    refuses(PARSE("--gpus=all", "img"), "caisson run does not support --gpus: use --device");
    refuses(PARSE("-d"), "caisson run needs at least 1 argument: caisson run [FLAGS] IMAGE "
                         "[COMMAND] (see caisson run --help)");
    refuses(PARSE_RM("a", "b"), "caisson image rm does not know what to do with \"b\": caisson "
                                "image rm [FLAGS] IMAGE (see caisson image rm --help)");
}

static void what_a_terminal_would_obey_is_not_echoed(void **state)
{
    (void)state;
    refuses(PARSE("--na\033[2Jme", "img"),
            "unknown flag --na\\x1b[2Jme for caisson run (see caisson run --help)");
}

static void help_is_found_among_flags_but_not_among_the_containers_words(void **state)
{
    (void)state;
    struct outcome *o = PARSE("-d", "--help");
    assert_int_equal(o->rc, PARSE_HELP);
    done(o);
    o = PARSE("-h");
    assert_int_equal(o->rc, PARSE_HELP);
    done(o);
    o = PARSE("img", "--help");
    assert_int_equal(o->rc, PARSE_OK);
    done(o);
}

static const struct verb *found(const char *first, const char *second, size_t *used)
{
    char *words[] = {(char *)first, (char *)second, NULL};
    return find_verb(toys, words, used);
}

static void verbs_are_found_by_name_alias_and_dockers_long_form(void **state)
{
    size_t used;
    (void)state;
    assert_ptr_equal(found("run", "x", &used), &toy);
    assert_int_equal(used, 1);
    assert_ptr_equal(found("rmi", NULL, &used), &toy_rm);
    assert_int_equal(used, 1);
    assert_ptr_equal(found("image", "remove", &used), &toy_rm);
    assert_int_equal(used, 2);
    assert_ptr_equal(found("container", "run", &used), &toy);
    assert_int_equal(used, 2);
    assert_null(found("container", "rmi", &used));
    assert_null(found("container", NULL, &used));
    assert_null(found("image", NULL, &used));
    assert_null(found("ru", NULL, &used));
}

static void tells(const char *first, const char *second, const char *sentence)
{
    struct error err = {0};
    char *words[] = {(char *)first, (char *)second, NULL};
    assert_int_equal(unknown_verb(toys, words, &err), -EINVAL);
    assert_string_equal(err.text, sentence);
}

static void an_unknown_verb_is_told_with_the_nearest(void **state)
{
    (void)state;
    tells("rnu", NULL,
          "there is no command \"rnu\"; did you mean caisson run? (see caisson --help)");
    tells("image", "rn",
          "there is no command \"image rn\"; did you mean caisson image rm? (see caisson image "
          "--help)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_given_can_be_told_from_what_is),
        cmocka_unit_test(long_short_and_bundled_flags_mean_the_same),
        cmocka_unit_test(booleans_can_be_turned_off_by_value),
        cmocka_unit_test(options_end_at_the_image_and_the_rest_is_the_containers),
        cmocka_unit_test(other_verbs_take_flags_after_arguments_too),
        cmocka_unit_test(sizes_and_counts_are_numbers_with_units),
        cmocka_unit_test(an_optional_value_is_only_taken_when_attached),
        cmocka_unit_test(a_mistake_names_the_flag_and_the_way_out),
        cmocka_unit_test(what_a_terminal_would_obey_is_not_echoed),
        cmocka_unit_test(help_is_found_among_flags_but_not_among_the_containers_words),
        cmocka_unit_test(verbs_are_found_by_name_alias_and_dockers_long_form),
        cmocka_unit_test(an_unknown_verb_is_told_with_the_nearest),
    };
    return cmocka_run_group_tests_name("parse", tests, NULL, NULL);
}
