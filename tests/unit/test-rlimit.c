/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "base/text.h"
#include "runtime/rlimit.h"

static void limits_are_read_as_docker_writes_them(void **state)
{
    struct rlimit_spec r;
    (void)state;
    assert_int_equal(rlimit_parse("nofile=1024:2048", &r, NULL), 0);
    assert_int_equal(r.resource, RLIMIT_NOFILE);
    assert_int_equal(r.soft, 1024);
    assert_int_equal(r.hard, 2048);
    assert_int_equal(rlimit_parse("core=0", &r, NULL), 0);
    assert_true(r.soft == 0 && r.hard == 0);
    assert_int_equal(rlimit_parse("memlock=-1:-1", &r, NULL), 0);
    assert_true(r.soft == RLIM_INFINITY && r.hard == RLIM_INFINITY);
    assert_int_equal(rlimit_parse("stack=8388608:unlimited", &r, NULL), 0);
    assert_true(r.soft == 8388608 && r.hard == RLIM_INFINITY);
}

static void a_mistyped_name_gets_the_nearest(void **state)
{
    struct rlimit_spec r = {.resource = 99};
    struct error err = {0};
    (void)state;
    assert_int_equal(rlimit_parse("nofiles=1", &r, &err), -EINVAL);
    assert_non_null(strstr(err.text, "did you mean 'nofile'"));
    assert_int_equal(r.resource, 99);
    assert_int_equal(rlimit_parse("zzzzzzzz=1", &r, &err), -EINVAL);
    assert_non_null(strstr(err.text, "memlock"));
}

static void malformed_limits_are_refused(void **state)
{
    static const char *const bad[] = {"",
                                      "nofile",
                                      "nofile=",
                                      "=1",
                                      "nofile=x",
                                      "nofile=1:",
                                      "nofile=:1",
                                      "nofile=2:1",
                                      "nofile=-1:5",
                                      "nofile=-2",
                                      "nofile=1:2:3",
                                      "nofile= 1",
                                      "nofile=99999999999999999999",
                                      "NOFILE=1",
                                      "RLIMIT_NOFILE=1"};
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        struct rlimit_spec r;
        struct error err = {0};
        if (rlimit_parse(bad[i], &r, &err) != -EINVAL)
            fail_msg("'%s' was taken", bad[i]);
        assert_true(starts_with(err.text, "--ulimit"));
    }
}

static void names_go_both_ways(void **state)
{
    (void)state;
    for (int i = 0; i < (int)RLIM_NLIMITS; i++)
        assert_int_equal(rlimit_by_name(rlimit_name(i)), i);
    assert_int_equal(rlimit_by_name("RLIMIT_NPROC"), RLIMIT_NPROC);
    assert_int_equal(rlimit_by_name("nope"), -1);
    assert_null(rlimit_name(-1));
    assert_null(rlimit_name(1000));
}

/* In a child, because a hard limit does not come back: bit 0 set when lowering works, bit 1 when
 * raising is refused by name, bit 2 when raising works. */
static int try_in_child(void)
{
    const struct rlimit_spec lower = {RLIMIT_CORE, 0, 0};
    const struct rlimit_spec raise = {RLIMIT_CORE, 4096, 4096};
    struct error err = {0};
    struct rlimit now;
    int result = 0;

    if (rlimit_apply(&lower, 1, NULL) == 0 && getrlimit(RLIMIT_CORE, &now) == 0 &&
        now.rlim_max == 0)
        result |= 1;
    if (setresuid(65534, 65534, 65534) < 0 && geteuid() == 0)
        return result;
    if (rlimit_apply(&raise, 1, &err) == -EPERM && strstr(err.text, "--ulimit core"))
        result |= 2;
    return result;
}

static void lowering_works_and_raising_without_the_right_is_said(void **state)
{
    int status;
    (void)state;
    pid_t pid = fork();
    if (pid == 0)
        _exit(try_in_child());
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(limits_are_read_as_docker_writes_them),
        cmocka_unit_test(a_mistyped_name_gets_the_nearest),
        cmocka_unit_test(malformed_limits_are_refused),
        cmocka_unit_test(names_go_both_ways),
        cmocka_unit_test(lowering_works_and_raising_without_the_right_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
