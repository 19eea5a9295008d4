/* SPDX-License-Identifier: Apache-2.0 */
/* .dockerignore, and the wildcards of sources. The facts of the first tables are what
 * moby/patternmatcher and Go's filepath.Match do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/memory.h"
#include "base/text.h"
#include "build/patterns.h"

/* What one pattern says of a path. */
enum says {
    NOTHING,
    MATCHES, /* the path itself */
    COVERS,  /* something above it, and so it */
};

static const struct {
    const char *pattern, *path;
    enum says says;
} facts[] = {
    /* ** alone */
    {"**", "file", MATCHES},
    {"**/", "file", MATCHES},
    {"**", "dir/file", MATCHES},
    {"**/", "dir/file", MATCHES},
    {"**/**", "file", MATCHES},
    {"**/**", "dir/file", MATCHES},
    {"***", "dir/file", MATCHES},
    /* at the end: what is below, not the thing itself */
    {"dir/**", "dir/file", MATCHES},
    {"dir/**", "dir/dir2/file", MATCHES},
    {"dir/**", "dir", NOTHING},
    {"dir/**", "dirs/file", NOTHING},
    {"abc/**", "abc/def/ghi", MATCHES},
    {"dir**", "dir", MATCHES},
    {"dir**", "dirs/file", MATCHES},
    {"dir**", "adir", NOTHING},
    {"a/*.txt**", "a/file.txt", MATCHES},
    {"a/*.txt**", "a/file.txt.gz/x", MATCHES},
    {"a/*.txt**", "a/file.tx", NOTHING},
    {"*/**", "a", NOTHING},
    {"*/**", "a/b", MATCHES},
    {"*/**", "a/b/c", MATCHES},
    /* at the beginning */
    {"**/dir", "dir", MATCHES},
    {"**/dir", "a/b/dir", MATCHES},
    {"**/dir", "adir", NOTHING},
    {"**/dir", "a/bdir", NOTHING},
    {"**/dir", "dir/file", COVERS},
    {"**/dir", "a/dir/b/c", COVERS},
    {"**file", "file", MATCHES},
    {"**file", "afile", MATCHES},
    {"**file", "dir/file", MATCHES},
    {"**file", "dir/dir/afile", MATCHES},
    {"**file", "dir/files", NOTHING},
    {"**file*", "afile", NOTHING},
    {"**file*", "a/files", MATCHES},
    {"**/file", "dir/dir/file", MATCHES},
    {"**/file*", "dir/dir/file", MATCHES},
    {"**/file*", "dir/dir/file.txt", MATCHES},
    {"**/file*", "dir/afile", NOTHING},
    {"**/file*txt", "dir/dir/file.txt", MATCHES},
    {"**/file*.txt", "dir/dir/file.txt", MATCHES},
    {"**/file*.txt*", "dir/dir/file.txt", MATCHES},
    {"**/*.txt", "file.txt", MATCHES},
    {"**/*.txt", "a/b/file.txt", MATCHES},
    {"**/*.txt", "a/b/file.txt2", NOTHING},
    {"**/*.txt", "a.txt/b", COVERS},
    {"**/**/*.txt", "file.txt", MATCHES},
    {"**/**/*.txt", "dir/dir/file.txt", MATCHES},
    {"**/**/*.txt2", "dir/dir/file.txt", NOTHING},
    {"**/foo/bar", "foo/bar", MATCHES},
    {"**/foo/bar", "dir/foo/bar", MATCHES},
    {"**/foo/bar", "dir/dir2/foo/bar", MATCHES},
    {"**/foo/bar", "dir/afoo/bar", NOTHING},
    {"**/.foo", ".foo", MATCHES},
    {"**/.foo", "bar.foo", NOTHING},
    /* in the middle */
    {"**/dir2/*", "dir/dir2/file", MATCHES},
    {"**/dir2/*", "dir/dir2/file/x", COVERS},
    {"**/dir2/*", "dir2", NOTHING},
    {"**/dir2/**", "dir/dir2/dir3/file", MATCHES},
    {"**/dir2/**", "dir/dir2", NOTHING},
    {"a**/*.txt", "a/file.txt", MATCHES},
    {"a**/*.txt", "a/dir/dir/file.txt", MATCHES},
    {"a**/*.txt", "abc/file.txt", MATCHES},
    {"a**/*.txt", "afile.txt", MATCHES},
    {"a**/*.txt", "b/file.txt", NOTHING},
    {"a/**/b", "a/b", MATCHES},
    {"a/**/b", "a/x/b", MATCHES},
    {"a/**/b", "a/x/y/b", MATCHES},
    {"a/**/b", "a/xb", NOTHING},
    {"a/**/b", "ab", NOTHING},
    {"a/**/b/**/c", "a/b/c", MATCHES},
    {"a/**/b/**/c", "a/b/x/b/y/c", MATCHES},
    {"a/**/b/**/c", "a/c", NOTHING},
    {"a/**/*", "a/b", MATCHES},
    {"a/**/*", "a", NOTHING},
    {"a**b", "ab", MATCHES},
    {"a**b", "ac/b", MATCHES},
    {"a**b", "acb", NOTHING},
    /* one star, one character */
    {"*", "file", MATCHES},
    {"*", "dir/file", COVERS},
    {"*.go", "main.go", MATCHES},
    {"*.go", "dir/main.go", NOTHING},
    {"a/*.txt", "a/file.txt", MATCHES},
    {"a/*.txt", "a/dir/file.txt", NOTHING},
    {"*/b", "a/b", MATCHES},
    {"*/b", "a/a/b", NOTHING},
    {"*/b", "b", NOTHING},
    {"*/*", "a", NOTHING},
    {"*/*", "a/b", MATCHES},
    {"*/*", "a/b/c", COVERS},
    {".*", ".foo", MATCHES},
    {".*", "foo", NOTHING},
    {"*.*", "a.b", MATCHES},
    {"abc?def", "abcZdef", MATCHES},
    {"abc?def", "abcdef", NOTHING},
    {"abc?def", "abc/def", NOTHING},
    {"a?b",
     "a\xe2\x98\xba"
     "b",
     MATCHES},
    {"dist/*.whl", "dist/proxy.py-2.4.0rc3.dev36+g08acad9-py3-none-any.whl", MATCHES},
    /* classes */
    {"a[b-d]e", "ace", MATCHES},
    {"a[b-d]e", "ae", NOTHING},
    {"a[b-d]e", "aae", NOTHING},
    {"a[^b-d]e", "aze", MATCHES},
    {"a[^b-d]e", "ace", NOTHING},
    {"[ab][cd]", "bd", MATCHES},
    {"**/[0-9]*", "x/7up", MATCHES},
    {"**/[0-9]*", "x/up7", NOTHING},
    {"**/*.py[co]", "a/b/c.pyc", MATCHES},
    {"**/*.py[co]", "a/b/c.py", NOTHING},
    {"**/*.py[co]", "pyc", NOTHING},
    {"**/test_*.?", "a/b/test_x.c", MATCHES},
    {"**/test_*.?", "test_x.c", MATCHES},
    {"**/test_*.?", "a/test_b/x.c", NOTHING},
    {"**/test_*.?", "a/atest_x.c", NOTHING},
    {"src/**/x*y/z", "src/a/xy/z", MATCHES},
    {"src/**/x*y/z", "src/x/y/z", NOTHING},
    {"*?\xc3\xa9?", "ab\xc3\xa9\xe2\x98\xba", MATCHES},
    {"*?\xc3\xa9?", "\xc3\xa9\xe2\x98\xba", NOTHING},
    {"**/[^a]", "b/c", MATCHES},
    {"**/?[ab]", "x/cb", MATCHES},
    {"?", "ab", NOTHING},
    /* what has no meaning here, and what is told to have none */
    {"abc.def", "abc.def", MATCHES},
    {"abc.def", "abcdef", NOTHING},
    {"abc.def", "abcZdef", NOTHING},
    {"a(b)c/def", "a(b)c/def", MATCHES},
    {"a(b)c/def", "a(b)c/xyz", NOTHING},
    {"a.|)$(}+{bc", "a.|)$(}+{bc", MATCHES},
    {"a^*", "a^b", MATCHES},
    {"a\\*b", "a*b", MATCHES},
    {"a\\*b", "axb", NOTHING},
    {"a\\\\", "a\\", MATCHES},
    {"a\\d", "ad", MATCHES},
    {"a\\d", "a5", NOTHING},
    {"\\!a", "!a", MATCHES},
    /* a directory's name, with and without its slash; paths that are made clean */
    {"docs", "docs", MATCHES},
    {"docs", "docs/README.md", COVERS},
    {"docs/", "docs/a/b", COVERS},
    {"docs", "docs2", NOTHING},
    {"docs", "a/docs", NOTHING},
    {"/docs", "docs", MATCHES},
    {"//docs//a/", "docs/a", MATCHES},
    {"./docs", "docs", MATCHES},
    {"docs/./a", "docs/a", MATCHES},
    {"docs/../src", "src", MATCHES},
    {"docs/../../src", "src", NOTHING},
    {"/../src", "src", MATCHES},
    {"a/b/../../c", "c", MATCHES},
    {".", "a", NOTHING},
    {"/", "a", NOTHING},
    {"..", "a", NOTHING},
    {"../*", "a", NOTHING},
    {"  docs\t", "docs", MATCHES},
    {"\xc2\xa0"
     "docs\xe2\x80\x83",
     "docs", MATCHES},
};

