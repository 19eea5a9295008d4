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
#include "base/process.h"
#include "base/text.h"
#include "path/inroot.h"
#include "runtime/attributes.h"
#include "runtime/child.h"
#include "runtime/syscalls.h"

static int namespaces_of(const struct join *j)
{
    const struct plan *p = j->plan;
    if (j->namespaces)
        return j->namespaces;
    return CLONE_NEWNS | (p->namespaces & PLAN_NS_USER ? CLONE_NEWUSER : 0) |
           (p->namespaces & PLAN_NS_PID || p->pid_container ? CLONE_NEWPID : 0) |
           (p->namespaces & PLAN_NS_IPC || p->ipc_container ? CLONE_NEWIPC : 0) |
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
    if (j->attributes && j->attributes->rows && j->attributes->columns) {
        struct winsize size = {.ws_row = (unsigned short)j->attributes->rows,
                               .ws_col = (unsigned short)j->attributes->columns};
        if (ioctl(master, TIOCSWINSZ, &size) < 0)
            child_fail(c, -errno, "cannot set process.consoleSize");
    }
    c->terminal = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (c->terminal < 0 || fchown(c->terminal, j->uid, (gid_t)-1) < 0)
        child_fail(c, -errno, "cannot open the terminal");
    struct child_message message = {.kind = CHILD_TERMINAL};
    int rc = send_fds(c->socket, &message, sizeof message, &(int){master}, 1);
    if (rc < 0)
        child_fail(c, rc, "cannot hand the terminal on");
}

static struct enter entrance(const struct child *c, const struct join *j, const struct caps *caps)
{
    return (struct enter){
        .plan = j->plan,
        .listener = j->listener,
        .uid = j->uid,
        .gid = j->gid,
        .groups = j->groups,
        .group_count = j->group_count,
        .caps = caps,
        .seccomp = j->seccomp,
        .landlock = j->landlock,
        .landlock_begun = c->landlock,
        .cwd = j->cwd,
        .label = c->label,
        .stdio = {j->terminal ? c->terminal : j->stdio[0], j->terminal ? c->terminal : j->stdio[1],
                  j->terminal ? c->terminal : j->stdio[2]},
        .terminal = j->terminal,
        .die_with_parent = j->die_with_parent,
        .groups_denied = j->groups_denied,
        .keep = j->keep,
    };
}

