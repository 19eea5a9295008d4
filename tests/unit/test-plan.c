/* SPDX-License-Identifier: Apache-2.0 */
/* config.json, both ways: what was planned comes back. */
#include "plan-kit.h"

#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/cleanup.h"
#include "base/memory.h"
#include "base/text.h"

/* --- tests -------------------------------------------------------------------------------------
 */

static void same_bytes(const struct plan *plan, unsigned indent)
{
    autoplan again = {0};
    autofree char *first = written(plan, indent);
    read_back(first, &again);
    autofree char *second = written(&again, indent);
    assert_string_equal(first, second);
}

static void a_full_plan_comes_back_the_same(void **state)
{
    (void)state;
    autoplan plan = {0};
    full_plan(&plan);
    same_bytes(&plan, 0);
    same_bytes(&plan, 4);
}

static void a_small_plan_comes_back_the_same(void **state)
{
    (void)state;
    autoplan plan = {0};
    small_plan(&plan);
    same_bytes(&plan, 0);
}

static void variants_come_back_the_same(void **state)
{
    (void)state;
    autoplan plan = {0};
    full_plan(&plan);
    plan.all_devices = true;
    plan.namespaces = 0;
    plan.network = PLAN_NET_HOST;
    plan.label.kind = LABEL_SELINUX;
    free(plan.posture.level);
    plan.posture.level = xstrdup("privileged");
    free(plan.cgroup_parent);
    plan.cgroup_parent = xstrdup("/");
    same_bytes(&plan, 0);
    free(plan.cgroup_parent);
    plan.cgroup_parent = NULL;
    plan.device_rule_count = 0;
    plan.seccomp = PLAN_SECCOMP_OFF;
    plan.namespaces = PLAN_NS_NET;
    plan.network = PLAN_NET_NONE;
    same_bytes(&plan, 0);
}

/* Bytes that agree could agree in having lost something: look at the struct as well. */
static void every_member_survives(void **state)
{
    (void)state;
    autoplan plan = {0}, back = {0};
    full_plan(&plan);
    autofree char *text = written(&plan, 0);
    read_back(text, &back);
    assert_string_equal(back.args.items[2], plan.args.items[2]);
    assert_string_equal(back.env.items[2], "LIMIT=18446744073709551615");
    assert_int_equal(back.uid, 1000);
    assert_int_equal(back.gid, 1001);
    assert_int_equal(back.group_count, 2);
    assert_int_equal(back.groups[1], 4294967294u);
    assert_memory_equal(&back.caps, &plan.caps, sizeof plan.caps);
    assert_int_equal(back.granted, plan.granted);
    assert_int_equal(back.umask, 027);
    assert_int_equal(back.open_files, 2048);
    assert_int_equal(back.oom_score_adj, -500);
    assert_int_equal(back.label.kind, LABEL_APPARMOR);
    assert_string_equal(back.label.value, LABEL_APPARMOR_PREFIX "caisson-default");
    assert_int_equal(back.label.length, strlen(LABEL_APPARMOR_PREFIX "caisson-default"));
    assert_memory_equal(back.rlimits, plan.rlimits, 2 * sizeof *plan.rlimits);
    assert_int_equal(back.namespaces, plan.namespaces);
    assert_int_equal(back.network, PLAN_NET_CONTAINER);
    assert_string_equal(back.network_container, "net-owner");
    assert_string_equal(back.ipc_container, "ipc-owner");
    assert_int_equal(back.id_base, 1879048192u);
    assert_string_equal(back.cgroup_parent, "/tenants/a");
    assert_int_equal(back.limits.memory_swap, CGROUP_UNLIMITED);
    assert_int_equal(back.limits.cpu_quota, 150000);
    assert_ptr_equal(back.limits.cpuset_cpus, back.cpuset_cpus);
    assert_ptr_equal(back.limits.devices, back.device_rules);
    assert_int_equal(back.limits.device_count, 2);
    assert_int_equal(back.device_rules[1].type, 'a');
    assert_int_equal(back.device_rules[1].major, -1);
    assert_int_equal(back.device_rules[1].access, DEVICE_MKNOD);
    assert_false(back.device_rules[1].allow);
    assert_string_equal(back.devices[0].host, "/dev/null");
    assert_string_equal(back.devices[0].path, "/dev/nothing");
    assert_int_equal(back.devices[0].access, DEVICE_READ);
    assert_int_equal(back.devices[0].major, 1);
    assert_int_equal(back.devices[0].minor, 3);
    assert_string_equal(back.labels.items[0], "org.example.role=front=end");
    assert_string_equal(back.passwd, plan.passwd);
    assert_string_equal(back.resolv_conf, "");
    assert_true(posture_find(&back.posture, "seccomp")->relaxed);
    assert_null(posture_find(&back.posture, "landlock")->why);
    assert_null(posture_find(&back.posture, "nothing"));
}