static void a_pattern_says_of_a_path_what_moby_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof facts / sizeof *facts; i++) {
        autoignore list = {0};
        struct error err = {0};
        if (ignore_add(&list, facts[i].pattern, "test", &err) < 0)
            fail_msg("%s: %s", facts[i].pattern, err.text);
        bool itself = ignore_step(&list, facts[i].path, IGNORE_ROOT) != IGNORE_ROOT;
        bool at_all = ignore_matches(&list, facts[i].path);
        if (itself != (facts[i].says == MATCHES) || at_all != (facts[i].says != NOTHING))
            fail_msg("%s of %s: %d, %d", facts[i].pattern, facts[i].path, itself, at_all);
    }
}

static const struct {
    const char *pattern, *name;
    int says; /* 1 matches, 0 does not, -1 is no pattern */
} plain[] = {
    {"abc", "abc", 1},
    {"*", "abc", 1},
    {"*", "", 1},
    {"", "", 1},
    {"", "a", 0},
    {"*c", "abc", 1},
    {"a*", "a", 1},
    {"a*", "abc", 1},
    {"a*", "ab/c", 0},
    {"a*/b", "abc/b", 1},
    {"a*/b", "a/c/b", 0},
    {"a*b*c*d*e*/f", "axbxcxdxe/f", 1},
    {"a*b*c*d*e*/f", "axbxcxdxexxx/f", 1},
    {"a*b*c*d*e*/f", "axbxcxdxe/xxx/f", 0},
    {"a*b*c*d*e*/f", "axbxcxdxexxx/fff", 0},
    {"a*b?c*x", "abxbbxdbxebxczzx", 1},
    {"a*b?c*x", "abxbbxdbxebxczzy", 0},
    {"ab[c]", "abc", 1},
    {"ab[b-d]", "abc", 1},
    {"ab[e-g]", "abc", 0},
    {"ab[^c]", "abc", 0},
    {"ab[^b-d]", "abc", 0},
    {"ab[^e-g]", "abc", 1},
    {"a\\*b", "a*b", 1},
    {"a\\*b", "ab", 0},
    {"a?b", "a\xe2\x98\xba\x62", 1},
    {"a[^a]b", "a\xe2\x98\xba\x62", 1},
    {"a???b", "a\xe2\x98\xba\x62", 0},
    {"a[^a][^a][^a]b", "a\xe2\x98\xba\x62", 0},
    {"[a-\xce\xb6]*", "\xce\xb1", 1},
    {"*[a-\xce\xb6]", "A", 0},
    {"a?b", "a/b", 0},
    {"a*b", "a/b", 0},
    {"a[^b]c", "a/c", 1}, /* Go's classes know no slash */
    {"[\\]a]", "]", 1},
    {"[\\-]", "-", 1},
    {"[x\\-]", "x", 1},
    {"[x\\-]", "-", 1},
    {"[x\\-]", "z", 0},
    {"[\\-x]", "x", 1},
    {"[\\-x]", "a", 0},
    {"[]a]", "]", -1},
    {"[-]", "-", -1},
    {"[x-]", "x", -1},
    {"[-x]", "x", -1},
    {"\\", "a", -1},
    {"a\\", "a\\", -1},
    {"[a-b-c]", "a", -1},
    {"[", "a", -1},
    {"[^", "a", -1},
    {"[^bc", "a", -1},
    {"a[", "a", -1},
    {"a[", "ab", -1},
    {"[]", "a", -1},
    {"[\xff]", "a", -1},
    {"a]", "a]", 1},
    {"*x", "xxx", 1},
    {"a?c", "a\xff\x63", 1}, /* a byte that is no UTF-8 is one character */
    {"\xff*", "\xff\x61", 1},
    {"\xff*", "\xfe\x61", 0},
    {"**", "a/b", 0},
    {"[z-a]", "b", 0},
    {"a/*/c", "a/b/c", 1},
    {"*.[ch]", "main.c", 1},
    {"*.[ch]", "main.o", 0},
};

