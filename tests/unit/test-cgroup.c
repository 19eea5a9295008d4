/* SPDX-License-Identifier: Apache-2.0 */
/* Control groups without a kernel: names, formulas, plans, the device program run by a small
 * interpreter, and whole creates in fake trees. What the kernel makes of it: test-cgroup-kernel. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/io.h"
#include "base/text.h"
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

/* --- names --- */

static void parents_that_lead_elsewhere_are_refused(void **state)
{
    static const char *const bad[] = {"",     "/",    "..",   "../x",   "a/../b",
                                      "a/..", "a//b", "//a",  "a/",     "./a",
                                      "a/.",  "a b",  "a\nb", "a/\x01", "\xc3\xa4"};
    static const char *const good[] = {"a",
                                       "/a",
                                       "a/b",
                                       "/kubepods/burstable/pod1",
                                       "system.slice",
                                       "..a",
                                       "a..b",
                                       "user@1000.service"};
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        struct error err = {0};
        if (cgroup_check_parent(bad[i], &err) == 0)
            fail_msg("'%s' was taken", bad[i]);
        assert_true(starts_with(err.text, "--cgroup-parent"));
    }
    for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
        assert_int_equal(cgroup_check_parent(good[i], NULL), 0);
}

static void ids_that_are_no_names_are_refused(void **state)
{
    static const char *const bad[] = {"", ".", "..", "a/b", "-a", "_a", "a b", "../a"};
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        assert_int_equal(cgroup_check_id(bad[i], NULL), -EINVAL);
    assert_int_equal(cgroup_check_id("0123abc", NULL), 0);
    assert_int_equal(cgroup_check_id("web_1.x-y", NULL), 0);
}

static void own_group_is_read_from_proc(void **state)
{
    (void)state;
    autofree char *own = cgroup_own_path("3:cpu:/x\n0::/user.slice/app.scope\n");
    assert_string_equal(own, "user.slice/app.scope");
    autofree char *leaf = cgroup_own_path("0::/app.scope/" CGROUP_SELF_LEAF "\n");
    assert_string_equal(leaf, "app.scope");
    assert_null(cgroup_own_path("0::/\n"));
    assert_null(cgroup_own_path("0::/../outside\n"));
    assert_null(cgroup_own_path("3:cpu:/x\n"));
    assert_null(cgroup_own_path(""));
}

/* --- formulas and plans --- */

static void shares_become_weights_on_the_agreed_curve(void **state)
{
    (void)state;
    assert_int_equal(cgroup_weight_of_shares(2), 1);
    assert_int_equal(cgroup_weight_of_shares(1024), 100);
    assert_int_equal(cgroup_weight_of_shares(262144), 10000);
    uint64_t before = 0;
    for (uint64_t shares = 2; shares <= 262144; shares += 7) {
        uint64_t weight = cgroup_weight_of_shares(shares);
        assert_true(weight >= before && weight >= 1 && weight <= 10000);
        before = weight;
    }
    assert_int_equal(cgroup_weight_of_blkio(10), 1);
    assert_int_equal(cgroup_weight_of_blkio(1000), 10000);
}

static const struct cgroup_write *find_write(const struct cgroup_plan *plan, const char *file)
{
    for (size_t i = 0; i < plan->count; i++)
        if (streq(plan->writes[i].file, file))
            return &plan->writes[i];
    fail_msg("no write to %s", file);
    return NULL;
}

static void no_limit_is_written_as_each_file_wants_it(void **state)
{
    struct cgroup_limits l = CGROUP_LIMITS_NONE;
    struct cgroup_plan plan;
    (void)state;
    l.memory = l.memory_swap = l.pids = l.cpu_quota = CGROUP_UNLIMITED;
    assert_int_equal(cgroup_plan_limits(CGROUP_V2, &l, &plan, NULL), 0);
    assert_string_equal(find_write(&plan, "memory.max")->number, "max");
    assert_string_equal(find_write(&plan, "memory.swap.max")->number, "max");
    assert_string_equal(find_write(&plan, "cpu.max")->number, "max 100000");
    assert_int_equal(cgroup_plan_limits(CGROUP_V1, &l, &plan, NULL), 0);
    assert_string_equal(find_write(&plan, "memory.limit_in_bytes")->number, "-1");
    assert_string_equal(find_write(&plan, "pids.max")->number, "max");
    assert_string_equal(find_write(&plan, "cpu.cfs_quota_us")->number, "-1");
}