static void mounts_survive_with_their_options(void **state)
{
    (void)state;
    autoplan plan = {0}, back = {0};
    full_plan(&plan);
    autofree char *text = written(&plan, 0);
    read_back(text, &back);
    assert_int_equal(back.mount_count, 4);
    const struct plan_mount *bind = &back.mounts[0], *tmp = &back.mounts[1],
                            *volume = &back.mounts[2], *image = &back.mounts[3];
    assert_int_equal(bind->kind, PLAN_BIND);
    assert_string_equal(bind->source, "/home/user/data");
    assert_true(bind->read_only && bind->recursive && bind->idmap);
    assert_false(bind->dev || bind->suid || bind->no_exec || bind->copy_up);
    assert_int_equal(bind->propagation, MS_SLAVE | MS_REC);
    assert_int_equal(tmp->kind, PLAN_TMPFS);
    assert_string_equal(tmp->data, "size=64m,mode=1777");
    assert_true(tmp->no_exec && tmp->copy_up);
    assert_false(tmp->read_only || tmp->recursive);
    assert_int_equal(volume->kind, PLAN_VOLUME);
    assert_string_equal(volume->source, "db-1.data");
    assert_string_equal(volume->subpath, "main/14");
    assert_true(volume->dev && volume->suid && volume->copy_up && volume->anonymous);
    assert_int_equal(image->kind, PLAN_IMAGE);
    assert_string_equal(image->source, DIGEST_A);
    assert_string_equal(image->manifest, DIGEST_B);
    assert_true(image->read_only);
}

static void what_was_not_asked_for_stays_so(void **state)
{
    (void)state;
    autoplan plan = {0}, back = {0};
    small_plan(&plan);
    autofree char *text = written(&plan, 0);
    read_back(text, &back);
    assert_int_equal(back.limits.memory, CGROUP_UNSET);
    assert_int_equal(back.limits.pids, CGROUP_UNSET);
    assert_int_equal(back.umask, -1);
    assert_int_equal(back.oom_score_adj, INT64_MIN);
    assert_null(back.name);
    assert_null(back.passwd);
    assert_null(back.cgroup_parent);
    assert_int_equal(back.label.kind, LABEL_NONE);
}

static void the_configuration_is_true_for_other_runtimes(void **state)
{
    (void)state;
    autoplan plan = {0};
    full_plan(&plan);
    plan.namespaces |= PLAN_NS_NET | PLAN_NS_PID | PLAN_NS_IPC;
    plan.network = PLAN_NET_NONE;
    autojson json = document(&plan);
    static const struct {
        const char *path, *text;
    } strings[] = {
        {"ociVersion", "1.2.0"},
        {"process.cwd", "/srv/app"},
        {"process.apparmorProfile", "caisson-default"},
        {"process.capabilities.effective.0", "CAP_CHOWN"},
        {"process.rlimits.0.type", "RLIMIT_NOFILE"},
        {"root.path", "rootfs"},
        {"mounts.0.destination", "/proc"},
        {"mounts.1.type", "sysfs"},
        {"mounts.1.options.3", "ro"},
        {"mounts.5.options.4", "size=1048576"},
        {"mounts.7.options.0", "rbind"},
        {"mounts.7.options.1", "rro"},
        {"mounts.9.source", "volumes/db-1.data"},
        {"mounts.9.options.8", "subpath=main/14"},
        {"mounts.10.source", "images/" DIGEST_A},
        {"linux.cgroupsPath", "/tenants/a/0123456789ab"},
        {"linux.devices.0.path", "/dev/nothing"},
        {"linux.resources.devices.0.access", "rwm"},
        {"annotations.note", "two\nlines"},
    };
    for (size_t i = 0; i < sizeof strings / sizeof *strings; i++) {
        const char *text = json_string_value(find(json, strings[i].path));
        if (!streq(text, strings[i].text))
            fail_msg("%s is %s", strings[i].path, text ? text : "(none)");
    }
    assert_int_equal(json_integer_value(find(json, "linux.uidMappings.0.hostID")), 1879048192);
    assert_int_equal(json_integer_value(find(json, "linux.uidMappings.0.size")), 65536);
    assert_int_equal(json_integer_value(find(json, "linux.resources.memory.limit")), 512 << 20);
    assert_int_equal(json_integer_value(find(json, "mounts.7.uidMappings.0.containerID")), 1000);
    assert_int_equal(json_integer_value(find(json, "mounts.7.uidMappings.0.hostID")),
                     1879048192 + 1000);
    assert_true(json_is_false(find(json, "linux.resources.devices.0.allow")));
    assert_int_equal(json_array_size(find(json, "linux.namespaces")), 7);
}

