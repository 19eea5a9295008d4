/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starting: from a container on disk to a running command. What the plan only names is opened here
 * (layers, the writable layer, volumes, filters), an id range is claimed, and the plan carried out.
 * Whoever is to be the parent of the first process does it: a fork that becomes the monitor, to
 * which this process is attached in the foreground; or, where nothing but the foreground will ever
 * want its output (--rm without a terminal to detach from), this process itself, which is quicker.
 */
#include "container/start.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/io.h"
#include "base/memory.h"
#include "base/text.h"
#include "container/attach.h"
#include "container/disk.h"
#include "container/events.h"
#include "container/health.h"
#include "container/hints.h"
#include "container/journal_fields.h"
#include "container/monitor.h"
#include "container/networks.h"
#include "container/opened.h"
#include "container/ordinary.h"
#include "container/programs.h"
#include "container/relay.h"
#include "container/restart.h"
#include "container/streams.h"
#include "container/verdict.h"
#include "runtime/ids.h"
#include "runtime/launch.h"
#include "runtime/syscalls.h"

/* --- making it run -----------------------------------------------------------------------------
 */

static void say_limits(struct container *c, const struct cgroup *group)
{
    static const struct {
        const char *protection;
        enum cgroup_limit limit;
    } table[] = {{"memory", CGROUP_LIMIT_MEMORY},
                 {"swap", CGROUP_LIMIT_SWAP},
                 {"pids", CGROUP_LIMIT_PIDS},
                 {"cpu", CGROUP_LIMIT_CPU_SHARES},
                 {"devices", CGROUP_LIMIT_DEVICES}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        const char *why = cgroup_why_not(group, table[i].limit);
        if (why)
            protection_fails(&c->plan.posture, table[i].protection, "not in force", why);
    }
}

static int record_running(struct container *c, const struct opened *o,
                          const struct launched *launched, struct error *err)
{
    autobuf record = {0};
    struct stat st;
    cgroup_record(&launched->cgroup, &record);
    c->status.process_ns = o->join.pid >= 0 && fstat(o->join.pid, &st) == 0 ? st.st_ino : 0;
    c->status.mount_ns = streq(buf_text(&record), "none") ? launched->mount_ns : 0;
    c->status.donor_ended = false;
    free(c->status.cgroup);
    c->status.cgroup = buf_take(&record);
    c->status.pid = launched->pid;
    c->status.monitor = getpid();
    int rc = process_start_time(c->status.monitor, &c->status.monitor_start);
    /* One that has ended already (-ESRCH) keeps 0, which no process has. */
    if (rc == 0 && process_start_time(launched->pid, &c->status.start_time) < 0)
        c->status.start_time = 0;
    if (rc < 0)
        return error_set(err, rc, "cannot read /proc/self/stat (is /proc mounted?)");
    c->status.started = clock_wall();
    c->status.oom_killed = c->status.pids_hit = false;
    rc = container_save_status(c, err);
    if (rc < 0)
        return rc;
    event_tell_mounts(c->all, &c->plan, c->id);
    event_tell(c->all, &c->plan, c->id, "start", NULL, NULL);
    return 0;
}

/* Where ids cannot be mapped at mount time everything else still holds, and the posture says so. */
static int launch(struct container *c, struct opened *o, struct launch *l, struct launched *out,
                  int *exit_code, struct error *err)
{
    int rc = launch_container(l, out, exit_code, err);
    if (rc == -EOPNOTSUPP && c->plan.namespaces & PLAN_NS_USER && !o->users_asked &&
        !c->plan.user_container) {
        protection_fails(&c->plan.posture, "user-namespace", "host", err->text);
        c->plan.namespaces &= ~(unsigned)PLAN_NS_USER;
        err->code = 0;
        ids_release(c->all->state_top, c->id, l->ids.base);
        l->ids = (struct ids){0};
        c->status.id_base = 0;
        rc = launch_container(l, out, exit_code, err);
    }
    return rc;
}

