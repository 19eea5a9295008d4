/* SPDX-License-Identifier: Apache-2.0 */
/*
 * caisson-monitor: one for each detached container, from its start to its end.
 *
 * It is the parent of the container's first process, reads what the container prints into the log,
 * and, when that process has ended, writes the exit record and executes `caisson __ended ID` in its
 * own place to clean up. It owns the newest log file, `exit` and `log-dropped`; everything else it
 * only borrows from its command line (container/monitor.h).
 *
 * Guards against: memory that grows with what a container prints (fixed buffers, given back when
 * the container is quiet), a full disk (container/log_write.h), signals (those that end a process
 * are ignored), processes that keep the pipes open after the container's end (one second), bytes of
 * the container (never interpreted, only escaped).
 *
 * Whoever attaches (container/attach_serve.h) gets the same output. While one of them is owed some,
 * none is read: then the container waits, and not the monitor.
 *
 * A machine runs hundreds of these, so it takes care to be small: no heap, no stdio, no C library
 * where programs/ground.c knows the processor.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/sched.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "container/attach_serve.h"
#include "container/exit_record.h"
#include "container/log_write.h"
#include "container/monitor.h"

#define EXIT_USAGE 125
#define STRAGGLERS_NS NSEC_PER_SEC /* how long pipes may stay open after the end */
#define PIPE_READS_MAX 16          /* a pipe is 64 KiB, and 1 MiB at most */
#define QUIET_MS 1000              /* how long a container is silent before memory is given back */
#define RECORD_TRIES 20
#define RECORD_PAUSE_MS 50
#define OOM_SCORE_PATH "/proc/self/oom_score_adj"
#define OOM_SCORE "-999" /* after all others: ending it frees nothing and loses a state */

enum source {
    OUT,
    ERR,
    TERMINAL,
    PROCESS,
    HEALTH, /* the check that runs */
    SOURCES,
};
#define EVENTS (SOURCES + 1 + ATTACH_CLIENTS) /* then come the sockets of attach_serve.c */

static struct {
    struct monitor_spec spec;
    int epoll;
    int fds[SOURCES]; /* -1: never there or at its end */
    bool held;        /* output is not read: somebody is owed some */
    bool unread;      /* the terminal may hold more that no event will tell of */
    bool used;        /* buffers were used since they were last given back */
    bool told;        /* that lines were dropped */
    bool ended;
    bool left;   /* a child of ours goes on with what is still to be passed on */
    bool serves; /* that child is us */
    int status;
    nanoseconds finished;
    nanoseconds deadline;           /* monotonic; once ended */
    nanoseconds hangup;             /* monotonic; 0, or when it is killed: its owner is gone */
    pid_t check;                    /* 0: none runs */
    nanoseconds started, check_due; /* monotonic */
    bool was_well;
    char oom_score[8]; /* what it was, to be put back */
    ssize_t oom_score_length;
} monitor;

static struct log_writer output_log;
static struct journal journal;
static struct attach_server attached;
static _Alignas(4096) char input[64 * 1024];

/* --- becoming quiet --------------------------------------------------------------------------- */

/* Signals that would end or stop us. SIGCHLD and the like do nothing anyway. */
static void set_signals(void (*handler)(int))
{
    static const unsigned char ending[] = {SIGHUP,  SIGINT,  SIGQUIT, SIGPIPE, SIGALRM,
                                           SIGTERM, SIGUSR1, SIGUSR2, SIGTSTP, SIGTTIN,
                                           SIGTTOU, SIGXCPU, SIGXFSZ, SIGIO,   SIGPWR};
    for (size_t i = 0; i < sizeof ending; i++)
        signal(ending[i], handler);
}

static void write_oom_score(const char *value, size_t length)
{
    autofd fd = open(OOM_SCORE_PATH, O_WRONLY | O_CLOEXEC);
    if (fd >= 0 && write(fd, value, length) < 0)
        return; /* not allowed for an ordinary user: then as everyone else */
}