static void sources_are_matched_as_go_does(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++) {
        if (glob_valid(plain[i].pattern) != (plain[i].says >= 0) ||
            glob_match(plain[i].pattern, plain[i].name) != (plain[i].says == 1))
            fail_msg("%s of %s", plain[i].pattern, plain[i].name);
    }
    assert_true(glob_special("*.c"));
    assert_true(glob_special("a\\b"));
    assert_false(glob_special("a.(b)"));
    assert_true(glob_match_deep("src/**/*.c", "src/a/b/c.c"));
    assert_false(glob_match_deep("src", "src/a"));
}

/* --- lists --- */

static const struct {
    const char *text, *path;
    bool excluded;
} lists[] = {
    {"", "a", false},
    {"*.go\n!main.go\n", "main.go", false},
    {"!main.go\n*.go\n", "main.go", true},
    {"docs\n!docs/README.md\n", "docs/README.md", false},
    {"docs\n!docs/README.md\n", "docs/x", true},
    {"docs/*\n!docs/README.md", "docs/README.md", false},
    {"*\n!keep", "keep", false},
    {"*\n!keep", "keep/a/b", false},
    {"*\n!keep\nkeep/a", "keep/a/b", true},
    {"**\n!util/docker/web", "util/docker/web/foo", false},
    {"**\n!util/docker/web\nutil/docker/web/foo", "util/docker/web/foo", true},
    {"**\n!dist/*.whl", "dist/proxy-2.4.whl", false},
    {"a\n!a/b\na", "a/b", true},
    {"a\n!a/b/c\n!a/x", "a/b", true},
    {"!a\n", "a", false},
    {"**/*.md\n!README.md\n", "a/README.md", true},
    {"**/*.md\n!**/README.md\n", "a/README.md", false},
    /* lines */
    {"\xef\xbb\xbf# comment\na", "a", true},
    {"\xef\xbb\xbf"
     "a",
     "a", true},
    {"# a\n", "a", false},
    {" # a\n", "# a", true},
    {"#a\n", "#a", false},
    {"\\#a\n", "#a", true},
    {"a\r\nb\r\n", "a", true},
    {"a\r\nb\r\n", "b", true},
    {"\n \n\t\na\n", "a", true},
    {"  a  ", "a", true},
    {"*\n! \t keep\n", "keep", false},
    {"*\n!/keep\n", "keep", false},
    {"*\n!!keep\n", "!keep", false},
    {"*\n!./a/../keep/\n", "keep", false},
    {"a # no comment\n", "a", false},
};

