/* SPDX-License-Identifier: Apache-2.0 */
/* Asking systemd: which units, which properties, and what is made of its answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the above first. */
#include <cmocka.h>

#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/memory.h"
#include "base/text.h"
#include "dbus-kit.h"
#include "runtime/systemd.h"

#define SYSTEMD "org.freedesktop.systemd1"
#define JOB "/org/freedesktop/systemd1/job/7"

static char directory[] = "/tmp/test-systemd.XXXXXX";
static char private[64], bus[64];

static const struct systemd_unit scope = {.manager = SYSTEMD_USER,
                                          .name = "caisson-x.scope",
                                          .slice = "app.slice",
                                          .description = "caisson container x",
                                          .own = true};

/* --- names -------------------------------------------------------------------------------------
 */

static void names_of_units_are_those_that_systemd_takes(void **state)
{
    (void)state;
    static const char *const good[] = {"a.scope", "docker-0a1b.scope", "a-b.slice",
                                       "x\\x2dy:1_2@.scope"};
    static const char *const bad[] = {"",           ".scope",    "a.service", "a b.scope",
                                      "../a.scope", "a/b.scope", "a\n.scope", "\xc3\xa9.scope",
                                      "a.scope/",   "a"};
    for (size_t i = 0; i + 1 < sizeof good / sizeof *good; i++)
        assert_int_equal(systemd_check_name(good[i], NULL), 0);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct error err = {0};
        if (systemd_check_name(bad[i], &err) != -EINVAL)
            fail_msg("taken: %s", bad[i]);
        assert_null(strpbrk(err.text, "\n\x1b"));
    }
    autofree char *longest = malloc(300);
    memset(longest, 'a', 299);
    memcpy(longest + 255 - 6, ".scope", 7);
    assert_int_equal(systemd_check_name(longest, NULL), 0);
    memset(longest, 'a', 255);
    memcpy(longest + 256 - 6, ".scope", 7);
    assert_int_equal(systemd_check_name(longest, NULL), -EINVAL);
}

static void slices_have_single_dashes_between_their_parts(void **state)
{
    (void)state;
    static const char *const good[] = {"-.slice", "a.slice", "a-b-c.slice", "user-1000.slice"};
    static const char *const bad[] = {"a.scope",   "-a.slice", "a-.slice", "a--b.slice",
                                      "a/b.slice", "--.slice", ".slice",   "a"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_int_equal(systemd_check_slice(good[i], NULL), 0);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (systemd_check_slice(bad[i], NULL) != -EINVAL)
            fail_msg("taken: %s", bad[i]);
}

/* --- properties --------------------------------------------------------------------------------
 */

static uint64_t last_number(const struct systemd_properties *p)
{
    uint64_t value;
    memcpy(&value, p->body.data + p->body.len - sizeof value, sizeof value);
    return value;
}

static bool mentions(const struct buf *bytes, const char *word)
{
    return bytes->len && memmem(bytes->data, bytes->len, word, strlen(word) + 1);
}

static void numbers_become_the_property_of_their_file(void **state)
{
    (void)state;
    static const struct {
        const char *file, *value, *property;
        uint64_t number;
    } cases[] = {
        {"memory.max", "67108864", "MemoryMax", 67108864},
        {"memory.max", "max", "MemoryMax", UINT64_MAX},
        {"memory.swap.max", "0", "MemorySwapMax", 0},
        {"memory.low", "5", "MemoryLow", 5},
        {"memory.high", "6", "MemoryHigh", 6},
        {"pids.max", "512", "TasksMax", 512},
        {"cpu.weight", "59", "CPUWeight", 59},
        {"io.weight", "default 300", "IOWeight", 300},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        autoproperties p = {0};
        assert_int_equal(systemd_property_of_file(&p, cases[i].file, cases[i].value, NULL), 0);
        assert_true(mentions(&p.body, cases[i].property));
        assert_true(last_number(&p) == cases[i].number);
    }
}

static void a_quota_is_rounded_up_to_what_systemd_can_keep(void **state)
{
    (void)state;
    static const struct {
        const char *value;
        uint64_t share, period;
    } cases[] = {
        {"50000 100000", 500000, 100000},
        {"1001 100000", 20000, 100000},
        {"150000 50000", 3000000, 50000},
        {"max 100000", UINT64_MAX, 100000},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        autoproperties p = {0};
        assert_int_equal(systemd_property_of_file(&p, "cpu.max", cases[i].value, NULL), 0);
        assert_true(mentions(&p.body, "CPUQuotaPeriodUSec"));
        assert_true(last_number(&p) == cases[i].period);
        assert_non_null(memmem(p.body.data, p.body.len, &cases[i].share, sizeof(uint64_t)));
    }
}

static void a_set_of_processors_becomes_its_bits(void **state)
{
    (void)state;
    static const unsigned char expected[] = {3, 0, 0, 0, 0x0f, 0x80, 0x01};
    autoproperties p = {0};
    assert_int_equal(systemd_property_of_file(&p, "cpuset.cpus", "0-3,15-16", NULL), 0);
    assert_true(mentions(&p.body, "AllowedCPUs"));
    assert_memory_equal(p.body.data + p.body.len - sizeof expected, expected, sizeof expected);
}

static void what_is_no_value_of_the_file_is_an_error_and_changes_nothing(void **state)
{
    (void)state;
    static const char *const bad[][2] = {
        {"memory.max", "-1"},     {"memory.max", ""},        {"pids.max", "1 "},
        {"cpu.max", "1"},         {"cpu.max", "1 0"},        {"cpu.max", "x 100000"},
        {"cpuset.cpus", "3-1"},   {"cpuset.cpus", "0-8192"}, {"cpuset.cpus", "1,,2"},
        {"cpuset.cpus", "0-1-2"},
    };
    autoproperties p = {0};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct error err = {0};
        if (systemd_property_of_file(&p, bad[i][0], bad[i][1], &err) != -EINVAL)
            fail_msg("taken: %s in %s", bad[i][1], bad[i][0]);
        assert_non_null(strstr(err.text, bad[i][0]));
    }
    assert_int_equal(systemd_property_of_file(&p, "cgroup.freeze", "1", NULL), 0);
    assert_int_equal(p.body.len, 0);
}

