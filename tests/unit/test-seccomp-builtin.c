/* SPDX-License-Identifier: Apache-2.0 */
/* The lists built in: what they answer, by an interpreter of classic BPF. */
#include "seccomp-kit.h"

#include <fcntl.h>
#include <linux/audit.h>

#include "runtime/caps.h"

/* With three arguments after the first. */
static uint32_t run_builtin4(enum seccomp_builtin which, uint64_t caps, const char *name,
                             const uint64_t args[4])
{
    struct seccomp_program program;
    struct error err = {0};
    assert_int_equal(seccomp_builtin(which, caps, &program, &err), 0);
    const struct seccomp_data data = {.nr = (int)number_of(name),
                                      .arch = audit[SECCOMP_NATIVE],
                                      .args = {args[0], args[1], args[2], args[3]}};
    uint32_t action = interpret(&program, &data);
    seccomp_program_free(&program);
    return action;
}

static void calls_of_a_foreign_architecture_kill(void **unused)
{
    (void)unused;
    for (unsigned which = 0; which < 2; which++) {
        const enum seccomp_builtin list = (enum seccomp_builtin)which;
        assert_int_equal(run_builtin(list, 0, AUDIT_ARCH_I386, 102, 1, 0),
                         SECCOMP_RET_KILL_PROCESS); /* socketcall */
        assert_int_equal(run_builtin(list, 0, AUDIT_ARCH_ARM, 1, 0, 0), SECCOMP_RET_KILL_PROCESS);
#if defined(__x86_64__)
        assert_int_equal(run_builtin(list, 0, AUDIT_ARCH_X86_64, 0x40000000, 0, 0),
                         SECCOMP_RET_KILL_PROCESS); /* x32 */
        assert_int_equal(run_builtin(list, 0, AUDIT_ARCH_X86_64, 0x40000000 | 41, 38, 0),
                         SECCOMP_RET_KILL_PROCESS);
#endif
        /* How a tracer skips a call. */
        assert_int_equal(run_builtin(list, 0, audit[SECCOMP_NATIVE], UINT32_MAX, 0, 0),
                         SECCOMP_RET_ERRNO | ENOSYS);
    }
}

static void calls_newer_than_the_list_are_not_implemented(void **unused)
{
    (void)unused;
    assert_int_equal(run_builtin(SECCOMP_RESTRICTED, 0, audit[SECCOMP_NATIVE], 900, 0, 0),
                     SECCOMP_RET_ERRNO | ENOSYS);
    assert_int_equal(native(SECCOMP_RESTRICTED, "clone3", 0, 0), SECCOMP_RET_ERRNO | ENOSYS);
}

static void bits_that_the_kernel_drops_do_not_hide_an_argument(void **unused)
{
    (void)unused;
    const uint32_t denied = SECCOMP_RET_ERRNO | EPERM;
    const uint64_t high = UINT64_C(1) << 32;
    for (unsigned i = 0; i < 2; i++) {
        const enum seccomp_builtin which = (enum seccomp_builtin)i;
        assert_int_equal(native(which, "ioctl", 0, 0x5401), SECCOMP_RET_ALLOW); /* TCGETS */
        for (unsigned bits = 0; bits < 2; bits++) {
            assert_int_equal(native(which, "ioctl", 0, bits * high | 0x5412), denied);
            assert_int_equal(native(which, "ioctl", 0, bits * high | 0x541c), denied);
            assert_int_equal(native(which, "socket", bits * high | 38, 5), denied);
            assert_int_equal(native(which, "socket", bits * high | 40, 1), denied);
        }
        assert_int_equal(native(which, "socket", 2, 1), SECCOMP_RET_ALLOW);
    }
}

#define NO_MODE 4 /* no argument is a mode */

