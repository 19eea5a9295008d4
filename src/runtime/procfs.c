/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/procfs.h"

#include <sys/mman.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "runtime/between.h"
#include "runtime/syscalls.h"

#define ATTRIBUTES (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC)

int procfs_make(void)
{
    autofd fs = sys_fsopen("proc");
    return fs < 0 ? fs : sys_fsmount(fs, ATTRIBUTES);
}

struct inside {
    int pidns, aside;
    int *fs; /* in memory that both see */
};

static int stand_aside(void *closure, int *detail)
{
    const struct inside *inside = closure;
    *detail = -1;
    if (fchdir(inside->aside) < 0 || chroot(".") < 0 || setns(inside->pidns, CLONE_NEWPID) < 0)
        return -errno;
    return 0;
}

/* It only names the file system: making it, which takes rights, is for who asked. */
static void name_procfs(void *closure)
{
    struct inside *inside = closure;
    *inside->fs = sys_fsopen("proc");
    _exit(0);
}

int procfs_make_inside(int pidns, int aside)
{
    int *shared =
        mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        return -errno;
    struct inside inside = {.pidns = pidns, .aside = aside, .fs = shared};
    const struct between between = {stand_aside, name_procfs, &inside};
    struct clone_args args = {.flags = CLONE_FILES};
    int pidfd, detail;
    *shared = -ECHILD;
    int pid = between_clone(&between, &args, &pidfd, &detail);
    if (pid >= 0) {
        close(pidfd);
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
            ;
    }
    autofd fs = pid < 0 ? pid : *shared;
    munmap(shared, sizeof *shared);
    return fs < 0 ? take_fd(&fs) : sys_fsmount(fs, ATTRIBUTES);
}

int procfs_make_of(int pidns)
{
    autofd fs = sys_fsopen("proc");
    int rc = fs < 0 ? fs : sys_fsconfig_fd(fs, "pidns", pidns);
    return rc < 0 ? rc : sys_fsmount(fs, ATTRIBUTES);
}
