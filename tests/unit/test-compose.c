/* SPDX-License-Identifier: Apache-2.0 */
/* Compose files: YAML, variables, .env. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* cmocka wants the three headers above */
#include <cmocka.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/memory.h"
#include "base/secret_name.h"
#include "base/text.h"
#include "compose/images.h"
#include "compose/interpolate.h"
#include "compose/yaml.h"

static void assert_yaml(const char *text, const char *expected)
{
    autojson value = NULL;
    struct error err = {0};
    if (yaml_read(text, strlen(text), "f", &value, &err) < 0)
        fail_msg("%s: %s", text, err.text);
    char *json = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
    assert_string_equal(json, expected);
    free(json);
    autojson apart = NULL;
    if (yaml_read_apart(text, strlen(text), "f", &apart, &err) < 0)
        fail_msg("apart: %s: %s", text, err.text);
    assert_true(json_equal(value, apart));
}

static void assert_no_yaml(const char *text, const char *told)
{
    json_t *value = NULL;
    struct error err = {0}, apart = {0};
    assert_int_equal(yaml_read(text, strlen(text), "f", &value, &err), -EINVAL);
    if (!strstr(err.text, told))
        fail_msg("\"%s\" is not in: %s", told, err.text);
    assert_null(value);
    assert_int_equal(yaml_read_apart(text, strlen(text), "f", &value, &apart), -EINVAL);
    assert_string_equal(apart.text, err.text);
}

static void scalars_are_null_truth_or_words(void **state)
{
    (void)state;
    assert_yaml("", "null");
    assert_yaml("# nothing\n", "null");
    assert_yaml("a: 1", "{\"a\":\"1\"}");
    assert_yaml("a: 3.10\nb: 0x1F\nc: 22:22\nd: 1e3\ne: 010\n",
                "{\"a\":\"3.10\",\"b\":\"0x1F\",\"c\":\"22:22\",\"d\":\"1e3\",\"e\":\"010\"}");
    assert_yaml("[true, False, yes, on, null, ~, \"\", 'null', \"true\", nUll]",
                "[true,false,\"yes\",\"on\",null,null,\"\",\"null\",\"true\",\"nUll\"]");
    assert_yaml("a:\nb: ''\n", "{\"a\":null,\"b\":\"\"}");
    assert_yaml("a: !!str null\nb: !!null x\nc: !!int 7",
                "{\"a\":\"null\",\"b\":\"x\",\"c\":\"7\"}");
    assert_yaml("a: |\n  x\n  y\nb: >-\n  x\n  y\n", "{\"a\":\"x\\ny\\n\",\"b\":\"x y\"}");
    assert_yaml("%YAML 1.2\n---\n\"\\u00e4\": '\xc3\xa4'\n...\n", "{\"\xc3\xa4\":\"\xc3\xa4\"}");
}

static void anchors_and_merge_keys_are_resolved(void **state)
{
    (void)state;
    assert_yaml("a: &x {b: 1, c: [2]}\nd: *x\n",
                "{\"a\":{\"b\":\"1\",\"c\":[\"2\"]},\"d\":{\"b\":\"1\",\"c\":[\"2\"]}}");
    /* The last one before it. */
    assert_yaml("[&x 1, *x, &x 2, *x]", "[\"1\",\"1\",\"2\",\"2\"]");
    assert_yaml("a: &x {b: 1, c: 2}\nd: {c: 3, <<: *x}\n",
                "{\"a\":{\"b\":\"1\",\"c\":\"2\"},\"d\":{\"c\":\"3\",\"b\":\"1\"}}");
    assert_yaml("- &x {b: 1}\n- &y {b: 2, c: 2}\n- {<<: [*x, *y], d: 4}\n",
                "[{\"b\":\"1\"},{\"b\":\"2\",\"c\":\"2\"},{\"d\":\"4\",\"b\":\"1\",\"c\":\"2\"}]");
    assert_yaml("{'<<': 1}", "{\"<<\":\"1\"}");
    assert_yaml("a: !reset null\nb: !override [1]\nc: !reset\n",
                "{\"a\":{\"!reset\":null},\"b\":{\"!override\":[\"1\"]},\"c\":{\"!reset\":null}}");
}

