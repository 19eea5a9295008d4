/* SPDX-License-Identifier: Apache-2.0 */
/* A procfs of a process namespace that we are not in, by both ways to it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "runtime/procfs.h"
#include "runtime/syscalls.h"

struct other {
    int pid, pidns;
};

static void other_start(struct other *other)
{
    char path[40];
    struct clone_args args = {.flags = CLONE_NEWPID, .exit_signal = SIGCHLD};
    if (geteuid() != 0)
        skip();
    other->pid = sys_clone3(&args);
    assert_true(other->pid >= 0);
    if (other->pid == 0)
        for (;;)
            pause();
    snprintf(path, sizeof path, "/proc/%d/ns/pid", other->pid);
    other->pidns = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(other->pidns >= 0);
}

static void other_end(struct other *other)
{
    kill(other->pid, SIGKILL);
    assert_int_equal(waitpid(other->pid, NULL, 0), other->pid);
    close(other->pidns);
}

/* Process 1 is there, we are not. */
static void assert_is_theirs(int proc)
{
    char path[40];
    struct stat st;
    assert_true(proc >= 0);
    assert_int_equal(fstatat(proc, "1/stat", &st, 0), 0);
    snprintf(path, sizeof path, "%d/stat", getpid());
    assert_int_equal(fstatat(proc, path, &st, 0), -1);
    assert_int_equal(fstatat(proc, "self", &st, AT_SYMLINK_NOFOLLOW), 0);
    assert_int_equal(fstatat(proc, "self/stat", &st, 0), -1);
}

static void a_procfs_of_others_is_made_from_outside(void **state)
{
    struct other other;
    (void)state;
    other_start(&other);
    autofd proc = procfs_make_of(other.pidns);
    if (proc != -EINVAL) /* before Linux 6.17 */
        assert_is_theirs(proc);
    other_end(&other);
}

static void a_procfs_of_others_is_made_by_a_process_inside(void **state)
{
    struct other other;
    (void)state;
    other_start(&other);
    autofd fs = sys_fsopen("tmpfs");
    autofd aside = sys_fsmount(fs, 0);
    assert_true(aside >= 0);
    autofd proc = procfs_make_inside(other.pidns, aside);
    assert_is_theirs(proc);
    /* our own root and namespace are as they were */
    assert_int_equal(access("/proc/self/stat", F_OK), 0);
    other_end(&other);
}

static void a_procfs_of_our_own_shows_us(void **state)
{
    struct stat st;
    (void)state;
    if (geteuid() != 0)
        skip();
    autofd proc = procfs_make();
    assert_true(proc >= 0);
    assert_int_equal(fstatat(proc, "self/stat", &st, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_procfs_of_others_is_made_from_outside),
        cmocka_unit_test(a_procfs_of_others_is_made_by_a_process_inside),
        cmocka_unit_test(a_procfs_of_our_own_shows_us),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