/* --- units -------------------------------------------------------------------------------------
 */

static void answer_group(int fd, const struct dbus_message *call)
{
    const char *interface = NULL, *name = NULL;
    if (!streq(call->path, "/org/freedesktop/systemd1/unit/caisson_2dx_2escope") ||
        dbus_read(call, "ss", &interface, &name) < 0 || !streq(interface, SYSTEMD ".Scope") ||
        !streq(name, "ControlGroup"))
        peer_answer_error(fd, call, "org.example.Unexpected", call->path);
    else
        peer_answer_text(fd, call, "v", "/user.slice/app.slice/caisson-x.scope");
}

/* As the manager does: what is asked for in the right words is done. */
static bool starts(int fd)
{
    static const char *const words[] = {"caisson-x.scope",     "fail",      "Delegate",
                                        "caisson container x", "app.slice", "PIDs",
                                        "inactive-or-failed",  "TasksMax"};
    struct dbus_message call;
    if (!peer_welcome(fd))
        return false;
    while (peer_receive(fd, &call)) {
        struct buf body = {(char *)(uintptr_t)call.body, call.body_size, 0};
        bool good = streq(call.signature, "ssa(sv)a(sa(sv))");
        if (streq(call.member, "Get")) {
            answer_group(fd, &call);
            continue;
        }
        for (size_t i = 0; i < sizeof words / sizeof *words; i++)
            good &= mentions(&body, words[i]);
        if (!streq(call.member, "StartTransientUnit") || !good) {
            peer_answer_error(fd, &call, "org.example.Unexpected", call.member);
            continue;
        }
        peer_answer_text(fd, &call, "o", JOB);
        peer_job_removed(fd, "/org/freedesktop/systemd1/job/6", "other.scope", "failed");
        peer_job_removed(fd, JOB, "caisson-x.scope", "done");
    }
    return true;
}

static void a_scope_is_there_when_its_job_is_done(void **state)
{
    (void)state;
    struct peer peer;
    struct error err = {0};
    autobuf group = {0};
    peer_start(&peer, private, starts);
    if (systemd_start(&scope, &group, &err) < 0)
        fail_msg("%s", err.text);
    assert_string_equal(buf_text(&group), "user.slice/app.slice/caisson-x.scope");
    peer_end(&peer);
}

