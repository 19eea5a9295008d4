/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/join.h"

#include <linux/magic.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>

#include "base/io.h"
#include "path/inroot.h"
#include "runtime/child.h"
#include "runtime/syscalls.h"

static int namespaces_of(const struct plan *p)
{
    return CLONE_NEWNS | (p->namespaces & PLAN_NS_USER ? CLONE_NEWUSER : 0) |
           (p->namespaces & PLAN_NS_IPC ? CLONE_NEWIPC : 0) |
           (p->namespaces & PLAN_NS_UTS ? CLONE_NEWUTS : 0) |
           (p->namespaces & PLAN_NS_CGROUP ? CLONE_NEWCGROUP : 0) |
           (p->network == PLAN_NET_HOST ? 0 : CLONE_NEWNET);
}

/* A terminal of the container's own devpts; anything else in its place is refused. */
static void make_terminal(struct child *c, const struct join *j)
{
    struct statfs fs;
    int unlock = 0;
    autofd root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    autofd pts = root < 0 ? -errno : inroot_open(root, "dev/pts", O_PATH | O_DIRECTORY);
    if (pts < 0)
        child_fail(c, pts, "cannot make a terminal");
    /* Looked at before anything in it is opened, which may do something by itself. */
    if (fstatfs(pts, &fs) < 0 || fs.f_type != DEVPTS_SUPER_MAGIC)
        child_fail(c, -EPERM, "cannot make a terminal: /dev/pts of the container is not a devpts");
    autofd master = openat(pts, "ptmx", O_RDWR | O_NOCTTY | O_NOFOLLOW | O_CLOEXEC);
    if (master < 0)
        child_fail(c, -errno, "cannot make a terminal");
    if (ioctl(master, TIOCSPTLCK, &unlock) < 0)
        child_fail(c, -errno, "cannot make a terminal");
    c->terminal = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (c->terminal < 0 || fchown(c->terminal, j->uid, (gid_t)-1) < 0)
        child_fail(c, -errno, "cannot open the terminal");
    struct child_message message = {.kind = CHILD_TERMINAL};
    int rc = send_fds(c->socket, &message, sizeof message, &(int){master}, 1);
    if (rc < 0)
        child_fail(c, rc, "cannot hand the terminal on");
}

static _Noreturn void run_child(const struct join *j, int socket)
{
    static struct child child;
    struct child *c = &child;
    c->plan = j->plan;
    c->socket = socket;
    c->label = -1;
    int joined = cgroup_join(j->cgroup->tasks, CGROUP_SLOTS); /* while the host's ids are ours */
    if (joined < 0)
        child_fail(c, joined, "cannot join the control group");
    if (setns(j->pidfd, namespaces_of(j->plan)) < 0)
        child_fail(c, -errno, "cannot enter the container's namespaces");
    if (j->plan->namespaces & PLAN_NS_USER &&
        (setgroups(0, NULL) < 0 || setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0))
        child_fail(c, -errno, "cannot become root of the user namespace");
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        child_fail(c, -errno, "cannot forbid core dumps");
    if (j->plan->label.kind != LABEL_NONE) {
        autofd proc = open("/proc", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        c->label = proc < 0 ? -errno : label_open(proc, j->plan->label.kind);
        if (c->label < 0)
            child_fail(c, c->label, "cannot open where the security label is set");
    }
    if (j->terminal)
        make_terminal(c, j);
    struct caps caps = caps_for_user(j->plan->granted, j->uid);
    struct enter e = {
        .plan = j->plan,
        .uid = j->uid,
        .gid = j->gid,
        .groups = j->groups,
        .group_count = j->group_count,
        .caps = &caps,
        .seccomp = j->seccomp,
        .landlock = j->landlock,
        .landlock_begun = -1,
        .cwd = j->cwd,
        .label = c->label,
        .stdio = {j->stdio[0], j->stdio[1], j->stdio[2]},
        .terminal = j->terminal,
        .die_with_parent = j->die_with_parent,
    };
    if (j->terminal)
        e.stdio[0] = e.stdio[1] = e.stdio[2] = c->terminal;
    child_enter(c, &e);
}

static void give_up(struct launched *l)
{
    kill(l->pid, SIGKILL);
    while (waitpid(l->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    if (l->pidfd >= 0)
        close(l->pidfd);
    if (l->terminal >= 0)
        close(l->terminal);
}

static int hear(int socket, struct launched *l, int *exit_code, struct error *err)
{
    for (;;) {
        struct child_message message;
        int fds[1];
        size_t count = 0;
        ssize_t n = receive_fds(socket, &message, sizeof message, fds, 1, &count);
        if (n == 0)
            return 0;
        if (n != (ssize_t)sizeof message)
            return error_set(err, n < 0 ? (int)n : -EPROTO, "cannot hear the new process");
        if (message.kind == CHILD_TERMINAL && count == 1 && l->terminal < 0) {
            l->terminal = fds[0];
            continue;
        }
        if (count == 1)
            close(fds[0]);
        message.text[sizeof message.text - 1] = '\0';
        *exit_code = message.exit_code;
        return error_set(err, message.code, "%s", message.text);
    }
}

int join_container(const struct join *join, struct launched *out, int *exit_code, struct error *err)
{
    struct launched l = {.pidfd = -1, .terminal = -1, .cgroup = CGROUP_EMPTY};
    int pair[2];
    *exit_code = 125;
    /* Only children of ours are born in that namespace; we stay where we are. */
    if (join->plan->namespaces & PLAN_NS_PID && setns(join->pidfd, CLONE_NEWPID) < 0)
        return error_errno(err, "cannot enter the container's process namespace");
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        return error_errno(err, "cannot forbid core dumps");
    int opened = cgroup_open_tasks(join->cgroup, err);
    if (opened < 0)
        return opened;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return error_errno(err, "cannot make a socket pair");
    autofd ours = pair[0];
    int cgroup = cgroup_clone_fd(join->cgroup);
    struct clone_args args = {
        .flags = CLONE_PIDFD | (cgroup >= 0 ? CLONE_INTO_CGROUP : 0),
        .pidfd = (uint64_t)(uintptr_t)&l.pidfd,
        .exit_signal = SIGCHLD,
        .cgroup = (uint64_t)(cgroup < 0 ? 0 : cgroup),
    };
    int pid = sys_clone3(&args);
    if (pid == 0) {
        close(pair[0]);
        run_child(join, pair[1]);
    }
    close(pair[1]);
    if (pid < 0)
        return error_set(err, pid, "cannot start a process: %s", error_describe(pid));
    l.pid = pid;
    cgroup_joined(join->cgroup);
    int rc = hear(ours, &l, exit_code, err);
    if (rc < 0) {
        give_up(&l);
        return rc;
    }
    *out = l;
    return 0;
}