static void nothing_asked_is_nothing_written(void **state)
{
    struct cgroup_limits l = CGROUP_LIMITS_NONE;
    struct cgroup_plan plan;
    (void)state;
    assert_int_equal(cgroup_plan_limits(CGROUP_V2, &l, &plan, NULL), 0);
    assert_int_equal(plan.count, 0);
    assert_int_equal(plan.asked, 0);
}

static void refuse(struct cgroup_limits l, const char *option)
{
    struct cgroup_plan plan = {.count = 77};
    struct error err = {0};

    assert_int_equal(cgroup_plan_limits(CGROUP_V2, &l, &plan, &err), -EINVAL);
    assert_true(starts_with(err.text, option));
    assert_int_equal(plan.count, 77);
}

static void limits_without_sense_are_refused_by_name(void **state)
{
    const struct cgroup_limits none = CGROUP_LIMITS_NONE;
    struct cgroup_limits l;
    (void)state;
    l = none, l.memory = 2 << 20, l.memory_swap = 1 << 20, refuse(l, "--memory-swap");
    l = none, l.memory_swap = 1 << 20, refuse(l, "--memory-swap");
    l = none, l.memory = 0, refuse(l, "--memory");
    l = none, l.pids = 0, refuse(l, "--pids-limit");
    l = none, l.pids = -2, refuse(l, "--pids-limit");
    l = none, l.cpu_shares = 1, refuse(l, "--cpu-shares");
    l = none, l.cpu_quota = 999, refuse(l, "--cpu-quota");
    l = none, l.cpu_period = 1000001, refuse(l, "--cpu-period");
    l = none, l.blkio_weight = 9, refuse(l, "--blkio-weight");
}

/* --- devices --- */

/* Runs what cgroup_device_program() emits: 1 allowed, 0 denied. */
static int run_program(const struct bpf_insn *code, size_t length, uint32_t type, uint32_t access,
                       uint32_t major, uint32_t minor)
{
    uint32_t context[3] = {access << 16 | type, major, minor};
    int64_t r[11] = {0};

    for (size_t at = 0; at < length; at++) {
        const struct bpf_insn *i = &code[at];
        switch (i->code) {
        case BPF_LDX | BPF_MEM | BPF_W:
            assert_int_equal(i->src_reg, 1);
            r[i->dst_reg] = context[i->off / 4];
            break;
        case BPF_ALU64 | BPF_MOV | BPF_X:
            r[i->dst_reg] = r[i->src_reg];
            break;
        case BPF_ALU64 | BPF_MOV | BPF_K:
            r[i->dst_reg] = i->imm;
            break;
        case BPF_ALU64 | BPF_AND | BPF_K:
            r[i->dst_reg] &= i->imm;
            break;
        case BPF_ALU64 | BPF_RSH | BPF_K:
            r[i->dst_reg] = (int64_t)((uint64_t)r[i->dst_reg] >> i->imm);
            break;
        case BPF_JMP | BPF_JNE | BPF_K:
            at += r[i->dst_reg] != i->imm ? (size_t)i->off : 0;
            break;
        case BPF_JMP | BPF_JEQ | BPF_K:
            at += r[i->dst_reg] == i->imm ? (size_t)i->off : 0;
            break;
        case BPF_JMP | BPF_EXIT:
            return (int)r[0];
        default:
            fail_msg("unknown instruction %x", i->code);
        }
    }
    fail_msg("the program runs over its end");
    return -1;
}

static int decide(const struct device_rule *rules, size_t count, char type, uint32_t access,
                  uint32_t major, uint32_t minor)
{
    size_t length;
    autofree struct bpf_insn *code = cgroup_device_program(rules, count, &length);

    return run_program(code, length, type == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR, access,
                       major, minor);
}

