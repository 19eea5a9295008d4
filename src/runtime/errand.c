/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/errand.h"

#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/io.h"
#include "base/process.h"
#include "base/text.h"
#include "runtime/syscalls.h"

#define BIT(capability) (UINT64_C(1) << (capability))
#define FILE_CAPS                                                                                  \
    (BIT(CAP_CHOWN) | BIT(CAP_DAC_OVERRIDE) | BIT(CAP_FOWNER) | BIT(CAP_FSETID) | BIT(CAP_SETFCAP))

#define MEMORY_MAX ((rlim_t)1 << 30)

/* Our own half of an errand: the pipe, opened before the fork. */
struct started {
    const struct errand *errand;
    int report, null;
};
static struct started current; /* of the process that is to go, which has no other */

static void fail_errno(struct child *c, const char *what)
{
    child_fail(c, -errno, "%s", what);
}

/* --- giving up -------------------------------------------------------------------------------- */

static void close_others(struct child *c, const struct errand_place *place)
{
    int kept[ERRAND_FDS_MAX + 3], count = 0;
    for (int i = 0; i < ERRAND_FDS_MAX; i++)
        if (current.errand->fds[i] >= 0)
            kept[count++] = current.errand->fds[i];
    kept[count++] = current.report;
    kept[count++] = place->root;
    kept[count++] = place->descriptors;
    for (int i = 1; i < count; i++) /* rising */
        for (int j = i; j > 0 && kept[j - 1] > kept[j]; j--) {
            int other = kept[j];
            kept[j] = kept[j - 1];
            kept[j - 1] = other;
        }
    unsigned from = 3;
    for (int i = 0; i < count; from = (unsigned)kept[i] + 1, i++)
        if ((unsigned)kept[i] > from && close_range(from, (unsigned)kept[i] - 1, 0) < 0)
            fail_errno(c, "cannot close descriptors");
    if (close_range(from, ~0U, 0) < 0) /* the way to fail is among them */
        _exit(EXIT_FAILURE);
}

static void reduce(struct child *c)
{
    struct caps caps = {.permitted = FILE_CAPS, .effective = FILE_CAPS};
    int rc = caps_drop_bounding(CAPS_NONE);
    if (rc == 0)
        rc = caps_set_final(&caps);
    if (rc < 0)
        child_fail(c, rc, "cannot drop capabilities");
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        fail_errno(c, "cannot set no_new_privs");
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        fail_errno(c, "cannot forbid core dumps");
    struct pollfd gone = {.fd = c->socket, .events = POLLIN};
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
        fail_errno(c, "cannot bind the process to its parent");
    if (poll(&gone, 1, 0) != 0)
        _exit(EXIT_FAILURE);
}

/* What it remembers of a container's files is the host's memory and not the container's. Each thing
 * has a bound of its own; this one is for what they come to together, and for mistakes. */
static void bound_memory(void)
{
#ifndef SANITIZED
    struct rlimit limit;
    if (getrlimit(RLIMIT_DATA, &limit) < 0 || limit.rlim_cur <= MEMORY_MAX)
        return;
    limit.rlim_cur = MEMORY_MAX;
    if (limit.rlim_max > MEMORY_MAX)
        limit.rlim_max = MEMORY_MAX;
    (void)setrlimit(RLIMIT_DATA, &limit); /* always allowed: it is less than before */
#endif
}

static void choose_owner(struct child *c, const struct errand *errand, struct errand_place *place)
{
    if (!errand->as_user || !errand->as_user(errand->closure, place))
        return;
    int rc = rootfs_act_as(errand->uid);
    if (rc < 0)
        child_fail(c, rc, "cannot make files as the container's user");
    syscall(SYS_setfsgid, errand->gid);
    place->uid = errand->uid;
    place->gid = errand->gid;
}

static _Noreturn void do_it(const struct errand_place *place)
{
    struct errand_report report = {0};
    struct error err = {0};
    signal(SIGPIPE, SIG_IGN);
    umask(0);
    bound_memory();
    report.code = current.errand->work(current.errand->closure, place, &report.count, &err);
    snprintf(report.text, sizeof report.text, "%.*s", (int)sizeof report.text - 1, err.text);
    (void)write_all(current.report, &report, sizeof report);
    _exit(report.code < 0 ? EXIT_FAILURE : EXIT_SUCCESS);
}

