/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/text.h"
#include "runtime/devices.h"

static void assert_device(const char *text, const char *path, unsigned access)
{
    struct device_spec d;
    struct error err = {0};

    if (device_parse(text, &d, &err) < 0)
        fail_msg("%s: %s", text, err.text);
    assert_string_equal(d.host, "/dev/null");
    assert_string_equal(d.path, path);
    assert_int_equal(d.access, access);
    assert_true(d.type == 'c' && d.major == 1 && d.minor == 3);
    struct device_rule rule = device_rule_of(&d);
    assert_true(rule.allow && rule.type == 'c' && rule.major == 1 && rule.minor == 3);
    assert_int_equal(rule.access, access);
    device_spec_free(&d);
}

static void devices_are_read_as_docker_writes_them(void **state)
{
    (void)state;
    assert_device("/dev/null", "/dev/null", DEVICE_RWM);
    assert_device("/dev/null:r", "/dev/null", DEVICE_READ);
    assert_device("/dev/null:/dev/hole", "/dev/hole", DEVICE_RWM);
    assert_device("/dev/null:/dev/a/hole:wr", "/dev/a/hole", DEVICE_READ | DEVICE_WRITE);
    assert_device("/dev/../dev/null:/dev/x", "/dev/x", DEVICE_RWM);
}

static void a_link_of_the_host_is_resolved_once(void **state)
{
    char dir[] = "/tmp/test-devices-XXXXXX", link[64], text[128];
    struct device_spec d;
    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(link, sizeof(link), "%s/link", dir);
    assert_int_equal(symlink("/dev/null", link), 0);
    snprintf(text, sizeof(text), "%s:/dev/x", link);
    assert_int_equal(device_parse(text, &d, NULL), 0);
    assert_string_equal(d.host, "/dev/null");
    device_spec_free(&d);
    /* Its own place is not below /dev, so one has to be given. */
    assert_int_equal(device_parse(link, &d, NULL), -EINVAL);
    assert_int_equal(unlink(link), 0);
    assert_int_equal(rmdir(dir), 0);
}

static void what_is_no_device_is_refused(void **state)
{
    static const struct {
        const char *text;
        int code;
    } bad[] = {
        {"", -EINVAL},
        {"null", -EINVAL},
        {"dev/null", -EINVAL},
        {"/dev/null:", -EINVAL},
        {"/dev/null:x", -EINVAL},
        {"/dev/null:rr", -EINVAL},
        {"/dev/null:/dev/x:", -EINVAL},
        {"/dev/null:/dev/x:rw:m", -EINVAL},
        {"/dev/null:/dev/../etc/x", -EINVAL},
        {"/dev/null:/etc/x", -EINVAL},
        {"/dev/null:/dev", -EINVAL},
        {"/dev/null:dev/x:rw", -EINVAL},
        {"vendor.example/device=one", -EINVAL},
        {"/dev:/dev/x", -EISDIR},
        {"/proc/self/status:/dev/x", -ENODEV},
        {"/dev/there-is-no-such-device", -ENOENT},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        struct device_spec d = {.major = 77};
        struct error err = {0};
        int rc = device_parse(bad[i].text, &d, &err);
        if (rc != bad[i].code || d.major != 77 || !starts_with(err.text, "--device"))
            fail_msg("'%s': %d, %s", bad[i].text, rc, err.text);
    }
}

static void rules_are_read_and_refused(void **state)
{
    static const char *const bad[] = {"",          "c",          "d 1:3 r",       "c 1 r",
                                      "c 1:3",     "c 1:3 x",    "c 1:3 rr",      "c 1:3 ",
                                      "c  1:3 r",  "c 4096:0 r", "c 0:1048576 r", "c -1:3 r",
                                      "c 1:3:4 r", "cc 1:3 r",   "c 1:3 r w",     "a 1:3"};
    struct device_rule r;
    (void)state;
    assert_int_equal(device_rule_parse("c 10:229 rwm", &r, NULL), 0);
    assert_true(r.type == 'c' && r.major == 10 && r.minor == 229 && r.access == DEVICE_RWM);
    assert_int_equal(device_rule_parse("b 8:* r", &r, NULL), 0);
    assert_true(r.type == 'b' && r.major == 8 && r.minor == -1 && r.access == DEVICE_READ);
    assert_int_equal(device_rule_parse("a", &r, NULL), 0);
    assert_true(r.type == 'a' && r.major == -1 && r.minor == -1 && r.access == DEVICE_RWM);
    assert_true(r.allow);
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        if (device_rule_parse(bad[i], &r, NULL) != -EINVAL)
            fail_msg("'%s' was taken", bad[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(devices_are_read_as_docker_writes_them),
        cmocka_unit_test(a_link_of_the_host_is_resolved_once),
        cmocka_unit_test(what_is_no_device_is_refused),
        cmocka_unit_test(rules_are_read_and_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
