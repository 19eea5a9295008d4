/* SPDX-License-Identifier: Apache-2.0 */
/* The life of control groups, as the kernel has it. */
#include "cgroup-kernel-kit.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/text.h"

static void wait_until_shared_grows(void)
{
    uint64_t before = *shared;

    for (int i = 0; i < 2000 && *shared == before; i++)
        usleep(1000);
    assert_true(*shared != before);
}

/* Both end by themselves, should a test fail and leave them behind. */
static int count_for_ever(void)
{
    for (nanoseconds end = clock_monotonic() + 30 * NSEC_PER_SEC; clock_monotonic() < end;) {
        (*shared)++;
        usleep(500);
    }
    return 0;
}

static int fork_for_ever(void)
{
    for (nanoseconds end = clock_monotonic() + 30 * NSEC_PER_SEC; clock_monotonic() < end;) {
        if (fork() < 0)
            usleep(1000);
        (*shared)++;
    }
    return 0;
}

static int use_some(void)
{
    char *memory =
        mmap(NULL, (size_t)(8 * MIB), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct timespec used = {0};

    for (int64_t i = 0; i < 8 * MIB; i += 4096)
        memory[i] = 1;
    while (used.tv_nsec < 80 * 1000 * 1000 && used.tv_sec == 0)
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    *shared = 1;
    sleep(30);
    return 0;
}

static void frozen_processes_stand_still_until_thawed(void **state)
{
    skip_without_trees();
    (void)state;
    for (size_t t = 0; t < tree_count; t++) {
        struct cgroup_limits l = CGROUP_LIMITS_NONE;
        struct cgroup group = CGROUP_EMPTY;
        struct error err = {0};
        bool frozen = true;
        l.devices_all = true;
        make(&trees[t], &l, &group);
        pid_t pid = start(&group, count_for_ever);
        wait_until_shared_grows();
        assert_int_equal(cgroup_frozen(&group, &frozen, &err), 0);
        assert_false(frozen);
        if (cgroup_freeze(&group, &err) < 0)
            fail_msg("%s: %s", tree_names[t], err.text);
        assert_int_equal(cgroup_frozen(&group, &frozen, &err), 0);
        assert_true(frozen);
        uint64_t before = *shared;
        usleep(50000);
        assert_true(*shared == before);
        assert_int_equal(cgroup_thaw(&group, &err), 0);
        wait_until_shared_grows();
        /* A frozen group can be killed too. */
        assert_int_equal(cgroup_freeze(&group, &err), 0);
        if (cgroup_kill(&group, &err) < 0)
            fail_msg("%s: %s", tree_names[t], err.text);
        assert_true(WIFSIGNALED(finish(pid)));
        done(&group);
    }
}

static void a_fork_bomb_is_killed_to_the_last_process(void **state)
{
    skip_without_trees();
    (void)state;
    for (size_t t = 0; t < tree_count; t++) {
        struct cgroup_limits l = CGROUP_LIMITS_NONE;
        struct cgroup group = CGROUP_EMPTY;
        struct error err = {0};
        pid_t *pids = NULL;
        size_t count = 0;
        l.pids = 40;
        l.devices_all = true;
        make(&trees[t], &l, &group);
        if (!cgroup_in_force(&group, CGROUP_LIMIT_PIDS)) { /* without a limit it eats the host */
            done(&group);
            continue;
        }
        pid_t pid = start(&group, fork_for_ever);
        for (int i = 0; i < 2000 && count < 40; i++) {
            free(pids);
            assert_int_equal(cgroup_processes(&group, &pids, &count, &err), 0);
            usleep(1000);
        }
        assert_int_equal(count, 40);
        free(pids);
        if (cgroup_kill(&group, &err) < 0)
            fail_msg("%s: %s", tree_names[t], err.text);
        finish(pid);
        assert_int_equal(cgroup_processes(&group, &pids, &count, &err), 0);
        assert_int_equal(count, 0);
        free(pids);
        done(&group);
    }
}

static void groups_nested_by_the_container_are_listed_and_removed(void **state)
{
    skip_without_trees();
    (void)state;
    for (size_t t = 0; t < tree_count; t++) {
        struct cgroup_limits l = CGROUP_LIMITS_NONE;
        struct cgroup group = CGROUP_EMPTY;
        struct error err = {0};
        char text[16];
        pid_t *pids = NULL;
        size_t count = 0;
        l.devices_all = true;
        make(&trees[t], &l, &group);
        int dir = group.dirs[cgroup_main_slot(&group)];
        assert_int_equal(mkdirat(dir, "a", 0755), 0);
        assert_int_equal(mkdirat(dir, "a/b", 0755), 0);
        assert_int_equal(mkdirat(dir, "a/c", 0755), 0);
        assert_int_equal(mkdirat(dir, "a/b/d", 0755), 0);
        assert_int_equal(mkdirat(dir, "e", 0755), 0);
        pid_t pid = start(&group, count_for_ever);
        wait_until_shared_grows();
        snprintf(text, sizeof(text), "%d", (int)pid);
        assert_int_equal(cgroup_write_file(dir, "a/b/d/cgroup.procs", text, O_WRONLY), 0);
        assert_int_equal(cgroup_processes(&group, &pids, &count, &err), 0);
        assert_int_equal(count, 1);
        assert_int_equal(pids[0], pid);
        free(pids);
        assert_int_equal(cgroup_kill(&group, &err), 0);
        finish(pid);
        done(&group);
    }
}

static void a_group_in_use_is_neither_removed_nor_taken_over(void **state)
{
    skip_without_trees();
    (void)state;
    for (size_t t = 0; t < tree_count; t++) {
        struct cgroup_limits l = CGROUP_LIMITS_NONE;
        struct cgroup group = CGROUP_EMPTY, second = CGROUP_EMPTY;
        struct error err = {0};
        l.devices_all = true;
        make(&trees[t], &l, &group);
        pid_t pid = start(&group, count_for_ever);
        wait_until_shared_grows();
        assert_int_equal(cgroup_create_in(&trees[t], parent, "one", &l, &second, &err), -EEXIST);
        assert_null(second.path);
        assert_int_equal(kill(pid, 0), 0);
        assert_int_equal(cgroup_remove(&group, &err), -EBUSY);
        assert_int_equal(cgroup_kill(&group, &err), 0);
        finish(pid);
        done(&group);
        /* What a crash left behind is empty, and is taken over. */
        struct cgroup left = CGROUP_EMPTY, next = CGROUP_EMPTY;
        make(&trees[t], &l, &left);
        cgroup_close(&left);
        make(&trees[t], &l, &next);
        done(&next);
    }
}

static void numbers_are_plausible(void **state)
{
    skip_without_trees();
    (void)state;
    for (size_t t = 0; t < tree_count; t++) {
        struct cgroup_limits l = CGROUP_LIMITS_NONE;
        struct cgroup group = CGROUP_EMPTY;
        struct cgroup_stats s;
        struct error err = {0};
        l.memory = l.memory_swap = 64 * MIB;
        l.pids = 7;
        l.devices_all = true;
        make(&trees[t], &l, &group);
        *shared = 0;
        pid_t pid = start(&group, use_some);
        wait_until_shared_grows();
        assert_int_equal(cgroup_stats(&group, &s, &err), 0);
        assert_true(s.has_cpu);
        /* A busy machine gives less than the time that passed. */
        assert_in_range(s.cpu_ns, 5 * 1000 * 1000, 2 * NSEC_PER_SEC);
        if (cgroup_in_force(&group, CGROUP_LIMIT_MEMORY)) {
            assert_true(s.has_memory);
            assert_in_range(s.memory_usage, 7 * MIB, 60 * MIB);
            assert_in_range(s.memory_peak, 7 * MIB, 60 * MIB);
            assert_int_equal(s.memory_limit, 64 * MIB);
        }
        if (cgroup_in_force(&group, CGROUP_LIMIT_PIDS)) {
            assert_int_equal(s.pids, 1);
            assert_int_equal(s.pids_limit, 7);
        }
        assert_int_equal(cgroup_kill(&group, &err), 0);
        finish(pid);
        done(&group);
    }
}

static void limits_change_while_it_runs(void **state)
{
    skip_without_trees();
    (void)state;
    for (size_t t = 0; t < tree_count; t++) {
        struct cgroup_limits l = CGROUP_LIMITS_NONE, more = CGROUP_LIMITS_NONE;
        struct cgroup group = CGROUP_EMPTY, again = CGROUP_EMPTY;
        struct cgroup_stats s;
        struct error err = {0};
        autobuf record = {0};
        l.memory = l.memory_swap = 32 * MIB;
        l.devices_all = true;
        make(&trees[t], &l, &group);
        pid_t pid = start(&group, count_for_ever);
        wait_until_shared_grows();
        more.memory = more.memory_swap = 64 * MIB; /* both up at once: the order matters on v1 */
        more.cpu_quota = 50000;                    /* a hierarchy that was not there */
        more.cpu_period = 100000;
        if (cgroup_update(&group, &more, &err) < 0)
            fail_msg("%s: %s", tree_names[t], err.text);
        cgroup_record(&group, &record);
        assert_int_equal(cgroup_open_in(&trees[t], buf_text(&record), &again, &err), 0);
        if (cgroup_in_force(&group, CGROUP_LIMIT_MEMORY)) {
            assert_int_equal(cgroup_stats(&again, &s, &err), 0);
            assert_int_equal(s.memory_limit, 64 * MIB);
        }
        if (trees[t].layout != CGROUP_V2) {
            autobuf procs = {0};
            char text[16];
            autofd fd = openat(again.dirs[CGROUP_CPU], "cgroup.procs", O_RDONLY | O_CLOEXEC);
            assert_int_equal(read_fd(fd, 4096, &procs), 0);
            snprintf(text, sizeof(text), "%d\n", (int)pid);
            assert_string_equal(buf_text(&procs), text);
        }
        assert_int_equal(cgroup_kill(&again, &err), 0);
        finish(pid);
        cgroup_close(&again);
        done(&group);
        cgroup_close(&again);
        assert_int_equal(cgroup_open_in(&trees[t], buf_text(&record), &again, &err), -ENOENT);
    }
}

static void exec_enters_a_group_that_was_found_again(void **state)
{
    skip_without_trees();
    (void)state;
    for (size_t t = 0; t < tree_count; t++) {
        struct cgroup_limits l = CGROUP_LIMITS_NONE;
        struct cgroup group = CGROUP_EMPTY, again = CGROUP_EMPTY;
        struct cgroup_events events;
        struct error err = {0};
        autobuf record = {0};
        l.pids = 5;
        l.devices_all = true;
        make(&trees[t], &l, &group);
        cgroup_record(&group, &record);
        assert_int_equal(cgroup_open_in(&trees[t], buf_text(&record), &again, &err), 0);
        assert_int_equal(cgroup_open_tasks(&again, &err), 0);
        int status = finish(start(&again, fork_ten));
        if (cgroup_in_force(&group, CGROUP_LIMIT_PIDS)) {
            assert_int_equal(WEXITSTATUS(status), 4);
            assert_int_equal(cgroup_events(&again, &events, NULL), 0);
            assert_int_equal(events.pids_max, 6);
        }
        cgroup_close(&group);
        done(&again);
    }
}

static void a_value_that_the_kernel_refuses_names_the_option(void **state)
{
    skip_without_trees();
    (void)state;
    for (size_t t = 0; t < tree_count; t++) {
        struct cgroup_limits l = CGROUP_LIMITS_NONE;
        struct cgroup group = CGROUP_EMPTY;
        struct error err = {0};
        l.cpuset_cpus = "4000";
        l.devices_all = true;
        int rc = cgroup_create_in(&trees[t], parent, "one", &l, &group, &err);
        if (rc == 0) { /* no cpuset controller here */
            assert_non_null(cgroup_why_not(&group, CGROUP_LIMIT_CPUSET_CPUS));
            done(&group);
            continue;
        }
        assert_true(starts_with(err.text, "--cpuset-cpus"));
        assert_null(group.path);
        /* Nothing is left of the attempt. */
        char path[128];
        snprintf(path, sizeof(path), "%s%s/one", trees[t].layout == CGROUP_V2 ? "" : "pids/",
                 parent);
        assert_true(faccessat(trees[t].root, path, F_OK, 0) < 0);
    }
}

static void a_process_can_be_moved_from_outside(void **state)
{
    skip_without_trees();
    (void)state;
    for (size_t t = 0; t < tree_count; t++) {
        struct cgroup_limits l = CGROUP_LIMITS_NONE;
        struct cgroup group = CGROUP_EMPTY;
        struct error err = {0};
        pid_t *pids = NULL;
        size_t count = 0;
        l.devices_all = true;
        make(&trees[t], &l, &group);
        pid_t pid = fork();
        if (pid == 0)
            _exit(count_for_ever());
        assert_int_equal(cgroup_add(&group, pid, &err), 0);
        assert_int_equal(cgroup_processes(&group, &pids, &count, &err), 0);
        assert_int_equal(count, 1);
        free(pids);
        assert_int_equal(cgroup_kill(&group, &err), 0);
        finish(pid);
        assert_int_equal(cgroup_add(&group, pid, &err), -ESRCH);
        done(&group);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frozen_processes_stand_still_until_thawed),
        cmocka_unit_test(a_fork_bomb_is_killed_to_the_last_process),
        cmocka_unit_test(groups_nested_by_the_container_are_listed_and_removed),
        cmocka_unit_test(a_group_in_use_is_neither_removed_nor_taken_over),
        cmocka_unit_test(numbers_are_plausible),
        cmocka_unit_test(limits_change_while_it_runs),
        cmocka_unit_test(exec_enters_a_group_that_was_found_again),
        cmocka_unit_test(a_value_that_the_kernel_refuses_names_the_option),
        cmocka_unit_test(a_process_can_be_moved_from_outside),
    };
    return cmocka_run_group_tests(tests, find_trees, remove_parents);
}
