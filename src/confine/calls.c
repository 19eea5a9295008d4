/* SPDX-License-Identifier: Apache-2.0 */
#include "confine/calls.h"

#ifdef CALLS_ARCHITECTURE

#include <errno.h>
#include <sched.h>
#include <unistd.h>

#define X32_BIT 0x40000000u

void calls_add(struct calls *calls, uint16_t code, uint8_t yes, uint8_t no, uint32_t k)
{
    if (calls->length < CALLS_MAX)
        calls->code[calls->length] = (struct sock_filter){code, yes, no, k};
    calls->length++;
}

void calls_load(struct calls *calls, size_t offset)
{
    calls_add(calls, BPF_LD | BPF_W | BPF_ABS, 0, 0, (uint32_t)offset);
}

void calls_verdict(struct calls *calls, uint32_t verdict)
{
    calls_add(calls, BPF_RET | BPF_K, 0, 0, verdict);
}

void calls_begin(struct calls *calls)
{
    calls->length = 0;
    calls_load(calls, offsetof(struct seccomp_data, arch));
    calls_add(calls, BPF_JMP | BPF_JEQ | BPF_K, 1, 0, CALLS_ARCHITECTURE);
    calls_verdict(calls, CALLS_END);
    calls_load(calls, offsetof(struct seccomp_data, nr));
    calls_add(calls, BPF_JMP | BPF_JGE | BPF_K, 0, 1, X32_BIT);
    calls_verdict(calls, CALLS_END);
}

void calls_answer(struct calls *calls, uint32_t number, uint32_t verdict)
{
    calls_add(calls, BPF_JMP | BPF_JEQ | BPF_K, 0, 1, number);
    calls_verdict(calls, verdict);
}

void calls_allow(struct calls *calls, const uint32_t *numbers, size_t count)
{
    for (size_t i = 0; i < count; i++)
        calls_answer(calls, numbers[i], SECCOMP_RET_ALLOW);
}

void calls_allow_without(struct calls *calls, uint32_t number, unsigned argument, uint32_t bits,
                         uint32_t otherwise)
{
    calls_add(calls, BPF_JMP | BPF_JEQ | BPF_K, 0, 4, number);
    calls_load(calls, CALLS_LOW(argument));
    calls_add(calls, BPF_JMP | BPF_JSET | BPF_K, 1, 0, bits);
    calls_verdict(calls, SECCOMP_RET_ALLOW);
    calls_verdict(calls, otherwise);
}

void calls_allow_either(struct calls *calls, uint32_t number, unsigned argument, uint32_t one,
                        uint32_t other, uint32_t otherwise)
{
    calls_add(calls, BPF_JMP | BPF_JEQ | BPF_K, 0, 5, number);
    calls_load(calls, CALLS_LOW(argument));
    calls_add(calls, BPF_JMP | BPF_JEQ | BPF_K, 1, 0, one);
    calls_add(calls, BPF_JMP | BPF_JEQ | BPF_K, 0, 1, other);
    calls_verdict(calls, SECCOMP_RET_ALLOW);
    calls_verdict(calls, otherwise);
}

void calls_allow_threads(struct calls *calls)
{
    const uint32_t namespaces = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC |
                                CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;
    calls_add(calls, BPF_JMP | BPF_JEQ | BPF_K, 0, 6, __NR_clone);
    calls_load(calls, CALLS_LOW(0));
    calls_add(calls, BPF_JMP | BPF_JSET | BPF_K, 1, 0, CLONE_THREAD);
    calls_verdict(calls, CALLS_END);
    calls_add(calls, BPF_JMP | BPF_JSET | BPF_K, 0, 1, namespaces);
    calls_verdict(calls, CALLS_END);
    calls_verdict(calls, SECCOMP_RET_ALLOW);
    /* Its arguments lie in memory, where no filter can look: glibc falls back to clone(2). */
    calls_answer(calls, __NR_clone3, CALLS_FAIL(ENOSYS));
}

int calls_install(struct calls *calls)
{
    return calls_install_or(calls, CALLS_END);
}

int calls_install_or(struct calls *calls, uint32_t otherwise)
{
    calls_verdict(calls, otherwise);
    if (calls->length > CALLS_MAX)
        return -E2BIG;
    struct sock_fprog program = {.len = (unsigned short)calls->length, .filter = calls->code};
    long rc = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program);
    /* A thread that could not be brought to it is told by its id. */
    return rc < 0 ? -errno : rc > 0 ? -EBUSY : 0;
}

#endif
