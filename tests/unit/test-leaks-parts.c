/* SPDX-License-Identifier: Apache-2.0 */
/* What the search for secrets is made of: expressions that never go back, and the vector filter. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/cleanup.h"
#include "base/memory.h"
#include "scan/anchors.h"
#include "scan/expression.h"
#include "scan/leaks_internal.h"

static void an_expression_matches_as_elsewhere(void **state)
{
    static const struct {
        const char *expression, *text;
        int end, captured; /* -1: no match */
    } cases[] = {
        {"abc", "abc", 3, 0},
        {"abc", "abd", -1, 0},
        {"abc", "ab", -1, 0},
        {"", "x", 0, 0},
        {"a?b", "ab", 2, 0},
        {"a?b", "b", 1, 0},
        {"a{3}", "aaaa", 3, 0},
        {"a{2,3}", "a", -1, 0},
        {"a{2,3}", "aaaa", 3, 0},
        {"a{0,9}b", "aaab", 4, 0},
        {"[a-c]{1,9}x", "abcx", 4, 0},
        {"[^a-c]{1,9}a", "xyza", 4, 0},
        {"[a\\]]{2}", "]a", 2, 0},
        {"[a-]{2}", "-a", 2, 0},
        {"\\d\\w\\s", "1_\t", 3, 0},
        {"\\.\\-\\/", ".-/", 3, 0},
        {".", "\n", -1, 0},
        {".x", "\xff\x78", 2, 0},
        {"(?:ab|cd)e", "cde", 3, 0},
        {"(?:abc|abd)e", "abde", 4, 0},
        {"(?:ab|cd){2}", "abcd", 4, 0},
        {"(?:ab)?c", "abc", 3, 0},
        {"(?:ab)?c", "ac", -1, 0},
        {"x(?:|)", "x", -2, 0},
        {"ab(?:c|)d", "abd", 3, 0},
        {"key=([0-9]{1,4});", "key=123;", 8, 4},
        {"(?i)KEY[a-c]", "kEyB", 4, 0},
        {"(?i)[^a]", "A", -1, 0},
        {"\\babc\\b", "abc", 3, 0},
        {"\\babc\\b", "abcd", -1, 0},
        {"abc\\b", "abc-", 3, 0},
        {"^abc$", "abc", 3, 0},
        {"^abc$", "abc\n", 3, 0},
        {"^abc$", "abcd", -1, 0},
        {"a(?:[^b]|$)", "ab", -1, 0},
        {"a(?:[^b]|$)", "a", 1, 0},
        {"a(?:[^b]|$)", "ac", 2, 0},
        {"(?:[a-z]|%2[Ff]){3}%", "a%2Fb%", 6, 0},
        {"(?:a{1,2}-){1,3}b", "aa-a-b", 6, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error err = {0};
        struct expression_match m = {0};
        struct expression *e = expression_compile(cases[i].expression, &err);
        if (cases[i].end == -2) {
            assert_null(e);
            continue;
        }
        if (!e)
            fail_msg("%s: %s", cases[i].expression, err.text);
        const char *text = cases[i].text;
        bool matches = expression_match(e, (const unsigned char *)text, strlen(text), 0, &m);
        expression_free(e);
        if (matches != (cases[i].end >= 0) ||
            (matches && (m.end != (size_t)cases[i].end || m.captured != (size_t)cases[i].captured)))
            fail_msg("%s of %s: %d, %zu, %zu", cases[i].expression, text, matches, m.end,
                     m.captured);
    }
}

static void an_expression_that_might_go_back_is_none(void **state)
{
    static const char *const wrong[] = {
        "a*",
        "a+",
        "a{1,}",
        "a{2,1}",
        "a{0}",
        "a{99999}",
        "[a",
        "[]",
        "(a",
        "a)",
        "(a)(b)",
        "(?=a)",
        "(?:a",
        "a\\",
        "\\q",
        "\\1",
        "[b-a]",
        "[\\q]",
        "*",
        "a|ab",
        "ab|a",
        "[a-z]{1,9}z",
        "a?a",
        "(?:a|b){1,9}b",
        "(?:a{1,2}){1,2}",
        "(?:a?){2}",
        "(?:|a)",
        "(?:a|)a",
        "(?:ab?)?b",
        "x{4097}",
        "(?:x{99}){99}",
        "(?:[a-c]x|[c-d]x)",
        "(?i)(?:ax|AX)",
        "(?:(?:(?:(?:(?:(?:(?:(?:(?:(?:(?:(?:(?:(?:(?:(?:(?:a)))))))))))))))))",
    };
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct error err = {0};
        struct expression *e = expression_compile(wrong[i], &err);
        if (e)
            fail_msg("taken: %s", wrong[i]);
        assert_true(err.text[0]);
    }
}