static void the_last_rule_about_a_path_or_its_parents_decides(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        autoignore list = {0};
        struct error err = {0};
        if (ignore_parse(lists[i].text, strlen(lists[i].text), ".dockerignore", &list, &err) < 0)
            fail_msg("%s: %s", lists[i].text, err.text);
        if (ignore_matches(&list, lists[i].path) != lists[i].excluded)
            fail_msg("%s of %s", lists[i].text, lists[i].path);
    }
}

static void a_wrong_line_is_named(void **state)
{
    static const struct {
        const char *text, *says;
    } wrong[] = {
        {"a\n!\n", ".dockerignore:2: \"!\""},        {"!  \n", ".dockerignore:1: \"!\""},
        {"# x\n\n!/\n", ".dockerignore:3: \"!\""},   {"a[\n", ".dockerignore:1: not a pattern: a["},
        {"a\\\n", ".dockerignore:1: not a pattern"}, {"\n[a-]", ".dockerignore:2: not a pattern"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        autoignore list = {0};
        struct error err = {0};
        assert_int_equal(
            ignore_parse(wrong[i].text, strlen(wrong[i].text), ".dockerignore", &list, &err),
            -EINVAL);
        if (!starts_with(err.text, wrong[i].says))
            fail_msg("%s", err.text);
    }
    autoignore list = {0};
    struct error err = {0};
    assert_int_equal(ignore_parse("a\0b", 3, "x", &list, &err), -EINVAL);
}

static void a_list_and_a_pattern_have_an_end(void **state)
{
    autoignore list = {0};
    autofree char *pattern = xcalloc(GLOB_MAX + 2, 1);
    (void)state;
    memset(pattern, 'a', GLOB_MAX);
    assert_int_equal(ignore_add(&list, pattern, "test", NULL), 0);
    assert_true(ignore_matches(&list, pattern));
    pattern[GLOB_MAX] = '*';
    assert_int_equal(ignore_add(&list, pattern, "test", NULL), -EINVAL);
    while (list.count < IGNORE_RULES_MAX)
        assert_int_equal(ignore_add(&list, "b", "test", NULL), 0);
    assert_int_equal(ignore_add(&list, "b", "test", NULL), -E2BIG);
}

/* --- trees --- */

static const struct {
    const char *text, *directory;
    bool reached;
} below[] = {
    {"node_modules\n", "node_modules", false},
    {"node_modules\n!README.md\n", "node_modules", false},
    {"node_modules\n!node_modules/a/b\n", "node_modules", true},
    {"node_modules\n!node_modules/a/b\n", "node_modules/a", true},
    {"node_modules\n!node_modules/a/b\n", "node_modules/x", false},
    {"node_modules\n!node_modules/a/b\n", "node_modules/a/b", false},
    {"*\n!src/*.c\n", "src", true},
    {"*\n!src/*.c\n", "src/a", false},
    {"*\n!src/*.c\n", "source", false},
    {"*\n!src/**\n", "src", true},
    {"*\n!src/**\n", "lib", false},
    {"*\n!**/*.c\n", "lib", true},
    {"*\n!**/x\n", "lib/a", true},
    {"*\n!lib/*/x\n", "lib/a", true},
    {"*\n!lib/*/x\n", "lib/a/b", false},
    {"*\n!lib/?/x\n", "lib/ab", false},
    {"*\n!lib/[ab]/x\n", "lib/b", true},
    {"*\n!lib/[ab]/x\n", "lib/c", false},
    {"*\n!a**b\n", "lib", false},
    {"*\n!a**b\n", "axe", true},
    {"!keep/x\n*\n", "keep", false}, /* comes before what excludes */
};

static void a_tree_is_skipped_when_no_rule_can_take_back_anything_in_it(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof below / sizeof *below; i++) {
        autoignore list = {0};
        const char *text = below[i].text;
        assert_int_equal(ignore_parse(text, strlen(text), "test", &list, NULL), 0);
        ignore_place place = ignore_step(&list, below[i].directory, IGNORE_ROOT);
        if (place == IGNORE_ROOT)
            place = 1; /* what is above it is excluded by the first rule */
        if (ignore_reaches_below(&list, below[i].directory, place) != below[i].reached)
            fail_msg("%s of %s", text, below[i].directory);
    }
}

static void stars_cost_no_more_than_their_number(void **state)
{
    autobuf pattern = {0}, path = {0};
    (void)state;
    for (size_t i = 0; i < 500; i++)
        buf_str(&pattern, "*a**/");
    buf_str(&pattern, "[^x]");
    for (size_t i = 0; i < 4000; i++)
        buf_str(&path, i % 50 ? "a" : "/");
    buf_char(&path, 'x');
    nanoseconds before = clock_monotonic();
    assert_false(glob_match_deep(buf_text(&pattern), buf_text(&path) + 1));
    assert_true(clock_monotonic() - before < 5 * NSEC_PER_SEC);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pattern_says_of_a_path_what_moby_says),
        cmocka_unit_test(sources_are_matched_as_go_does),
        cmocka_unit_test(the_last_rule_about_a_path_or_its_parents_decides),
        cmocka_unit_test(a_wrong_line_is_named),
        cmocka_unit_test(a_list_and_a_pattern_have_an_end),
        cmocka_unit_test(a_tree_is_skipped_when_no_rule_can_take_back_anything_in_it),
        cmocka_unit_test(stars_cost_no_more_than_their_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
