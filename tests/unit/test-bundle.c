/* SPDX-License-Identifier: Apache-2.0 */
/* Configurations from outside: what becomes of their members, and which are refused. */
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/mount.h>
/* cmocka wants the three headers above */
#include <cmocka.h>

#include "base/cleanup.h"
#include "base/memory.h"
#include "base/text.h"
#include "runtime/bundle.h"
#include "runtime/syscalls.h"

#define PROCESS "\"process\":{\"args\":[\"sh\"],\"cwd\":\"/\",\"user\":{\"uid\":1,\"gid\":2}}"
#define NAMESPACES "\"namespaces\":[{\"type\":\"mount\"},{\"type\":\"pid\"},{\"type\":\"network\"}]"

/* A whole document around more members of the top and of linux. */
static char *document(const char *top, const char *linux_part)
{
    return xasprintf("{\"ociVersion\":\"1.2.0\",\"root\":{\"path\":\"rootfs\"}," PROCESS
                     "%s%s,\"linux\":{" NAMESPACES "%s%s}}",
                     *top ? "," : "", top, *linux_part ? "," : "", linux_part);
}

static int read_parts(const char *top, const char *linux_part, struct bundle *out,
                      struct error *err)
{
    autofree char *text = document(top, linux_part);
    return bundle_parse(text, strlen(text), "/srv/web", out, err);
}

static void accepts(const char *top, const char *linux_part, struct bundle *out)
{
    struct error err = {0};
    if (read_parts(top, linux_part, out, &err) < 0)
        fail_msg("%s", err.text);
}

static void refuses_with(int code, const char *top, const char *linux_part, const char *sentence)
{
    autobundle bundle = {0};
    struct error err = {0};
    assert_int_equal(read_parts(top, linux_part, &bundle, &err), code);
    if (!starts_with(err.text, sentence))
        fail_msg("expected: %s\ngot: %s", sentence, err.text);
}

static void what_is_not_said_is_not_asked_for(void **state)
{
    autobundle b = {0};
    (void)state;
    accepts("", "", &b);
    assert_false(b.plan.no_new_privs);
    assert_false(b.plan.root_read_only);
    assert_int_equal(b.plan.umask, -1);
    assert_int_equal(b.plan.oom_score_adj, INT64_MIN);
    assert_int_equal(b.plan.limits.memory, CGROUP_UNSET);
    assert_int_equal(b.plan.caps.bounding, 0);
    assert_null(b.seccomp);
    assert_null(b.cgroup_parent);
    assert_string_equal(b.rootfs, "/srv/web/rootfs");
    assert_int_equal(b.plan.uid, 1);
    assert_int_equal(b.plan.gid, 2);
}

static void devices_are_denied_but_for_those_that_every_container_has(void **state)
{
    autobundle b = {0};
    (void)state;
    accepts("", "", &b);
    assert_false(b.plan.limits.devices_all);
    assert_int_equal(b.plan.limits.device_count, cgroup_default_device_count + 2);
    bundle_free(&b);
    accepts("",
            "\"resources\":{\"devices\":[{\"allow\":true,\"access\":\"rwm\"},"
            "{\"allow\":false,\"access\":\"rwm\"},"
            "{\"allow\":true,\"type\":\"b\",\"major\":8,\"minor\":1,\"access\":\"r\"}]}",
            &b);
    assert_false(b.plan.limits.devices_all);
    assert_false(b.plan.device_rules[0].allow);
    assert_int_equal(b.plan.device_rules[1].major, 8);
    bundle_free(&b);
    accepts("", "\"resources\":{\"devices\":[{\"allow\":false},{\"allow\":true}]}", &b);
    assert_true(b.plan.limits.devices_all);
}

static void the_later_option_of_a_mount_counts(void **state)
{
    autobundle b = {0};
    (void)state;
    accepts(
        "\"mounts\":[{\"destination\":\"/a//b/\",\"type\":\"tmpfs\",\"source\":\"t\","
        "\"options\":[\"ro\",\"nosuid\",\"rw\",\"noatime\",\"relatime\",\"size=1m\",\"mode=700\"]},"
        "{\"destination\":\"/c\",\"source\":\"data\",\"options\":[\"rbind\",\"rro\",\"rslave\"]}]",
        "", &b);
    assert_string_equal(b.mounts[0].target, "/a/b");
    assert_int_equal(b.mounts[0].set & MOUNT_ATTR_RDONLY, 0);
    assert_int_equal(b.mounts[0].clear & MOUNT_ATTR_RDONLY, MOUNT_ATTR_RDONLY);
    assert_int_equal(b.mounts[0].set & MOUNT_ATTR__ATIME, MOUNT_ATTR_RELATIME);
    assert_int_equal(b.mounts[0].set & MOUNT_ATTR_NOSUID, MOUNT_ATTR_NOSUID);
    assert_string_equal(b.mounts[0].data, "size=1m,mode=700");
    assert_true(b.mounts[1].bind && b.mounts[1].recursive);
    assert_string_equal(b.mounts[1].source, "/srv/web/data");
    assert_string_equal(b.mounts[1].type, "bind");
    assert_int_equal(b.mounts[1].set, 0);
    assert_int_equal(b.mounts[1].set_all, MOUNT_ATTR_RDONLY);
    assert_int_equal(b.mounts[1].propagation, MS_SLAVE);
    assert_true(b.mounts[1].propagation_all);
}

