/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stages, in the order they are taken:
 *   no_new_privs
 *   landlock      certificates of authorities and what names are resolved by can be read; nothing
 *                 can be written but what is open already
 *   capabilities  none
 *   seccomp       sockets of the internet and what a download needs besides: no execve, no fork, no
 *                 new code, no other kind of socket
 * So the resolver loads no module of nsswitch.conf: /etc/hosts and the DNS are what there is.
 */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "confine/calls.h"
#include "confine/capabilities.h"
#include "confine/fence.h"
#include "fetch/fetch.h"

#define READ (FENCE_READ_FILE | FENCE_READ_DIRECTORY)
#define LANDLOCK_LEAST 1

/* --- files --- */

void fetch_authorities_find(struct fetch_authorities *out)
{
    static const char *const files[] = {
        "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
        "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem"};
    const char *file = getenv("SSL_CERT_FILE"), *directory = getenv("SSL_CERT_DIR");
    *out = (struct fetch_authorities){
        .file = file && *file ? file : NULL,
        .directory = directory && *directory ? directory : NULL,
    };
    for (size_t i = 0; !out->file && !out->directory && i < sizeof files / sizeof *files; i++)
        if (access(files[i], R_OK) == 0)
            out->file = files[i];
}

/* What is not there need not be read. */
static int allow(const struct fence *fence, const char *path)
{
    autofd fd = path ? open(path, O_PATH | O_CLOEXEC) : -1;
    return fd < 0 ? 0 : fence_allow_beneath(fence, fd, READ);
}

static int fence_in(const struct fetch_authorities *authorities, struct error *err)
{
    static const char *const resolver[] = {"/etc/resolv.conf",   "/etc/hosts",
                                           "/etc/nsswitch.conf", "/etc/host.conf",
                                           "/etc/gai.conf",      "/etc/services"};
    /* Where links of a directory of certificates lead. */
    static const char *const certificates[] = {"/usr/share/ca-certificates",
                                               "/usr/local/share/ca-certificates"};
    autofence fence = FENCE_NONE;
    int rc = fence_begin(LANDLOCK_LEAST, FENCE_TCP_BIND, &fence);
    for (size_t i = 0; rc == 0 && i < sizeof resolver / sizeof *resolver; i++)
        rc = allow(&fence, resolver[i]);
    if (rc == 0)
        rc = allow(&fence, authorities->file);
    if (rc == 0)
        rc = allow(&fence, authorities->directory);
    for (size_t i = 0; rc == 0 && authorities->directory && i < 2; i++)
        rc = allow(&fence, certificates[i]);
    if (rc == 0)
        rc = fence_close(&fence);
    return rc < 0 ? error_set(err, rc, "cannot confine caisson-fetch with Landlock: %s",
                              error_describe(rc))
                  : 0;
}

/* --- system calls --- */

#ifdef CALLS_ARCHITECTURE

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static const uint32_t allowed[] = {
    /* the network */
    __NR_connect,
    __NR_bind, /* the resolver, for UDP; Landlock refuses it for TCP */
    __NR_getsockname,
    __NR_getpeername,
    __NR_setsockopt,
    __NR_getsockopt,
    __NR_shutdown,
    __NR_sendto,
    __NR_recvfrom,
    __NR_sendmsg,
    __NR_recvmsg,
    __NR_sendmmsg,
    __NR_ppoll,
    __NR_pselect6,
    __NR_epoll_pwait,
    __NR_epoll_create1,
    __NR_epoll_ctl,
    __NR_eventfd2,
    __NR_pipe2,
#ifdef __NR_poll
    __NR_poll,
    __NR_select,
    __NR_pipe,
    __NR_epoll_wait,
    __NR_time,
#endif
    /* files: Landlock says which */
    __NR_openat,
    __NR_read,
    __NR_write,
    __NR_readv,
    __NR_writev,
    __NR_pread64,
    __NR_lseek,
    __NR_close,
    __NR_fcntl,
    __NR_ftruncate,
    __NR_getdents64,
    __NR_fstat,
    __NR_newfstatat,
    __NR_statx,
    __NR_faccessat,
    __NR_faccessat2,
    __NR_readlinkat,
    __NR_getcwd,
#ifdef __NR_open
    __NR_open,
    __NR_stat,
    __NR_lstat,
    __NR_access,
    __NR_readlink,
#endif
    /* memory */
    __NR_brk,
    __NR_munmap,
    __NR_mremap,
    __NR_madvise,
    /* threads and waiting: the resolver has one */
    __NR_futex,
    __NR_set_robust_list,
    __NR_rseq,
    __NR_membarrier,
    __NR_sched_yield,
    __NR_sched_getaffinity,
    __NR_exit,
    __NR_exit_group,
    __NR_nanosleep,
    __NR_clock_nanosleep,
    __NR_restart_syscall,
    /* signals to ourselves */
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
};

/* Of the internet; whoever asks for another kind (a cache of names, the list of interfaces) does
 * without. */
static int filter(void)
{
    struct calls calls;
    calls_begin(&calls);
    calls_allow(&calls, allowed, COUNT(allowed));
    calls_allow_either(&calls, __NR_socket, 0, AF_INET, AF_INET6, CALLS_FAIL(EAFNOSUPPORT));
    calls_allow_either(&calls, __NR_socketpair, 0, AF_UNIX, AF_UNIX, CALLS_FAIL(EAFNOSUPPORT));
    calls_allow_without(&calls, __NR_mmap, 2, PROT_EXEC, CALLS_FAIL(EACCES));
    calls_allow_without(&calls, __NR_mprotect, 2, PROT_EXEC, CALLS_FAIL(EACCES));
    calls_allow_threads(&calls);
    calls_allow_either(&calls, __NR_prctl, 0, PR_SET_NAME, PR_SET_VMA, CALLS_FAIL(EPERM));
    calls_answer(&calls, __NR_prlimit64, CALLS_FAIL(EPERM));
    /* Whether something is a terminal, how many bytes wait in a socket: both do without. */
    calls_answer(&calls, __NR_ioctl, CALLS_FAIL(ENOTTY));
    return calls_install(&calls);
}

#else

static int filter(void)
{
    return 0;
}

#endif

int fetch_confine(const struct fetch_authorities *authorities, struct error *err)
{
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return error_errno(err, "cannot set no_new_privs");
    int rc = fence_in(authorities, err);
    if (rc < 0)
        return rc;
    capabilities_drop_bounding();
    rc = capabilities_keep(0);
    if (rc < 0)
        return error_set(err, rc, "cannot give up the capabilities of caisson-fetch: %s",
                         error_describe(rc));
    rc = filter();
    if (rc < 0 && rc != -EINVAL && rc != -ENOSYS)
        return error_set(err, rc, "cannot restrict the system calls of caisson-fetch: %s",
                         error_describe(rc));
    return 0;
}