_Noreturn void errand_begin(struct child *c, const struct errand *errand, int proc)
{
    struct errand_place place = {
        .descriptors = openat(proc, "self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC),
        .root = errand->bare ? sys_open_tree(AT_FDCWD, "/", 0)
                             : open("/", O_PATH | O_DIRECTORY | O_CLOEXEC),
        .running = !c->launch,
    };
    if (place.descriptors < 0)
        fail_errno(c, "cannot open /proc/self/fd");
    if (place.root < 0)
        child_fail(c, errand->bare ? place.root : -errno, "cannot open the container's root");
    for (int i = 0; i < 3; i++)
        if (dup2(current.null, i) < 0)
            fail_errno(c, "cannot set the standard streams");
    (void)setsid();
    process_reset_signals();
    choose_owner(c, errand, &place);
    reduce(c);
    close_others(c, &place);
    do_it(&place);
}

/* --- our half --------------------------------------------------------------------------------- */

/* Who interrupts us ends the errands; we then give back what was taken for them and end in order.
 */
#define AT_ONCE 2
static const int interrupts[] = {SIGINT, SIGTERM, SIGHUP};
#define INTERRUPTS (sizeof interrupts / sizeof *interrupts)
static struct sigaction before[INTERRUPTS];
static volatile pid_t under_way[AT_ONCE];
static volatile sig_atomic_t interrupted;

static void end_errands(int number)
{
    int saved = errno;
    interrupted = number;
    for (int i = 0; i < AT_ONCE; i++)
        if (under_way[i] > 0)
            kill(under_way[i], SIGKILL);
    errno = saved;
}

static bool any_under_way(void)
{
    for (int i = 0; i < AT_ONCE; i++)
        if (under_way[i] > 0)
            return true;
    return false;
}

/* An ignored signal stays ignored. */
static void watch(pid_t pid)
{
    const struct sigaction end = {.sa_handler = end_errands};
    for (size_t i = 0; !any_under_way() && i < INTERRUPTS; i++)
        if (sigaction(interrupts[i], NULL, &before[i]) == 0 && before[i].sa_handler != SIG_IGN)
            sigaction(interrupts[i], &end, NULL);
    for (int i = 0; i < AT_ONCE; i++)
        if (under_way[i] == 0) {
            under_way[i] = pid;
            return;
        }
}

static void watch_no_more(pid_t pid)
{
    for (int i = 0; i < AT_ONCE; i++)
        if (under_way[i] == pid)
            under_way[i] = 0;
    for (size_t i = 0; !any_under_way() && i < INTERRUPTS; i++)
        sigaction(interrupts[i], &before[i], NULL);
}

/* From before the process is made until watch() knows it: a signal would end us in between, with
 * what was taken for it. */
static sigset_t mask_before;

static void hold_interrupts(void)
{
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < INTERRUPTS; i++)
        sigaddset(&set, interrupts[i]);
    sigprocmask(SIG_BLOCK, &set, &mask_before);
}

static void let_interrupts(void)
{
    sigprocmask(SIG_SETMASK, &mask_before, NULL);
}

static int begin(const struct errand *errand, int *report, struct error *err)
{
    int ends[2];
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null < 0)
        return error_errno(err, "cannot open /dev/null");
    if (pipe2(ends, O_CLOEXEC) < 0) {
        close(null);
        return error_errno(err, "cannot make a pipe");
    }
    current = (struct started){.errand = errand, .report = ends[1], .null = null};
    *report = ends[0];
    hold_interrupts();
    return 0;
}

/* `pid`: the process, or what there is instead of one. */
static void begun(pid_t pid)
{
    close(current.report);
    close(current.null);
    current = (struct started){0};
    if (pid > 0)
        watch(pid);
    let_interrupts();
}

static _Noreturn void join_and_go(const struct plan *plan, int pidfd, int socket)
{
    static struct child child;
    struct child *c = &child;
    c->plan = plan;
    c->socket = socket;
    autofd proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC); /* ours, not the container's */
    if (proc < 0)
        fail_errno(c, "cannot open /proc");
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        fail_errno(c, "cannot forbid core dumps");
    if (setns(pidfd, CLONE_NEWNS | (plan->namespaces & PLAN_NS_USER ? CLONE_NEWUSER : 0)) < 0)
        fail_errno(c, "cannot enter the container's namespaces");
    if (plan->namespaces & PLAN_NS_USER &&
        (setgroups(0, NULL) < 0 || setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0))
        fail_errno(c, "cannot become root of the user namespace");
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        fail_errno(c, "cannot forbid core dumps");
    errand_begin(c, current.errand, proc);
}