static void every_option_that_is_told_is_taken(void **state)
{
    const char *option;
    (void)state;
    for (size_t i = 0; (option = bundle_mount_option(i)); i++) {
        autobundle b = {0};
        bool fs = streq(option, "tmpcopyup") || streq(option, "sync") || streq(option, "dirsync") ||
                  streq(option, "lazytime");
        autofree char *top = xasprintf("\"mounts\":[{\"destination\":\"/a\",\"type\":\"%s\","
                                       "\"source\":\"/b\",\"options\":[\"%s\"]}]",
                                       fs ? "tmpfs" : "bind", option);
        accepts(top, "", &b);
        if (!fs)
            assert_null(b.mounts[0].data); /* a word of its own, and not the file system's */
    }
}

static void zero_and_minus_one_of_limits_are_nothing_and_without_limit(void **state)
{
    autobundle b = {0};
    (void)state;
    accepts("",
            "\"resources\":{\"memory\":{\"limit\":0,\"swap\":-1},\"pids\":{\"limit\":-5},"
            "\"cpu\":{\"shares\":1,\"quota\":0},\"blockIO\":{\"weight\":0}}",
            &b);
    assert_int_equal(b.plan.limits.memory, CGROUP_UNSET);
    assert_int_equal(b.plan.limits.memory_swap, CGROUP_UNLIMITED);
    assert_int_equal(b.plan.limits.pids, CGROUP_UNLIMITED);
    assert_int_equal(b.plan.limits.cpu_shares, 2);
    assert_int_equal(b.plan.limits.cpu_quota, CGROUP_UNSET);
    assert_int_equal(b.plan.limits.blkio_weight, CGROUP_UNSET);
}

static void what_has_no_limit_of_ours_is_a_value_of_a_file(void **state)
{
    autobundle b = {0};
    (void)state;
    accepts("",
            "\"resources\":{\"cpu\":{\"idle\":1},\"blockIO\":{\"throttleReadBpsDevice\":"
            "[{\"major\":8,\"minor\":16,\"rate\":1000}]},\"unified\":{\"memory.high\":\"9\"}}",
            &b);
    assert_int_equal(b.plan.limits.value_count, 3);
    assert_string_equal(b.values[0].v1_file, "cpu.idle");
    assert_string_equal(b.values[1].v1_text, "8:16 1000");
    assert_string_equal(b.values[1].v2_file, "io.max");
    assert_string_equal(b.values[1].v2_text, "8:16 rbps=1000");
    assert_null(b.values[2].v1_file);
    assert_string_equal(b.values[2].v2_file, "memory.high");
}

static void a_control_group_is_placed_where_it_was_asked_for(void **state)
{
    autobundle b = {0};
    (void)state;
    accepts("", "\"cgroupsPath\":\"/a/b/web\"", &b);
    assert_string_equal(b.cgroup_parent, "/a/b");
    assert_string_equal(b.cgroup_name, "web");
    bundle_free(&b);
    accepts("", "\"cgroupsPath\":\"pods/web\"", &b);
    assert_string_equal(b.cgroup_parent, CGROUP_FOREIGN_PARENT "/pods");
    refuses_with(-EINVAL, "", "\"cgroupsPath\":\"/a/../../b\"", "config.json: linux.cgroupsPath");
}

