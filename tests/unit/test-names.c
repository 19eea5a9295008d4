/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the above first. */
#include <cmocka.h>

#include <string.h>

#include "container/names.h"

static void dockers_names_are_taken(void **state)
{
    (void)state;
    static const char *const good[] = {"web", "a1", "0x", "my.app_1-b", "A-", "9."};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_int_equal(container_check_name(good[i], NULL), 0);
}

/* MS-28 */
static void other_names_are_refused_with_a_sentence(void **state)
{
    (void)state;
    static const char *const bad[] = {"",     "a",   "..",  ".a",  "-x",          "_x",       "a/b",
                                      "/web", "a b", "a\n", "a:b", "caf\xc3\xa9", "a\x1b[1m", "a%"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct error err = {0};
        assert_int_equal(container_check_name(bad[i], &err), -EINVAL);
        assert_non_null(strstr(err.text, "is not a container name"));
        assert_null(strpbrk(err.text, "\n\x1b"));
    }
}

static void a_name_has_at_most_128_characters(void **state)
{
    (void)state;
    char name[CONTAINER_NAME_MAX + 2];
    memset(name, 'a', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    assert_int_equal(container_check_name(name, NULL), -EINVAL);
    name[CONTAINER_NAME_MAX] = '\0';
    assert_int_equal(container_check_name(name, NULL), 0);
}

static void random_names_are_good_and_differ(void **state)
{
    (void)state;
    char first[64], name[64];
    unsigned same = 0;
    container_random_name(first);
    for (int i = 0; i < 500; i++) {
        container_random_name(name);
        assert_int_equal(container_check_name(name, NULL), 0);
        assert_non_null(strchr(name, '_'));
        same += strcmp(name, first) == 0;
    }
    assert_true(same < 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dockers_names_are_taken),
        cmocka_unit_test(other_names_are_refused_with_a_sentence),
        cmocka_unit_test(a_name_has_at_most_128_characters),
        cmocka_unit_test(random_names_are_good_and_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
