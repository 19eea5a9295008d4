/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/birth.h"

#include <linux/capability.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "base/io.h"
#include "runtime/child.h"
#include "runtime/syscalls.h"

#define BIT(capability) (UINT64_C(1) << (capability))

static void *share_page(void)
{
    void *page =
        mmap(NULL, sizeof(struct birth), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return page == MAP_FAILED ? NULL : page;
}

int birth_expect(struct birth **birth, struct error *err)
{
    *birth = share_page();
    return *birth ? 0 : error_errno(err, "cannot share memory with a process that is made");
}

pid_t birth_of(pid_t stage, const struct birth *birth)
{
    siginfo_t info;
    while (waitid(P_PID, (id_t)stage, &info, WEXITED | WNOWAIT) < 0 && errno == EINTR)
        ;
    return birth->pid;
}

void birth_forget(struct birth *birth)
{
    if (birth)
        munmap(birth, sizeof *birth);
}

/* Without no_new_privs putting up fences takes CAP_SYS_ADMIN. */
static bool privileged_fences(const struct enter *e)
{
    return !e->plan->no_new_privs && (e->seccomp || e->landlock);
}

/* Somebody inside may look into the process and do as it may. A listener wants to know of the
 * process, which is not there yet. */
static bool fences_come_first(const struct enter *e)
{
    const struct plan *p = e->plan;
    return privileged_fences(e) && !(p->namespaces & PLAN_NS_USER) &&
           (p->granted | p->caps.bounding) & BIT(CAP_SYS_PTRACE) &&
           !(e->seccomp && e->seccomp->notifies);
}

static void hold_rights(struct child *c, const struct enter *e, uint64_t beside)
{
    struct caps caps = *e->caps;
    caps.permitted |= BIT(CAP_SETUID) | BIT(CAP_SETGID) | beside;
    caps.effective = caps.permitted;
    caps.ambient = 0;
    int rc = caps_set_final(&caps);
    if (rc < 0)
        child_fail(c, rc, "cannot drop capabilities");
}

void birth_reduce_rights(struct child *c, const struct enter *e)
{
    int rc = caps_drop_bounding(e->caps->bounding);
    if (rc < 0)
        child_fail(c, rc, "cannot drop capabilities");
    hold_rights(c, e, privileged_fences(e) ? BIT(CAP_SYS_ADMIN) : 0);
}

static int make_process(bool fenced, pid_t *number)
{
    struct clone_args args = {.flags = CLONE_PARENT | CLONE_PARENT_SETTID,
                              .parent_tid = (uint64_t)(uintptr_t)number};
    /* Filters know the older call: the arguments of the other cannot be filtered. */
    int pid = fenced ? sys_result(syscall(SYS_clone, CLONE_PARENT | CLONE_PARENT_SETTID, NULL,
                                          number, NULL, NULL))
                     : sys_clone3(&args);
    return fenced && (pid == -ENOSYS || pid == -EPERM) ? sys_clone3(&args) : pid;
}

_Noreturn void birth_give(struct child *c, struct enter *e,
                          void (*run)(struct child *c, void *closure, const pid_t *pid),
                          void *closure)
{
    /* Written before the new process runs, with its number here: which it cannot tell itself. */
    pid_t *number = share_page();
    if (!number || madvise(c->birth, sizeof *c->birth, MADV_DONTFORK) < 0)
        child_fail(c, -errno, "cannot start a process");
    bool fenced = fences_come_first(e);
    if (fenced) {
        child_fences(c, e);
        e->fenced = true;
        hold_rights(c, e, 0);
    }
    int pid = make_process(fenced, number);
    if (pid == 0) {
        run(c, closure, number);
        _exit(EXIT_FAILURE);
    }
    if (pid < 0)
        child_fail(c, pid, "cannot start a process%s",
                   fenced ? " behind the container's filter of system calls, which has to allow "
                            "clone (or set no_new_privs)"
                          : "");
    c->birth->pid = pid;
    _exit(EXIT_SUCCESS);
}
