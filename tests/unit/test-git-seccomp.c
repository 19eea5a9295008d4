/* SPDX-License-Identifier: Apache-2.0 */
/* The system calls that git is left: each attempt is a process of its own, with the filter and
 * without. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the above first. */
#include <cmocka.h>

#include <errno.h>
#include <linux/io_uring.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "build/git_parts.h"
#include "confine/calls.h"

/* What `attempt` returns in a process that is confined, or 1000 + the signal that ended it. */
static int outcome(int (*attempt)(void), bool filtered)
{
    struct error err = {0};
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        if (filtered && (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || git_seccomp(&err) < 0))
            _exit(99);
        _exit(attempt());
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static int of(long rc)
{
    return rc < 0 ? errno : 0;
}

static int unshares(void)
{
    return of(unshare(CLONE_NEWUSER));
}

static int clones(void)
{
    long pid = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);
    if (pid == 0)
        _exit(0);
    return of(pid);
}

static int mounts(void)
{
    return of(mount("none", "/", "tmpfs", MS_REMOUNT, NULL));
}

static int opens_tree(void)
{
    return of(syscall(SYS_open_tree, AT_FDCWD, "/", 1));
}

static int traces(void)
{
    return of(ptrace(PTRACE_TRACEME, 0, NULL, NULL));
}

static int loads_bpf(void)
{
    return of(syscall(SYS_bpf, 0, NULL, 0));
}

static int takes_keys(void)
{
    return of(syscall(SYS_keyctl, 0, -3, 0, 0, 0));
}

static int makes_rings(void)
{
    struct io_uring_params params = {0};
    return of(syscall(SYS_io_uring_setup, 1, &params));
}

static int watches(void)
{
    return of(syscall(SYS_perf_event_open, NULL, 0, -1, -1, 0));
}

static int faults(void)
{
    return of(syscall(SYS_userfaultfd, 1));
}

static int makes_programs_of_memory(void)
{
    return of(syscall(SYS_memfd_create, "x", 0));
}

static int reads_processes(void)
{
    return of(syscall(SYS_process_vm_readv, getpid(), NULL, 0, NULL, 0, 0));
}

static int makes_rare_sockets(void)
{
    return of(socket(AF_ALG, SOCK_SEQPACKET, 0));
}

static int writes_to_terminals(void)
{
    return of(ioctl(0, TIOCSTI, "x"));
}

static int joins(void)
{
    return of(setns(-1, 0));
}

static int makes_by_clone3(void)
{
    return of(syscall(SYS_clone3, NULL, 0));
}

static void what_attacks_begin_with_is_not_there(void **state)
{
    static const struct {
        int (*attempt)(void);
        int code;
    } cases[] = {
        {unshares, ENOSYS},
        {clones, EPERM},
        {mounts, ENOSYS},
        {opens_tree, ENOSYS},
        {traces, ENOSYS},
        {loads_bpf, ENOSYS},
        {takes_keys, ENOSYS},
        {makes_rings, ENOSYS},
        {watches, ENOSYS},
        {faults, ENOSYS},
        {joins, ENOSYS},
        {makes_programs_of_memory, ENOSYS},
        {reads_processes, ENOSYS},
        {makes_rare_sockets, EAFNOSUPPORT},
        {writes_to_terminals, ENOTTY},
        {makes_by_clone3, ENOSYS},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(outcome(cases[i].attempt, true), cases[i].code);
    /* And without the filter, whoever this is. */
    assert_int_equal(outcome(traces, false), 0);
    assert_int_equal(outcome(makes_programs_of_memory, false), 0);
}

/* --- what is left --- */

static int shell(const char *script)
{
    execl("/bin/sh", "sh", "-c", script, NULL);
    return 98;
}

static int runs_a_shell(void)
{
    return shell("set -e; d=$(mktemp -d); cd $d; echo a | cat >f; ln -s f l; (sleep 0 & wait); "
                 "test \"$(cat l)\" = a; cd /; rm -r $d");
}

static int runs_git(void)
{
    return shell("exec >/dev/null 2>&1; set -e; d=$(mktemp -d); cd $d; export HOME=$d; "
                 "git init -q one; cd one; git config user.name t; git config user.email t@t; "
                 "seq 20000 >f; git add f; git commit -qm one; git gc -q; "
                 "git clone -q --no-local file://$d/one ../two; cd ../two; git fsck; git log -p; "
                 "cmp f ../one/f; cd /; rm -rf $d");
}

static int makes_sockets(void)
{
    int a = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int b = socket(AF_INET6, SOCK_DGRAM, 0), c = socket(AF_UNIX, SOCK_STREAM, 0);
    int d = socket(AF_NETLINK, SOCK_RAW, 0);
    return a < 0 || (b < 0 && errno != EAFNOSUPPORT) || c < 0 || d < 0;
}

static void programs_run_as_they_did(void **state)
{
    (void)state;
    assert_int_equal(outcome(runs_a_shell, true), 0);
    assert_int_equal(outcome(makes_sockets, true), 0);
    if (access(GIT_PROGRAM, X_OK) == 0)
        assert_int_equal(outcome(runs_git, true), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_attacks_begin_with_is_not_there),
        cmocka_unit_test(programs_run_as_they_did),
    };
#ifndef CALLS_ARCHITECTURE
    return 77; /* no filter on this processor */
#endif
    return cmocka_run_group_tests(tests, NULL, NULL);
}