static bool owner_is_alive(void *closure, const char *id)
{
    struct containers *all = closure;
    struct stat st;
    return fstatat(all->state_fd, id, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

struct meanwhile {
    struct container *container;
    struct store *store;
};

/* While the process sets itself up. From here on the image cannot be collected any more. */
static int write_container(void *closure, struct error *err)
{
    struct meanwhile *m = closure;
    /* Variables of a step may be secrets, which are not to be on disk; its process has its own
     * copy. */
    struct plan *plan = &m->container->plan;
    struct strv env = plan->env;
    if (plan->step)
        plan->env = (struct strv){0};
    int rc = container_write(m->container, err);
    plan->env = env;
    store_unlock(m->store);
    return rc;
}

/* A range of its own, or a share in that of the container whose user namespace it joins. That one
 * runs afterwards still: so its range had not been given back before. */
static int take_ids(struct container *c, struct opened *o, uint32_t *base, struct error *err)
{
    if (o->join.user < 0)
        return ids_claim(c->all->state_top, c->id, owner_is_alive, c->all, base, err);
    int rc = ids_share(c->all->state_top, c->id, *base, err);
    if (rc == 0 && !process_alive(o->ids_of, o->ids_of_start)) {
        ids_release(c->all->state_top, c->id, *base);
        rc = error_set(err, -ESRCH, "the container whose namespaces it joins ended meanwhile");
    }
    return rc;
}

static int make_run(struct container *c, struct opened *o, const struct streams *s,
                    const struct start_options *options, bool bound, struct launched *out,
                    int *exit_code, struct error *err)
{
    struct meanwhile m = {.container = c, .store = o->store};
    struct joining joining __attribute__((cleanup(joining_end))) = JOINING_NONE;
    struct launch l = {
        .plan = &c->plan,
        .meanwhile = write_container,
        .closure = &m,
        .layers = o->layers,
        .layer_count = o->layer_count,
        .upper = o->upper,
        .sources = o->sources,
        .ids = o->ids,
        .join = o->join,
        .seccomp = o->has_seccomp ? &o->seccomp : NULL,
        .landlock = c->plan.landlock ? &o->landlock : NULL,
        .stdio = {s->theirs[0], s->theirs[1], s->theirs[2]},
        .die_with_parent = bound,
        .connect = c->plan.endpoint_count ? joining_connect : NULL,
        .networks = &joining,
    };
    *exit_code = 125;
    c->status.id_base = 0;
    joining.publishing.front = options->program;
    int rc = joining_begin(c, &joining, err);
    if (rc < 0)
        return rc;
    if (c->plan.namespaces & PLAN_NS_USER) {
        rc = take_ids(c, o, &l.ids.base, err);
        c->status.id_base = l.ids.base;
    }
    if (rc == 0)
        rc = launch(c, o, &l, out, exit_code, err);
    if (rc < 0) {
        ids_release(c->all->state_top, c->id, c->status.id_base);
        container_networks_leave(c);
        return rc;
    }
    say_limits(c, &out->cgroup);
    rc = joining_finish(c, &joining, err);
    if (rc == 0)
        rc = record_running(c, o, out, err);
    if (rc == 0 && c->plan.posture.count && posture_changed(&c->plan.posture) && !c->plan.step)
        rc = container_save_plan(c, err);
    if (rc < 0) {
        kill(out->pid, SIGKILL);
        (void)waitpid(out->pid, NULL, 0);
        (void)cgroup_remove(&out->cgroup, NULL);
        ids_release(c->all->state_top, c->id, c->status.id_base);
        container_ports_leave(c);
        container_networks_leave(c);
    }
    return rc;
}

/* --- in the foreground -------------------------------------------------------------------------
 */

static int run_in_foreground(struct container *c, struct opened *o,
                             const struct start_options *options, int *exit_code, struct error *err)
{
    autostreams s = STREAMS_NONE;
    struct launched run;
    sigset_t signals;
    relay_signals_block(options->sig_proxy, &signals);
    int rc = streams_open(&s, c->plan.terminal, options->interactive, err);
    if (rc == 0)
        rc = make_run(c, o, &s, options, true, &run, exit_code, err);
    if (rc < 0) {
        relay_signals_restore(&signals);
        return rc;
    }
    container_unlock(c);
    streams_close_theirs(&s);
    spent_close(&run.spent);
    static struct relay_tail tail;
    struct relay relay = {
        .pid = run.pid,
        .pidfd = run.pidfd,
        .in = take_fd(&s.ours[0]),
        .attach = -1,
        .out = take_fd(&s.ours[1]),
        .err = take_fd(&s.ours[2]),
        .terminal = run.terminal,
        .stdin_too = options->interactive,
        .sig_proxy = options->sig_proxy,
        .no_out = options->no_out,
        .no_err = options->no_err,
        .tail = &tail,
    };
    int status = 0;
    rc = relay_run(&relay, &status, err);
    if (rc < 0) {
        (void)cgroup_kill(&run.cgroup, NULL);
        /* Where there is no group, all goes with the first process. */
        (void)syscall(SYS_pidfd_send_signal, run.pidfd, SIGKILL, NULL, 0);
        (void)waitpid(run.pid, &status, 0);
    }
    relay_signals_restore(&signals);
    *exit_code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    struct cgroup_events events = {0};
    if (options->hints && *exit_code != 0) {
        (void)cgroup_events(&run.cgroup, &events, NULL);
        hint_print(&c->plan, status, &events, &tail, clock_wall() - c->status.started);
    }
    close(run.pidfd);
    cgroup_close(&run.cgroup);
    int ended = container_ended(c, status, rc < 0 ? NULL : err);
    return rc < 0 ? rc : ended;
}

/* --- with a monitor ----------------------------------------------------------------------------
 */

static int open_log_dir(struct container *c)
{
    if (mkdirat(c->home, "logs", 0700) < 0 && errno != EEXIST)
        return -errno;
    return openat(c->home, "logs", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static enum log_driver log_driver(const struct plan *plan)
{
    return streq(plan->log_driver, "none")       ? LOG_NOWHERE
           : streq(plan->log_driver, "journald") ? LOG_JOURNAL
                                                 : LOG_FILES;
}

/* What the monitor's side says to who started it, who owns the container in the foreground, and
 * what it tells the journal. */
struct monitor_ends {
    int report; /* a verdict, when something went wrong */
    int ready;  /* one byte, when the container is watched */
    int owner;  /* container/attach.h; -1 */
    int fields; /* container/journal_fields.h; -1 */
};

static int become_monitor(struct container *c, struct streams *s, const struct launched *run,
                          const struct start_options *options, const struct monitor_ends *ends,
                          struct error *err)
{
    enum log_driver log = log_driver(&c->plan);
    autofree char *path = program_beside(options->program, "caisson-monitor", err);
    if (!path)
        return -ENOENT;
    autofd program = open(path, O_PATH | O_CLOEXEC);
    autofd front = open(options->program, O_PATH | O_CLOEXEC);
    if (program < 0 || front < 0)
        return error_errno(err, "cannot open %s", program < 0 ? path : options->program);
    autofd attach = attach_listen(c, err);
    if (attach < 0)
        return attach;
    struct monitor_spec spec = {
        .id = c->id,
        .pid = run->pid,
        .dir = c->state,
        .out = s->ours[1],
        .err = s->ours[2],
        .terminal = run->terminal,
        .in = s->ours[0],
        .attach = attach,
        .owner = ends->owner,
        .log = log,
        .log_dir = log == LOG_FILES ? open_log_dir(c) : -1,
        .fields = ends->fields,
        .max_size = c->plan.log_max_size,
        .max_file = (unsigned)c->plan.log_max_file,
        .after = front,
        .ready = ends->ready,
    };
    if (health_wanted(&c->plan)) {
        spec.health_interval = c->plan.health.interval;
        spec.health_start_interval = c->plan.health.start_interval;
        spec.health_start_period = c->plan.health.start_period;
        int rc = health_begin(c, err);
        if (rc < 0)
            return rc;
    }
    if (log == LOG_FILES && spec.log_dir < 0)
        return error_set(err, spec.log_dir, "cannot open the log of container %s: %s", c->plan.name,
                         error_describe(spec.log_dir));
    ordinary_hold(c->all->state);
    int rc = monitor_execute(program, &spec);
    return error_set(err, rc, "cannot execute caisson-monitor: %s", error_describe(rc));
}

/* In the fork: never returns. What goes wrong is told through `report`. */
static _Noreturn void monitor_side(struct container *c, struct opened *o,
                                   const struct start_options *options,
                                   const struct monitor_ends *ends)
{
    struct error err = {0};
    struct streams s = STREAMS_NONE;
    struct launched run;
    sigset_t none;
    int exit_code = 125;
    (void)setsid();
    /* What the foreground has blocked is its own affair: whoever cleans up later is to be stopped.
     */
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    int rc = streams_open(&s, c->plan.terminal, c->plan.stdin_open, &err);
    if (rc == 0)
        rc = make_run(c, o, &s, options, false, &run, &exit_code, &err);
    if (rc == 0) {
        streams_close_theirs(&s);
        int null = open("/dev/null", O_RDWR | O_CLOEXEC);
        for (int i = 0; i < 3; i++)
            (void)dup2(null, i);
        rc = become_monitor(c, &s, &run, options, ends, &err);
        (void)cgroup_kill(&run.cgroup, NULL);
        (void)waitpid(run.pid, NULL, 0);
    }
    verdict_send(ends->report, rc, exit_code, &err);
    _exit(125);
}

/* It may run already, and nobody would see its end. */
static void end_unwatched(struct container *c)
{
    if (state_load(c, NULL) < 0 || container_signal(c, SIGKILL, NULL) < 0)
        return;
    autofd pidfd = container_pidfd(c, NULL);
    if (pidfd >= 0)
        (void)poll(&(struct pollfd){.fd = pidfd, .events = POLLIN}, 1, -1);
    (void)container_ended(c, W_EXITCODE(0, SIGKILL), NULL);
}

/* Returns once a monitor watches it. `owner` is taken over: the other end of the socket that this
 * process will be attached by, or -1. */
static int run_monitored(struct container *c, struct opened *o, const struct start_options *options,
                         int owner, int *exit_code, struct error *err)
{
    autofd owned = owner;
    int report[2], ready[2];
    *exit_code = 125;
    bool journal = log_driver(&c->plan) == LOG_JOURNAL;
    autofd fields = journal ? journal_prepare(&c->plan, err) : -1;
    if (journal && fields < 0)
        return fields;
    if (pipe2(report, O_CLOEXEC) < 0 || pipe2(ready, O_CLOEXEC) < 0)
        return error_errno(err, "cannot start a monitor");
    pid_t pid = fork();
    if (pid < 0)
        return error_errno(err, "cannot start a monitor");
    if (pid == 0) {
        close(report[0]);
        close(ready[0]);
        monitor_side(c, o, options,
                     &(struct monitor_ends){
                         .report = report[1], .ready = ready[1], .owner = owner, .fields = fields});
    }
    close(report[1]);
    close(ready[1]);
    autofd from = report[0];
    autofd watched = ready[0];
    char byte;
    /* Either the monitor says that it watches, or somebody on the way says what went wrong. */
    if (read_full(watched, &byte, 1) == 1) {
        *exit_code = 0;
        return 0;
    }
    struct error why = {0};
    int rc = verdict_receive(from, exit_code, &why);
    (void)waitpid(pid, NULL, 0);
    if (rc < 0 && why.code != 0)
        return error_set(err, rc, "%s", why.text);
    end_unwatched(c);
    return error_set(err, -ECHILD, "the monitor of container %s ended before it watched",
                     c->plan.name);
}

/* --- in the foreground, with a monitor ---------------------------------------------------------
 */

/* Nothing but this command will want its output or see its end, so it can do without. */
static bool needs_no_monitor(const struct container *c, const struct start_options *options)
{
    return c->plan.remove && !(c->plan.terminal && options->interactive) &&
           !health_wanted(&c->plan) && log_driver(&c->plan) != LOG_JOURNAL;
}

/* Until all is cleaned up after it, as far as that concerns this command: with a restart policy it
 * goes on without us. */
static void wait_for_clean_up(struct container *c)
{
    if (!c->plan.restart)
        (void)container_wait(c, -1, NULL);
}

static int attend(struct container *c, struct attachment *a, const struct start_options *options,
                  int *exit_code, struct error *err)
{
    static struct relay_tail tail;
    struct attach_options session = {.interactive = options->interactive,
                                     .sig_proxy = options->sig_proxy,
                                     .no_out = options->no_out,
                                     .no_err = options->no_err,
                                     .keys = options->keys,
                                     .tail = &tail};
    int status = 0;
    int rc = attach_welcome(a, err);
    if (rc == 0)
        rc = container_refresh(c, err);
    if (rc == -ENOENT) /* with --rm, and over already */
        rc = 0;
    if (rc == 0)
        rc = attach_session(c, a, &session, &status, err);
    if (rc == RELAY_DETACHED) {
        *exit_code = 0;
        return rc;
    }
    if (rc < 0) { /* it ends with this command, which is not said to leave it */
        if (rc == -EIO)
            attachment_close(a); /* and its monitor tells it so */
        else
            (void)container_signal(c, SIGKILL, NULL);
        wait_for_clean_up(c);
        return rc;
    }
    nanoseconds ran = clock_wall() - c->status.started;
    *exit_code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    wait_for_clean_up(c);
    if (options->hints && *exit_code != 0)
        hint_print(&c->plan, status,
                   &(struct cgroup_events){.oom_kills = c->status.oom_killed,
                                           .pids_max = c->status.pids_hit},
                   &tail, ran);
    return 0;
}

static int run_attached(struct container *c, struct opened *o, const struct start_options *options,
                        int *exit_code, struct error *err)
{
    autoattachment a = ATTACHMENT_NONE;
    sigset_t signals;
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return error_errno(err, "cannot make a socket pair");
    a.socket = pair[0];
    relay_signals_block(options->sig_proxy, &signals);
    int rc = run_monitored(c, o, options, pair[1], exit_code, err);
    if (rc == 0) {
        container_unlock(c);
        rc = attend(c, &a, options, exit_code, err);
    }
    relay_signals_restore(&signals);
    return rc;
}

int container_start(struct container *c, struct store *store, const struct start_options *options,
                    int *exit_code, struct error *err)
{
    struct opened o __attribute__((cleanup(opened_close))) = OPENED_NONE;
    *exit_code = 125;
    int rc = container_lock(c, err);
    if (rc < 0)
        return rc;
    if (container_runs(c->now)) {
        container_unlock(c);
        *exit_code = 0;
        return 0;
    }
    if (c->now == CONTAINER_RESTARTING && c->status.monitor != getpid())
        restart_cancel(c);
    if (!c->unwritten) /* a start that was killed recorded nothing */
        disk_sweep_group(c->all, c->id, c->plan.cgroup_parent);
    rc = container_starting(c, options->again, err);
    if (rc < 0) {
        container_unlock(c);
        return error_prefix(err, "cannot start container %s", c->plan.name);
    }
    rc = opened_open(c, store, options->root, &o, err);
    if (rc == 0 && !options->foreground)
        rc = run_monitored(c, &o, options, -1, exit_code, err);
    else if (rc == 0 && needs_no_monitor(c, options))
        rc = run_in_foreground(c, &o, options, exit_code, err);
    else if (rc == 0)
        rc = run_attached(c, &o, options, exit_code, err);
    if (rc < 0 && c->now == CONTAINER_CREATED) /* that is how it ended, then */
        (void)container_ended(c, *exit_code << 8, NULL);
    container_unlock(c);
    return rc;
}
