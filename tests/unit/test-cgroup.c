/* SPDX-License-Identifier: Apache-2.0 */
/* Control groups without a kernel: names, formulas, plans, the device program run by a small
 * interpreter. What the kernel makes of it: test-cgroup-kernel. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/io.h"
#include "base/text.h"
#include "runtime/cgroup_internal.h"

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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
