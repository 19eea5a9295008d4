/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The system calls of git and all that it starts: ssh, git-remote-https with whatever libcurl was
 * built for, shells and their tools, in any version that a distribution has. So what is on no list
 * is answered as by a kernel that does not know it, and ends nobody: programs have another way
 * then, and something new in one of them breaks no build. What is left out is what attacks on the
 * kernel begin with: namespaces, mounts, tracing, BPF, keys, performance counters, io_uring,
 * userfaultfd, modules, rare kinds of sockets, and memory that can be executed as a program.
 */
#include <errno.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "build/git_parts.h"
#include "confine/calls.h"

#ifdef CALLS_ARCHITECTURE

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define NAMESPACES                                                                                 \
    (CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID |  \
     CLONE_NEWNET)

static const uint32_t files[] = {
    __NR_openat,        __NR_openat2,    __NR_read,        __NR_write,
    __NR_readv,         __NR_writev,     __NR_pread64,     __NR_pwrite64,
    __NR_preadv,        __NR_pwritev,    __NR_lseek,       __NR_close,
    __NR_close_range,   __NR_fstat,      __NR_newfstatat,  __NR_statx,
    __NR_statfs,        __NR_fstatfs,    __NR_faccessat,   __NR_faccessat2,
    __NR_readlinkat,    __NR_getdents64, __NR_getcwd,      __NR_chdir,
    __NR_fchdir,        __NR_mkdirat,    __NR_symlinkat,   __NR_linkat,
    __NR_unlinkat,      __NR_renameat2,  __NR_fchmod,      __NR_fchmodat,
    __NR_fchown,        __NR_fchownat,   __NR_utimensat,   __NR_umask,
    __NR_truncate,      __NR_ftruncate,  __NR_fallocate,   __NR_fsync,
    __NR_fdatasync,     __NR_sync,       __NR_syncfs,      __NR_sync_file_range,
    __NR_flock,         __NR_fcntl,      __NR_dup,         __NR_dup3,
    __NR_pipe2,         __NR_eventfd2,   __NR_sendfile,    __NR_copy_file_range,
    __NR_splice,        __NR_tee,        __NR_fadvise64,   __NR_readahead,
    __NR_getxattr,      __NR_lgetxattr,  __NR_fgetxattr,   __NR_listxattr,
    __NR_llistxattr,    __NR_flistxattr, __NR_ppoll,       __NR_pselect6,
    __NR_epoll_create1, __NR_epoll_ctl,  __NR_epoll_pwait,
#ifdef __NR_renameat
    __NR_renameat,
#endif
#ifdef __NR_open /* what processors of old have besides */
    __NR_open,          __NR_creat,      __NR_stat,        __NR_lstat,
    __NR_access,        __NR_readlink,   __NR_mkdir,       __NR_rmdir,
    __NR_unlink,        __NR_rename,     __NR_link,        __NR_symlink,
    __NR_chmod,         __NR_chown,      __NR_lchown,      __NR_utime,
    __NR_utimes,        __NR_futimesat,  __NR_dup2,        __NR_pipe,
    __NR_eventfd,       __NR_poll,       __NR_select,      __NR_epoll_create,
    __NR_epoll_wait,    __NR_getdents,
#endif
};

static const uint32_t network[] = {
    __NR_connect,     __NR_bind, /* Landlock refuses it for TCP */
    __NR_getsockname, __NR_getpeername, __NR_setsockopt, __NR_getsockopt,
    __NR_shutdown,    __NR_sendto,      __NR_recvfrom,   __NR_sendmsg,
    __NR_recvmsg,     __NR_sendmmsg,    __NR_recvmmsg,   __NR_socketpair,
};

