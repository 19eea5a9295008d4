/* SPDX-License-Identifier: Apache-2.0 */
/* config.json that was damaged, and plans that could not be read back. */
#include "plan-kit.h"

#include <sys/resource.h>
#include <sys/sysmacros.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/memory.h"
#include "base/text.h"

/* --- damage ------------------------------------------------------------------------------------
 */

struct damage {
    const char *path;  /* of the member */
    const char *value; /* JSON that takes its place; NULL: it is removed */
    const char *named; /* what the error must begin with, after "config.json: " */
};

static const struct damage damages[] = {
    {"ociVersion", "\"2.0\"", "ociVersion must"},
    {"ociVersion", NULL, "ociVersion is missing"},
    {"process", NULL, "process is missing"},
    {"process", "[]", "process must be an object"},
    {"process.args", "[]", "process.args must"},
    {"process.args", NULL, "process.args is missing"},
    {"process.args", "\"sh\"", "process.args must be an array"},
    {"process.args.1", "7", "process.args[1] must be a string"},
    {"process.env.0", "\"nothing\"", "process.env[0] must"},
    {"process.env.0", "\"=x\"", "process.env[0] must"},
    {"process.cwd", "\"srv\"", "process.cwd must be an absolute path"},
    {"process.cwd", "\"/srv/../..\"", "process.cwd must be an absolute path"},
    {"process.terminal", "1", "process.terminal must be true or false"},
    {"process.noNewPrivileges", "\"false\"", "process.noNewPrivileges must"},
    {"process.user", NULL, "process.user is missing"},
    {"process.user.uid", "-1", "process.user.uid must"},
    {"process.user.uid", "4294967295", "process.user.uid must"},
    {"process.user.uid", "1.5", "process.user.uid must"},
    {"process.user.gid", NULL, "process.user.gid is missing"},
    {"process.user.umask", "512", "process.user.umask must"},
    {"process.user.additionalGids.0", "4294967295", "process.user.additionalGids[0]"},
    {"process.user.additionalGids", "5", "process.user.additionalGids must"},
    {"process.capabilities.bounding", "\"ALL\"", "process.capabilities.bounding must"},
    {"process.capabilities.bounding.0", "\"ALL\"", "process.capabilities.bounding[0] must"},
    {"process.capabilities.effective.0", "\"CAP_MAGIC\"", "process.capabilities.effective[0]"},
    {"process.rlimits.0.type", "\"RLIMIT_LUCK\"", "process.rlimits[0].type must"},
    {"process.rlimits.0.type", "\"nofile\"", "process.rlimits[0].type must"},
    {"process.rlimits.0.soft", "5000", "process.rlimits[0].soft must be at most"},
    {"process.rlimits.0.hard", "-2", "process.rlimits[0].hard must"},
    {"process.rlimits.0", "[]", "process.rlimits[0].type must"},
    {"process.apparmorProfile", "\"a\\nb\"", "process.apparmorProfile must"},
    {"process.oomScoreAdj", "1001", "process.oomScoreAdj must"},
    {"root.path", "\"/\"", "root.path must"},
    {"root.readonly", "0", "root.readonly must"},
    {"hostname", "\"a\\u001bb\"", "hostname must"},
    {"hostname", "{}", "hostname must be a string"},
    {"mounts", NULL, "mounts is missing"},
    {"mounts", "[]", "mounts must have at least"},
    {"mounts.6.destination", "\"data\"", "mounts[6].destination must"},
    {"mounts.6.destination", "\"/a/../..\"", "mounts[6].destination must"},
    {"mounts.6.destination", "\"/\"", "mounts[6].destination must"},
    {"mounts.6.destination", NULL, "mounts[6].destination must"},
    {"mounts.6.type", "\"nfs\"", "mounts[6].type must"},
    {"mounts.6.source", "\"volumes/../x\"", "mounts[6].source must"},
    {"mounts.6.source", "\"volumes/.new.x\"", "mounts[6].source must"},
    {"mounts.6.source", "\"volumes/a/b\"", "mounts[6].source must"},
    {"mounts.6.source", "\"volumes/\"", "mounts[6].source must"},
    {"mounts.6.source", "\"images/busybox\"", "mounts[6].source must"},
    {"mounts.8.options.7", "\"subpath=../x\"", "mounts[8].options has \"subpath=../x\""},
    {"mounts.8.options.7", "\"subpath=/x\"", "mounts[8].options has \"subpath=/x\""},
    {"mounts.9.options", "[]", "mounts[9].options must"},
    {"mounts.6.source", "\"x\"", "mounts[6].source must"},
    {"mounts.6.source", NULL, "mounts[6].source must"},
    {"mounts.6.options.0", "\"rebind\"", "mounts[6].options has \"rebind\""},
    {"mounts.6.options", NULL, "mounts[6].options must"},
    {"mounts.7.options.0", "\"size=1,exec\"", "mounts[7].options has \"size=1,exec\""},
    {"mounts.7.options.0", "\"context=x\"", "mounts[7].options has \"context=x\""},
    {"annotations", "[]", "annotations must"},
    {"annotations.note", "1", "annotations.note must"},
    {"annotations", "{\"a=b\":\"c\"}", "annotations may not have a member called \"a=b\""},
    {"linux.namespaces", "[]", "linux.namespaces must have an element of type \"mount\""},
    {"linux.namespaces", NULL, "linux.namespaces is missing"},
    {"linux.namespaces.0.type", "\"time\"", "linux.namespaces[0].type must"},
    {"linux.namespaces.0.type", "\"mount\"", "linux.namespaces[0].path"},
    {"linux.namespaces.0.path", "\"/proc/1/ns/pid\"", "linux.namespaces[0].path must"},
    {"linux.namespaces.0.path", "\"container:../x\"", "linux.namespaces[0].path must"},
    {"linux.namespaces.1.type", "\"pid\"", "linux.namespaces[1].type is there twice"},
    {"linux.uidMappings.0.size", "1", "linux.uidMappings[0].size must"},
    {"linux.uidMappings.0.hostID", "4294967295", "linux.uidMappings[0].hostID must"},
    {"linux.gidMappings.0.hostID", "5", "linux.gidMappings must be the same"},
    {"linux.uidMappings", "[]", "linux.uidMappings must"},
    {"linux.devices", "[]", "linux.devices must have as many"},
    {"linux.devices", NULL, "linux.devices is missing"},
    {"linux.devices.0.path", "\"null\"", "linux.devices[0].path must"},
    {"linux.devices.0.type", "\"p\"", "linux.devices[0].type must"},
    {"linux.devices.0.major", "\"1\"", "linux.devices[0].major must"},
    {"linux.cgroupsPath", "\"elsewhere/other\"", "linux.cgroupsPath must"},
    {"linux.cgroupsPath", "\"../0123456789ab\"", "linux.cgroupsPath: "},
    {"linux.resources.devices", "[]", "linux.resources.devices must"},
    {"linux.resources.devices.0.access", "\"r\"", "linux.resources.devices[0].access must"},
    {"linux.resources.devices.1.access", "\"rr\"", "linux.resources.devices[1].access must"},
    {"linux.resources.devices.1.type", "\"cc\"", "linux.resources.devices[1].type must"},
    {"linux.resources.devices.1.minor", "-1", "linux.resources.devices[1].minor must"},
    {"linux.resources.devices.1.allow", "null", "linux.resources.devices[1].allow must"},
    {"linux.resources.pids.limit", "\"100\"", "linux.resources.pids.limit must"},
    {"linux.resources.pids.limit", "-2", "linux.resources.pids.limit must"},
    {"linux.resources.cpu.shares", "262145", "linux.resources.cpu.shares must"},
    {"linux.resources.memory", "7", "linux.resources.memory must be an object"},
    {"linux.maskedPaths.1", "\"sys/firmware\"", "linux.maskedPaths[1] must"},
    {"linux.readonlyPaths", "{}", "linux.readonlyPaths must"},
    {"linux.sysctl", "{\"../x\":\"1\"}", "linux.sysctl may not"},
    {"linux.sysctl", "{\"a b\":\"1\"}", "linux.sysctl may not"},
    {"caisson", NULL, "caisson is missing"},
    {"caisson.ipc", "\"host\"", "caisson.ipc must"},
    {"caisson.version", "2", "caisson.version is 2: a newer caisson"},
    {"caisson.version", "\"1\"", "caisson.version must"},
    {"caisson.id", NULL, "caisson.id is missing"},
    {"caisson.id", "\"../x\"", "caisson.id must"},
    {"caisson.id", "\"\"", "caisson.id must"},
    {"caisson.name", "\"-x\"", "caisson.name must"},
    {"caisson.image.id", "\"sha256:1\"", "caisson.image.id must"},
    {"caisson.layers.0", "\"sha256:../../etc\"", "caisson.layers[0] must"},
    {"caisson.level", NULL, "caisson.level is missing"},
    {"caisson.posture.0", "\"x\"", "caisson.posture[0].name is missing"},
    {"caisson.posture.0.relaxed", "\"no\"", "caisson.posture[0].relaxed must"},
    {"caisson.seccomp", "\"none\"", "caisson.seccomp must"},
    {"caisson.seccomp_file", NULL, "caisson.seccomp_file is missing"},
    {"caisson.granted.0", "1", "caisson.granted[0] must"},
    {"caisson.home", "\"home\"", "caisson.home must"},
    {"caisson.files", "[]", "caisson.files must"},
    {"caisson.standard_mounts", "-1", "caisson.standard_mounts must"},
    {"caisson.standard_mounts", "100", "mounts must have at least 100"},
    {"caisson.shm_size", "1e3", "caisson.shm_size must"},
    {"caisson.device_hosts.0.host", "\"null\"", "caisson.device_hosts[0].host must"},
    {"caisson.device_hosts.0.access", "\"x\"", "caisson.device_hosts[0].access must"},
    {"caisson.device_hosts", NULL, "linux.devices must have as many"},
    {"caisson.stop_timeout", "-2", "caisson.stop_timeout must"},
    {"caisson.log.max_file", "-1", "caisson.log.max_file must"},
    {"caisson.labels.empty", "false", "caisson.labels.empty must"},
};