static void the_rules_have_expressions(void **state)
{
    (void)state;
    for (size_t i = 0; i < leak_rule_count; i++) {
        struct error err = {0};
        if (!leak_rules[i].expression)
            continue;
        struct expression *e = expression_compile(leak_rules[i].expression, &err);
        if (!e)
            fail_msg("%s: %s", leak_rules[i].id, err.text);
        expression_free(e);
        for (const char *const *p = leak_rules[i].paths; p && *p; p++)
            assert_true(glob_valid(*p));
    }
    for (const char *const *p = leak_harmless; *p; p++)
        assert_true(glob_valid(*p));
}

/* --- the filter --- */

static const struct anchor anchors[] = {
    {"abc", false, 0},
    {"abcd", false, 1},
    {"-----BEGIN ", false, 2},
    {"://", false, 3},
    {"secret", true, 4},
    {"x_key=", true, 5},
    {"\xc3\xa9t\xc3\xa9", false, 6},
    {"bcd", false, 7},
    {"ghp_", false, 8},
    {"0123456789abcdefghijklmnopqrstuv", false, 9},
};
#define ANCHORS (sizeof anchors / sizeof *anchors)
#define TEXT 3000

struct counted {
    unsigned hits[ANCHORS];
    size_t sum; /* of places */
};

static void count(void *context, unsigned tag, size_t at)
{
    struct counted *c = context;
    c->hits[tag]++;
    c->sum += at * (tag + 1);
}

static void count_slowly(const unsigned char *text, size_t length, size_t from, size_t to,
                         struct counted *c)
{
    for (size_t at = from; at < to; at++)
        for (unsigned i = 0; i < ANCHORS; i++) {
            size_t size = strlen(anchors[i].text);
            const char *here = (const char *)text + at;
            if (at + size <= length && (anchors[i].fold ? strncasecmp(here, anchors[i].text, size)
                                                        : memcmp(here, anchors[i].text, size)) == 0)
                count(c, i, at);
        }
}

/* Bytes of anchors and others, from a generator that is the same everywhere. */
static void fill(unsigned char *text, uint32_t seed)
{
    static const char letters[] = "abcdghpABSECRETsecret_x_key=://---BEGIN 0123456789\xc3\xa9t";
    for (size_t at = 0; at < TEXT;) {
        seed = seed * 1664525 + 1013904223;
        const char *word = anchors[(seed >> 16) % ANCHORS].text;
        size_t size = strlen(word);
        if ((seed >> 8) % 5 == 0 && at + size <= TEXT) {
            memcpy(text + at, word, size);
            at += size;
        } else {
            text[at++] = (unsigned char)letters[(seed >> 16) % (sizeof letters - 1)];
        }
    }
}

static void the_filter_finds_the_same_with_vectors_of_every_width(void **state)
{
    static unsigned char text[TEXT + ANCHORS_SLACK];
    static const unsigned widths[] = {0, 128, 256};
    struct anchors *a = anchors_new(anchors, ANCHORS);
    (void)state;
    for (uint32_t seed = 0; seed < 60; seed++) {
        fill(text, seed);
        memset(text + TEXT, "a-s\xff"[seed % 4], ANCHORS_SLACK);
        for (size_t width = 0; width < 3; width++)
            for (size_t cut = 0; cut < 70; cut++) {
                struct counted found = {0}, expected = {0};
                size_t length = TEXT - cut * 3, to = length - cut;
                anchors_limit(a, widths[width]);
                anchors_find(a, text, length, cut, to, count, &found);
                count_slowly(text, length, cut, to, &expected);
                assert_memory_equal(&found, &expected, sizeof found);
            }
    }
    anchors_free(a);
}

/* --- judging --- */

static void entropy_is_shannons(void **state)
{
    static const struct {
        const char *text;
        unsigned entropy;
    } cases[] = {
        {"", 0},           {"a", 0},
        {"aaaa", 0},       {"ab", 100},
        {"aabb", 100},     {"abcd", 200},
        {"abcdefgh", 300}, {"password", 275},
        {"aaab", 81},      {"0123456789abcdef", 400},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        unsigned is = leak_entropy((const unsigned char *)cases[i].text, strlen(cases[i].text));
        if (is + 1 < cases[i].entropy || is > cases[i].entropy + 1)
            fail_msg("%s: %u", cases[i].text, is);
    }
}

static void lines_are_counted(void **state)
{
    static unsigned char text[9000];
    (void)state;
    memset(text, '\n', sizeof text);
    for (size_t length = 0; length < sizeof text; length += 7)
        assert_int_equal(count_lines(text, length), length);
    memset(text, 'x', sizeof text);
    text[17] = '\n';
    assert_int_equal(count_lines(text + 1, sizeof text - 1), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_expression_matches_as_elsewhere),
        cmocka_unit_test(an_expression_that_might_go_back_is_none),
        cmocka_unit_test(the_rules_have_expressions),
        cmocka_unit_test(the_filter_finds_the_same_with_vectors_of_every_width),
        cmocka_unit_test(entropy_is_shannons),
        cmocka_unit_test(lines_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