static void protect_from_oom(void)
{
    autofd fd = open(OOM_SCORE_PATH, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    monitor.oom_score_length = read(fd, monitor.oom_score, sizeof monitor.oom_score);
    if (monitor.oom_score_length > 0)
        write_oom_score(OOM_SCORE, sizeof OOM_SCORE - 1);
}

/* Nothing stays open that the command line does not name, and nothing outlives the next execve. */
static int keep_only_named_fds(const struct monitor_spec *spec)
{
    int kept[] = {spec->dir,    spec->out,   spec->err,   spec->terminal,
                  spec->in,     spec->after, spec->ready, spec->log_dir,
                  spec->attach, spec->owner, spec->fields};
    size_t count = sizeof kept / sizeof *kept;
    for (size_t i = 1; i < count; i++)
        for (size_t k = i; k > 0 && kept[k] < kept[k - 1]; k--) {
            int swap = kept[k];
            kept[k] = kept[k - 1];
            kept[k - 1] = swap;
        }
    unsigned next = STDERR_FILENO + 1;
    for (size_t i = 0; i <= count; i++) {
        unsigned end = i < count ? (unsigned)kept[i] : ~0U;
        if (i < count && kept[i] < (int)next)
            continue; /* not there, or named twice */
        if (end > next && close_range(next, i < count ? end - 1 : end, 0) < 0)
            return -errno;
        next = end + 1;
    }
    if (close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC) < 0)
        return -errno;
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null < 0)
        return -errno;
    for (int fd = 0; fd <= STDERR_FILENO; fd++)
        if (dup2(null, fd) < 0)
            return -errno;
    close(null);
    return 0;
}

static int become_quiet(const struct monitor_spec *spec)
{
    set_signals(SIG_IGN);
    (void)setsid(); /* fails for who already leads a session */
    umask(077);
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    protect_from_oom();
    if (chdir("/") < 0)
        return -errno;
    return keep_only_named_fds(spec);
}

/* --- watching --------------------------------------------------------------------------------- */

static int add_to_epoll(enum source source)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = source};
    if (source == TERMINAL)
        event.events |= EPOLLET; /* see read_terminal() */
    return epoll_ctl(monitor.epoll, EPOLL_CTL_ADD, monitor.fds[source], &event) < 0 ? -errno : 0;
}

static int watch(enum source source, int fd)
{
    monitor.fds[source] = fd;
    if (fd < 0)
        return 0;
    if (source != PROCESS && source != HEALTH) {
        int flags = fcntl(fd, F_GETFL);
        if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
            return -errno;
    }
    return add_to_epoll(source);
}

static int watch_attached(const struct monitor_spec *spec)
{
    attached.epoll = monitor.epoll;
    attached.tag = SOURCES;
    attached.terminal = spec->terminal;
    attached.into = spec->in;
    int rc = attach_start(&attached, spec->attach, spec->owner);
    /* What its owner types ends when the owner says so, and not when we do. */
    if (rc == 0 && spec->owner >= 0 && spec->in >= 0) {
        attached.into = -1;
        close(take_fd(&monitor.spec.in));
    }
    return rc;
}

static int watch_all(const struct monitor_spec *spec)
{
    monitor.epoll = epoll_create1(EPOLL_CLOEXEC);
    if (monitor.epoll < 0)
        return -errno;
    int rc = watch(OUT, spec->out);
    if (rc == 0)
        rc = watch(ERR, spec->err);
    if (rc == 0)
        rc = watch(TERMINAL, spec->terminal);
    if (rc < 0)
        return rc;
    int pidfd = (int)syscall(SYS_pidfd_open, spec->pid, 0);
    if (pidfd < 0)
        return -errno;
    rc = watch(PROCESS, pidfd);
    return rc < 0 ? rc : watch_attached(spec);
}

static void end_source(enum source source)
{
    log_writer_end(&output_log, source == ERR ? LOG_STDERR : LOG_STDOUT, clock_wall());
    close(take_fd(&monitor.fds[source]));
}

/* Output is read, or left where it is while somebody who is attached is owed some. A pipe whose
 * writers are gone would say so all the time, so it is not watched meanwhile. */