/* Visible inside from its first moment, and with nothing of the host's any more. */
static void run_inside(struct child *c, void *closure, const pid_t *pid)
{
    struct enter *e = closure;
    if (e->plan->label.kind != LABEL_NONE) {
        autofd proc = open("/proc", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        c->label = proc < 0 ? -errno : label_open(proc, e->plan->label.kind);
        if (c->label < 0)
            child_fail(c, c->label, "cannot open where the security label is set");
        e->label = c->label;
    }
    child_take_limits(c);
    struct seccomp_listener listener = {.socket = -1};
    if (e->listener) {
        listener = *e->listener;
        listener.pid = *pid;
    }
    e->listener = &listener;
    child_enter(c, e);
}

/* What a bundle's process.json asks for beside rights, while the host's rights are ours. It comes
 * down to the process that is made. */
static void take_attributes(struct child *c, const struct join *j)
{
    struct error err = {0};
    int rc = 0;
    if (!j->attributes)
        return;
    if (j->attributes->cpus)
        rc = attributes_processors(j->attributes->cpus, "process.execCPUAffinity.final", &err);
    if (rc == 0)
        rc = attributes_apply(j->attributes, &err);
    if (rc < 0)
        child_fail_error(c, &err);
}

static void start_on_processors(struct child *c, const struct join *j)
{
    struct error err = {0};
    if (j->attributes && j->attributes->cpus_initial &&
        attributes_processors(j->attributes->cpus_initial, "process.execCPUAffinity.initial",
                              &err) < 0)
        child_fail_error(c, &err);
}

static void enter_container(struct child *c, const struct join *j)
{
    char score[24];
    /* What belongs to the host's ids comes first; a process that is not dumpable may not even set
     * its own score where it is an ordinary user's. */
    snprintf(score, sizeof score, "%lld", (long long)j->plan->oom_score_adj);
    int rc = j->plan->oom_score_adj == INT64_MIN
                 ? 0
                 : write_kernel_file_at(AT_FDCWD, "/proc/self/oom_score_adj", score);
    if (rc < 0)
        child_fail(c, rc, "cannot set %s %s",
                   j->attributes ? "process.oomScoreAdj" : "--oom-score-adj", score);
    start_on_processors(c, j);
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        child_fail(c, -errno, "cannot forbid core dumps");
    rc = cgroup_join(j->cgroup->tasks, CGROUP_SLOTS);
    if (rc < 0)
        child_fail(c, rc, "cannot join the control group");
    take_attributes(c, j);
    int namespaces = namespaces_of(j);
    if (setns(j->pidfd, namespaces) < 0)
        child_fail(c, -errno, "cannot enter the container's namespaces");
    if (namespaces & CLONE_NEWUSER)
        child_become_root(c, j->groups_denied);
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        child_fail(c, -errno, "cannot forbid core dumps");
}

/* All that takes rights, or goes by a path, while nobody inside can look on. */
static void prepare_inside(struct child *c, const struct join *j)
{
    autofd root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    c->dev = root < 0 ? -errno : inroot_open(root, "dev", O_PATH | O_DIRECTORY);
    c->terminal = -1;
    c->landlock = j->landlock && root >= 0 ? landlock_begin(j->landlock, root) : -1;
    if (j->landlock && c->landlock < 0)
        child_fail(c, c->landlock, "cannot prepare the Landlock fence");
    if (j->terminal)
        make_terminal(c, j);
}

static void leave_host(struct child *c, const struct join *j)
{
    const int kept[] = {
        c->socket,   c->dev,      c->terminal, c->landlock, j->listener ? j->listener->socket : -1,
        j->stdio[0], j->stdio[1], j->stdio[2],
    };
    child_close_all_but(c, j->keep, kept, sizeof kept / sizeof *kept);
}

/* The stage between: still in the host's process namespace, where nobody inside sees it. */
static _Noreturn void run_stage(const struct join *j, int socket, struct birth *birth)
{
    static struct child child;
    struct child *c = &child;
    c->plan = j->plan;
    c->socket = socket;
    c->birth = birth;
    c->label = -1;
    enter_container(c, j);
    process_hide_words();
    struct caps caps = j->caps ? *j->caps : caps_for_user(j->plan->granted, j->uid);
    prepare_inside(c, j);
    struct enter e = entrance(c, j, &caps);
    birth_reduce_rights(c, &e);
    leave_host(c, j);
    birth_give(c, &e, run_inside, &e);
}

/* --- the parent --------------------------------------------------------------------------------
 */

static void wait_for(pid_t pid)
{
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
}

static void give_up(struct launched *l)
{
    if (l->pid > 0) {
        kill(l->pid, SIGKILL);
        wait_for(l->pid);
    }
    if (l->pidfd >= 0)
        close(l->pidfd);
    if (l->terminal >= 0)
        close(l->terminal);
}

/* What is made, and what makes it. */
struct making {
    const struct join *join;
    int socket;
    pid_t stage;
    struct birth *birth;
    struct launched result;
};

/* One message; 1 when there will be no more. */
static int hear_one(struct making *m, int *exit_code, struct error *err)
{
    struct child_message message;
    int fds[1];
    size_t count = 0;
    ssize_t n = receive_fds(m->socket, &message, sizeof message, fds, 1, &count);
    if (n == 0)
        return 1;
    if (n != (ssize_t)sizeof message)
        return error_set(err, n < 0 ? (int)n : -EPROTO, "cannot hear the new process");
    if (message.kind == CHILD_TERMINAL && count == 1 && m->result.terminal < 0) {
        m->result.terminal = fds[0];
        return 0;
    }
    if (count == 1)
        close(fds[0]);
    if (message.kind == CHILD_LIMITS)
        return launch_give_limits(m->join->plan, birth_of(m->stage, m->birth), m->socket, err);
    message.text[sizeof message.text - 1] = '\0';
    *exit_code = message.exit_code;
    return error_set(err, message.code, "%s", message.text);
}

/* Until the execve of the new process closes the last of the other ends. */
static int hear(struct making *m, int *exit_code, struct error *err)
{
    int rc = 0;
    while (rc == 0)
        rc = hear_one(m, exit_code, err);
    return rc < 0 ? rc : 0;
}

static int know(struct making *m, struct error *err)
{
    struct launched *l = &m->result;
    l->pid = birth_of(m->stage, m->birth);
    wait_for(m->stage);
    if (l->pid == 0)
        return error_set(err, -ECHILD, "the container ended meanwhile");
    l->pidfd = sys_pidfd_open(l->pid);
    return l->pidfd < 0 ? error_set(err, l->pidfd, "cannot watch the new process: %s",
                                    error_describe(l->pidfd))
                        : 0;
}

static int start_stage(struct making *m, struct error *err)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return error_errno(err, "cannot make a socket pair");
    m->socket = pair[0];
    int cgroup = cgroup_clone_fd(m->join->cgroup);
    struct clone_args args = {
        .flags = cgroup >= 0 ? CLONE_INTO_CGROUP : 0,
        .exit_signal = SIGCHLD,
        .cgroup = (uint64_t)(cgroup < 0 ? 0 : cgroup),
    };
    m->stage = sys_clone3(&args);
    if (m->stage == 0) {
        close(pair[0]);
        run_stage(m->join, pair[1], m->birth);
    }
    close(pair[1]);
    cgroup_joined(m->join->cgroup);
    return m->stage < 0
               ? error_set(err, m->stage, "cannot start a process: %s", error_describe(m->stage))
               : 0;
}

int join_container(const struct join *join, struct launched *out, int *exit_code, struct error *err)
{
    struct making m = {
        .join = join,
        .socket = -1,
        .result = {.pidfd = -1, .terminal = -1, .cgroup = CGROUP_EMPTY},
    };
    *exit_code = 125;
    int rc = cgroup_reach(join->cgroup, "caisson exec", err);
    if (rc == 0)
        rc = cgroup_open_tasks(join->cgroup, err);
    if (rc == 0)
        rc = birth_expect(&m.birth, err);
    if (rc == 0)
        rc = start_stage(&m, err);
    if (rc == 0)
        rc = hear(&m, exit_code, err);
    if (m.stage > 0) {
        struct error ignored = {0};
        int known = know(&m, rc < 0 ? &ignored : err);
        rc = rc < 0 ? rc : known;
    }
    birth_forget(m.birth);
    if (m.socket >= 0)
        close(m.socket);
    if (rc < 0)
        give_up(&m.result);
    else
        *out = m.result;
    return rc;
}
