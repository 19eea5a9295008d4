/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A list of what relaying needs; everything else ends the process. To find out what was missing,
 * run it under `strace -f` (the call before "killed by SIGSYS"), or look for type=1326 in the
 * kernel's log: its syscall= is the number.
 */
#include "network/port_seccomp.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#elif defined(__riscv) && __riscv_xlen == 64
#define ARCHITECTURE AUDIT_ARCH_RISCV64
#endif

#ifdef ARCHITECTURE

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* Allowed whatever the arguments: the kernel then remembers and does not run the filter at all. */
static const uint32_t allowed[] = {
#ifdef __NR_epoll_wait
    __NR_epoll_wait,
#endif
    __NR_epoll_pwait, __NR_epoll_ctl,       __NR_accept4,
    __NR_bind,        __NR_connect,         __NR_shutdown,
    __NR_setsockopt,  __NR_getsockopt,      __NR_sendmsg,
    __NR_sendto,      __NR_recvmsg,         __NR_recvfrom,
    __NR_splice,      __NR_pipe2,           __NR_close,
    __NR_write, /* the word that it is ready, the last words of one without memory */
    __NR_writev,      __NR_clock_gettime,   __NR_brk,
    __NR_munmap,      __NR_mremap,          __NR_madvise,
    __NR_futex,       __NR_restart_syscall, __NR_rt_sigreturn,
    __NR_exit_group,
};

/* Allowed when argument `argument` is one of these. */
struct condition {
    uint32_t call;
    unsigned argument;
    uint32_t mask, values[2];
};
static const struct condition conditions[] = {
    {__NR_socket, 0, UINT32_MAX, {AF_INET, AF_INET6}},
    /* No memory is both written by a mistake and executed. */
    {__NR_mmap, 2, PROT_EXEC, {0, 0}},
    {__NR_mprotect, 2, PROT_EXEC, {0, 0}},
};

struct program {
    struct sock_filter code[6 + 2 * COUNT(allowed) + 7 * COUNT(conditions)];
    unsigned short length;
};

static void add(struct program *p, uint16_t code, uint8_t if_true, uint8_t if_false, uint32_t k)
{
    p->code[p->length++] = (struct sock_filter){code, if_true, if_false, k};
}

static void add_return(struct program *p, uint32_t verdict)
{
    add(p, BPF_RET | BPF_K, 0, 0, verdict);
}

static void add_load(struct program *p, size_t offset)
{
    add(p, BPF_LD | BPF_W | BPF_ABS, 0, 0, (uint32_t)offset);
}

static void add_condition(struct program *p, const struct condition *c)
{
    size_t low = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? 0 : sizeof(uint32_t);
    add(p, BPF_JMP | BPF_JEQ | BPF_K, 0, 6, c->call);
    add_load(p, offsetof(struct seccomp_data, args) + c->argument * sizeof(uint64_t) + low);
    add(p, BPF_ALU | BPF_AND | BPF_K, 0, 0, c->mask);
    add(p, BPF_JMP | BPF_JEQ | BPF_K, 1, 0, c->values[0]);
    add(p, BPF_JMP | BPF_JEQ | BPF_K, 0, 1, c->values[1]);
    add_return(p, SECCOMP_RET_ALLOW);
    add_return(p, SECCOMP_RET_KILL_PROCESS);
}

static void build(struct program *p)
{
    add_load(p, offsetof(struct seccomp_data, arch));
    add(p, BPF_JMP | BPF_JEQ | BPF_K, 1, 0, ARCHITECTURE);
    add_return(p, SECCOMP_RET_KILL_PROCESS);
    add_load(p, offsetof(struct seccomp_data, nr));
    for (size_t i = 0; i < COUNT(allowed); i++) {
        add(p, BPF_JMP | BPF_JEQ | BPF_K, 0, 1, allowed[i]);
        add_return(p, SECCOMP_RET_ALLOW);
    }
    for (size_t i = 0; i < COUNT(conditions); i++)
        add_condition(p, &conditions[i]);
    add_return(p, SECCOMP_RET_KILL_PROCESS);
}

int port_seccomp(struct error *err)
{
    struct program program = {.length = 0};
    build(&program);
    struct sock_fprog fprog = {.len = program.length, .filter = program.code};
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &fprog) != 0)
        return error_errno(err, "cannot restrict the system calls of caisson-port");
    return 0;
}

#else

int port_seccomp(struct error *err)
{
    (void)err;
    return 0;
}

#endif