static void damage(json_t *json, const struct damage *d)
{
    autofree char *parent_path = xstrdup(d->path);
    char *dot = strrchr(parent_path, '.');
    const char *key = dot ? dot + 1 : parent_path;
    json_t *parent = json;
    if (dot) {
        *dot = '\0';
        parent = find(json, parent_path);
    }
    assert_non_null(parent);
    json_t *value = d->value ? json_loads(d->value, JSON_DECODE_ANY, NULL) : NULL;
    uint64_t index = 0;
    if (json_is_array(parent)) {
        assert_int_equal(parse_u64(key, 100000, &index), 0);
        assert_int_equal(json_array_set_new(parent, index, value), 0);
    } else if (value) {
        assert_int_equal(json_object_set_new(parent, key, value), 0);
    } else {
        assert_int_equal(json_object_del(parent, key), 0);
    }
}

static void damage_is_an_error_that_names_the_member(void **state)
{
    (void)state;
    autoplan plan = {0};
    full_plan(&plan);
    for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
        autojson json = document(&plan);
        json_object_set_new(find(json, "process.rlimits.1"), "hard", json_integer(-1));
        damage(json, &damages[i]);
        autofree char *text = json_dumps(json, 0);
        struct plan untouched = {.uid = 77};
        struct error err = {0};
        autofree char *expected = xasprintf("config.json: %s", damages[i].named);
        int rc = plan_read(text, strlen(text), &untouched, &err);
        if (rc != -EINVAL || !starts_with(err.text, expected))
            fail_msg("%s = %s: %d, \"%s\"", damages[i].path,
                     damages[i].value ? damages[i].value : "(removed)", rc, err.text);
        assert_int_equal(untouched.uid, 77);
        assert_null(untouched.id);
    }
}

