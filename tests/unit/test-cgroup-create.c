/* SPDX-License-Identifier: Apache-2.0 */
/* Whole creates in fake trees, and the numbers read there. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/io.h"
#include "runtime/cgroup_internal.h"

/* --- fake trees --- */

struct fake {
    char path[64];
    struct cgroup_tree tree;
};

static void fake_write(struct fake *f, const char *name, const char *text)
{
    autofd fd = openat(f->tree.root, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write_all(fd, text, strlen(text)), 0);
}

static void fake_start(struct fake *f, enum cgroup_layout layout)
{
    memset(f, 0, sizeof(*f));
    snprintf(f->path, sizeof(f->path), "/tmp/test-cgroup-XXXXXX");
    assert_non_null(mkdtemp(f->path));
    f->tree.layout = layout;
    f->tree.root = open(f->path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    f->tree.write_flags = O_WRONLY | O_CREAT | O_TRUNC;
    assert_true(f->tree.root >= 0);
    if (layout == CGROUP_V2)
        fake_write(f, "cgroup.controllers", "cpuset cpu io memory hugetlb pids\n");
    for (int slot = 0; layout != CGROUP_V2 && slot < CGROUP_UNIFIED; slot++)
        assert_int_equal(mkdirat(f->tree.root, cgroup_slot_name((enum cgroup_slot)slot), 0755), 0);
}

static void fake_end(struct fake *f)
{
    cgroup_tree_close(&f->tree);
    assert_int_equal(remove_tree_at(AT_FDCWD, f->path, NULL), 0);
}

static void assert_file(struct fake *f, const char *name, const char *expected)
{
    autobuf text = {0};
    autofd fd = openat(f->tree.root, name, O_RDONLY | O_CLOEXEC);

    if (!expected) {
        assert_true(fd < 0);
        return;
    }
    if (fd < 0)
        fail_msg("%s is missing", name);
    assert_int_equal(read_fd(fd, 4096, &text), 0);
    assert_string_equal(buf_text(&text), expected);
}

static struct cgroup_limits usual_limits(void)
{
    struct cgroup_limits l = CGROUP_LIMITS_NONE;

    l.memory = 512 << 20;
    l.memory_swap = 768 << 20;
    l.memory_reservation = 256 << 20;
    l.pids = 100;
    l.cpu_shares = 2048;
    l.cpu_quota = 150000;
    l.cpuset_cpus = "0-1";
    l.devices = cgroup_default_devices;
    l.device_count = cgroup_default_device_count;
    return l;
}

/* --- whole creates --- */

static void v2_limits_land_in_their_files(void **state)
{
    struct cgroup_limits l = usual_limits();
    autocgroup group = CGROUP_EMPTY;
    struct error err = {0};
    struct fake f;
    (void)state;
    fake_start(&f, CGROUP_V2);
    assert_int_equal(cgroup_create_in(&f.tree, "/mine/own", "web", &l, &group, &err), 0);
    assert_file(&f, "cgroup.subtree_control", "+memory +pids +cpu +cpuset +io");
    assert_file(&f, "mine/own/web/memory.max", "536870912");
    assert_file(&f, "mine/own/web/memory.swap.max", "268435456");
    assert_file(&f, "mine/own/web/memory.low", "268435456");
    assert_file(&f, "mine/own/web/pids.max", "100");
    assert_file(&f, "mine/own/web/cpu.max", "150000 100000");
    assert_file(&f, "mine/own/web/cpuset.cpus", "0-1");
    assert_file(&f, "mine/own/web/tasks", NULL);
    assert_true(cgroup_in_force(&group, CGROUP_LIMIT_MEMORY));
    assert_null(cgroup_why_not(&group, CGROUP_LIMIT_SWAP));
    assert_true(cgroup_clone_fd(&group) >= 0);
    /* A directory that is no control group takes no program, and that is said. */
    assert_false(cgroup_in_force(&group, CGROUP_LIMIT_DEVICES));
    assert_non_null(cgroup_why_not(&group, CGROUP_LIMIT_DEVICES));
    fake_end(&f);
}

static void v1_makes_only_the_hierarchies_that_limits_need(void **state)
{
    struct cgroup_limits l = CGROUP_LIMITS_NONE;
    autocgroup group = CGROUP_EMPTY;
    autobuf record = {0};
    struct error err = {0};
    struct fake f;
    (void)state;
    fake_start(&f, CGROUP_V1);
    l.memory = l.memory_swap = 64 << 20;
    l.devices = cgroup_default_devices;
    l.device_count = 1;
    assert_int_equal(cgroup_create_in(&f.tree, "p", "web", &l, &group, &err), 0);
    assert_file(&f, "memory/p/web/memory.limit_in_bytes", "67108864");
    assert_file(&f, "memory/p/web/memory.memsw.limit_in_bytes", "67108864");
    assert_file(&f, "devices/p/web/devices.deny", "a");
    assert_file(&f, "devices/p/web/devices.allow", "c 1:3 rwm");
    assert_file(&f, "pids/p/web/pids.max", NULL);
    assert_true(faccessat(f.tree.root, "cpu/p", F_OK, 0) < 0);
    assert_true(faccessat(f.tree.root, "freezer/p", F_OK, 0) < 0);
    assert_int_equal(cgroup_join(group.tasks, CGROUP_SLOTS), 0);
    assert_file(&f, "memory/p/web/tasks", "0");
    assert_file(&f, "pids/p/web/tasks", "0");
    cgroup_record(&group, &record);
    assert_string_equal(buf_text(&record), "v1:memory,pids,cpuacct,devices:p/web");
    autocgroup again = CGROUP_EMPTY;
    assert_int_equal(cgroup_open_in(&f.tree, buf_text(&record), &again, &err), 0);
    assert_int_equal(again.layout, CGROUP_V1);
    assert_true(again.dirs[CGROUP_DEVICES] >= 0 && again.dirs[CGROUP_CPU] < 0);
    fake_end(&f);
}

static void cpu_and_cpuacct_mounted_as_one_share_a_group(void **state)
{
    struct cgroup_limits l = CGROUP_LIMITS_NONE;
    autocgroup group = CGROUP_EMPTY;
    struct error err = {0};
    struct stat a, b;
    struct fake f;
    (void)state;
    fake_start(&f, CGROUP_V1);
    assert_int_equal(unlinkat(f.tree.root, "cpu", AT_REMOVEDIR), 0);
    assert_int_equal(unlinkat(f.tree.root, "cpuacct", AT_REMOVEDIR), 0);
    assert_int_equal(mkdirat(f.tree.root, "cpu,cpuacct", 0755), 0);
    assert_int_equal(symlinkat("cpu,cpuacct", f.tree.root, "cpu"), 0);
    assert_int_equal(symlinkat("cpu,cpuacct", f.tree.root, "cpuacct"), 0);
    l.cpu_shares = 512;
    l.devices_all = true;
    assert_int_equal(cgroup_create_in(&f.tree, "p", "web", &l, &group, &err), 0);
    assert_file(&f, "cpu,cpuacct/p/web/cpu.shares", "512");
    assert_int_equal(fstat(group.dirs[CGROUP_CPU], &a), 0);
    assert_int_equal(fstat(group.dirs[CGROUP_CPUACCT], &b), 0);
    assert_int_equal(a.st_ino, b.st_ino);
    fake_end(&f);
}

static void a_link_in_the_parent_is_not_followed(void **state)
{
    struct cgroup_limits l = CGROUP_LIMITS_NONE;
    autocgroup group = CGROUP_EMPTY;
    struct error err = {0};
    struct fake f;
    (void)state;
    fake_start(&f, CGROUP_V2);
    assert_int_equal(mkdirat(f.tree.root, "elsewhere", 0755), 0);
    assert_int_equal(symlinkat("elsewhere", f.tree.root, "p"), 0);
    l.devices_all = true;
    assert_int_equal(cgroup_create_in(&f.tree, "p", "web", &l, &group, &err), -ELOOP);
    assert_true(faccessat(f.tree.root, "elsewhere/web", F_OK, 0) < 0);
    assert_null(group.path);
    fake_end(&f);
}

static void a_missing_controller_is_said_and_not_fatal(void **state)
{
    struct cgroup_limits l = usual_limits();
    autocgroup group = CGROUP_EMPTY;
    struct error err = {0};
    struct fake f;
    (void)state;
    fake_start(&f, CGROUP_V1);
    assert_int_equal(unlinkat(f.tree.root, "cpuset", AT_REMOVEDIR), 0);
    assert_int_equal(cgroup_create_in(&f.tree, "p", "web", &l, &group, &err), 0);
    assert_non_null(strstr(cgroup_why_not(&group, CGROUP_LIMIT_CPUSET_CPUS), "cpuset"));
    assert_true(cgroup_in_force(&group, CGROUP_LIMIT_MEMORY));
    assert_null(cgroup_why_not(&group, CGROUP_LIMIT_BLKIO_WEIGHT)); /* was not asked for */
    fake_end(&f);
}

static void without_any_tree_everything_runs_and_nothing_is_in_force(void **state)
{
    struct cgroup_limits l = usual_limits();
    struct cgroup_tree tree;
    autocgroup group = CGROUP_EMPTY, again = CGROUP_EMPTY;
    autobuf record = {0};
    struct error err = {0};
    struct fake f;
    pid_t *pids = NULL;
    size_t count = 1;
    (void)state;
    fake_start(&f, CGROUP_V1);
    /* Directories with the right names are no hierarchies. */
    assert_int_equal(cgroup_tree_open(f.path, &tree, &err), 0);
    assert_int_equal(tree.layout, CGROUP_NONE);
    assert_int_equal(cgroup_create_in(&tree, NULL, "web", &l, &group, &err), 0);
    assert_non_null(cgroup_why_not(&group, CGROUP_LIMIT_MEMORY));
    assert_non_null(cgroup_why_not(&group, CGROUP_LIMIT_DEVICES));
    assert_int_equal(cgroup_clone_fd(&group), -1);
    assert_int_equal(cgroup_join(group.tasks, CGROUP_SLOTS), 0);
    cgroup_record(&group, &record);
    assert_string_equal(buf_text(&record), "none");
    assert_int_equal(cgroup_open(buf_text(&record), &again, &err), 0);
    assert_int_equal(cgroup_processes(&again, &pids, &count, &err), 0);
    assert_int_equal(count, 0);
    assert_int_equal(cgroup_kill(&again, &err), 0);
    assert_int_equal(cgroup_freeze(&again, &err), -ENOENT);
    assert_int_equal(cgroup_remove(&again, &err), 0);
    cgroup_tree_close(&tree);
    fake_end(&f);
}

static void a_delegated_group_holds_the_users_containers(void **state)
{
    struct cgroup_limits l = CGROUP_LIMITS_NONE;
    autocgroup group = CGROUP_EMPTY;
    struct error err = {0};
    struct fake f;
    (void)state;
    fake_start(&f, CGROUP_V2);
    assert_int_equal(mkdirat(f.tree.root, "user.slice", 0755), 0);
    assert_int_equal(mkdirat(f.tree.root, "user.slice/app", 0755), 0);
    fake_write(&f, "user.slice/app/cgroup.controllers", "memory pids\n");
    f.tree.base = strdup("user.slice/app");
    l.pids = 9;
    l.devices_all = true;
    assert_int_equal(cgroup_create_in(&f.tree, NULL, "web", &l, &group, &err), 0);
    assert_file(&f, "user.slice/app/caisson/web/pids.max", "9");
    assert_file(&f, "user.slice/app/cgroup.subtree_control", "+memory +pids");
    assert_file(&f, "cgroup.subtree_control", NULL); /* what is above is not ours to change */
    fake_end(&f);
}

static void damaged_records_are_refused(void **state)
{
    static const char *const bad[] = {"",
                                      "v1",
                                      "v2:unified",
                                      "v3:unified:a/b",
                                      "v2::a/b",
                                      "v1:tape:a/b",
                                      "v2:unified:",
                                      "v2:unified:a",
                                      "v2:unified:../a/b",
                                      "v2:unified:/a/b",
                                      "none:unified:a/b"};
    struct fake f;
    (void)state;
    fake_start(&f, CGROUP_V2);
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        autocgroup group = CGROUP_EMPTY;
        struct error err = {0};
        if (cgroup_open_in(&f.tree, bad[i], &group, &err) != -EINVAL)
            fail_msg("'%s' was taken", bad[i]);
    }
    autocgroup group = CGROUP_EMPTY;
    assert_int_equal(cgroup_open_in(&f.tree, "v2:unified:a/b", &group, NULL), -ENOENT);
    fake_end(&f);
}