static void what_is_wrong_is_told_with_its_line(void **state)
{
    (void)state;
    assert_no_yaml("a: 1\nb: 2\na: 3\n", "f:3: the key \"a\" is there twice");
    assert_no_yaml("a: 1\n\"\\e[31m\": 2\n\"\\e[31m\": 3\n", "f:3: the key");
    assert_no_yaml("a: *x", "f:1: an alias of an anchor that is not there");
    assert_no_yaml("a: &x [*x]", "f:1: an alias of what it is in");
    assert_no_yaml("{? [1] : 2}", "f:1: a key has to be a word");
    assert_no_yaml("\n*x : 2", "f:2: a key has to be a word");
    assert_no_yaml("a: {<<: 1}", "f:1: << wants a mapping");
    assert_no_yaml("a: {<<: [[]]}", "f:1: << wants a mapping");
    assert_no_yaml("a: !mine 1", "f:1: an unknown tag");
    assert_no_yaml("a: !!binary aGk=", "f:1: an unknown tag");
    assert_no_yaml("a: 1\n---\nb: 2\n", "f:2: a second document begins");
    assert_no_yaml("a: [1\nb: 2", "f:");
    assert_no_yaml("a: b: c", "f:1: mapping values are not allowed in this context");
    assert_no_yaml("\ta: 1", "f:1:");
    assert_no_yaml("a: \"\\0\"", "NUL");
    assert_no_yaml("\"a\\0\": 1", "NUL");
    assert_no_yaml("a: \xff", "f:");
}

static void bombs_do_not_go_off(void **state)
{
    (void)state;
    autobuf laughs = {0}, deep = {0};
    buf_str(&laughs, "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for (int i = 1; i < 10; i++) {
        buf_fmt(&laughs, "a%d: &a%d [", i, i);
        for (int n = 0; n < 10; n++)
            buf_fmt(&laughs, "%s*a%d", n ? ", " : "", i - 1);
        buf_str(&laughs, "]\n");
    }
    assert_no_yaml(buf_text(&laughs), "with its aliases replaced the file is too large");
    for (int i = 0; i < YAML_DEPTH_MAX + 2; i++)
        buf_char(&deep, '[');
    assert_no_yaml(buf_text(&deep), "nested too deeply");
}

/* JSON needs six bytes for each of these. */
static int read_controls(int aliases, json_t **out, struct error *err)
{
    autobuf text = {0};
    buf_str(&text, "- &a \"");
    for (int i = 0; i < 100000; i++)
        buf_str(&text, "\\x01");
    buf_str(&text, "\"\n");
    for (int i = 0; i < aliases; i++)
        buf_str(&text, "- *a\n");
    return yaml_read_apart(buf_text(&text), text.len, "f", out, err);
}

