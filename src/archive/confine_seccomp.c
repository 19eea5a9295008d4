/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A list of what an unpacker needs; everything else ends the process. To find out what was missing,
 * run it under `strace -f` (the call before "killed by SIGSYS"), or look for type=1326 in the
 * kernel's log: its syscall= is the number.
 */
#include "archive/confine_seccomp.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#elif defined(__riscv) && __riscv_xlen == 64
#define ARCHITECTURE AUDIT_ARCH_RISCV64
#endif

#ifdef ARCHITECTURE

#define X32_BIT 0x40000000u

/* Allowed whatever the arguments: the kernel then remembers and does not run the filter at all. */
static const uint32_t allowed[] = {
    /* files, by descriptor */
    __NR_read,
    __NR_write,
    __NR_pread64,
    __NR_pwrite64,
    __NR_readv,
    __NR_writev,
    __NR_lseek,
    __NR_close,
    __NR_close_range,
    __NR_fstat,
    __NR_ftruncate,
    __NR_fallocate,
    __NR_fsync,
    __NR_fdatasync,
    __NR_syncfs,
    __NR_fchmod,
    __NR_fchown,
    __NR_fsetxattr,
    __NR_fgetxattr,
    __NR_flistxattr,
    __NR_fremovexattr,
    __NR_fadvise64,
    __NR_readahead,
    __NR_copy_file_range,
    __NR_sendfile,
    __NR_getdents64,
    __NR_flock,
    __NR_fcntl,
    __NR_fstatfs,
    __NR_dup,
    __NR_dup3,
    __NR_memfd_create,
    /* files, by name: Landlock says which */
    __NR_openat,
    __NR_openat2,
    __NR_newfstatat,
    __NR_statx,
    __NR_faccessat,
    __NR_faccessat2,
    __NR_readlinkat,
    __NR_mkdirat,
    __NR_mknodat,
    __NR_symlinkat,
    __NR_linkat,
    __NR_unlinkat,
    __NR_renameat2,
    __NR_fchmodat,
    __NR_fchownat,
    __NR_utimensat,
    __NR_umask,
    __NR_getcwd,
#ifdef __NR_renameat
    __NR_renameat,
#endif
#ifdef __NR_open /* what glibc uses where the processor still has them */
    __NR_open,
    __NR_stat,
    __NR_lstat,
    __NR_access,
    __NR_readlink,
    __NR_mkdir,
    __NR_rmdir,
    __NR_unlink,
    __NR_rename,
    __NR_link,
    __NR_symlink,
    __NR_chmod,
    __NR_dup2,
    __NR_pipe,
    __NR_poll,
    __NR_time,
#endif
    /* memory */
    __NR_brk,
    __NR_munmap,
    __NR_mremap,
    __NR_madvise,
    /* threads and waiting */
    __NR_futex,
    __NR_set_robust_list,
    __NR_rseq,
    __NR_membarrier,
    __NR_set_tid_address,
    __NR_sched_yield,
    __NR_sched_getaffinity,
    __NR_exit,
    __NR_exit_group,
    __NR_wait4, /* for a child from before, whose output is being read */
    __NR_pipe2,
    __NR_eventfd2,
    __NR_ppoll,
    __NR_nanosleep,
    __NR_clock_nanosleep,
    __NR_restart_syscall,
    /* signals to ourselves: abort(3) */
    __NR_rt_sigaction,
    __NR_rt_sigprocmask,
    __NR_rt_sigreturn,
    __NR_sigaltstack,
    __NR_tgkill,
    /* who and when */
    __NR_getpid,
    __NR_gettid,
    __NR_getuid,
    __NR_geteuid,
    __NR_getgid,
    __NR_getegid,
    __NR_getrandom,
    __NR_clock_gettime,
    __NR_clock_getres,
    __NR_gettimeofday,
    __NR_uname,
    __NR_sysinfo,
    __NR_getrusage,
};

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define FILTER_MAX (2 * COUNT(allowed) + 64)

struct program {
    struct sock_filter code[FILTER_MAX];
    unsigned short length;
};

static void add(struct program *p, uint16_t code, uint8_t yes, uint8_t no, uint32_t k)
{
    p->code[p->length++] = (struct sock_filter){.code = code, .jt = yes, .jf = no, .k = k};
}

static void add_return(struct program *p, uint32_t action)
{
    add(p, BPF_RET | BPF_K, 0, 0, action);
}

static void add_load(struct program *p, size_t offset)
{
    add(p, BPF_LD | BPF_W | BPF_ABS, 0, 0, (uint32_t)offset);
}