static void hold_or_go_on(void)
{
    bool hold = attach_blocked(&attached);
    if (hold == monitor.held)
        return;
    monitor.held = hold;
    for (enum source source = OUT; source <= TERMINAL; source++) {
        if (monitor.fds[source] < 0)
            continue;
        if (hold)
            (void)epoll_ctl(monitor.epoll, EPOLL_CTL_DEL, monitor.fds[source], NULL);
        else
            (void)add_to_epoll(source);
    }
}

/* One read; what read(2) said. */
static ssize_t take_in(enum source source)
{
    ssize_t n = read(monitor.fds[source], input, sizeof input);
    if (n <= 0)
        return n;
    monitor.used = true;
    log_writer_add(&output_log, source == ERR ? LOG_STDERR : LOG_STDOUT, input, (size_t)n,
                   clock_wall());
    attach_send(&attached, source == ERR ? ATTACH_ERR : ATTACH_OUT, input, (size_t)n);
    hold_or_go_on();
    return n;
}

/* A terminal whose other side nobody holds open says so for ever (EIO) until somebody opens it
 * again, which a container may do as often as it likes. So it is watched for changes only, and
 * read until there is no more: at most so much at a time that others get their turn. */
static void read_terminal(void)
{
    monitor.unread = true;
    for (int turn = 0; turn < 16 && !monitor.held; turn++) {
        if (take_in(TERMINAL) > 0)
            continue;
        monitor.unread = false;
        if (errno != EAGAIN && monitor.ended)
            end_source(TERMINAL);
        return;
    }
}

static void read_pipe(enum source source)
{
    ssize_t n = take_in(source);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
        end_source(source);
}

/* From here on only what is left in the pipes counts. */
static void reap(void)
{
    int status;
    pid_t pid = waitpid(monitor.spec.pid, &status, WNOHANG);
    if (pid == 0)
        return;
    monitor.ended = true;
    monitor.status = pid > 0 ? status : W_EXITCODE(255, 0); /* somebody else reaped it */
    monitor.finished = clock_wall();
    monitor.deadline = clock_monotonic() + STRAGGLERS_NS;
    monitor.unread = monitor.fds[TERMINAL] >= 0;
    close(take_fd(&monitor.fds[PROCESS]));
}

/* --- whoever ran it in the foreground is gone --------------------------------------------------
 */

/* What a terminal's end means to who uses it; who does not care is killed later. Not all of its
 * other side need be ours: somebody else may be attached. Without a terminal there is nobody to
 * tell. */
static void hang_up(void)
{
    if (monitor.ended || monitor.hangup != 0)
        return;
    monitor.hangup = clock_monotonic();
    if (monitor.fds[TERMINAL] < 0)
        return;
    monitor.hangup += ATTACH_HANGUP_SECONDS * NSEC_PER_SEC;
    (void)kill(monitor.spec.pid, SIGHUP);
    attach_no_way_in(&attached);
    monitor.unread = false;
    end_source(TERMINAL);
}

/* Milliseconds until it is killed; -1: never. */
static int hangup_timeout(void)
{
    if (monitor.hangup == 0 || monitor.ended)
        return -1;
    nanoseconds left = monitor.hangup - clock_monotonic();
    if (left > 0)
        return (int)(left / 1000000) + 1;
    (void)kill(monitor.spec.pid, SIGKILL);
    monitor.hangup += NSEC_PER_SEC; /* until it has gone */
    return 1000;
}

/* --- health checks ---------------------------------------------------------------------------- */

static _Noreturn void become_check(void)
{
    const char *argv[] = {"caisson", "__health", monitor.spec.id, NULL};
    if (monitor.oom_score_length > 0)
        write_oom_score(monitor.oom_score, (size_t)monitor.oom_score_length);
    set_signals(SIG_DFL);
    syscall(SYS_execveat, monitor.spec.after, "", argv, environ, AT_EMPTY_PATH);
    syscall(SYS_exit_group, EXIT_USAGE);
    for (;;)
        ;
}

static void plan_check(void)
{
    nanoseconds now = clock_monotonic();
    bool starting = !monitor.was_well && now - monitor.started < monitor.spec.health_start_period;
    nanoseconds pause =
        starting ? monitor.spec.health_start_interval : monitor.spec.health_interval;
    monitor.check_due = pause < INT64_MAX - now ? now + pause : INT64_MAX;
}

