/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/bundle_child.h"

#include <linux/keyctl.h>
#include <linux/magic.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "base/io.h"
#include "base/process.h"
#include "base/text.h"
#include "runtime/attributes.h"
#include "runtime/hook.h"
#include "runtime/syscalls.h"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif

/* --- talking to the parent ---------------------------------------------------------------------
 */

static int hear_answer(struct bundle_child *b)
{
    struct child *c = &b->child;
    struct bundle_answer answer;
    int fd = -1;
    size_t count = 0;
    ssize_t n = receive_fds(c->socket, &answer, sizeof answer, &fd, 1, &count);
    if (n == 0)
        _exit(EXIT_FAILURE); /* the parent failed, or is gone */
    if (n != (ssize_t)sizeof answer)
        child_fail(c, n < 0 ? (int)n : -EPROTO, "cannot hear the runtime");
    answer.text[sizeof answer.text - 1] = '\0';
    if (answer.code < 0) {
        struct error err = {.code = answer.code};
        snprintf(err.text, sizeof err.text, "%s", answer.text);
        child_fail_error(c, &err);
    }
    return count == 1 ? fd : -1;
}

static int ask(struct bundle_child *b, enum child_message_kind kind, int code)
{
    struct child_message message = {.kind = kind, .code = code};
    int rc = send_fds(b->child.socket, &message, sizeof message, NULL, 0);
    if (rc < 0)
        child_fail(&b->child, rc, "cannot ask the runtime");
    return hear_answer(b);
}

int bundle_ask(struct bundle_child *b, int source, const char *what)
{
    (void)what;
    return ask(b, CHILD_SOURCE, source);
}

void bundle_tell(struct bundle_child *b, enum child_message_kind kind)
{
    int fd = ask(b, kind, 0);
    if (fd >= 0)
        close(fd);
}

/* --- namespaces --------------------------------------------------------------------------------
 */

static void wait_for_start(struct bundle_child *b)
{
    struct child *c = &b->child;
    ssize_t n = receive_fds(c->socket, &b->go, sizeof b->go, c->fds, CGROUP_SLOTS, &c->fd_count);
    if (n == 0)
        _exit(EXIT_FAILURE);
    if (n != (ssize_t)sizeof b->go || b->go.group_count != c->fd_count)
        child_fail(c, n < 0 ? (int)n : -EPROTO, "cannot hear the runtime");
}

static void join_groups(struct bundle_child *b)
{
    struct child *c = &b->child;
    child_join_groups(c, c->fds, c->fd_count);
    for (size_t i = 0; i < c->fd_count; i++)
        close(c->fds[i]);
    c->fd_count = 0;
}

/* A process enters its new namespace of times only by a step of its own, and offsets come before
 * that. time_namespaces(7) */
static void set_clocks(struct bundle_child *b)
{
    struct child *c = &b->child;
    const struct bundle *bundle = b->bundle;
    char text[160];
    if (!bundle->namespaces[BUNDLE_TIME].listed || bundle->namespaces[BUNDLE_TIME].path)
        return;
    if (unshare(CLONE_NEWTIME) < 0)
        child_fail(c, -errno, "cannot make a time namespace");
    snprintf(text, sizeof text, "monotonic %lld %lld\nboottime %lld %lld\n",
             (long long)bundle->monotonic[0], (long long)bundle->monotonic[1],
             (long long)bundle->boottime[0], (long long)bundle->boottime[1]);
    int rc =
        bundle->has_offsets ? write_kernel_file_at(AT_FDCWD, "/proc/self/timens_offsets", text) : 0;
    if (rc < 0)
        child_fail(c, rc, "cannot set linux.timeOffsets");
    autofd next = open("/proc/self/ns/time_for_children", O_RDONLY | O_CLOEXEC);
    if (next < 0 || setns(next, CLONE_NEWTIME) < 0)
        child_fail(c, -errno, "cannot enter the time namespace");
}

static void name_host(struct bundle_child *b)
{
    struct child *c = &b->child;
    const struct plan *p = c->plan;
    if (p->hostname && sethostname(p->hostname, strlen(p->hostname)) < 0)
        child_fail(c, -errno, "cannot set the host name %s", p->hostname);
    if (p->domainname && setdomainname(p->domainname, strlen(p->domainname)) < 0)
        child_fail(c, -errno, "cannot set the domain name %s", p->domainname);
}

/* Where settings and the label are written: a procfs that nobody has mounted anywhere, or, where
 * processes are the host's, the host's own, which no container has touched yet. */
static void find_proc(struct bundle_child *b)
{
    struct child *c = &b->child;
    struct statfs fs;
    if (c->plan->namespaces & PLAN_NS_PID) {
        child_make_proc(c);
        return;
    }
    c->proc = openat(b->host, "proc", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (c->proc < 0 || fstatfs(c->proc, &fs) < 0 || fs.f_type != PROC_SUPER_MAGIC)
        child_fail(c, -EPERM, "cannot use /proc of the host");
}

static void settle_label(struct bundle_child *b)
{
    struct child *c = &b->child;
    c->label = -1;
    if (c->plan->label.kind == LABEL_NONE)
        return;
    c->label = label_open(c->proc, c->plan->label.kind);
    if (c->label < 0)
        child_fail(c, c->label, "cannot open where the security label is set");
}

/* Keys of whoever called us are not the container's. A kernel without keyrings has none to keep
 * apart. */
static void leave_keyring(struct bundle_child *b)
{
    if (b->launch->keyring && syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) < 0 &&
        errno != ENOSYS)
        child_fail(&b->child, -errno,
                   "cannot make a session keyring (--no-new-keyring keeps the caller's)");
}

