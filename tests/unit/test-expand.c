/* SPDX-License-Identifier: Apache-2.0 */
/* Variables in words of a Dockerfile. The cases of BuildKit's and Docker's own tables
 * (shell/lex_test.go, envVarTest, wordsTest) are among them, as facts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/cleanup.h"
#include "base/memory.h"
#include "base/text.h"
#include "build/expand.h"

static const char *find(const char *const *set, const char *name, size_t length)
{
    for (; *set; set++)
        if (strncmp(*set, name, length) == 0 && (*set)[length] == '=')
            return *set + length + 1;
    return NULL;
}

static const char *lookup(void *closure, const char *name, size_t length)
{
    return find(closure, name, length);
}

static const char *const environment[] = {"PWD=/home", "SHELL=bash", "KOREAN=한국어",
                                          "NULL=",     "ARG=x",      NULL};

struct word_case {
    const char *word, *becomes; /* NULL: refused */
};

static void check(const char *const *set, const struct word_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct expand expand = {
            .lookup = lookup, .closure = (void *)(uintptr_t)set, .escape = '\\'};
        autobuf out = {0};
        struct error err = {0};
        int rc = expand_word(&expand, cases[i].word, &out, &err);
        if (rc < 0 && cases[i].becomes)
            fail_msg("%s: %s", cases[i].word, err.text);
        if (rc == 0 && !cases[i].becomes)
            fail_msg("taken: %s as %s", cases[i].word, buf_text(&out));
        if (rc == 0)
            assert_string_equal(buf_text(&out), cases[i].becomes);
        else
            assert_true(err.text[0] != '\0');
    }
}
#define CHECK(set, cases) check(set, cases, sizeof(cases) / sizeof *(cases))

static void quotes_and_escapes_are_taken_off(void **state)
{
    static const struct word_case cases[] = {
        {"hello", "hello"},
        {"he'll'o", "hello"},
        {"he'llo", NULL},
        {"he\\'llo", "he'llo"},
        {"he\\\\'llo", NULL},
        {"abc\\tdef", "abctdef"},
        {"\"abc\\tdef\"", "abc\\tdef"},
        {"\"abc\\\\tdef\"", "abc\\tdef"},
        {"'abc\\tdef'", "abc\\tdef"},
        {"hello\\", "hello"},
        {"hello\\\\", "hello\\"},
        {"\"hello", NULL},
        {"\"hello\\\"", NULL},
        {"\"hello\\", NULL},
        {"\"hel'lo\"", "hel'lo"},
        {"'hello", NULL},
        {"'hello\\'", "hello\\"},
        {"\"''\"", "''"},
        {"'\"hello\"'", "\"hello\""},
        {"", ""},
        {"''", ""},
        {"안'녕'하세요", "안녕하세요"},
        {"안녕\\t하세요", "안녕t하세요"},
        {"안\\녕", "안녕"},
    };
    (void)state;
    CHECK(environment, cases);
}

static void a_variable_becomes_its_value(void **state)
{
    static const struct word_case cases[] = {
        {"$.", "$."},
        {"$", "$"},
        {"he$1x", "hex"},
        {"$12x", "x"},
        {"he$.x", "he$.x"},
        {"he$pwd.", "he."},
        {"he$PWD", "he/home"},
        {"he\\$PWD", "he$PWD"},
        {"he\\\\$PWD", "he\\/home"},
        {"\"he\\$PWD\"", "he$PWD"},
        {"'he\\$PWD'", "he\\$PWD"},
        {"\"he'$PWD'\"", "he'/home'"},
        {"'$PWD'", "$PWD"},
        {"he\\${}", "he${}"},
        {"he\\${}xx", "he${}xx"},
        {"he${}", NULL},
        {"he${}xx", NULL},
        {"he${hi}xx", "hexx"},
        {"he${PWD}", "he/home"},
        {"he${.}", NULL},
        {"he${:}", NULL},
        {"${:-x}", NULL},
        {"${{PWD}}", NULL},
        {"he${PWD", NULL},
        {"he${", NULL},
        {"${PWD:", NULL},
        {"안녕$KOREAN", "안녕한국어"},
        {"a$@b$*c$#d$?e$-f$$g$!h$0i", "abcdefghi"},
        {"${NULL}x$NULL", "x"},
    };
    (void)state;
    CHECK(environment, cases);
}