/* --- numbers --- */

static void v2_numbers_are_read(void **state)
{
    struct cgroup_limits l = CGROUP_LIMITS_NONE;
    autocgroup group = CGROUP_EMPTY;
    struct cgroup_stats s;
    struct cgroup_events e;
    struct error err = {0};
    struct fake f;
    (void)state;
    fake_start(&f, CGROUP_V2);
    l.devices_all = true;
    assert_int_equal(cgroup_create_in(&f.tree, "p", "c", &l, &group, &err), 0);
    assert_int_equal(cgroup_stats(&group, &s, &err), -ENOENT); /* no cgroup.procs: it is gone */
    fake_write(&f, "p/c/cgroup.procs", "");
    fake_write(&f, "p/c/memory.current", "5000\n");
    fake_write(&f, "p/c/memory.max", "max\n");
    fake_write(&f, "p/c/memory.peak", "9000\n");
    fake_write(&f, "p/c/memory.stat", "anon 1\nxinactive_file 7\ninactive_file 2000\n");
    fake_write(&f, "p/c/cpu.stat",
               "usage_usec 30\nuser_usec 20\nsystem_usec 10\nnr_periods 4\n"
               "nr_throttled 2\nthrottled_usec 5\n");
    fake_write(&f, "p/c/pids.current", "3\n");
    fake_write(&f, "p/c/pids.max", "10\n");
    fake_write(&f, "p/c/io.stat",
               "8:0 rbytes=100 wbytes=7 rios=1 wios=1 dbytes=0 dios=0\n"
               "8:16 rbytes=11 wbytes=1 rios=1 wios=1 dbytes=0 dios=0\n");
    fake_write(&f, "p/c/memory.events", "low 0\nhigh 0\nmax 5\noom 1\noom_kill 2\n");
    fake_write(&f, "p/c/pids.events", "max 6\n");
    assert_int_equal(cgroup_stats(&group, &s, &err), 0);
    assert_int_equal(s.memory_usage, 3000);
    assert_true(s.memory_limit == CGROUP_NO_LIMIT);
    assert_int_equal(s.memory_peak, 9000);
    assert_int_equal(s.cpu_ns, 30000);
    assert_int_equal(s.cpu_throttled_ns, 5000);
    assert_int_equal(s.pids_limit, 10);
    assert_int_equal(s.io_read_bytes, 111);
    assert_int_equal(s.io_write_bytes, 8);
    assert_int_equal(cgroup_events(&group, &e, &err), 0);
    assert_int_equal(e.oom_kills, 2);
    assert_int_equal(e.pids_max, 6);
    fake_end(&f);
}

