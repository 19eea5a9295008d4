/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/between.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

/* What it says through memory that both see. */
struct said {
    int pid, pidfd, detail;
};

static _Noreturn void stand_between(const struct between *between, const struct clone_args *args,
                                    struct said *said)
{
    struct clone_args next = *args;
    next.flags = (next.flags | CLONE_PARENT | CLONE_PIDFD) & ~(uint64_t)CLONE_INTO_CGROUP;
    next.exit_signal = 0; /* that of the process between: SIGCHLD */
    next.pidfd = (uint64_t)(uintptr_t)&said->pidfd;
    int rc = between->enter(between->closure, &said->detail);
    if (rc == 0) {
        said->detail = -1;
        rc = sys_clone3(&next);
        if (rc == 0)
            between->child(between->closure);
    }
    said->pid = rc;
    _exit(0);
}

int between_clone(const struct between *between, const struct clone_args *args, int *pidfd,
                  int *detail)
{
    struct said *shared =
        mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    *detail = -1;
    if (shared == MAP_FAILED)
        return -errno;
    *shared = (struct said){.pid = -ECHILD, .pidfd = -1, .detail = -1};
    struct clone_args own = {
        .flags = CLONE_FILES | (args->flags & CLONE_INTO_CGROUP),
        .exit_signal = SIGCHLD,
        .cgroup = args->cgroup,
    };
    int helper = sys_clone3(&own);
    if (helper == 0)
        stand_between(between, args, shared);
    while (helper > 0 && waitpid(helper, NULL, 0) < 0 && errno == EINTR)
        ;
    struct said result = *shared;
    munmap(shared, sizeof *shared);
    if (helper < 0)
        return helper;
    *detail = result.detail;
    if (result.pid >= 0)
        *pidfd = result.pidfd;
    return result.pid;
}