static void a_word_stands_in_for_what_is_missing(void **state)
{
    static const struct word_case cases[] = {
        {"he${XXX:-000}xx", "he000xx"},
        {"he${PWD:-000}xx", "he/homexx"},
        {"he${XXX:-$PWD}xx", "he/homexx"},
        {"he${XXX:-${PWD:-yyy}}xx", "he/homexx"},
        {"he${XXX:-${YYY:-yyy}}xx", "heyyyxx"},
        {"he${XXX:YYY}", NULL},
        {"he${XXX?}", NULL},
        {"he${XXX:?}", NULL},
        {"he${PWD?}", "he/home"},
        {"he${PWD:?}", "he/home"},
        {"he${NULL?}", "he"},
        {"he${NULL:?}", NULL},
        {"he${XXX:+${PWD}}xx", "hexx"},
        {"he${PWD:+${XXX}}xx", "hexx"},
        {"he${PWD:+${SHELL}}xx", "hebashxx"},
        {"he${PWD:+000}xx", "he000xx"},
        {"he${PWD:=000}xx", NULL},
        {"he${PWD=000}xx", NULL},
        {"he${PWD:+${PWD}:}xx", "he/home:xx"},
        {"he${XXX:-\\$PWD:}xx", "he$PWD:xx"},
        {"he${XXX:-\\${PWD}z}xx", "he${PWDz}xx"},
        {"${NULL-a}${NULL:-b}${XXX-c}${XXX:-d}", "bcd"},
        {"${NULL+a}${NULL:+b}${XXX+c}${XXX:+d}${PWD+e}", "ae"},
        {"${XXX:-}", ""},
        {"${XXX-'a b'}", "a b"},
        {"${XXX-'}'}", "}"},
        {"\"${XXX-a b}\"", "a b"},
        {"${XXX:-x", NULL},
    };
    (void)state;
    CHECK(environment, cases);
}

static void patterns_cut_and_replace(void **state)
{
    static const char *const set[] = {"A=xxyy",
                                      "B=x",
                                      "E=",
                                      "S=a***yy*",
                                      "Q=???y",
                                      "R=()[]{}^$.*?|\\x",
                                      "P=/foo*/*/*.txt",
                                      "N=\\*/",
                                      "T=/tmp/tmp/bar.txt",
                                      "M=/tmp",
                                      "U=http://example.org",
                                      "H=http://",
                                      "K=한국어",
                                      "V=/a/foo/b/c.txt",
                                      "W=/?/",
                                      NULL};
    static const struct word_case cases[] = {
        {"${R#()[]{\\}^$.\\*\\?|\\\\}", "x"},
        {"${A#*x*y}", "y"},
        {"${A##*x*y}", ""},
        {"${A#*}", "xxyy"},
        {"${A##*}", ""},
        {"${A#$B}", "xyy"},
        {"${A#$E}", "xxyy"},
        {"${A#}", "xxyy"},
        {"${A##*x}", "yy"},
        {"${A#z}", "xxyy"},
        {"${A#xxyyz}", "xxyy"},
        {"${Q#?\\?}", "?y"},
        {"${A%x}", "xxyy"},
        {"${A%y}", "xxy"},
        {"${A%%y*}", "xx"},
        {"${A%y*}", "xxy"},
        {"${A%%*}", ""},
        {"${A%*}", "xxyy"},
        {"${A%}", "xxyy"},
        {"${S%%\\**\\*}", "a"},
        {"${S%\\**\\*}", "a**"},
        {"${NONE#x}${NONE%x}${NONE/x/y}", ""},
        {"${P/$N/.} - ${P//$N/.}", "/foo.*/*.txt - /foo..*.txt"},
        {"${T/$M/} - ${T//$M/}", "/tmp/bar.txt - /bar.txt"},
        {"${V/$W//} - ${V//$W//}", "/foo/b/c.txt - /foo/c.txt"},
        {"${U/$H/https:\\/\\/}", "https:\\/\\/example.org"},
        {"${U//\\//-}", "http:--example.org"},
        {"${A/$E/ww}", "wwxxyy"},
        {"${A/x*y/-}", "-"},
        {"${A//?/-}", "----"},
        {"${K//?/-}${K#?}${K%?}", "---국어한국"},
        {"${A//ww}", NULL},
        {"${A//}", NULL},
        {"${A///}", "xxyy"},
        {"${A#\\x}", NULL},
        {"${A:#x}", NULL},
        {"${A#x", NULL},
    };
    (void)state;
    CHECK(set, cases);
}

