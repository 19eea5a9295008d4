/* SPDX-License-Identifier: Apache-2.0 */
#include "seccomp-kit.h"

#include <fcntl.h>
#include <linux/audit.h>

#include "base/io.h"
#include "base/memory.h"
#include "runtime/caps.h"

uint32_t interpret(const struct seccomp_program *p, const struct seccomp_data *data)
{
    uint32_t a = 0;
    for (unsigned pc = 0; pc < p->count; pc++) {
        const struct sock_filter *in = &p->code[pc];
        switch (in->code) {
        case BPF_LD | BPF_W | BPF_ABS:
            assert_true(in->k % 4 == 0 && in->k <= sizeof *data - 4);
            memcpy(&a, (const char *)data + in->k, 4);
            break;
        case BPF_ALU | BPF_AND | BPF_K:
            a &= in->k;
            break;
        case BPF_JMP | BPF_JA:
            pc += in->k;
            break;
        case BPF_JMP | BPF_JEQ | BPF_K:
            pc += a == in->k ? in->jt : in->jf;
            break;
        case BPF_JMP | BPF_JGE | BPF_K:
            pc += a >= in->k ? in->jt : in->jf;
            break;
        case BPF_JMP | BPF_JGT | BPF_K:
            pc += a > in->k ? in->jt : in->jf;
            break;
        case BPF_JMP | BPF_JSET | BPF_K:
            pc += (a & in->k) != 0 ? in->jt : in->jf;
            break;
        case BPF_RET | BPF_K:
            return in->k;
        default:
            fail_msg("instruction %u has code 0x%x", pc, in->code);
        }
    }
    fail_msg("the program runs over its end");
    return 0;
}

const unsigned audit[] = {AUDIT_ARCH_X86_64, AUDIT_ARCH_I386, AUDIT_ARCH_AARCH64};

uint32_t number_of(const char *name)
{
    int index = seccomp_call_find(name);
    assert_true(index >= 0);
    int number = seccomp_call_number((unsigned)index, SECCOMP_NATIVE);
    assert_true(number >= 0);
    return (uint32_t)number;
}

json_t *load_list(const char *name)
{
    autobuf text = {0};
    struct error err = {0};
    autofree char *path = xasprintf("%s/%s", SECCOMP_DATA, name);
    assert_int_equal(read_file_at(AT_FDCWD, path, 1 << 20, &text, &err), 0);
    json_t *document = json_parse(text.data, text.len, name, &err);
    assert_non_null(document);
    return document;
}

uint32_t run_builtin(enum seccomp_builtin which, uint64_t caps, uint32_t arch, uint32_t nr,
                     uint64_t first, uint64_t second)
{
    struct seccomp_program program;
    struct error err = {0};
    assert_int_equal(seccomp_builtin(which, caps, &program, &err), 0);
    const struct seccomp_data data = {.nr = (int)nr, .arch = arch, .args = {first, second}};
    uint32_t action = interpret(&program, &data);
    seccomp_program_free(&program);
    return action;
}

uint32_t native(enum seccomp_builtin which, const char *name, uint64_t first, uint64_t second)
{
    return run_builtin(which, CAPS_NONE, audit[SECCOMP_NATIVE], number_of(name), first, second);
}