static void a_control_group_of_systemds_is_named_by_slice_prefix_and_name(void **state)
{
    static const struct {
        const char *text, *slice, *unit;
    } good[] = {
        {"kubepods-burstable.slice:cri-containerd:0a1b", "kubepods-burstable.slice",
         "cri-containerd-0a1b.scope"},
        {":docker:web", NULL, "docker-web.scope"},
        {"a.slice::web", "a.slice", "-web.scope"},
        {"::a-b.slice", NULL, "a-b.slice"},
    };
    static const char *const bad[] = {
        "a.slice:web",   "a:b:web",       "a.slice:b:c:d", "a.slice:b:c/d",  "a--b.slice:c:d",
        "a/b.slice:c:d", "a.slice:b:\\n", "a.scope:b:c",   "../a.slice:b:c", "::a--b.slice",
    };
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        autobundle b = {0};
        autofree char *member = xasprintf("\"cgroupsPath\":\"%s\"", good[i].text);
        accepts("", member, &b);
        assert_true(streq(b.cgroup_slice, good[i].slice));
        assert_string_equal(b.cgroup_unit, good[i].unit);
        assert_null(b.cgroup_name);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        autofree char *member = xasprintf("\"cgroupsPath\":\"%s\"", bad[i]);
        refuses_with(-EINVAL, "", member, "config.json: linux.cgroupsPath");
    }
    refuses_with(-ENOTSUP, "", "\"cgroupsPath\":\"::a.slice\"",
                 "config.json: linux.cgroupsPath is not supported");
}

static void a_sysctl_without_a_namespace_of_its_own_is_refused(void **state)
{
    static const char *const names[] = {"kernel.core_pattern", "kernel/core_pattern",
                                        "kernel.hostname", "vm.overcommit_memory",
                                        "kernel.msgmaxx"};
    autobundle b = {0};
    (void)state;
    accepts("", "\"sysctl\":{\"net.ipv4.ip_forward\":\"1\"}", &b);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        autofree char *part = xasprintf("\"sysctl\":{\"%s\":\"1\"}", names[i]);
        refuses_with(-ENOTSUP, "", part, "config.json: linux.sysctl.");
    }
    refuses_with(-EINVAL, "", "\"sysctl\":{\"kernel.msgmax\":\"1\"}",
                 "config.json: linux.sysctl.kernel.msgmax would change the host");
    refuses_with(-EINVAL, "", "\"sysctl\":{\"net..ipv4\":\"1\"}",
                 "config.json: linux.sysctl may not");
    refuses_with(-EINVAL, "", "\"sysctl\":{\"net.a+b\":\"1\"}",
                 "config.json: linux.sysctl may not");
    refuses_with(-EINVAL, "", "\"sysctl\":{\"net.a\":\"1\\nkernel.x=2\"}",
                 "config.json: linux.sysctl.net.a must be");
}

static void a_process_replaces_all_of_the_old_one(void **state)
{
    static const char process[] =
        "{\"args\":[\"ls\"],\"cwd\":\"/tmp\",\"user\":{\"uid\":7,\"gid\":8}}";
    autobundle b = {0};
    struct error err = {0};
    (void)state;
    accepts("", "\"personality\":{\"domain\":\"LINUX32\"}", &b);
    b.plan.no_new_privs = true;
    strv_add(&b.plan.env, "SECRET=1");
    b.plan.caps.bounding = 5;
    if (bundle_read_process(process, strlen(process), &b, &err) < 0)
        fail_msg("%s", err.text);
    assert_string_equal(b.plan.args.items[0], "ls");
    assert_int_equal(b.plan.env.len, 0);
    assert_int_equal(b.plan.caps.bounding, 0);
    assert_false(b.plan.no_new_privs);
    assert_int_equal(b.plan.uid, 7);
    assert_true(b.attributes.has_personality); /* the container's */
}

static void damaged_documents_are_told_and_not_read(void **state)
{
    struct error err = {0};
    autobundle b = {0};
    (void)state;
    assert_int_equal(bundle_parse("{", 1, "/b", &b, &err), -EINVAL);
    assert_true(starts_with(err.text, "config.json"));
    assert_int_equal(bundle_parse("[]", 2, "/b", &b, &err), -EINVAL);
    assert_int_equal(bundle_parse("{\"a\":1,\"a\":2}", 13, "/b", &b, &err), -EINVAL);
    refuses_with(-EINVAL, "\"hostname\":\"a\\nb\"", "", "config.json: hostname must be");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_said_is_not_asked_for),
        cmocka_unit_test(devices_are_denied_but_for_those_that_every_container_has),
        cmocka_unit_test(the_later_option_of_a_mount_counts),
        cmocka_unit_test(every_option_that_is_told_is_taken),
        cmocka_unit_test(zero_and_minus_one_of_limits_are_nothing_and_without_limit),
        cmocka_unit_test(what_has_no_limit_of_ours_is_a_value_of_a_file),
        cmocka_unit_test(a_control_group_is_placed_where_it_was_asked_for),
        cmocka_unit_test(a_control_group_of_systemds_is_named_by_slice_prefix_and_name),
        cmocka_unit_test(a_sysctl_without_a_namespace_of_its_own_is_refused),
        cmocka_unit_test(a_process_replaces_all_of_the_old_one),
        cmocka_unit_test(damaged_documents_are_told_and_not_read),
    };
    return cmocka_run_group_tests_name("bundle", tests, NULL, NULL);
}