static void a_long_answer_of_the_reader_comes_to_an_end(void **state)
{
    autojson value = NULL;
    struct error err = {0};
    (void)state;
    if (read_controls(26, &value, &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(json_array_size(value), 27);
    assert_int_equal(json_string_length(json_array_get(value, 26)), 100000);
    json_t *none = NULL;
    assert_int_equal(read_controls(150, &none, &err), -EINVAL);
    assert_string_equal(err.text, "f:28: with its aliases replaced the file is too large");
    assert_null(none);
}

/* --- variables --- */

static const char *find(void *closure, const char *name)
{
    (void)closure;
    return streq(name, "FULL")                                       ? "value"
           : streq(name, "EMPTY")                                    ? ""
           : streq(name, "OTHER")                                    ? "$FULL"
           : streq(name, "API_TOKEN") || streq(name, "DATABASE_URL") ? "value"
                                                                     : NULL;
}

static int interpolated(const char *text, struct buf *out, struct strv *unset, struct error *err)
{
    struct variables v = {.find = find, .left = 3000, .unset = unset};
    return interpolate_text(&v, text, out, err);
}

static void variables_are_replaced(void **state)
{
    static const struct {
        const char *text, *result;
    } cases[] = {
        {"", ""},
        {"plain", "plain"},
        {"$FULL", "value"},
        {"a${FULL}b$FULL.c", "avaluebvalue.c"},
        {"$$FULL $${FULL} $$", "$FULL ${FULL} $"},
        {"${NONE}x", "x"},
        {"${NONE-a}${EMPTY-a}${FULL-a}", "avalue"},
        {"${NONE:-a}${EMPTY:-b}${FULL:-c}", "abvalue"},
        {"${NONE+a}${EMPTY+b}${FULL+c}", "bc"},
        {"${NONE:+a}${EMPTY:+b}${FULL:+c}", "c"},
        {"${FULL?no}${EMPTY?no}", "value"},
        {"${NONE:-${EMPTY:-x${FULL}}}", "xvalue"},
        {"${FULL:-${NONE?never asked}}", "value"},
        {"${NONE:-a:b-c?d+e}", "a:b-c?d+e"},
        {"${NONE:-$$x}", "$x"},
        {"$OTHER", "$FULL"}, /* a value is not looked through again */
        {"a}b", "a}b"},
        /* What looks like a secret is told nobody. */
        {"$API_TOKEN ${API_TOKEN:?no} ${API_TOKEN:-c} ${API_TOKEN:+set} ${NONE:-$DATABASE_URL}",
         "withheld withheld withheld set withheld"},
        {"${NO_TOKEN}${NO_TOKEN-x}", "x"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        autobuf got = {0};
        struct error err = {0};
        if (interpolated(cases[i].text, &got, NULL, &err) < 0)
            fail_msg("%s: %s", cases[i].text, err.text);
        assert_string_equal(buf_text(&got), cases[i].result);
    }
    autobuf got = {0};
    autostrv unset = {0};
    assert_int_equal(
        interpolated("$NONE ${NONE} ${MORE} ${LESS:-} ${FULL:-$NEVER}", &got, &unset, NULL), 0);
    autobuf names = {0};
    strv_join(&unset, " ", &names);
    assert_string_equal(buf_text(&names), "NONE MORE");
    autobuf many = {0};
    autostrv few = {0};
    for (int i = 0; i < VARIABLES_UNSET_MAX + 10; i++)
        buf_fmt(&many, "$NONE%d", i);
    struct variables v = {.find = find, .left = 1 << 20, .unset = &few};
    assert_int_equal(interpolate_text(&v, buf_text(&many), &got, NULL), 0);
    assert_int_equal(few.len, VARIABLES_UNSET_MAX);
}

static void what_is_no_variable_is_refused(void **state)
{
    static const struct {
        const char *text, *told;
    } cases[] = {
        {"a $ b", "\"$ b\" is no variable"},
        {"$", "is no variable"},
        {"$1", "is no variable"},
        {"${", "is no variable"},
        {"${}", "is no variable"},
        {"${A", "is no variable"},
        {"${A B}", "is no variable"},
        {"${A:x}", "is no variable"},
        {"${A:-${B}", "\"${A:-${B}\" is no variable"},
        {"${NONE?}", "the variable NONE is required"},
        {"${NONE:?say ${FULL}\x1b}", "the variable NONE is required: say value\\x1b"},
        {"${EMPTY:?}", "the variable EMPTY is required"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        autobuf got = {0};
        struct error err = {0};
        assert_int_equal(interpolated(cases[i].text, &got, NULL, &err), -EINVAL);
        if (!strstr(err.text, cases[i].told))
            fail_msg("%s: %s", cases[i].text, err.text);
    }
    autobuf deep = {0}, got = {0};
    for (int i = 0; i < 40; i++)
        buf_str(&deep, "${NONE:-");
    struct error err = {0};
    assert_int_equal(interpolated(buf_text(&deep), &got, NULL, &err), -EINVAL);
    assert_non_null(strstr(err.text, "nested"));
    autobuf many = {0};
    for (int i = 0; i < 300; i++)
        buf_str(&many, "$FULL");
    assert_int_equal(interpolated(buf_text(&many), &got, NULL, &err), -EFBIG);
}

static void strings_of_a_tree_are_replaced_and_keys_are_not(void **state)
{
    struct variables v = {.find = find, .left = 3000};
    struct error err = {0};
    (void)state;
    autojson tree =
        json_loads("{\"$FULL\":[\"$FULL\",{\"b\":\"x$EMPTY\"},true,null],\"c\":\"$$\"}", 0, NULL);
    assert_int_equal(interpolate_tree(&v, tree, &err), 0);
    char *json = json_dumps(tree, JSON_COMPACT);
    assert_string_equal(json, "{\"$FULL\":[\"value\",{\"b\":\"x\"},true,null],\"c\":\"$\"}");
    free(json);
    autojson bad = json_loads("{\"a\":{\"b\":[1,\"${NONE?x}\"]}}", 0, NULL);
    assert_int_equal(interpolate_tree(&v, bad, &err), -EINVAL);
    assert_string_equal(err.text, "a.b[1]: the variable NONE is required: x");
}

static void environment_files(void **state)
{
    static const char text[] = "# comment\n"
                               "\n"
                               "A=1\n"
                               "export B = two words  # comment\r\n"
                               "C='$A #' # comment\n"
                               "D=\"$A\\n\\$A \\\"${B}\\\"\"\n"
                               "E=$A-${NONE:-x}-$FULL\n"
                               "ALONE\n"
                               "F=a#b\n"
                               "G=\n"
                               "H: yaml\n"
                               "I=\"two\nlines\"\n"
                               "FULL=mine\n"
                               "A=2\n"
                               "J=$FULL$A\n"
                               "MY_TOKEN=mine\n"
                               "K=$MY_TOKEN $API_TOKEN";
    static const char expected[] = "{\"A\":\"2\",\"B\":\"two words\",\"C\":\"$A #\","
                                   "\"D\":\"1\\n$A \\\"two words\\\"\",\"E\":\"1-x-value\","
                                   "\"F\":\"a#b\",\"G\":\"\",\"H\":\"yaml\","
                                   "\"I\":\"two\\nlines\",\"FULL\":\"mine\",\"J\":\"value2\","
                                   "\"MY_TOKEN\":\"mine\",\"K\":\"withheld withheld\"}";
    static const struct {
        const char *text, *told;
    } bad[] = {{"A=1\n=2\n", "f:2: NAME=VALUE is needed"},
               {"1A=2\n", "f:1: NAME=VALUE is needed"},
               {"A=\"x\n", "f:1: a quote is not closed"},
               {"A='x' y\n", "f:1: something follows the closing quote"},
               {"\nA=${B\n", "f:2: \"${B\" is no variable"}};
    struct variables v = {.find = find, .left = 3000, .names_left = 14};
    autojson got = json_object();
    struct error err = {0};
    (void)state;
    if (environment_parse(text, "f", &v, got, &err) < 0)
        fail_msg("%s", err.text);
    char *json = json_dumps(got, JSON_COMPACT);
    assert_string_equal(json, expected);
    free(json);
    assert_int_equal(v.names_left, 0);
    assert_int_equal(environment_parse("A=1", "f", &v, got, &err), -E2BIG);
    assert_string_equal(err.text, "f:1: environment files set more than 10000 variables");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        autojson none = json_object();
        v.names_left = 10;
        assert_int_equal(environment_parse(bad[i].text, "f", &v, none, &err), -EINVAL);
        if (!strstr(err.text, bad[i].told))
            fail_msg("%s: %s", bad[i].text, err.text);
    }
}

/* Each line looks up what the line before has set. */
static void looking_variables_up_is_bounded(void **state)
{
    struct variables v = {.find = find, .left = 1 << 20, .names_left = 1000};
    autojson got = json_object();
    autobuf text = {0}, names = {0}, many = {0};
    struct error err = {0};
    (void)state;
    for (int i = 0; i < 20000; i++)
        buf_str(&text, "$NONE");
    assert_int_equal(interpolate_text(&v, buf_text(&text), &names, &err), -EFBIG);
    v.left = 1 << 20;
    for (int i = 0; i < 2000; i++)
        buf_fmt(&many, "A%d=x\n", i);
    assert_int_equal(environment_parse(buf_text(&many), "f", &v, got, &err), -E2BIG);
    v = (struct variables){.find = find, .left = 10000, .names_left = 1000};
    assert_int_equal(environment_parse(buf_text(&many), "f", &v, got, &err), -EFBIG);
}

/* Whoever knows one only by its key must not make each of its members cost as much as the key. */
static void a_long_key_is_cut_where_it_is_told(void **state)
{
    struct variables v = {.find = find, .left = 64 << 20};
    struct error err = {0};
    autofree char *key = xmalloc(1000001);
    autojson tree = json_object();
    json_t *list = json_array();
    (void)state;
    memset(key, 'k', 1000000);
    key[1000000] = '\0';
    for (int i = 0; i < 100000; i++)
        json_array_append_new(list, json_string(""));
    json_array_append_new(list, json_string("${NONE?x}"));
    json_object_set_new(tree, key, list);
    assert_int_equal(interpolate_tree(&v, tree, &err), -EINVAL);
    assert_non_null(strstr(err.text, "kkk[100000]: the variable NONE is required: x"));
    assert_true(strlen(err.text) < 300);
}

static void values_that_may_have_a_password_in_them(void **state)
{
    (void)state;
    assert_true(secret_value_maybe("redis://u:pw@host/0"));
    assert_true(secret_value_maybe("https://hook.example/T0/B0"));
    assert_true(secret_value_maybe("user:pw@host"));
    assert_false(secret_value_maybe("registry.example:5000/app:1"));
    assert_false(secret_value_maybe("app@sha256:00"));
    assert_false(secret_value_maybe(""));
}

static void names_that_look_like_secrets(void **state)
{
    static const char *const secret[] = {
        "GITHUB_TOKEN", "NPM_TOKEN",      "npm_token",    "PGPASSWORD",        "MYSQL_PWD",
        "DB_DSN",       "DATABASE_URL",   "AUTH",         "AWS_ACCESS_KEY_ID", "API_KEY",
        "APIKEY",       "MY_CREDENTIALS", "SSH_KEY",      "PRIVATE",           "SSH_PRIVATE_KEY",
        "CLIENTSECRET", "SECRET_THING",   "REGISTRY_AUTH"};
    static const char *const other[] = {
        "TAG",          "VERSION", "KEYCLOAK_VERSION", "PATH",        "AUTH_TAG",
        "AUTH_VERSION", "MONKEY",  "AUTHOR",           "PASSTHROUGH", "PATCH",
        "REGISTRY",     "",        "PRIVATE_REGISTRY"};
    (void)state;
    for (size_t i = 0; i < sizeof secret / sizeof *secret; i++)
        if (!secret_name_maybe(secret[i]))
            fail_msg("%s looks like none", secret[i]);
    for (size_t i = 0; i < sizeof other / sizeof *other; i++)
        if (secret_name_maybe(other[i]))
            fail_msg("%s looks like one", other[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scalars_are_null_truth_or_words),
        cmocka_unit_test(anchors_and_merge_keys_are_resolved),
        cmocka_unit_test(what_is_wrong_is_told_with_its_line),
        cmocka_unit_test(bombs_do_not_go_off),
        cmocka_unit_test(a_long_answer_of_the_reader_comes_to_an_end),
        cmocka_unit_test(variables_are_replaced),
        cmocka_unit_test(what_is_no_variable_is_refused),
        cmocka_unit_test(strings_of_a_tree_are_replaced_and_keys_are_not),
        cmocka_unit_test(environment_files),
        cmocka_unit_test(looking_variables_up_is_bounded),
        cmocka_unit_test(a_long_key_is_cut_where_it_is_told),
        cmocka_unit_test(names_that_look_like_secrets),
        cmocka_unit_test(values_that_may_have_a_password_in_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
