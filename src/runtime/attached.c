/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/attached.h"

#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "runtime/syscalls.h"

struct answer {
    int result;
    struct error error;
};

static _Noreturn void child(int (*work)(void *, struct error *), void *argument,
                            struct answer *answer)
{
    struct error *err = &answer->error;
    if (unshare(CLONE_NEWNS) < 0)
        answer->result = error_errno(err, "cannot make a mount namespace");
    else if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        answer->result = error_errno(err, "cannot make mounts private");
    else
        answer->result = work(argument, err);
    _exit(0);
}

int attached_run(int (*work)(void *argument, struct error *err), void *argument, struct error *err)
{
    struct answer *answer =
        mmap(NULL, sizeof *answer, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (answer == MAP_FAILED)
        return error_errno(err, "cannot get memory");
    answer->result = -ECHILD; /* what a process that was killed leaves */
    /* No signal at its end: the caller waits for children of its own. */
    struct clone_args args = {.flags = CLONE_FILES};
    int pid = sys_clone3(&args);
    if (pid == 0)
        child(work, argument, answer);
    int rc = pid;
    while (pid > 0 && (rc = waitpid(pid, NULL, __WALL)) < 0 && errno == EINTR)
        ;
    if (rc < 0)
        rc = error_errno(err, "cannot start a process");
    else if ((rc = answer->result) < 0 && answer->error.code != 0)
        error_set(err, rc, "%s", answer->error.text);
    else if (rc < 0)
        error_set(err, rc, "a process that attaches mounts failed: %s", error_describe(rc));
    munmap(answer, sizeof *answer);
    return rc;
}

int attached_place(const int *mounts, size_t count, struct error *err)
{
    autofd fs = sys_fsopen("tmpfs");
    autofd home = fs < 0 ? fs : sys_fsmount(fs, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
    autofd top = home < 0 ? home : open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    /* Over the root of this namespace: paths still begin at the root below. */
    int rc = home < 0 ? home : top < 0 ? -errno : sys_move_mount(home, top);
    for (size_t i = 0; rc == 0 && i < count; i++) {
        char name[24];
        snprintf(name, sizeof name, "%zu", i);
        if (mounts[i] < 0)
            continue;
        if (mkdirat(home, name, 0700) < 0)
            return error_errno(err, "cannot make a place for a mount");
        autofd target = openat(home, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
        rc = target < 0 ? -errno : sys_move_mount(mounts[i], target);
    }
    return rc < 0 ? error_set(err, rc, "cannot attach a mount: %s", error_describe(rc)) : 0;
}
