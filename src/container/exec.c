/* SPDX-License-Identifier: Apache-2.0 */
/* exec: the container's plan with another command, user and directory, joined to its first process.
 */
#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>

#include "base/io.h"
#include "base/memory.h"
#include "base/process.h"
#include "base/text.h"
#include "container/events.h"
#include "container/opened.h"
#include "container/ordinary.h"
#include "container/relay.h"
#include "container/start.h"
#include "container/streams.h"
#include "container/user.h"
#include "container/verdict.h"
#include "path/inroot.h"
#include "runtime/join.h"

/* passwd or group as the container has it now: a file under its control, so in-root, regular,
 * bounded and never waited for. */
static void read_inside(int root, const char *path, struct buf *out)
{
    autofd fd = inroot_open_file(root, path);
    if (fd < 0 || read_fd(fd, SKELETON_FILE_MAX, out) < 0)
        buf_clear(out);
}

static int find_user(struct container *c, pid_t pid, const struct exec_options *options,
                     struct user *out, struct error *err)
{
    autobuf passwd = {0};
    autobuf group = {0};
    char path[40];
    snprintf(path, sizeof path, "/proc/%d/root", (int)pid);
    autofd root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (root < 0)
        return error_errno(err, "cannot look into container %s", c->plan.name);
    read_inside(root, "etc/passwd", &passwd);
    read_inside(root, "etc/group", &group);
    uint32_t id_max = c->plan.namespaces & PLAN_NS_USER ? USER_ID_MAX : UINT32_MAX - 1;
    if (user_resolve(options->user, buf_text(&passwd), buf_text(&group), NULL, id_max, out, err) <
        0)
        return error_prefix(err, "--user");
    return 0;
}

static void set(struct strv *env, const char *name, const char *value)
{
    size_t length = strlen(name);
    for (size_t i = 0; i < env->len; i++) {
        if (strncmp(env->items[i], name, length) != 0 || env->items[i][length] != '=')
            continue;
        free(env->items[i]);
        env->items[i] = xasprintf("%s=%s", name, value);
        return;
    }
    strv_fmt(env, "%s=%s", name, value);
}

static void environment(const struct container *c, const struct exec_options *options,
                        const struct user *user, struct strv *out)
{
    strv_copy(out, &c->plan.env);
    if (options->user)
        set(out, "HOME", user->home ? user->home : user->uid ? "/" : "/root");
    if (options->terminal)
        set(out, "TERM", "xterm");
    for (size_t i = 0; i < options->env.len; i++) {
        autofree char *name = xstrdup(options->env.items[i]);
        char *equals = strchr(name, '=');
        if (equals) {
            *equals = '\0';
            set(out, name, equals + 1);
        }
    }
}

/* Somebody has to hold the terminal of a process that was detached from, and to take what it
 * prints: a process of its own, as long as that one lives. */
static int hold_terminal(const struct launched *run, struct error *err)
{
    char dropped[4096];
    pid_t pid = fork();
    if (pid < 0)
        return error_errno(err, "cannot detach");
    if (pid > 0)
        return 0;
    (void)setsid();
    autofd null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int i = 0; i < 3; i++)
        (void)dup2(null, i);
    struct pollfd fds[] = {{.fd = run->terminal, .events = POLLIN},
                           {.fd = run->pidfd, .events = POLLIN}};
    while (poll(fds, 2, -1) >= 0 && !fds[1].revents)
        if (read(run->terminal, dropped, sizeof dropped) <= 0 && errno != EAGAIN)
            (void)poll(fds + 1, 1, 100); /* nobody has it open just now */
    _exit(0);
}

static int wait_for(const struct exec_options *options, struct streams *s,
                    const struct launched *run, int *exit_code, struct error *err)
{
    struct relay relay = {
        .pid = run->pid,
        .pidfd = run->pidfd,
        .attach = -1,
        .in = take_fd(&s->ours[0]),
        .out = take_fd(&s->ours[1]),
        .err = take_fd(&s->ours[2]),
        .terminal = run->terminal,
        .stdin_too = options->interactive,
        .sig_proxy = true,
        .keys = options->keys,
    };
    int status = 0;
    int rc = relay_run(&relay, &status, err);
    if (rc < 0)
        return rc;
    if (rc == RELAY_DETACHED) {
        *exit_code = 0;
        return hold_terminal(run, err);
    }
    *exit_code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    return 0;
}

static int carry_out(struct container *c, struct join *join, const struct exec_options *options,
                     int *exit_code, struct error *err)
{
    autostreams s = STREAMS_NONE;
    struct launched run;
    sigset_t signals;
    int rc = streams_open(&s, options->terminal, options->interactive, err);
    if (rc < 0)
        return rc;
    relay_signals_block(true, &signals);
    memcpy(join->stdio, s.theirs, sizeof join->stdio);
    /* One with a terminal is told when that goes, and may be detached from. */
    join->die_with_parent = !options->terminal;
    rc = join_container(join, &run, exit_code, err);
    streams_close_theirs(&s);
    if (rc == 0 && !options->unnoticed)
        event_tell(c->all, &c->plan, c->id, "exec_start", NULL, NULL);
    bool began = rc == 0;
    if (began)
        rc = wait_for(options, &s, &run, exit_code, err);
    if (began && rc == 0 && !options->unnoticed)
        event_tell_number(c->all, &c->plan, c->id, "exec_die", "exitCode", *exit_code);
    relay_signals_restore(&signals);
    return rc;
}