static const uint32_t processes[] = {
    __NR_execve,
    __NR_exit,
    __NR_exit_group,
    __NR_wait4,
    __NR_waitid,
    __NR_kill,
    __NR_tkill,
    __NR_tgkill,
    __NR_setpgid,
    __NR_getpgid,
    __NR_setsid,
    __NR_getsid,
    __NR_getpid,
    __NR_getppid,
    __NR_gettid,
    __NR_getuid,
    __NR_geteuid,
    __NR_getgid,
    __NR_getegid,
    __NR_getresuid,
    __NR_getresgid,
    __NR_getgroups,
    __NR_setuid,
    __NR_setgid,
    __NR_setreuid,
    __NR_setregid,
    __NR_setresuid,
    __NR_setresgid,
    __NR_setgroups,
    __NR_capget,
    __NR_prctl,
    __NR_prlimit64,
    __NR_getrlimit,
    __NR_setrlimit,
    __NR_getrusage,
    __NR_times,
    __NR_getpriority,
    __NR_setpriority,
    __NR_sched_yield,
    __NR_sched_getaffinity,
    __NR_sched_getparam,
    __NR_sched_getscheduler,
    __NR_sched_get_priority_min,
    __NR_sched_get_priority_max,
    __NR_getcpu,
    __NR_uname,
    __NR_sysinfo,
    /* signals and time */
    __NR_rt_sigaction,
    __NR_rt_sigprocmask,
    __NR_rt_sigreturn,
    __NR_rt_sigsuspend,
    __NR_rt_sigpending,
    __NR_rt_sigtimedwait,
    __NR_sigaltstack,
    __NR_restart_syscall,
    __NR_setitimer,
    __NR_getitimer,
    __NR_timer_create,
    __NR_timer_settime,
    __NR_timer_gettime,
    __NR_timer_delete,
    __NR_nanosleep,
    __NR_clock_nanosleep,
    __NR_clock_gettime,
    __NR_clock_getres,
    __NR_gettimeofday,
    /* memory and threads */
    __NR_brk,
    __NR_mmap,
    __NR_munmap,
    __NR_mremap,
    __NR_mprotect,
    __NR_madvise,
    __NR_msync,
    __NR_mincore,
    __NR_mlock,
    __NR_mlock2,
    __NR_munlock,
    __NR_futex,
    __NR_membarrier,
    __NR_set_robust_list,
    __NR_get_robust_list,
    __NR_set_tid_address,
    __NR_rseq,
    __NR_getrandom,
#ifdef __NR_fork
    __NR_fork,
    __NR_vfork,
    __NR_getpgrp,
    __NR_alarm,
    __NR_pause,
    __NR_time,
    __NR_arch_prctl,
#endif
};

/* Of the first argument's low half: allowed when it is one of these. */
static void allow_values(struct calls *c, uint32_t number, unsigned argument,
                         const uint32_t *values, uint8_t count, uint32_t otherwise)
{
    calls_add(c, BPF_JMP | BPF_JEQ | BPF_K, 0, (uint8_t)(count + 3), number);
    calls_load(c, CALLS_LOW(argument));
    for (uint8_t i = 0; i < count; i++)
        calls_add(c, BPF_JMP | BPF_JEQ | BPF_K, (uint8_t)(count - i), 0, values[i]);
    calls_verdict(c, otherwise);
    calls_verdict(c, SECCOMP_RET_ALLOW);
}

static void add_lists(struct calls *c)
{
    static const uint32_t families[] = {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK};
    /* Whether it is a terminal and how wide, what can be read; none that writes to one. */
    static const uint32_t controls[] = {TCGETS,  TIOCGWINSZ, TIOCGPGRP, FIONREAD,
                                        FIONBIO, FIOCLEX,    FIONCLEX};
    calls_allow(c, files, COUNT(files));
    calls_allow(c, network, COUNT(network));
    calls_allow(c, processes, COUNT(processes));
    allow_values(c, __NR_socket, 0, families, COUNT(families), CALLS_FAIL(EAFNOSUPPORT));
    allow_values(c, __NR_ioctl, 1, controls, COUNT(controls), CALLS_FAIL(ENOTTY));
    calls_allow_without(c, __NR_clone, 0, NAMESPACES, CALLS_FAIL(EPERM));
}

int git_seccomp(struct error *err)
{
    struct calls calls;
    calls_begin(&calls);
    add_lists(&calls);
    int rc = calls_install_or(&calls, CALLS_FAIL(ENOSYS));
    if (rc == -EINVAL || rc == -ENOSYS) /* a kernel without filters */
        return 0;
    return rc < 0 ? error_set(err, rc, "cannot restrict the system calls of git: %s",
                              error_describe(rc))
                  : 0;
}

#else

int git_seccomp(struct error *err)
{
    (void)err;
    return 0;
}

#endif