/* Every call that gives a file its mode, and where that stands. */
static const struct {
    const char *name;
    unsigned mode, flags; /* positions */
    uint64_t creating;    /* bits of the flags with which the mode counts */
} mode_calls[] = {

    {"chmod", 1, NO_MODE, 0},
    {"fchmod", 1, NO_MODE, 0},
    {"fchmodat", 2, NO_MODE, 0},
    {"fchmodat2", 2, NO_MODE, 0},
    {"creat", 1, NO_MODE, 0},
    {"mknod", 1, NO_MODE, 0},
    {"mknodat", 2, NO_MODE, 0},
    {"open", 2, 1, O_CREAT},
    {"open", 2, 1, 0x400000},
    {"openat", 3, 2, O_CREAT | O_WRONLY},
    {"openat", 3, 2, 0x400000},
    {"openat", 3, 2, O_TMPFILE | O_RDWR},
    {"openat", 3, 2, UINT64_C(1) << 32 | O_CREAT},
};

static void no_mode_has_a_set_id_bit_without_the_capability_for_it(void **unused)
{
    (void)unused;
    static const uint64_t bad[] = {04755, 02755, 06000, 0104755, 0102644, 0x1000000000800, 0x10400};
    const uint64_t fsetid = UINT64_C(1) << 4;
    for (size_t i = 0; i < sizeof mode_calls / sizeof mode_calls[0]; i++) {
        if (seccomp_call_number((unsigned)seccomp_call_find(mode_calls[i].name), SECCOMP_NATIVE) <
            0)
            continue; /* aarch64 has only those with a directory */
        for (unsigned which = 0; which < 2; which++) {
            const enum seccomp_builtin list = (enum seccomp_builtin)which;
            uint64_t args[5] = {0};
            args[mode_calls[i].flags] = mode_calls[i].creating;
            for (size_t j = 0; j < sizeof bad / sizeof bad[0]; j++) {
                args[mode_calls[i].mode] = bad[j];
                assert_int_equal(run_builtin4(list, CAPS_NONE, mode_calls[i].name, args),
                                 SECCOMP_RET_ERRNO | EPERM);
                assert_int_equal(run_builtin4(list, ~fsetid, mode_calls[i].name, args),
                                 SECCOMP_RET_ERRNO | EPERM);
                assert_int_equal(run_builtin4(list, fsetid, mode_calls[i].name, args),
                                 SECCOMP_RET_ALLOW);
            }
            args[mode_calls[i].mode] = 0101777; /* regular file, sticky */
            assert_int_equal(run_builtin4(list, CAPS_NONE, mode_calls[i].name, args),
                             SECCOMP_RET_ALLOW);
        }
    }
}

/* What lies in the register of an argument that is not there. */
static void the_mode_counts_only_when_a_file_is_made(void **unused)
{
    (void)unused;
    for (unsigned which = 0; which < 2; which++) {
        const enum seccomp_builtin list = (enum seccomp_builtin)which;
        const uint64_t args[4] = {0, 0, O_RDWR | O_TRUNC | O_DIRECTORY | O_CLOEXEC, UINT64_MAX};
        assert_int_equal(run_builtin4(list, CAPS_NONE, "openat", args), SECCOMP_RET_ALLOW);
        const uint64_t zero[4] = {0};
        assert_int_equal(run_builtin4(list, CAPS_NONE, "openat2", zero),
                         SECCOMP_RET_ERRNO | ENOSYS);
        assert_int_equal(run_builtin4(list, UINT64_C(1) << 4, "openat2", zero), SECCOMP_RET_ALLOW);
    }
}