static bool fails_to_start(int fd)
{
    struct dbus_message call;
    if (peer_welcome(fd) && peer_receive(fd, &call)) {
        peer_answer_text(fd, &call, "o", JOB);
        peer_job_removed(fd, JOB, "caisson-x.scope", "failed\x1b[m");
        while (peer_receive(fd, &call))
            ;
    }
    return true;
}

static void a_job_that_fails_is_an_error_that_says_how(void **state)
{
    (void)state;
    struct peer peer;
    struct error err = {0};
    peer_start(&peer, private, fails_to_start);
    assert_int_equal(systemd_start(&scope, NULL, &err), -ECANCELED);
    assert_string_equal(err.text,
                        "systemd could not start caisson-x.scope (failed\\x1b[m): its journal says "
                        "why");
    peer_end(&peer);
}

/* It failed once, and goes when it is reset. */
static bool has_failed(int fd)
{
    struct dbus_message call;
    bool reset = false;
    if (!peer_welcome(fd))
        return false;
    while (peer_receive(fd, &call)) {
        if (streq(call.member, "ResetFailedUnit")) {
            reset = true;
            peer_answer(fd, &call, "", NULL);
        } else if (!reset) {
            peer_answer_error(fd, &call, SYSTEMD ".UnitExists", "exists");
        } else {
            peer_answer_text(fd, &call, "o", JOB);
            peer_job_removed(fd, JOB, "caisson-x.scope", "done");
        }
    }
    return true;
}

static bool has_it(int fd)
{
    struct dbus_message call;
    if (!peer_welcome(fd))
        return false;
    while (peer_receive(fd, &call))
        if (streq(call.member, "StartTransientUnit"))
            peer_answer_error(fd, &call, SYSTEMD ".UnitExists", "exists");
        else
            peer_answer(fd, &call, "", NULL);
    return true;
}

static void a_unit_that_has_the_name_is_an_error_unless_it_only_failed_once(void **state)
{
    (void)state;
    struct peer peer;
    struct error err = {0};
    peer_start(&peer, private, has_failed);
    assert_int_equal(systemd_start(&scope, NULL, &err), 0);
    peer_end(&peer);
    peer_start(&peer, private, has_it);
    assert_int_equal(systemd_start(&scope, NULL, &err), -EEXIST);
    assert_non_null(strstr(err.text, "caisson-x.scope already"));
    peer_end(&peer);
}

static bool answers_nonsense(int fd)
{
    struct dbus_message call;
    if (!peer_welcome(fd))
        return false;
    while (peer_receive(fd, &call))
        peer_answer_text(fd, &call, "s", "/not/a/path");
    return true;
}

static void an_answer_of_another_kind_is_an_error(void **state)
{
    (void)state;
    struct peer peer;
    struct error err = {0};
    autobuf group = {0};
    peer_start(&peer, private, answers_nonsense);
    assert_int_equal(systemd_start(&scope, NULL, &err), -EBADMSG);
    assert_int_equal(systemd_answers(SYSTEMD_USER, &group, &err), -EBADMSG);
    assert_int_equal(group.len, 0);
    peer_end(&peer);
}

static bool knows_nothing(int fd)
{
    struct dbus_message call;
    if (!peer_welcome(fd))
        return false;
    while (peer_receive(fd, &call))
        peer_answer_error(fd, &call, SYSTEMD ".NoSuchUnit", "not loaded");
    return true;
}

static void ending_what_is_gone_is_no_error_and_changing_it_is_one(void **state)
{
    (void)state;
    struct peer peer;
    struct error err = {0};
    autoproperties limits = {0};
    assert_int_equal(systemd_property_of_file(&limits, "pids.max", "5", NULL), 0);
    peer_start(&peer, private, knows_nothing);
    assert_int_equal(systemd_stop(SYSTEMD_USER, "caisson-x.scope", &err), 0);
    assert_int_equal(systemd_set(SYSTEMD_USER, "caisson-x.scope", &limits, &err), -EREMOTEIO);
    assert_non_null(strstr(err.text, "not loaded"));
    peer_end(&peer);
}