static void white_space_of_a_variable_splits_unless_it_is_quoted(void **state)
{
    static const char *const set[] = {
        "hi=hi", "space=abc  def", "leading=  ab c", "trailing=ab c   ", "empty=", NULL};
    static const struct {
        const char *word, *becomes; /* with | between the words */
    } cases[] = {
        {"hello", "hello"},
        {"hello${hi}bye", "hellohibye"},
        {"hello${space}bye", "helloabc|defbye"},
        {"hello\"${space}\"bye", "helloabc  defbye"},
        {"hello \"${space}\"bye", "hello|abc  defbye"},
        {"hello${leading}def", "hello|ab|cdef"},
        {"hello\"${leading}\" def", "hello  ab c|def"},
        {"hello${trailing}d", "helloab|c|d"},
        {"hel\"lo${trailing}\"", "helloab c   "},
        {"hello there     ", "hello|there"},
        {"hello\\ there", "hello there"},
        {"hello\\\" there", "hello\"|there"},
        {"'' $empty \"\"", ""},
        {"", ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct expand expand = {
            .lookup = lookup, .closure = (void *)(uintptr_t)set, .escape = '\\'};
        autostrv words = {0};
        autobuf joined = {0};
        assert_int_equal(expand_words(&expand, cases[i].word, &words, NULL), 0);
        strv_join(&words, "|", &joined);
        assert_string_equal(buf_text(&joined), cases[i].becomes);
    }
}

static void names_without_value_are_noted_unless_there_is_a_word_for_them(void **state)
{
    autostrv unset = {0};
    autobuf out = {0}, names = {0};
    struct expand expand = {.lookup = lookup,
                            .closure = (void *)(uintptr_t)environment,
                            .escape = '\\',
                            .unset = &unset};
    (void)state;
    assert_int_equal(
        expand_word(&expand, "$a ${b} ${c:-x} ${d+x} $PWD ${NULL} $a \\$e '$f' ${g%x}", &out, NULL),
        0);
    strv_join(&unset, ",", &names);
    assert_string_equal(buf_text(&names), "a,b,g");
}

static void the_message_of_a_missing_variable_is_told(void **state)
{
    struct error err = {0};
    autobuf out = {0};
    struct expand expand = {
        .lookup = lookup, .closure = (void *)(uintptr_t)environment, .escape = '\\'};
    (void)state;
    assert_int_equal(expand_word(&expand, "${VAR:?message here$ARG}", &out, &err), -EINVAL);
    assert_string_equal(err.text, "VAR: message herex");
    assert_int_equal(expand_word(&expand, "${VAR?}", &out, &err), -EINVAL);
    assert_non_null(strstr(err.text, "VAR: it is not set"));
    assert_int_equal(out.len, 0);
}

static void the_escape_character_is_that_of_the_file(void **state)
{
    struct expand expand = {
        .lookup = lookup, .closure = (void *)(uintptr_t)environment, .escape = '`'};
    autobuf out = {0};
    (void)state;
    assert_int_equal(expand_word(&expand, "C:\\$SHELL`$PWD\"`\"\"", &out, NULL), 0);
    assert_string_equal(buf_text(&out), "C:\\bash$PWD\"");
}

static void in_a_here_document_quotes_are_ordinary(void **state)
{
    struct expand expand = {.lookup = lookup,
                            .closure = (void *)(uintptr_t)environment,
                            .escape = '\\',
                            .raw_quotes = true};
    autobuf out = {0};
    (void)state;
    assert_int_equal(expand_word(&expand, "'$PWD' it's \"$SHELL\"\n\\$ARG \\\\\n", &out, NULL), 0);
    assert_string_equal(buf_text(&out), "'/home' it's \"bash\"\n$ARG \\\n");
}

static const char *large(void *closure, const char *name, size_t length)
{
    (void)name;
    (void)length;
    return closure;
}

static void what_becomes_of_a_word_has_an_end(void **state)
{
    autofree char *value = xmalloc(EXPAND_MAX / 2 + 1);
    autobuf word = {0}, out = {0}, deep = {0};
    struct error err = {0};
    (void)state;
    memset(value, 'x', EXPAND_MAX / 2);
    value[EXPAND_MAX / 2] = '\0';
    struct expand expand = {.lookup = large, .closure = value, .escape = '\\'};
    assert_int_equal(expand_word(&expand, "$a", &out, &err), 0);
    for (int i = 0; i < 20; i++)
        buf_str(&word, "$a");
    assert_int_equal(expand_word(&expand, buf_text(&word), &out, &err), -EINVAL);
    for (int i = 0; i < 100000; i++)
        buf_str(&deep, "${a:-");
    assert_int_equal(expand_word(&expand, buf_text(&deep), &out, &err), -EINVAL);
    assert_non_null(strstr(err.text, "in one another"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quotes_and_escapes_are_taken_off),
        cmocka_unit_test(a_variable_becomes_its_value),
        cmocka_unit_test(a_word_stands_in_for_what_is_missing),
        cmocka_unit_test(patterns_cut_and_replace),
        cmocka_unit_test(white_space_of_a_variable_splits_unless_it_is_quoted),
        cmocka_unit_test(names_without_value_are_noted_unless_there_is_a_word_for_them),
        cmocka_unit_test(the_message_of_a_missing_variable_is_told),
        cmocka_unit_test(the_escape_character_is_that_of_the_file),
        cmocka_unit_test(in_a_here_document_quotes_are_ordinary),
        cmocka_unit_test(what_becomes_of_a_word_has_an_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
