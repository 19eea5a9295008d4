/* SPDX-License-Identifier: Apache-2.0 */
#include "network/netd_confine.h"

#include <linux/capability.h>
#include <sched.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "confine/calls.h"
#include "confine/capabilities.h"
#include "confine/fence.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define DNS_PORT 53

/* --- files --- */

#define CHANGE_FILES                                                                               \
    (FENCE_READ_FILE | FENCE_READ_DIRECTORY | FENCE_WRITE_FILE | FENCE_MAKE_FILE |                 \
     FENCE_REMOVE_FILE | FENCE_MOVE | FENCE_TRUNCATE)

static int begin(struct fence *fence)
{
    int rc = fence_begin(1, FENCE_TCP_BIND | FENCE_TCP_CONNECT, fence);
    return rc < 0 ? rc : fence_allow_connect(fence, DNS_PORT);
}

static int fence_keeper(int state, const int *read_only, size_t count)
{
    autofence fence = FENCE_NONE;
    int rc = begin(&fence);
    if (rc == 0)
        rc = fence_allow_beneath(&fence, state, CHANGE_FILES);
    for (size_t i = 0; i < count && rc == 0; i++)
        rc = fence_allow_beneath(&fence, read_only[i], FENCE_READ_FILE);
    return rc < 0 ? rc : fence_close(&fence);
}

static int fence_resolver(void)
{
    autofence fence = FENCE_NONE;
    int rc = begin(&fence);
    return rc < 0 ? rc : fence_close(&fence);
}

/* --- system calls --- */

#ifdef CALLS_ARCHITECTURE

/* Of both: descriptors that are there, sockets, memory, time, and the ways to end. */
static const uint32_t of_resolver[] = {
    __NR_read,
    __NR_write,
    __NR_writev,
    __NR_pread64,
    __NR_close,
    __NR_fstat,
    __NR_newfstatat,
    __NR_lseek,
    __NR_recvfrom,
    __NR_recvmsg,
    __NR_recvmmsg,
    __NR_sendto,
    __NR_sendmsg,
    __NR_sendmmsg,
    __NR_connect,
    __NR_accept4,
    __NR_shutdown,
    __NR_epoll_ctl,
    __NR_epoll_pwait,
    __NR_brk,
    __NR_munmap,
    __NR_mremap,
    __NR_madvise,
    __NR_futex,
    __NR_getrandom,
    __NR_clock_gettime,
    __NR_gettimeofday,
    __NR_rt_sigprocmask,
    __NR_rt_sigaction,
    __NR_rt_sigreturn,
    __NR_sigaltstack,
    __NR_getpid,
    __NR_gettid,
    __NR_tgkill,
    __NR_exit,
    __NR_exit_group,
    __NR_restart_syscall,
    __NR_getsockopt,
#ifdef __NR_epoll_wait
    __NR_epoll_wait,
#endif
};

/* Besides, since the resolver is its child and under its filter too: files by name, of which
 * Landlock says which, and what makes another resolver. */
static const uint32_t of_keeper[] = {
    __NR_openat,
    __NR_fchmod,
    __NR_ftruncate,
    __NR_unlinkat,
    __NR_renameat2,
    __NR_flock,
    __NR_fsync,
    __NR_fdatasync,
    __NR_fcntl,
    __NR_clock_nanosleep,
    __NR_wait4,
    __NR_socketpair,
    __NR_prctl,
    __NR_capget,
    __NR_capset,
    __NR_seccomp,
    __NR_set_robust_list,
    __NR_rseq,
    __NR_close_range,
    __NR_epoll_create1,
    __NR_inotify_add_watch,
    __NR_kill,
    __NR_landlock_create_ruleset,
    __NR_landlock_add_rule,
    __NR_landlock_restrict_self,
#ifdef __NR_renameat
    __NR_renameat,
#endif
};

static int install(bool keeper)
{
    const uint32_t namespaces = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC |
                                CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;
    struct calls calls;
    calls_begin(&calls);
    calls_allow(&calls, of_resolver, COUNT(of_resolver));
    if (keeper)
        calls_allow(&calls, of_keeper, COUNT(of_keeper));
    calls_allow_without(&calls, __NR_mmap, 2, PROT_EXEC, CALLS_END);
    calls_allow_without(&calls, __NR_mprotect, 2, PROT_EXEC, CALLS_END);
    calls_allow_either(&calls, __NR_socket, 0, AF_INET, AF_INET6, CALLS_END);
    if (keeper)
        calls_allow_without(&calls, __NR_clone, 0, namespaces, CALLS_END);
    return calls_install(&calls);
}

#else

/* A list was never tried on this processor. */
static int install(bool keeper)
{
    (void)keeper;
    return 0;
}

#endif

static int confine(int fenced, uint64_t capabilities, bool keeper, struct error *err)
{
    if (fenced < 0)
        return error_set(err, fenced, "cannot confine caisson-netd with Landlock: %s",
                         error_describe(fenced));
    capabilities_drop_bounding();
    int rc = capabilities_keep(capabilities);
    if (rc < 0)
        return error_set(err, rc, "cannot give up the capabilities of caisson-netd: %s",
                         error_describe(rc));
    rc = install(keeper);
    if (rc < 0)
        return error_set(err, rc, "cannot restrict the system calls of caisson-netd: %s",
                         error_describe(rc));
    return 0;
}

int confine_keeper(int state, const int *read_only, size_t count, struct error *err)
{
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        return error_errno(err, "cannot set no_new_privs");
    return confine(fence_keeper(state, read_only, count), 1ULL << CAP_NET_ADMIN, true, err);
}

/* The keeper's own filter and fence hold as well: it is a child of it. */
int confine_resolver(struct error *err)
{
    return confine(fence_resolver(), 0, false, err);
}