/* A bus wants Hello, a name for whom a call is, and to be asked for signals. */
static bool is_bus(int fd)
{
    struct dbus_message call;
    bool hello = false, match = false;
    if (!peer_welcome(fd))
        return false;
    while (peer_receive(fd, &call)) {
        if (streq(call.member, "Hello")) {
            hello = true;
            peer_answer_text(fd, &call, "s", ":1.9");
        } else if (hello && streq(call.member, "AddMatch")) {
            match = true;
            peer_answer(fd, &call, "", NULL);
        } else if (match) {
            peer_answer_text(fd, &call, "o", JOB);
            peer_job_removed(fd, JOB, "caisson-x.scope", "done");
        } else {
            peer_answer_error(fd, &call, "org.freedesktop.DBus.Error.AccessDenied", "no Hello");
        }
    }
    return true;
}

static void without_its_own_socket_the_manager_is_asked_over_the_bus(void **state)
{
    (void)state;
    struct peer peer;
    struct error err = {0};
    unlink(private);
    peer_start(&peer, bus, is_bus);
    if (systemd_start(&scope, NULL, &err) < 0)
        fail_msg("%s", err.text);
    autofree char *other = xasprintf("unix:path=%s,guid=0123;tcp:host=example.org", bus);
    setenv("XDG_RUNTIME_DIR", "/nonexistent", 1);
    setenv("DBUS_SESSION_BUS_ADDRESS", other, 1);
    assert_int_equal(systemd_start(&scope, NULL, NULL), 0);
    setenv("DBUS_SESSION_BUS_ADDRESS", "tcp:host=127.0.0.1,port=1", 1);
    assert_int_equal(systemd_start(&scope, NULL, NULL), -ENOENT);
    unsetenv("DBUS_SESSION_BUS_ADDRESS");
    setenv("XDG_RUNTIME_DIR", directory, 1);
    peer_end(&peer);
    unlink(bus);
}

static void without_anybody_the_error_says_who_is_missing(void **state)
{
    (void)state;
    struct error err = {0};
    unlink(private);
    unlink(bus);
    assert_int_equal(systemd_answers(SYSTEMD_USER, NULL, &err), -ENOENT);
    if (access("/run/systemd/system", F_OK) == 0) {
        assert_true(starts_with(err.text, "no user manager of systemd answers"));
        return;
    }
    assert_string_equal(err.text, "systemd does not run on this host");
    assert_int_equal(systemd_answers(SYSTEMD_HOST, NULL, &err), -ENOENT);
    assert_string_equal(err.text, "systemd does not run on this host");
}

static int make_directory(void **state)
{
    (void)state;
    char below[64];
    if (!mkdtemp(directory))
        return -1;
    snprintf(below, sizeof below, "%s/systemd", directory);
    snprintf(private, sizeof private, "%s/systemd/private", directory);
    snprintf(bus, sizeof bus, "%s/bus", directory);
    unsetenv("DBUS_SESSION_BUS_ADDRESS");
    setenv("XDG_RUNTIME_DIR", directory, 1);
    return mkdir(below, 0700);
}

static int remove_directory(void **state)
{
    (void)state;
    char below[64];
    snprintf(below, sizeof below, "%s/systemd", directory);
    unlink(private);
    unlink(bus);
    rmdir(below);
    return rmdir(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_of_units_are_those_that_systemd_takes),
        cmocka_unit_test(slices_have_single_dashes_between_their_parts),
        cmocka_unit_test(numbers_become_the_property_of_their_file),
        cmocka_unit_test(a_quota_is_rounded_up_to_what_systemd_can_keep),
        cmocka_unit_test(a_set_of_processors_becomes_its_bits),
        cmocka_unit_test(what_is_no_value_of_the_file_is_an_error_and_changes_nothing),
        cmocka_unit_test(a_scope_is_there_when_its_job_is_done),
        cmocka_unit_test(a_job_that_fails_is_an_error_that_says_how),
        cmocka_unit_test(a_unit_that_has_the_name_is_an_error_unless_it_only_failed_once),
        cmocka_unit_test(an_answer_of_another_kind_is_an_error),
        cmocka_unit_test(ending_what_is_gone_is_no_error_and_changing_it_is_one),
        cmocka_unit_test(without_its_own_socket_the_manager_is_asked_over_the_bus),
        cmocka_unit_test(without_anybody_the_error_says_who_is_missing),
    };
    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