static void restricted_opens_calls_with_their_capability(void **unused)
{
    (void)unused;
    const uint32_t denied = SECCOMP_RET_ERRNO | EPERM;
    static const struct {
        const char *call, *capability;
        uint64_t first, second;
    } cases[] = {
        {"mount", "SYS_ADMIN", 0, 0},   {"unshare", "SYS_ADMIN", 0, 0},
        {"bpf", "BPF", 0, 0},           {"ptrace", "SYS_PTRACE", 0, 0},
        {"socket", "NET_RAW", 2, 3},    {"socket", "NET_RAW", 17, 3},
        {"chroot", "SYS_CHROOT", 0, 0}, {"mknod", "MKNOD", 0, 0020666},
        {"reboot", "SYS_BOOT", 0, 0},   {"clone", "SYS_ADMIN", 0x10000000, 0},
        {"syslog", "SYSLOG", 0, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int index = seccomp_call_find(cases[i].call);
        if (seccomp_call_number((unsigned)index, SECCOMP_NATIVE) < 0)
            continue; /* mknod on aarch64 */
        uint64_t caps = 0;
        assert_int_equal(caps_parse(cases[i].capability, &caps, NULL), 0);
        uint32_t number = number_of(cases[i].call);
        assert_int_equal(run_builtin(SECCOMP_RESTRICTED, 0, audit[SECCOMP_NATIVE], number,
                                     cases[i].first, cases[i].second),
                         denied);
        assert_int_equal(run_builtin(SECCOMP_RESTRICTED, caps, audit[SECCOMP_NATIVE], number,
                                     cases[i].first, cases[i].second),
                         SECCOMP_RET_ALLOW);
    }
}

static void every_call_of_linux_stands_in_the_restricted_list(void **unused)
{
    (void)unused;
    autojson document = load_list("restricted.json");
    json_t *rule, *name;
    size_t i, j;
    bool seen[1024] = {false};
    json_array_foreach(json_object_get(document, "syscalls"), i, rule)
    {
        json_array_foreach(json_object_get(rule, "names"), j, name)
        {
            int index = seccomp_call_find(json_string_value(name));
            if (index < 0)
                fail_msg("%s is no system call", json_string_value(name));
            seen[index] = true;
        }
    }
    for (unsigned c = 0; seccomp_call_name(c); c++)
        if (!seen[c])
            fail_msg("%s is neither allowed nor denied with a reason", seccomp_call_name(c));
}

static void the_table_of_calls_is_sorted(void **unused)
{
    (void)unused;
    for (unsigned i = 1; seccomp_call_name(i); i++)
        assert_true(strcmp(seccomp_call_name(i - 1), seccomp_call_name(i)) < 0);
    assert_int_equal(seccomp_call_number((unsigned)seccomp_call_find("read"), SECCOMP_X86_64), 0);
    assert_int_equal(seccomp_call_number((unsigned)seccomp_call_find("read"), SECCOMP_I386), 3);
    assert_int_equal(seccomp_call_number((unsigned)seccomp_call_find("read"), SECCOMP_AARCH64), 63);
    assert_int_equal(seccomp_call_find("reads"), -1);
}

static void damaged_programs_are_not_valid(void **unused)
{
    (void)unused;
    const struct sock_filter good[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
                                       BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 1, 0, 1),
                                       BPF_STMT(BPF_RET | BPF_K, 0), BPF_STMT(BPF_RET | BPF_K, 0)};
    struct sock_filter bad[4];
    assert_true(seccomp_program_valid(good, 4));
    assert_false(seccomp_program_valid(good, 0));
    assert_false(seccomp_program_valid(good, 3)); /* jumps behind the end */
    assert_false(seccomp_program_valid(good, 2));
    memcpy(bad, good, sizeof bad);
    bad[0].k = 2; /* not aligned */
    assert_false(seccomp_program_valid(bad, 4));
    bad[0].k = 64; /* behind the data */
    assert_false(seccomp_program_valid(bad, 4));
    memcpy(bad, good, sizeof bad);
    bad[1] = (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, 2);
    assert_false(seccomp_program_valid(bad, 4));
    memcpy(bad, good, sizeof bad);
    bad[3] = bad[0]; /* no return at the end */
    assert_false(seccomp_program_valid(bad, 4));
    bad[3] = (struct sock_filter)BPF_STMT(BPF_LDX | BPF_W | BPF_LEN, 0);
    assert_false(seccomp_program_valid(bad, 4));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_of_calls_is_sorted),
        cmocka_unit_test(calls_of_a_foreign_architecture_kill),
        cmocka_unit_test(calls_newer_than_the_list_are_not_implemented),
        cmocka_unit_test(bits_that_the_kernel_drops_do_not_hide_an_argument),
        cmocka_unit_test(no_mode_has_a_set_id_bit_without_the_capability_for_it),
        cmocka_unit_test(the_mode_counts_only_when_a_file_is_made),
        cmocka_unit_test(restricted_opens_calls_with_their_capability),
        cmocka_unit_test(every_call_of_linux_stands_in_the_restricted_list),
        cmocka_unit_test(damaged_programs_are_not_valid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