static void a_cut_document_is_an_error(void **state)
{
    (void)state;
    autoplan plan = {0};
    full_plan(&plan);
    autofree char *text = written(&plan, 0);
    for (size_t length = 0; length < strlen(text); length += 7) {
        autoplan back = {0};
        struct error err = {0};
        assert_int_equal(plan_read(text, length, &back, &err), -EINVAL);
        assert_true(starts_with(err.text, "config.json "));
    }
}

static void other_damage_is_an_error(void **state)
{
    (void)state;
    static const char *const texts[] = {"[]",
                                        "null",
                                        "{}",
                                        "{\"a\":1,\"a\":2}",
                                        "{\"a\":18446744073709551616}",
                                        "{\"a\":\"18446744073709551615"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        autoplan back = {0};
        assert_int_equal(plan_read(texts[i], strlen(texts[i]), &back, NULL), -EINVAL);
    }
    autoplan back = {0};
    struct error err = {0};
    autofree char *huge = xcalloc(1, PLAN_TEXT_MAX + 1);
    assert_int_equal(plan_read(huge, PLAN_TEXT_MAX + 1, &back, &err), -EFBIG);
    assert_non_null(strstr(err.text, "larger than"));
    static const char with_nul[] = "{\"a\":18446744073709551615,\0}";
    assert_int_equal(plan_read(with_nul, sizeof with_nul - 1, &back, &err), -EINVAL);
}

