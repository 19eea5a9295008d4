/* SPDX-License-Identifier: Apache-2.0 */
/* Control groups as the kernel enforces them. Every test runs in each layout that this host can
 * play: where v1 controllers and a v2 tree lie side by side these are hybrid, v1 alone, and v2 with
 * the controllers it has. Groups lie below "caisson-test-<pid>" and are removed. */
#include <fcntl.h>
#include <linux/sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/text.h"
#include "runtime/cgroup_internal.h"

#define MIB (INT64_C(1) << 20)

static struct cgroup_tree trees[3];
static const char *tree_names[3];
static size_t tree_count;
static char parent[64];
static volatile uint64_t *shared; /* a page that children count in */

static void add_tree(const char *name, enum cgroup_layout layout, const char *root)
{
    int fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        return;
    tree_names[tree_count] = name;
    trees[tree_count++] =
        (struct cgroup_tree){.root = fd, .layout = layout, .write_flags = O_WRONLY};
}

static int find_trees(void **state)
{
    struct cgroup_tree real;
    (void)state;
    snprintf(parent, sizeof(parent), "caisson-test-%d", (int)getpid());
    shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (geteuid() != 0 || cgroup_tree_open(CGROUP_MOUNT, &real, NULL) < 0)
        return 0;
    if (real.layout == CGROUP_HYBRID) {
        add_tree("hybrid", CGROUP_HYBRID, CGROUP_MOUNT);
        add_tree("v1", CGROUP_V1, CGROUP_MOUNT);
        add_tree("v2", CGROUP_V2, CGROUP_MOUNT "/unified");
    } else if (real.layout != CGROUP_NONE) {
        add_tree(real.layout == CGROUP_V2 ? "v2" : "v1", real.layout, CGROUP_MOUNT);
    }
    cgroup_tree_close(&real);
    return 0;
}

/* What a failed test left behind. */
static void remove_left(size_t t)
{
    autobuf record = {0};
    autocgroup group = CGROUP_EMPTY;

    if (trees[t].layout == CGROUP_V2)
        buf_str(&record, "v2:unified");
    for (int slot = 0; trees[t].layout != CGROUP_V2 && slot < CGROUP_SLOTS; slot++)
        buf_fmt(&record, "%s%s", slot == 0 ? "hybrid:" : ",",
                cgroup_slot_name((enum cgroup_slot)slot));
    buf_fmt(&record, ":%s/one", parent);
    if (cgroup_open_in(&trees[t], buf_text(&record), &group, NULL) == 0) {
        cgroup_kill(&group, NULL);
        while (waitpid(-1, NULL, WNOHANG) > 0)
            ;
        cgroup_remove(&group, NULL);
    }
}

static int remove_parents(void **state)
{
    (void)state;
    for (size_t t = 0; t < tree_count; t++)
        remove_left(t);
    for (size_t t = 0; t < tree_count; t++)
        for (int slot = 0; slot < CGROUP_SLOTS; slot++) {
            char path[128];
            if (trees[t].layout == CGROUP_V2)
                snprintf(path, sizeof(path), "%s", parent);
            else
                snprintf(path, sizeof(path), "%s/%s", cgroup_slot_name((enum cgroup_slot)slot),
                         parent);
            unlinkat(trees[t].root, path, AT_REMOVEDIR);
        }
    return 0;
}

static void skip_without_trees(void)
{
    if (tree_count > 0)
        return;
    print_message("needs root and control groups it may write to\n");
    skip();
}

static void make(const struct cgroup_tree *tree, const struct cgroup_limits *limits,
                 struct cgroup *group)
{
    struct error err = {0};

    if (cgroup_create_in(tree, parent, "one", limits, group, &err) < 0)
        fail_msg("%s", err.text);
}

/* A child in the group that does `work`; its exit status is what work returns. */
static pid_t start(struct cgroup *group, int (*work)(void))
{
    struct clone_args args = {.exit_signal = SIGCHLD};

    if (cgroup_clone_fd(group) >= 0) {
        args.flags = CLONE_INTO_CGROUP;
        args.cgroup = (uint64_t)cgroup_clone_fd(group);
    }
    pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
    if (pid == 0)
        _exit(prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || cgroup_join(group->tasks, CGROUP_SLOTS) < 0
                  ? 99
                  : work());
    assert_true(pid > 0);
    return pid;
}

static int finish(pid_t pid)
{
    int status;

    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static void done(struct cgroup *group)
{
    struct error err = {0};

    if (cgroup_remove(group, &err) < 0)
        fail_msg("%s", err.text);
    cgroup_close(group);
}

static void wait_until_shared_grows(void)
{
    uint64_t before = *shared;

    for (int i = 0; i < 2000 && *shared == before; i++)
        usleep(1000);
    assert_true(*shared != before);
}

/* --- payloads --- */

static int fork_ten(void)
{
    int made = 0;

    for (int i = 0; i < 10; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            usleep(200000);
            _exit(0);
        }
        made += pid > 0;
    }
    while (wait(NULL) > 0)
        ;
    return made;
}

static int eat_64_mib(void)
{
    char *memory =
        mmap(NULL, (size_t)(64 * MIB), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    for (int64_t i = 0; i < 64 * MIB; i += 4096)
        memory[i] = 1;
    return 0;
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
        cmocka_unit_test(a_limit_of_processes_holds_and_is_counted),
        cmocka_unit_test(a_limit_of_memory_kills_and_is_counted),
        cmocka_unit_test(devices_that_are_not_listed_are_denied),
        cmocka_unit_test(containers_with_the_same_devices_share_the_program),
        cmocka_unit_test(the_verifier_takes_every_shape_of_program),
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