static void v1_numbers_are_read(void **state)
{
    struct cgroup_limits l = CGROUP_LIMITS_NONE;
    autocgroup group = CGROUP_EMPTY;
    struct cgroup_stats s;
    struct cgroup_events e;
    struct error err = {0};
    struct fake f;
    (void)state;
    fake_start(&f, CGROUP_V1);
    l.devices_all = l.account_io = true;
    assert_int_equal(cgroup_create_in(&f.tree, "p", "c", &l, &group, &err), 0);
    fake_write(&f, "memory/p/c/cgroup.procs", "");
    fake_write(&f, "memory/p/c/memory.usage_in_bytes", "5000\n");
    fake_write(&f, "memory/p/c/memory.limit_in_bytes", "9223372036854771712\n");
    fake_write(&f, "memory/p/c/memory.stat", "inactive_file 1\ntotal_inactive_file 6000\n");
    fake_write(&f, "memory/p/c/memory.oom_control",
               "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n");
    fake_write(&f, "cpuacct/p/c/cpuacct.usage", "12345\n");
    fake_write(&f, "blkio/p/c/blkio.throttle.io_service_bytes",
               "8:0 Read 50\n8:0 Write 60\n8:0 Total 110\n8:16 Read 1\nTotal 111\n");
    assert_int_equal(cgroup_stats(&group, &s, &err), 0);
    assert_int_equal(s.memory_usage, 0); /* never less than nothing */
    assert_true(s.memory_limit == CGROUP_NO_LIMIT);
    assert_int_equal(s.cpu_ns, 12345);
    assert_false(s.has_pids);
    assert_int_equal(s.io_read_bytes, 51);
    assert_int_equal(s.io_write_bytes, 60);
    assert_int_equal(cgroup_events(&group, &e, &err), 0);
    assert_int_equal(e.oom_kills, 3);
    fake_end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(v2_limits_land_in_their_files),
        cmocka_unit_test(v1_makes_only_the_hierarchies_that_limits_need),
        cmocka_unit_test(cpu_and_cpuacct_mounted_as_one_share_a_group),
        cmocka_unit_test(a_link_in_the_parent_is_not_followed),
        cmocka_unit_test(a_missing_controller_is_said_and_not_fatal),
        cmocka_unit_test(without_any_tree_everything_runs_and_nothing_is_in_force),
        cmocka_unit_test(a_delegated_group_holds_the_users_containers),
        cmocka_unit_test(damaged_records_are_refused),
        cmocka_unit_test(v2_numbers_are_read),
        cmocka_unit_test(v1_numbers_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