static void members_it_does_not_know_are_left_alone(void **state)
{
    (void)state;
    autoplan plan = {0}, back = {0};
    small_plan(&plan);
    autojson json = document(&plan);
    json_object_set_new(json, "hooks", json_object());
    json_object_set_new(find(json, "caisson"), "tomorrow", json_integer(1));
    autofree char *text = json_dumps(json, 0);
    read_back(text, &back);
    assert_string_equal(back.id, "0123456789ab");
}

/* DESIGN.md: writing is on the way of every run. Only a sign of a gross mistake: sanitizers and a
 * busy machine are slow, so the bound is far from the 50 µs aimed at. */
/* --- what is planned can be read back -----------------------------------------------------------
 */

static bool comes_back(const struct plan *plan)
{
    autoplan back = {0};
    autofree char *text = written(plan, 0);
    plan_init(&back);
    return plan_read(text, strlen(text), &back, NULL) == 0;
}

static char *repeated(const char *text, size_t count)
{
    autobuf out = {0};
    for (size_t i = 0; i < count; i++)
        buf_str(&out, text);
    return buf_take(&out);
}

/* Whatever plan_check() lets through is read; what is refused could not be, or is not UTF-8. */
static void assert_held_together(const struct plan *plan, const char *what, const char *text)
{
    struct error err = {0};
    bool good = plan_check(plan, &err) == 0, read = comes_back(plan);
    if (good && !read)
        fail_msg("%s \"%.40s\" was planned and cannot be read", what, text);
    if (!good && read && json_keeps(text))
        fail_msg("%s \"%.40s\" could be read and was refused: %s", what, text, err.text);
}

static void a_plan_with_any_text_is_refused_or_comes_back(void **state)
{
    (void)state;
    autofree char *long_text = repeated("a", 5000), *long_path = repeated("/a", 2047),
                  *longer_path = repeated("/a", 2048), *bytes = repeated("\xff", 100);
    autofree char *byte_path = xasprintf("/%s", bytes);
    const char *const texts[] = {
        "",          "x",      "/",      "/x",       "//",      "/x/../y", "../x",      "a\nb",
        "SIGRTM\ax", "\x7f",   "\xff",   "\xc2\x9b", "=",       "a=b",     "=b",        "a==",
        "-1",        "\xff=1", DIGEST_A, "sha256:",  long_text, long_path, longer_path, byte_path};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        autoplan plan = {0};
        full_plan(&plan);
        char **const members[] = {&plan.id,
                                  &plan.name,
                                  &plan.hostname,
                                  &plan.domainname,
                                  &plan.image_name,
                                  &plan.image_id,
                                  &plan.image_manifest,
                                  &plan.cwd,
                                  &plan.user_text,
                                  &plan.seccomp_file,
                                  &plan.stop_signal,
                                  &plan.passwd,
                                  &plan.home,
                                  &plan.restart,
                                  &plan.log_driver,
                                  &plan.log_tag,
                                  &plan.created,
                                  &plan.cid_file,
                                  &plan.posture.level,
                                  &plan.posture.items[0].asked,
                                  &plan.posture.items[1].why,
                                  &plan.mounts[0].target,
                                  &plan.mounts[1].target,
                                  &plan.mounts[2].subpath,
                                  &plan.mounts[2].source,
                                  &plan.args.items[1],
                                  &plan.layers.items[0],
                                  &plan.masked.items[0],
                                  &plan.labels.items[0],
                                  &plan.log_labels.items[0],
                                  &plan.annotations.items[0]};
        for (size_t m = 0; m < sizeof members / sizeof *members; m++) {
            char *before = *members[m], number[40];
            *members[m] = (char *)(uintptr_t)texts[i];
            snprintf(number, sizeof number, "member %zu", m);
            assert_held_together(&plan, number, texts[i]);
            *members[m] = before;
        }
        assert_int_equal(plan_check(&plan, NULL), 0);
    }
}