static void default_devices_are_the_harmless_ones(void **state)
{
    const struct device_rule *d = cgroup_default_devices;
    const size_t n = cgroup_default_device_count;
    (void)state;
    assert_int_equal(decide(d, n, 'c', DEVICE_READ | DEVICE_WRITE, 1, 3), 1);
    assert_int_equal(decide(d, n, 'c', DEVICE_RWM, 5, 2), 1);
    assert_int_equal(decide(d, n, 'c', DEVICE_READ, 136, 77), 1);
    assert_int_equal(decide(d, n, 'c', DEVICE_READ, 1, 1), 0);    /* mem */
    assert_int_equal(decide(d, n, 'c', DEVICE_READ, 1, 11), 0);   /* kmsg */
    assert_int_equal(decide(d, n, 'b', DEVICE_READ, 8, 0), 0);    /* sda */
    assert_int_equal(decide(d, n, 'b', DEVICE_MKNOD, 1, 3), 0);   /* same numbers, other type */
    assert_int_equal(decide(d, n, 'c', DEVICE_READ, 10, 229), 0); /* fuse */
}

static void the_last_matching_device_rule_decides_each_bit(void **state)
{
    const struct device_rule rules[] = {
        {'a', -1, -1, DEVICE_RWM, false},  {'c', 1, -1, DEVICE_RWM, true},
        {'c', 1, 11, DEVICE_WRITE, false}, {'b', 8, 0, DEVICE_READ, true},
        {'b', 8, 0, DEVICE_WRITE, true},
    };
    (void)state;
    assert_int_equal(decide(rules, 5, 'c', DEVICE_READ, 1, 11), 1);
    assert_int_equal(decide(rules, 5, 'c', DEVICE_READ | DEVICE_WRITE, 1, 11), 0);
    assert_int_equal(decide(rules, 5, 'c', DEVICE_WRITE, 1, 3), 1);
    assert_int_equal(decide(rules, 5, 'b', DEVICE_READ | DEVICE_WRITE, 8, 0), 1);
    assert_int_equal(decide(rules, 5, 'b', DEVICE_RWM, 8, 0), 0);
    assert_int_equal(decide(rules, 0, 'c', DEVICE_READ, 1, 3), 0);
    const struct device_rule all[] = {{'c', 1, 3, DEVICE_RWM, false},
                                      {'a', -1, -1, DEVICE_RWM, true}};
    assert_int_equal(decide(all, 2, 'c', DEVICE_RWM, 1, 3), 1);
}

static void device_rules_are_written_for_v1(void **state)
{
    const struct device_rule some = {'c', 1, -1, DEVICE_READ | DEVICE_WRITE, true};
    const struct device_rule all = {'a', -1, -1, DEVICE_RWM, false};
    const struct device_rule hole[] = {{'c', 1, -1, DEVICE_RWM, true},
                                       {'c', 1, 11, DEVICE_RWM, false}};
    const struct device_rule undone[] = {{'c', 1, 3, DEVICE_RWM, true},
                                         {'c', 1, 3, DEVICE_RWM, false}};
    char text[48];
    (void)state;
    cgroup_device_text(&some, text);
    assert_string_equal(text, "c 1:* rw");
    cgroup_device_text(&all, text);
    assert_string_equal(text, "a");
    assert_false(cgroup_devices_fit_v1(hole, 2));
    assert_true(cgroup_devices_fit_v1(undone, 2));
    assert_true(cgroup_devices_fit_v1(cgroup_default_devices, cgroup_default_device_count));
}

static void device_rules_out_of_range_are_refused(void **state)
{
    const struct device_rule bad[] = {{'x', 1, 3, DEVICE_RWM, true}, {'c', 4096, 3, 7, true},
                                      {'c', 1, 1 << 20, 7, true},    {'c', -2, 3, 7, true},
                                      {'c', 1, 3, 0, true},          {'c', 1, 3, 8, true}};
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        assert_int_equal(cgroup_check_devices(&bad[i], 1, NULL), -EINVAL);
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
        cmocka_unit_test(parents_that_lead_elsewhere_are_refused),
        cmocka_unit_test(ids_that_are_no_names_are_refused),
        cmocka_unit_test(own_group_is_read_from_proc),
        cmocka_unit_test(shares_become_weights_on_the_agreed_curve),
        cmocka_unit_test(no_limit_is_written_as_each_file_wants_it),
        cmocka_unit_test(nothing_asked_is_nothing_written),
        cmocka_unit_test(limits_without_sense_are_refused_by_name),
        cmocka_unit_test(default_devices_are_the_harmless_ones),
        cmocka_unit_test(the_last_matching_device_rule_decides_each_bit),
        cmocka_unit_test(device_rules_are_written_for_v1),
        cmocka_unit_test(device_rules_out_of_range_are_refused),
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