static void separate(struct bundle_child *b)
{
    struct child *c = &b->child;
    const struct bundle_namespace *group = &b->bundle->namespaces[BUNDLE_CGROUP];
    b->host = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (b->host < 0)
        child_fail(c, -errno, "cannot open /");
    join_groups(b);
    if (group->listed && !group->path && unshare(CLONE_NEWCGROUP) < 0)
        child_fail(c, -errno, "cannot make a namespace of control groups");
    set_clocks(b);
    if (b->go.users)
        child_become_root(c, b->go.groups_denied);
    else if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        child_fail(c, -errno, "cannot forbid core dumps");
    leave_keyring(b);
    name_host(b);
    child_loopback_up(c);
    find_proc(b);
    child_set_asked_sysctls(c);
    settle_label(b);
    /* Mounts of the host may come and go here, none of ours goes there. */
    if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
        child_fail(c, -errno, "cannot detach from the host's mounts");
}

/* --- hooks -------------------------------------------------------------------------------------
 */

static void run_hooks(struct bundle_child *b, enum bundle_stage stage, const char *status,
                      const char *directory)
{
    struct error err = {0};
    autobuf state = {0};
    if (!b->bundle->hooks[stage].count)
        return;
    b->launch->state(b->launch->closure, status, b->go.pid, &state);
    if (hooks_run(b->bundle, stage, buf_text(&state), directory, &err) < 0)
        child_fail_error(&b->child, &err);
}

static bool has_runtime_hooks(const struct bundle *bundle)
{
    return bundle->hooks[HOOK_PRESTART].count || bundle->hooks[HOOK_CREATE_RUNTIME].count;
}

/* --- waiting to be started ---------------------------------------------------------------------
 */

/* Whoever runs inside from here on (the image's hooks, others in a process namespace that is
 * joined) may have the right to look into this process, and finds nothing of the host in it. */
static void leave_host(struct bundle_child *b)
{
    struct child *c = &b->child;
    const struct bundle_launch *l = b->launch;
    const int kept[] = {c->socket, c->label, c->terminal,
                        l->go,     l->said,  l->listener ? l->listener->socket : -1};
    child_close_all_but(c, l->keep, kept, sizeof kept / sizeof *kept);
}

/* With read(2) and write(2) alone: without no_new_privs the filter of system calls is in force
 * already, and somebody else wrote it. */
static void hold(struct child *c, const struct enter *e)
{
    struct bundle_child *b = (struct bundle_child *)c;
    char word;
    ssize_t n;
    (void)child_find_program(c, e);
    bundle_tell(b, CHILD_READY);
    c->said = b->launch->said;
    close(c->socket);
    if (c->label >= 0)
        close(c->label);
    do {
        n = read(b->launch->go, &word, 1);
    } while (n < 0 && errno == EINTR);
    if (n != 1)
        _exit(EXIT_FAILURE);
    close(b->launch->go);
    run_hooks(b, HOOK_START_CONTAINER, "created", NULL);
}

_Noreturn void bundle_child_main(struct bundle_child *b)
{
    struct child *c = &b->child;
    const struct plan *p = c->plan;
    struct error err = {0};
    process_hide_words(); /* it is seen in every process namespace above its own */
    wait_for_start(b);
    separate(b);
    bundle_mount_root(b);
    bundle_mount_all(b);
    bundle_make_devices(b);
    if (p->terminal)
        bundle_make_terminal(b);
    if (has_runtime_hooks(b->bundle))
        bundle_tell(b, CHILD_HOOKS);
    run_hooks(b, HOOK_CREATE_CONTAINER, "creating", b->bundle->path);
    bundle_mount_finish(b);
    leave_host(b);
    if (p->rlimit_count)
        bundle_tell(b, CHILD_LIMITS);
    if (attributes_apply(&b->bundle->attributes, &err) < 0)
        child_fail_error(c, &err);
    struct seccomp_listener listener = {.socket = -1};
    if (b->launch->listener) {
        listener = *b->launch->listener;
        listener.pid = b->go.pid;
    }
    struct enter e = {
        .plan = p,
        .listener = &listener,
        .uid = p->uid,
        .gid = p->gid,
        .groups = p->groups,
        .group_count = p->group_count,
        .caps = &p->caps,
        .seccomp = b->launch->seccomp,
        .landlock_begun = -1,
        .cwd = p->cwd,
        .label = c->label,
        .stdio = {0, 1, 2},
        .terminal = p->terminal,
        .groups_denied = b->go.groups_denied,
        .keep = b->launch->keep,
        .hold = hold,
    };
    if (e.terminal)
        e.stdio[0] = e.stdio[1] = e.stdio[2] = c->terminal;
    child_enter(c, &e);
}