static void start_check(void)
{
    int pidfd = -1;
    long pid = syscall(SYS_clone, (long)(CLONE_PIDFD | SIGCHLD), 0L, &pidfd, 0L, 0L);
    if (pid == 0)
        become_check();
    if (pid < 0 || watch(HEALTH, pidfd) < 0) {
        plan_check(); /* another time */
        return;
    }
    monitor.check = (pid_t)pid;
}

static void end_check(void)
{
    int status;
    if (waitpid(monitor.check, &status, WNOHANG) == 0)
        return;
    monitor.was_well |= WIFEXITED(status) && WEXITSTATUS(status) == 0;
    monitor.check = 0;
    close(take_fd(&monitor.fds[HEALTH]));
    plan_check();
}

static bool checks(void)
{
    return monitor.spec.health_interval > 0 && monitor.spec.after >= 0 && !monitor.ended;
}

/* Milliseconds until the next one, -1 when none is to come. */
static int check_timeout(void)
{
    if (!checks() || monitor.check > 0)
        return -1;
    nanoseconds left = monitor.check_due - clock_monotonic();
    if (left <= 0)
        return 0;
    return left / 1000000 < INT32_MAX ? (int)(left / 1000000) + 1 : INT32_MAX;
}

static void tell_dropped(void)
{
    (void)log_dropped_write(monitor.spec.dir, output_log.dropped, output_log.dropped_errno);
    monitor.told = true;
}

static int sooner(int a, int b)
{
    return a < 0 || (b >= 0 && b < a) ? b : a;
}

/* The owner may take as long as it likes for the last of the output; how the container ended is to
 * be seen by others before that: leave_output_to_a_child(). */
static nanoseconds owner_deadline(void)
{
    return monitor.deadline + ATTACH_PATIENCE_SECONDS * NSEC_PER_SEC;
}

/* Milliseconds; -1: until something happens. */
static int next_timeout(void)
{
    if (monitor.unread && !monitor.held)
        return 0;
    nanoseconds patience = attach_patience(&attached);
    hold_or_go_on();
    int slow = patience == INT64_MAX ? -1 : (int)(patience / 1000000) + 1;
    if (monitor.ended) {
        nanoseconds left = monitor.deadline - clock_monotonic();
        if (monitor.held && !monitor.serves)
            left = owner_deadline() - clock_monotonic();
        int soon = left <= 0 ? 0 : (int)(left / 1000000) + 1;
        return !monitor.held ? soon : monitor.serves ? slow : sooner(slow, soon);
    }
    int quiet = monitor.used && !monitor.held ? QUIET_MS : -1;
    return sooner(sooner(check_timeout(), quiet), sooner(slow, hangup_timeout()));
}

static bool done(void)
{
    if (!monitor.ended || monitor.held)
        return false;
    return (monitor.fds[OUT] < 0 && monitor.fds[ERR] < 0 && monitor.fds[TERMINAL] < 0) ||
           clock_monotonic() >= monitor.deadline;
}

static void handle(enum source source)
{
    if (monitor.fds[source] < 0 || (monitor.held && source <= TERMINAL))
        return;
    if (source == PROCESS)
        reap();
    else if (source == HEALTH)
        end_check();
    else if (source == TERMINAL)
        read_terminal();
    else
        read_pipe(source);
}

/* Waits for events and answers them. */
static int wait_for_events(void)
{
    struct epoll_event events[EVENTS];
    int count = epoll_wait(monitor.epoll, events, EVENTS, next_timeout());
    for (int i = 0; i < count; i++) {
        if (events[i].data.u32 < SOURCES)
            handle(events[i].data.u32);
        else
            attach_event(&attached, events[i].data.u32);
    }
    hold_or_go_on();
    if (attached.abandoned)
        hang_up();
    return count;
}

/* Everybody who is attached has what was sent, or is cut off. */
static void settle(void)
{
    while (attach_blocked(&attached))
        wait_for_events();
}