static void a_joined_namespace_has_no_path_that_exists(void **state)
{
    (void)state;
    autoplan plan = {0};
    full_plan(&plan);
    autojson json = document(&plan);
    assert_string_equal(json_string_value(find(json, "linux.namespaces.0.path")),
                        "container:pid-owner");
}

static void what_is_joined_and_shared_survives(void **state)
{
    (void)state;
    for (int ipc = PLAN_IPC_PRIVATE; ipc <= PLAN_IPC_NONE; ipc++) {
        autoplan plan = {0}, back = {0};
        full_plan(&plan);
        plan.ipc = (enum plan_ipc)ipc;
        plan.user_container = xstrdup("user-owner");
        autofree char *text = written(&plan, 0);
        read_back(text, &back);
        assert_int_equal(back.ipc, ipc);
        assert_string_equal(back.user_container, "user-owner");
        assert_string_equal(back.pid_container, "pid-owner");
        assert_string_equal(back.ipc_container, "ipc-owner");
        assert_string_equal(back.network_container, "net-owner");
        /* in a user namespace, if not its own, and among others' processes */
        assert_int_equal(back.namespaces & (PLAN_NS_USER | PLAN_NS_PID | PLAN_NS_IPC),
                         PLAN_NS_USER);
    }
}

static void a_privileged_plan_has_a_writable_sys(void **state)
{
    (void)state;
    autoplan plan = {0};
    small_plan(&plan);
    free(plan.posture.level);
    plan.posture.level = xstrdup("privileged");
    plan.namespaces &= ~(unsigned)PLAN_NS_USER;
    autofree char *text = written(&plan, 0);
    assert_non_null(strstr(text, "\"source\":\"sysfs\",\"options\":[\"nosuid\",\"noexec\","
                                 "\"nodev\"]"));
}

static void of_equal_keys_the_last_counts(void **state)
{
    (void)state;
    autoplan plan = {0}, back = {0};
    small_plan(&plan);
    strv_add(&plan.labels, "a=1");
    strv_add(&plan.labels, "ab=2");
    strv_add(&plan.labels, "a=3");
    autofree char *text = written(&plan, 0);
    read_back(text, &back);
    assert_int_equal(back.labels.len, 2);
    assert_string_equal(back.labels.items[0], "ab=2");
    assert_string_equal(back.labels.items[1], "a=3");
}

static void a_very_long_key_is_kept(void **state)
{
    (void)state;
    autoplan plan = {0};
    char label[1200];
    small_plan(&plan);
    memset(label, 'k', sizeof label);
    memcpy(label + sizeof label - 3, "=v", 3);
    strv_add(&plan.labels, label);
    same_bytes(&plan, 0);
}

static void a_device_must_be_one(void **state)
{
    (void)state;
    autoplan plan = {0};
    struct error err = {0};
    small_plan(&plan);
    assert_int_equal(plan_add_device(&plan, "/", "/dev/x", DEVICE_RWM, &err), -ENODEV);
    assert_string_equal(err.text, "/ is not a device");
    assert_int_equal(plan_add_device(&plan, "/dev/there-is-none", "/dev/x", DEVICE_RWM, &err),
                     -ENOENT);
    assert_int_equal(plan.device_count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_plan_comes_back_the_same),
        cmocka_unit_test(a_small_plan_comes_back_the_same),
        cmocka_unit_test(variants_come_back_the_same),
        cmocka_unit_test(every_member_survives),
        cmocka_unit_test(mounts_survive_with_their_options),
        cmocka_unit_test(what_was_not_asked_for_stays_so),
        cmocka_unit_test(the_configuration_is_true_for_other_runtimes),
        cmocka_unit_test(a_joined_namespace_has_no_path_that_exists),
        cmocka_unit_test(what_is_joined_and_shared_survives),
        cmocka_unit_test(a_privileged_plan_has_a_writable_sys),
        cmocka_unit_test(of_equal_keys_the_last_counts),
        cmocka_unit_test(a_very_long_key_is_kept),
        cmocka_unit_test(a_device_must_be_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