/* Closed without a word: it is at work. */
static int hear(int socket, struct error *err)
{
    struct child_message message;
    size_t count = 0;
    ssize_t n = receive_fds(socket, &message, sizeof message, NULL, 0, &count);
    if (n == 0)
        return 0;
    if (n != (ssize_t)sizeof message)
        return error_set(err, n < 0 ? (int)n : -EPROTO, "cannot hear the new process");
    message.text[sizeof message.text - 1] = '\0';
    return error_set(err, message.code, "%s", message.text);
}

int errand_join(const struct plan *plan, int pidfd, const struct errand *errand,
                struct errand_run *out, struct error *err)
{
    int pair[2];
    struct errand_run run = ERRAND_RUN_NONE;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return error_errno(err, "cannot make a socket pair");
    int rc = begin(errand, &run.report, err);
    run.pid = rc < 0 ? rc : fork();
    if (run.pid == 0) {
        close(pair[0]);
        join_and_go(plan, pidfd, pair[1]);
    }
    if (rc == 0) {
        if (run.pid < 0)
            rc = error_errno(err, "cannot start a process");
        begun(run.pid);
    }
    close(pair[1]);
    if (rc == 0)
        rc = hear(pair[0], err);
    close(pair[0]);
    if (rc < 0) {
        if (run.pid > 0)
            (void)errand_end(&run, NULL, NULL);
        return rc;
    }
    *out = run;
    return 0;
}

int errand_aside(const struct errand *errand, struct errand_run *out, struct error *err)
{
    struct errand_run run = ERRAND_RUN_NONE;
    int rc = begin(errand, &run.report, err);
    if (rc < 0)
        return rc;
    run.pid = fork();
    if (run.pid == 0) {
        struct errand_place place = {
            .root = -1,
            .descriptors = open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC),
        };
        close(run.report);
        let_interrupts();
        if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 || place.descriptors < 0)
            _exit(EXIT_FAILURE);
        do_it(&place);
    }
    int why = errno;
    begun(run.pid);
    if (run.pid < 0) {
        close(run.report);
        return error_set(err, -why, "cannot start a process: %s", error_describe(why));
    }
    *out = run;
    return 0;
}

int errand_launch(struct launch *launch, const struct errand *errand, struct errand_run *out,
                  struct spent *spent, struct error *err)
{
    struct launched launched;
    int exit_code, report = -1;
    int rc = begin(errand, &report, err);
    if (rc < 0)
        return rc;
    launch->errand = errand;
    launch->die_with_parent = true;
    rc = launch_container(launch, &launched, &exit_code, err);
    begun(rc < 0 ? rc : launched.pid);
    if (rc < 0) {
        close(report);
        return rc;
    }
    close(launched.pidfd);
    cgroup_close(&launched.cgroup);
    *spent = launched.spent;
    *out = (struct errand_run){.pid = launched.pid, .report = report};
    return 0;
}

int errand_end_within(struct errand_run *run, int milliseconds, struct error *err)
{
    struct pollfd report = {.fd = run->report, .events = POLLIN};
    if (run->pid <= 0 || poll(&report, 1, milliseconds) != 0)
        return errand_end(run, NULL, err);
    kill(run->pid, SIGKILL);
    close(run->report);
    watch_no_more(run->pid);
    *run = (struct errand_run)ERRAND_RUN_NONE;
    return error_set(err, -ETIMEDOUT,
                     "the process in the container's place did not come to an end");
}

int errand_end(struct errand_run *run, uint64_t *count, struct error *err)
{
    struct errand_report report;
    if (run->pid <= 0)
        return 0;
    ssize_t n = read_full(run->report, &report, sizeof report);
    while (waitpid(run->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    close(run->report);
    watch_no_more(run->pid);
    *run = (struct errand_run)ERRAND_RUN_NONE;
    if (interrupted)
        return error_set(err, -EINTR, "interrupted");
    if (n != (ssize_t)sizeof report)
        return error_set(err, -ECHILD, "the process in the container's place was killed");
    if (count)
        *count = report.count;
    if (report.code >= 0)
        return 0;
    autobuf shown = {0};
    report.text[sizeof report.text - 1] = '\0';
    buf_printable(&shown, report.text);
    return error_set(err, report.code, "%s", buf_text(&shown));
}
