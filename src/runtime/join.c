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
#include "runtime/held.h"
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

struct making {
    const struct join *join;
    struct held held; /* the stage, then the process */
};

static void making_end(struct making *m)
{
    held_end(&m->held);
}

static void be_stage(void *closure)
{
    struct making *m = closure;
    close(m->held.socket);
    run_stage(m->join, m->held.childs_socket, m->held.birth);
}

/* One message; 1 when there will be no more. */
static int hear_one(struct making *m, int *exit_code, struct error *err)
{
    struct held *held = &m->held;
    struct child_message message;
    autofd fd = -1;
    int rc = held_hear(held, &message, &fd, err);
    if (rc != 0)
        return rc;
    if (message.kind == CHILD_TERMINAL && fd >= 0 && held->result.terminal < 0) {
        held->result.terminal = take_fd(&fd);
        return 0;
    }
    if (message.kind == CHILD_LIMITS)
        return launch_give_limits(m->join->plan, birth_of(held->result.pid, held->birth),
                                  held->socket, err);
    *exit_code = message.exit_code;
    return error_set(err, message.code, "%s", message.text);
}

static int carry_out(struct making *m, int *exit_code, struct error *err)
{
    const struct between how = {NULL, be_stage, m};
    int step;
    int rc = cgroup_reach(m->join->cgroup, "caisson exec", err);
    if (rc == 0)
        rc = cgroup_open_tasks(m->join->cgroup, err);
    if (rc == 0)
        rc = birth_expect(&m->held.birth, err);
    if (rc == 0)
        rc = held_make(&m->held, m->join->cgroup, 0, &how, &step, err);
    cgroup_joined(m->join->cgroup);
    /* Until the execve of the new process closes the last of the other ends. */
    while (rc == 0)
        rc = hear_one(m, exit_code, err);
    return rc < 0 ? rc : held_take_born(&m->held, err);
}

int join_container(const struct join *join, struct launched *out, int *exit_code, struct error *err)
{
    struct making m __attribute__((cleanup(making_end))) = {.join = join, .held = HELD_NONE};
    *exit_code = 125;
    int rc = carry_out(&m, exit_code, err);
    if (rc < 0)
        return rc;
    m.held.let_go = true;
    *out = m.held.result;
    return 0;
}