/* --- without waiting for it --------------------------------------------------------------------
 */

/* Never returns: is the process's parent as long as that lives, since the container's own process 1
 * need not know how to be one, and the host's may take its time. Nobody reads what it prints. */
static _Noreturn void stay_with(struct container *c, struct join *join, int report)
{
    struct error err = {0};
    struct launched run;
    int exit_code = 125, status;
    (void)setsid();
    join->terminal = false;
    for (int i = 0; i < 3; i++)
        join->stdio[i] = -1;
    int rc = join_container(join, &run, &exit_code, &err);
    if (rc == 0)
        event_tell(c->all, &c->plan, c->id, "exec_start", NULL, NULL);
    verdict_send(report, rc, exit_code, &err);
    if (rc < 0)
        _exit(125);
    ordinary_hold(c->all->state);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int i = 0; i < 3; i++)
        (void)dup2(null, i);
    close(report);
    while (waitpid(run.pid, &status, 0) < 0 && errno == EINTR)
        ;
    event_tell_number(c->all, &c->plan, c->id, "exec_die", "exitCode", process_exit_code(status));
    _exit(0);
}

static int carry_out_detached(struct container *c, struct join *join, int *exit_code,
                              struct error *err)
{
    int report[2];
    if (pipe2(report, O_CLOEXEC) < 0)
        return error_errno(err, "cannot start a process");
    pid_t pid = fork();
    if (pid == 0) {
        close(report[0]);
        stay_with(c, join, report[1]);
    }
    int why = errno;
    close(report[1]);
    autofd from = report[0];
    if (pid < 0)
        return error_set(err, -why, "cannot start a process: %s", error_describe(why));
    struct error wrong = {0};
    *exit_code = 0;
    int rc = verdict_receive(from, exit_code, &wrong);
    if (rc == -ECHILD && wrong.code == 0)
        return error_set(err, rc, "the process was killed while it was being started");
    return rc < 0 ? error_set(err, rc, "%s", wrong.text) : 0;
}

static int clean_directory(const struct exec_options *options, const struct plan *plan, char *out,
                           struct error *err)
{
    return inroot_clean(options->cwd && *options->cwd ? options->cwd : plan->cwd, "--workdir", out,
                        err);
}

int container_exec(struct container *c, const struct exec_options *options, int *exit_code,
                   struct error *err)
{
    struct user user = {.uid = c->plan.uid, .gid = c->plan.gid};
    struct seccomp_program filter = {0};
    struct landlock_plan landlock = {0};
    struct plan plan = c->plan; /* borrows everything but what is replaced */
    autostrv env = {0};
    autocgroup group = CGROUP_EMPTY;
    char cwd[INROOT_PATH_MAX];
    bool has_filter = false;
    *exit_code = 125;
    if (c->now == CONTAINER_PAUSED)
        return error_set(err, -EBUSY, "container %s is paused; unpause it first", c->plan.name);
    pid_t pid;
    autofd pidfd = container_insider(c, &pid, err);
    if (c->now != CONTAINER_RUNNING || pidfd < 0)
        return error_set(err, -ESRCH,
                         "container %s is not running; start it with: caisson start %s",
                         c->plan.name, c->plan.name);
    int rc = clean_directory(options, &plan, cwd, err);
    if (rc == 0 && options->user)
        rc = find_user(c, pid, options, &user, err);
    if (rc == 0)
        rc = cgroup_open(c->status.cgroup ? c->status.cgroup : "", &group, err);
    if (rc == 0)
        rc = opened_seccomp(c, &filter, &has_filter, err);
    if (rc == 0)
        rc = opened_landlock(&plan, &landlock, err);
    if (rc == 0) {
        environment(c, options, &user, &env);
        plan.args = options->args;
        plan.env = env;
        plan.init = false;
        struct join join = {
            .plan = &plan,
            .pidfd = pidfd,
            .cgroup = &group,
            .uid = user.uid,
            .gid = user.gid,
            .groups = options->user ? user.groups : plan.groups,
            .group_count = options->user ? user.group_count : plan.group_count,
            .cwd = cwd,
            .terminal = options->terminal,
            .seccomp = has_filter ? &filter : NULL,
            .landlock = plan.landlock ? &landlock : NULL,
        };
        rc = options->detached ? carry_out_detached(c, &join, exit_code, err)
                               : carry_out(c, &join, options, exit_code, err);
    }
    if (has_filter)
        seccomp_program_free(&filter);
    landlock_plan_free(&landlock);
    user_free(&user);
    return rc;
}