/* Somebody who outlived the container holds it open: what is in it now still counts, even if the
 * disk was slow for a second, but not for ever. */
static void end_held(enum source source)
{
    for (int i = 0; i < PIPE_READS_MAX && take_in(source) > 0; i++) {
        log_writer_flush(&output_log);
        settle();
    }
    if (monitor.fds[source] >= 0)
        end_source(source);
}

/* Whoever waits for the container need not wait for the reader of its output. */
static void leave_output_to_a_child(void)
{
    if (!monitor.ended || !monitor.held || monitor.serves || clock_monotonic() < owner_deadline())
        return;
    long pid = syscall(SYS_clone, (long)SIGCHLD, 0L, 0L, 0L, 0L);
    monitor.serves = pid == 0;
    monitor.left = pid > 0;
    if (pid < 0)
        monitor.deadline += NSEC_PER_SEC; /* another time */
}

static void tell_end(void)
{
    static char status[4];
    for (int i = 0; i < 4; i++)
        status[i] = (char)((unsigned)monitor.status >> 8 * i);
    attach_send(&attached, ATTACH_END, status, sizeof status);
    settle();
}

static void run(void)
{
    monitor.started = clock_monotonic();
    plan_check();
    if (attached.abandoned)
        hang_up();
    while (!done()) {
        int count = wait_for_events();
        if (monitor.unread)
            handle(TERMINAL);
        if (check_timeout() == 0)
            start_check();
        log_writer_flush(&output_log);
        if (output_log.dropped > 0 && !monitor.told)
            tell_dropped();
        leave_output_to_a_child();
        if (monitor.left)
            return;
        if (count == 0 && monitor.used && !monitor.ended && !monitor.held) {
            log_writer_rest(&output_log);
            (void)madvise(input, sizeof input, MADV_DONTNEED);
            monitor.used = false;
        }
    }
    for (enum source source = OUT; source <= TERMINAL; source++)
        if (monitor.fds[source] >= 0)
            end_held(source);
    tell_end();
}

/* --- the end ---------------------------------------------------------------------------------- */

static void record_end(void)
{
    if (!monitor.left)
        log_writer_close(&output_log);
    if (output_log.dropped > 0)
        tell_dropped();
    if (monitor.serves)
        return;
    /* A full disk may have room again in a moment. */
    for (int i = 0; i < RECORD_TRIES; i++) {
        if (exit_record_write(monitor.spec.dir, monitor.status, monitor.finished) == 0)
            return;
        epoll_wait(monitor.epoll, &(struct epoll_event){0}, 1, RECORD_PAUSE_MS);
    }
}

static int execute_after(void)
{
    const char *argv[] = {"caisson", "__ended", monitor.spec.id, NULL};
    if (monitor.spec.after < 0 || monitor.serves)
        return 0;
    if (monitor.oom_score_length > 0)
        write_oom_score(monitor.oom_score, (size_t)monitor.oom_score_length);
    set_signals(SIG_DFL);
    syscall(SYS_execveat, monitor.spec.after, "", argv, environ, AT_EMPTY_PATH);
    return EXIT_USAGE;
}

static int start_log(struct monitor_spec *spec)
{
    if (spec->log != LOG_JOURNAL) {
        log_writer_start(&output_log, spec->log == LOG_FILES ? spec->log_dir : -1, spec->max_size,
                         spec->max_file);
        return 0;
    }
    log_writer_start_journal(&output_log, &journal);
    int rc = journal_start(&journal, spec->fields);
    close(take_fd(&spec->fields));
    return rc;
}

int main(int argc, char **argv)
{
    (void)argc;
    struct monitor_spec *spec = &monitor.spec;
    if (monitor_spec_parse(argv, spec) < 0 || become_quiet(spec) < 0 || watch_all(spec) < 0 ||
        start_log(spec) < 0)
        return EXIT_USAGE; /* without 'r' on `ready`: whoever started us tells */
    if (spec->ready >= 0) {
        ssize_t told = write(spec->ready, "r", 1);
        (void)told; /* whoever started us may have been killed: the container runs all the same */
        close(spec->ready);
    }
    run();
    record_end();
    return execute_after();
}