/* All our processors are little-endian: the low half of an argument comes first. */
#define LOW(argument) offsetof(struct seccomp_data, args[argument])
#define HIGH(argument) (LOW(argument) + 4)

static void add_call(struct program *p, uint32_t number, uint32_t action)
{
    add(p, BPF_JMP | BPF_JEQ | BPF_K, 0, 1, number);
    add_return(p, action);
}

/* `number` is refused with `action` when its argument has any of `bits`, else allowed. */
static void add_call_without(struct program *p, uint32_t number, int argument, uint32_t bits,
                             uint32_t action)
{
    add(p, BPF_JMP | BPF_JEQ | BPF_K, 0, 4, number);
    add_load(p, LOW(argument));
    add(p, BPF_JMP | BPF_JSET | BPF_K, 0, 1, bits);
    add_return(p, action);
    add_return(p, SECCOMP_RET_ALLOW);
}

/* Threads only, never processes or namespaces. */
static void add_clone(struct program *p)
{
    const uint32_t namespaces = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC |
                                CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;
    add(p, BPF_JMP | BPF_JEQ | BPF_K, 0, 6, __NR_clone);
    add_load(p, LOW(0));
    add(p, BPF_JMP | BPF_JSET | BPF_K, 1, 0, CLONE_THREAD);
    add_return(p, SECCOMP_RET_KILL_PROCESS);
    add(p, BPF_JMP | BPF_JSET | BPF_K, 0, 1, namespaces);
    add_return(p, SECCOMP_RET_KILL_PROCESS);
    add_return(p, SECCOMP_RET_ALLOW);
    /* Its arguments lie in memory, where no filter can look: glibc falls back to clone(2). */
    add_call(p, __NR_clone3, SECCOMP_RET_ERRNO | ENOSYS);
}

static void add_prctl(struct program *p)
{
    add(p, BPF_JMP | BPF_JEQ | BPF_K, 0, 5, __NR_prctl);
    add_load(p, LOW(0));
    add(p, BPF_JMP | BPF_JEQ | BPF_K, 1, 0, PR_SET_NAME);
    add(p, BPF_JMP | BPF_JEQ | BPF_K, 0, 1, PR_SET_VMA);
    add_return(p, SECCOMP_RET_ALLOW);
    add_return(p, SECCOMP_RET_ERRNO | EPERM);
}

/* Limits may be read, not set. */
static void add_prlimit(struct program *p)
{
    add(p, BPF_JMP | BPF_JEQ | BPF_K, 0, 6, __NR_prlimit64);
    add_load(p, LOW(2));
    add(p, BPF_JMP | BPF_JEQ | BPF_K, 0, 3, 0);
    add_load(p, HIGH(2));
    add(p, BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0);
    add_return(p, SECCOMP_RET_ALLOW);
    add_return(p, SECCOMP_RET_ERRNO | EPERM);
}

static void build(struct program *p)
{
    add_load(p, offsetof(struct seccomp_data, arch));
    add(p, BPF_JMP | BPF_JEQ | BPF_K, 1, 0, ARCHITECTURE);
    add_return(p, SECCOMP_RET_KILL_PROCESS);
    add_load(p, offsetof(struct seccomp_data, nr));
    add(p, BPF_JMP | BPF_JGE | BPF_K, 0, 1, X32_BIT);
    add_return(p, SECCOMP_RET_KILL_PROCESS);
    for (size_t i = 0; i < COUNT(allowed); i++)
        add_call(p, allowed[i], SECCOMP_RET_ALLOW);
    /* No memory is both written by a parser's mistake and executed. */
    add_call_without(p, __NR_mmap, 2, PROT_EXEC, SECCOMP_RET_ERRNO | EACCES);
    add_call_without(p, __NR_mprotect, 2, PROT_EXEC, SECCOMP_RET_ERRNO | EACCES);
    add_clone(p);
    add_prctl(p);
    add_prlimit(p);
    /* stdio asks whether it writes to a terminal. */
    add_call(p, __NR_ioctl, SECCOMP_RET_ERRNO | ENOTTY);
    add_return(p, SECCOMP_RET_KILL_PROCESS);
}

int confine_seccomp(struct error *err)
{
    struct program program = {.length = 0};
    build(&program);
    struct sock_fprog fprog = {.len = program.length, .filter = program.code};
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &fprog) != 0)
        return error_errno(err, "cannot restrict the worker's system calls");
    return 0;
}

#else

int confine_seccomp(struct error *err)
{
    return error_set(err, -EOPNOTSUPP, "no list of system calls for this processor");
}

#endif
