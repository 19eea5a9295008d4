/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Filters of system calls for our own programs: a list of what each needs; everything else ends the
 * process. To find out what was missing, run it under `strace -f` (the call before "killed by
 * SIGSYS"), or look for type=1326 in the kernel's log: its syscall= is the number.
 *
 *   struct calls calls;
 *   calls_begin(&calls);
 *   calls_allow(&calls, numbers, count); …
 *   rc = calls_install(&calls);
 *
 * What is allowed whatever its arguments, the kernel remembers, and does not run the filter for it
 * at all. No heap, and nothing left to decide; a container's filter is compiled from its profile
 * (runtime/seccomp_compile.c).
 */
#ifndef CAISSON_CONFINE_CALLS_H
#define CAISSON_CONFINE_CALLS_H

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>

/* Not defined on a processor that our lists were never tried on: there is no filter then. */
#if defined(__x86_64__)
#define CALLS_ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define CALLS_ARCHITECTURE AUDIT_ARCH_AARCH64
#elif defined(__riscv) && __riscv_xlen == 64
#define CALLS_ARCHITECTURE AUDIT_ARCH_RISCV64
#endif

#ifdef CALLS_ARCHITECTURE

/* An argument, in what a filter sees. All our processors are little-endian: the low half comes
 * first. */
#define CALLS_LOW(argument) (offsetof(struct seccomp_data, args) + 8 * (size_t)(argument))
#define CALLS_HIGH(argument) (CALLS_LOW(argument) + 4)

/* `otherwise` of the following. */
#define CALLS_END SECCOMP_RET_KILL_PROCESS
#define CALLS_FAIL(code) (SECCOMP_RET_ERRNO | (code))

#define CALLS_MAX 640

struct calls {
    struct sock_filter code[CALLS_MAX];
    size_t length; /* may be more than there is room for, which calls_install() refuses */
};

void calls_begin(struct calls *calls);
void calls_allow(struct calls *calls, const uint32_t *numbers, size_t count);
/* The verdict on one, whatever its arguments. */
void calls_answer(struct calls *calls, uint32_t number, uint32_t verdict);
/* Allowed when the low half of the argument has none of `bits`. */
void calls_allow_without(struct calls *calls, uint32_t number, unsigned argument, uint32_t bits,
                         uint32_t otherwise);
/* Allowed when the low half of the argument is one of two. */
void calls_allow_either(struct calls *calls, uint32_t number, unsigned argument, uint32_t one,
                        uint32_t other, uint32_t otherwise);
/* Threads only, never processes or namespaces. */
void calls_allow_threads(struct calls *calls);
/* One instruction, for what the others cannot say: the number is loaded before it and need not be
 * any more when the verdict was given. */
void calls_add(struct calls *calls, uint16_t code, uint8_t yes, uint8_t no, uint32_t k);
void calls_load(struct calls *calls, size_t offset);
void calls_verdict(struct calls *calls, uint32_t verdict);

/* On every thread there is; no_new_privs must hold. 0 or -errno, without a sentence. */
int calls_install(struct calls *calls);
/* … with another verdict on what was not named, for programs that are not ours. */
int calls_install_or(struct calls *calls, uint32_t otherwise);

#endif
#endif
