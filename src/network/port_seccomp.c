/* SPDX-License-Identifier: Apache-2.0 */
#include "network/port_seccomp.h"

#include <sys/mman.h>
#include <sys/socket.h>

#include "confine/calls.h"

#ifdef CALLS_ARCHITECTURE

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* What relaying needs whatever the arguments. */
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

int port_seccomp(void)
{
    struct calls calls;
    calls_begin(&calls);
    calls_allow(&calls, allowed, COUNT(allowed));
    calls_allow_either(&calls, __NR_socket, 0, AF_INET, AF_INET6, CALLS_END);
    /* No memory is both written by a mistake and executed. */
    calls_allow_without(&calls, __NR_mmap, 2, PROT_EXEC, CALLS_END);
    calls_allow_without(&calls, __NR_mprotect, 2, PROT_EXEC, CALLS_END);
    return calls_install(&calls);
}

#else

int port_seccomp(void)
{
    return 0;
}

#endif
