/* SPDX-License-Identifier: Apache-2.0 */
#include "archive/confine_seccomp.h"

#include <sys/mman.h>
#include <sys/prctl.h>

#include "confine/calls.h"

#ifdef CALLS_ARCHITECTURE

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* What an unpacker needs whatever the arguments. */
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

/* Limits may be read, not set. */
static void add_prlimit(struct calls *c)
{
    calls_add(c, BPF_JMP | BPF_JEQ | BPF_K, 0, 6, __NR_prlimit64);
    calls_load(c, CALLS_LOW(2));
    calls_add(c, BPF_JMP | BPF_JEQ | BPF_K, 0, 3, 0);
    calls_load(c, CALLS_HIGH(2));
    calls_add(c, BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0);
    calls_verdict(c, SECCOMP_RET_ALLOW);
    calls_verdict(c, CALLS_FAIL(EPERM));
}

int confine_seccomp(struct error *err)
{
    struct calls calls;
    calls_begin(&calls);
    calls_allow(&calls, allowed, COUNT(allowed));
    /* No memory is both written by a parser's mistake and executed. */
    calls_allow_without(&calls, __NR_mmap, 2, PROT_EXEC, CALLS_FAIL(EACCES));
    calls_allow_without(&calls, __NR_mprotect, 2, PROT_EXEC, CALLS_FAIL(EACCES));
    calls_allow_threads(&calls);
    calls_allow_either(&calls, __NR_prctl, 0, PR_SET_NAME, PR_SET_VMA, CALLS_FAIL(EPERM));
    add_prlimit(&calls);
    /* stdio asks whether it writes to a terminal. */
    calls_answer(&calls, __NR_ioctl, CALLS_FAIL(ENOTTY));
    int rc = calls_install(&calls);
    if (rc == -EINVAL || rc == -ENOSYS)
        return 0;
    return rc < 0 ? error_set(err, rc, "cannot restrict the worker's system calls: %s",
                              error_describe(rc))
                  : 1;
}

#else

int confine_seccomp(struct error *err)
{
    (void)err;
    return 0;
}

#endif
