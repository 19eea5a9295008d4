/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/birth.h"

#include <linux/capability.h>
#include <signal.h>
#include <sys/mman.h>

#include "base/io.h"
#include "runtime/syscalls.h"

#define BIT(capability) (UINT64_C(1) << (capability))

void birth_reduce_rights(struct child *c, const struct caps *final, bool fences)
{
    struct caps caps = *final;
    bool privileged = fences && !c->plan->no_new_privs;
    caps.permitted |= BIT(CAP_SETUID) | BIT(CAP_SETGID) | (privileged ? BIT(CAP_SYS_ADMIN) : 0);
    caps.effective = caps.permitted;
    caps.ambient = 0;
    int rc = caps_drop_bounding(caps.bounding);
    if (rc == 0)
        rc = caps_set_final(&caps);
    if (rc < 0)
        child_fail(c, rc, "cannot drop capabilities");
}

_Noreturn void birth_give(struct child *c,
                          void (*run)(struct child *c, void *closure, const pid_t *pid),
                          void *closure)
{
    int pidfd = -1;
    /* Written before the new process runs, with its number here: which it cannot tell itself. */
    pid_t *shared =
        mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        child_fail(c, -errno, "cannot start a process");
    struct clone_args args = {.flags = CLONE_PARENT | CLONE_PIDFD | CLONE_PARENT_SETTID,
                              .pidfd = (uint64_t)(uintptr_t)&pidfd,
                              .parent_tid = (uint64_t)(uintptr_t)shared};
    int pid = sys_clone3(&args);
    if (pid == 0) {
        run(c, closure, shared);
        _exit(EXIT_FAILURE);
    }
    if (pid < 0)
        child_fail(c, pid, "cannot start a process");
    struct child_message message = {.kind = CHILD_BORN, .code = pid, .mount_ns = c->mount_ns};
    int rc = send_fds(c->socket, &message, sizeof message, &pidfd, 1);
    if (rc < 0)
        (void)sys_pidfd_send_signal(pidfd, SIGKILL);
    _exit(rc < 0 ? EXIT_FAILURE : EXIT_SUCCESS);
}
