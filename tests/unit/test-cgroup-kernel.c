/* SPDX-License-Identifier: Apache-2.0 */
/* Control groups as the kernel enforces them. */
#include "cgroup-kernel-kit.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

static int eat_64_mib(void)
{
    char *memory =
        mmap(NULL, (size_t)(64 * MIB), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    for (int64_t i = 0; i < 64 * MIB; i += 4096)
        memory[i] = 1;
    return 0;
}

/* 0: null opens and zero cannot even be made. Nodes are made before, by the test. */
static int open_devices(void)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    int zero = open("/dev/zero", O_RDONLY | O_CLOEXEC);
    int zero_errno = errno;

    if (null < 0)
        return 1;
    if (zero >= 0 || zero_errno != EPERM)
        return 2;
    return 0;
}

/* --- what the kernel enforces --- */

static void a_limit_of_processes_holds_and_is_counted(void **state)
{
    skip_without_trees();
    (void)state;
    for (size_t t = 0; t < tree_count; t++) {
        struct cgroup_limits l = CGROUP_LIMITS_NONE;
        struct cgroup group = CGROUP_EMPTY;
        struct cgroup_events events;
        l.pids = 5;
        l.devices_all = true;
        make(&trees[t], &l, &group);
        if (!cgroup_in_force(&group, CGROUP_LIMIT_PIDS)) {
            assert_string_not_equal(cgroup_why_not(&group, CGROUP_LIMIT_PIDS), "");
            done(&group);
            continue;
        }
        int status = finish(start(&group, fork_ten));
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 4);
        assert_int_equal(cgroup_events(&group, &events, NULL), 0);
        assert_int_equal(events.pids_max, 6);
        done(&group);
    }
}

static void a_limit_of_memory_kills_and_is_counted(void **state)
{
    skip_without_trees();
    (void)state;
    for (size_t t = 0; t < tree_count; t++) {
        struct cgroup_limits l = CGROUP_LIMITS_NONE;
        struct cgroup group = CGROUP_EMPTY;
        struct cgroup_events events;
        l.memory = l.memory_swap = 16 * MIB;
        l.devices_all = true;
        make(&trees[t], &l, &group);
        if (cgroup_in_force(&group, CGROUP_LIMIT_MEMORY)) {
            int status = finish(start(&group, eat_64_mib));
            assert_true(WIFSIGNALED(status));
            assert_int_equal(WTERMSIG(status), SIGKILL);
            assert_int_equal(cgroup_events(&group, &events, NULL), 0);
            assert_int_equal(events.oom_kills, 1);
        }
        done(&group);
    }
}

static void devices_that_are_not_listed_are_denied(void **state)
{
    const struct device_rule only_null[] = {{'c', 1, 3, DEVICE_RWM, true}};
    skip_without_trees();
    (void)state;
    for (size_t t = 0; t < tree_count; t++) {
        struct cgroup_limits l = CGROUP_LIMITS_NONE;
        struct cgroup group = CGROUP_EMPTY;
        l.devices = only_null;
        l.device_count = 1;
        make(&trees[t], &l, &group);
        if (!cgroup_in_force(&group, CGROUP_LIMIT_DEVICES))
            fail_msg("%s: %s", tree_names[t], cgroup_why_not(&group, CGROUP_LIMIT_DEVICES));
        int status = finish(start(&group, open_devices));
        assert_true(WIFEXITED(status));
        if (WEXITSTATUS(status) != 0)
            fail_msg("%s: open_devices() is %d", tree_names[t], WEXITSTATUS(status));
        done(&group);
    }
}

/* The list that is put in force once, in the parent that containers with it share. */
static void containers_with_the_same_devices_share_the_program(void **state)
{
    const struct device_rule only_null[] = {{'c', 1, 3, DEVICE_RWM, true},
                                            {'c', 4095, 1048575, DEVICE_MKNOD, true}};
    char name[32], path[96];
    skip_without_trees();
    (void)state;
    cgroup_device_group(only_null, 2, name);
    for (size_t t = 0; t < tree_count; t++) {
        for (int twice = 0; twice < 2; twice++) {
            struct cgroup_limits l = CGROUP_LIMITS_NONE;
            struct cgroup group = CGROUP_EMPTY;
            struct error err = {0};
            l.devices = only_null;
            l.device_count = 2;
            if (cgroup_create_in(&trees[t], NULL, parent, &l, &group, &err) < 0)
                fail_msg("%s", err.text);
            assert_non_null(strstr(group.path, name));
            assert_true(cgroup_in_force(&group, CGROUP_LIMIT_DEVICES));
            assert_int_equal(WEXITSTATUS(finish(start(&group, open_devices))), 0);
            done(&group);
        }
        for (int slot = 0; slot < CGROUP_SLOTS; slot++) {
            if (trees[t].layout == CGROUP_V2)
                snprintf(path, sizeof(path), "caisson/%s", name);
            else
                snprintf(path, sizeof(path), "%s/caisson/%s",
                         cgroup_slot_name((enum cgroup_slot)slot), name);
            unlinkat(trees[t].root, path, AT_REMOVEDIR);
        }
    }
}

static void the_verifier_takes_every_shape_of_program(void **state)
{
    static const struct device_rule lists[][4] = {
        {{'a', -1, -1, DEVICE_RWM, true}, {'c', 1, 3, DEVICE_RWM, false}},
        {{'c', 1, 3, DEVICE_RWM, true}, {'a', -1, -1, DEVICE_RWM, false}},
        {{'a', -1, -1, DEVICE_READ, true}, {'b', -1, 4, DEVICE_WRITE, true}},
        {{'a', -1, -1, DEVICE_RWM, true}, {'a', -1, -1, DEVICE_WRITE, false}},
        {{'c', 4095, 1048575, DEVICE_MKNOD, true}, {'b', 0, 0, DEVICE_RWM, false}},
    };
    static struct device_rule many[CGROUP_DEVICE_RULES_MAX];
    skip_without_trees();
    (void)state;
    for (size_t i = 0; i < CGROUP_DEVICE_RULES_MAX; i++)
        many[i] = (struct device_rule){'c', (int64_t)i, (int64_t)i, DEVICE_RWM, i % 3 != 0};
    for (size_t t = 0; t < tree_count; t++) {
        struct cgroup_limits l = CGROUP_LIMITS_NONE;
        struct cgroup group = CGROUP_EMPTY;
        l.devices_all = true;
        if (trees[t].layout != CGROUP_V2)
            continue;
        make(&trees[t], &l, &group);
        for (size_t i = 0; i < sizeof(lists) / sizeof(*lists); i++)
            assert_int_equal(cgroup_attach_devices(cgroup_clone_fd(&group), lists[i], 2), 0);
        assert_int_equal(cgroup_attach_devices(cgroup_clone_fd(&group), many, 0), 0);
        assert_int_equal(
            cgroup_attach_devices(cgroup_clone_fd(&group), many, CGROUP_DEVICE_RULES_MAX), 0);
        done(&group);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_limit_of_processes_holds_and_is_counted),
        cmocka_unit_test(a_limit_of_memory_kills_and_is_counted),
        cmocka_unit_test(devices_that_are_not_listed_are_denied),
        cmocka_unit_test(containers_with_the_same_devices_share_the_program),
        cmocka_unit_test(the_verifier_takes_every_shape_of_program),
    };
    return cmocka_run_group_tests(tests, find_trees, remove_parents);
}