static void a_plan_with_any_number_of_things_is_refused_or_comes_back(void **state)
{
    (void)state;
    autoplan plan = {0};
    full_plan(&plan);
    plan.health.interval = INT64_MAX;
    plan.health.retries = 0;
    plan.stop_timeout = (int64_t)INT32_MAX + 1;
    assert_held_together(&plan, "a stop timeout", "");
    assert_true(plan_check(&plan, NULL) < 0);
    plan.stop_timeout = 10;
    for (int i = 0; i < 65537; i++)
        strv_add(&plan.env, "A=b");
    assert_held_together(&plan, "variables", "");
    assert_true(plan_check(&plan, NULL) < 0);
    strv_free(&plan.env);
    strv_add(&plan.env, "nothing");
    assert_held_together(&plan, "a variable", "");
    strv_free(&plan.env);
    strv_free(&plan.args);
    assert_held_together(&plan, "no words", "");
    assert_true(plan_check(&plan, NULL) < 0);
}

/* Bytes that JSON writes as six: what is small as a plan is not as a file. */
static void a_plan_too_long_to_be_read_is_not_written(void **state)
{
    (void)state;
    struct error err = {0};
    autobuf out = {0};
    autoplan plan = {0};
    full_plan(&plan);
    assert_int_equal(plan_write_checked(&plan, PLAN_TEXT_MAX, &out, &err), 0);
    free(plan.passwd);
    plan.passwd = repeated("\xff", PLAN_TEXT_MAX / 6);
    assert_int_equal(plan_check(&plan, &err), 0);
    buf_clear(&out);
    assert_int_equal(plan_write_checked(&plan, PLAN_TEXT_MAX, &out, &err), -EFBIG);
    assert_false(comes_back(&plan));
}

static void checking_is_quick(void **state)
{
    (void)state;
    autoplan plan = {0};
    full_plan(&plan);
    uint64_t best = UINT64_MAX;
    for (int i = 0; i < 200; i++) {
        uint64_t start = (uint64_t)clock_monotonic();
        assert_int_equal(plan_check(&plan, NULL), 0);
        uint64_t took = (uint64_t)clock_monotonic() - start;
        best = took < best ? took : best;
    }
    print_message("plan_check: %llu ns at best\n", (unsigned long long)best);
    assert_true(best < 1000000);
}

static void writing_is_quick(void **state)
{
    (void)state;
    autoplan plan = {0};
    full_plan(&plan);
    uint64_t best = UINT64_MAX;
    for (int i = 0; i < 200; i++) {
        autobuf out = {0};
        uint64_t start = (uint64_t)clock_monotonic();
        plan_write(&plan, 0, &out);
        uint64_t took = (uint64_t)clock_monotonic() - start;
        best = took < best ? took : best;
    }
    print_message("plan_write: %llu ns at best\n", (unsigned long long)best);
    assert_true(best < 1000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(damage_is_an_error_that_names_the_member),
        cmocka_unit_test(a_cut_document_is_an_error),
        cmocka_unit_test(other_damage_is_an_error),
        cmocka_unit_test(members_it_does_not_know_are_left_alone),
        cmocka_unit_test(a_plan_with_any_text_is_refused_or_comes_back),
        cmocka_unit_test(a_plan_with_any_number_of_things_is_refused_or_comes_back),
        cmocka_unit_test(a_plan_too_long_to_be_read_is_not_written),
        cmocka_unit_test(checking_is_quick),
        cmocka_unit_test(writing_is_quick),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
