/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who waits for whom. Each stage is a process from the beginning; it asks here when it comes to
 * where it needs another, and goes on when that has ended. So stages run side by side as far as
 * they can, and a failure ends them all.
 */
#include "build/solve.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/memory.h"
#include "base/text.h"
#include "build/secrets.h"
#include "build/step_log.h"

#define MESSAGE_MAX 8192
#define LINE_MAX_BYTES 16384 /* of output: longer lines are told in parts */
#define TICK 100             /* milliseconds */

struct worker {
    pid_t pid; /* 0: not started, or over */
    int channel, output;
    unsigned vertex; /* whose output comes */
    struct buf line;
    struct step_log log;
    bool waits; /* for the stage `for_stage` */
    size_t for_stage;
    bool done, failed;
};

struct solving {
    struct build *build;
    const struct build_watch *watch;
    struct worker *workers; /* one for each stage of the file */
    size_t count;
    int signals;
    uint64_t log_limit;
    int failure; /* of the first that failed */
    struct error why;
    bool ending; /* everybody was told to end */
};

static void tell(struct solving *s, enum build_event event, unsigned vertex, const char *text,
                 uint64_t milliseconds)
{
    if (s->watch->told)
        s->watch->told(s->watch->closure, event, vertex, text, milliseconds);
}

/* --- output --- */

static void tell_output(struct solving *s, struct worker *w, const char *text)
{
    autobuf stop = {0};
    switch (step_log_take(&w->log, s->log_limit, text)) {
    case STEP_LOG_TELL:
        tell(s, BUILD_LINE, w->vertex, text, 0);
        break;
    case STEP_LOG_STOP:
        step_log_stop(s->log_limit, &stop);
        tell(s, BUILD_LINE, w->vertex, buf_text(&stop), 0);
        break;
    case STEP_LOG_KEEP:
        break;
    }
}

/* Of a step that failed: why it did is in what was left out. */
static void tell_last(struct solving *s, struct worker *w)
{
    if (w->log.beyond)
        tell(s, BUILD_LINE, w->vertex, "[the last lines of what is left out]", 0);
    for (size_t i = 0; i < w->log.last.len; i++)
        tell(s, BUILD_LINE, w->vertex, w->log.last.items[i], 0);
}

static void tell_line(struct solving *s, struct worker *w)
{
    autobuf text = {0};
    secrets_redact(s->build->secrets, buf_text(&w->line), &text);
    tell_output(s, w, buf_text(&text));
    buf_clear(&w->line);
}

/* Of a line that is too long; the end of it may be the beginning of a secret, and waits. */
static void tell_part(struct solving *s, struct worker *w)
{
    size_t kept = secrets_longest(s->build->secrets);
    autobuf all = {0}, end = {0};
    secrets_redact(s->build->secrets, buf_text(&w->line), &all);
    if (kept > all.len)
        kept = all.len;
    buf_add(&end, buf_text(&all) + all.len - kept, kept);
    all.len -= kept;
    if (all.data)
        all.data[all.len] = '\0';
    tell_output(s, w, buf_text(&all));
    buf_clear(&w->line);
    buf_add(&w->line, buf_text(&end), end.len);
}

static void take_output(struct solving *s, struct worker *w, const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (bytes[i] == '\n') {
            tell_line(s, w);
            continue;
        }
        if (bytes[i] != '\0')
            buf_char(&w->line, bytes[i]);
        if (w->line.len >= LINE_MAX_BYTES)
            tell_part(s, w);
    }
}

/* Whether there may be more. */
static bool read_output(struct solving *s, struct worker *w)
{
    char bytes[16384];
    ssize_t n = read(w->output, bytes, sizeof bytes);
    if (n > 0) {
        take_output(s, w, bytes, (size_t)n);
        return true;
    }
    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return false;
    if (w->line.len > 0)
        tell_line(s, w);
    close(w->output);
    w->output = -1;
    return false;
}

static int start(struct solving *s, size_t number, struct error *err);

/* --- messages --- */

static void answer(struct worker *w, bool ready)
{
    (void)send(w->channel, ready ? "R" : "F", 1, MSG_NOSIGNAL);
    w->waits = false;
}

static void answer_waiting(struct solving *s)
{
    for (size_t i = 0; i < s->count; i++) {
        struct worker *w = &s->workers[i];
        if (!w->waits || w->pid == 0)
            continue;
        struct worker *other = &s->workers[w->for_stage];
        /* Only what the base image left with ONBUILD asks for it: nobody knew before. */
        if (!other->done && !other->failed && other->pid == 0 && !s->ending)
            other->failed = start(s, w->for_stage, NULL) < 0;
        if (other->done || other->failed || other->pid == 0)
            answer(w, other->done);
    }
}

static void end_all(struct solving *s)
{
    if (s->ending)
        return;
    s->ending = true;
    for (size_t i = 0; i < s->count; i++)
        if (s->workers[i].pid > 0)
            kill(s->workers[i].pid, SIGTERM);
}

static void take_event(struct solving *s, struct worker *w, const char *message)
{
    int event, at = 0;
    unsigned vertex;
    unsigned long long milliseconds;
    if (sscanf(message, "E %d %u %llu %n", &event, &vertex, &milliseconds, &at) < 3 || at == 0)
        return;
    autobuf text = {0};
    secrets_redact(s->build->secrets, message + at, &text);
    /* What was printed before belongs to the step before. */
    while (w->output >= 0 && read_output(s, w))
        continue;
    if (event == BUILD_FAILED)
        tell_last(s, w);
    if (event == BUILD_BEGIN) {
        w->vertex = vertex;
        step_log_clear(&w->log);
    }
    tell(s, (enum build_event)event, vertex, buf_text(&text), milliseconds);
}

static void take_failure(struct solving *s, const char *message)
{
    int code = 0, at = 0;
    if (s->failure != 0 || sscanf(message, "X %d %n", &code, &at) < 1 || at == 0)
        return;
    autobuf text = {0};
    secrets_redact(s->build->secrets, message + at, &text);
    s->failure = code > 0 ? -code : -EIO;
    error_set(&s->why, s->failure, "%s", buf_text(&text));
}

static void read_channel(struct solving *s, struct worker *w)
{
    char message[MESSAGE_MAX + 1];
    ssize_t n = recv(w->channel, message, MESSAGE_MAX, MSG_DONTWAIT);
    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (n <= 0) {
        close(w->channel);
        w->channel = -1;
        return;
    }
    message[n] = '\0';
    uint64_t other;
    if (message[0] == 'E') {
        take_event(s, w, message);
    } else if (message[0] == 'X') {
        take_failure(s, message);
    } else if (message[0] == 'N' && parse_u64(message + 2, s->count - 1, &other) == 0) {
        w->waits = true;
        w->for_stage = (size_t)other;
    }
}

/* --- processes --- */

static _Noreturn void be_stage(struct solving *s, size_t number, int channel, int output,
                               pid_t parent)
{
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGTERM, SIG_DFL);
    signal(SIGINT, SIG_DFL);
    umask(022); /* what is made in a stage does not depend on who builds */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 || getppid() != parent)
        _exit(1);
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (null < 0 || dup2(null, 0) < 0 || dup2(output, 1) < 0 || dup2(output, 2) < 0)
        _exit(1);
    stage_process(s->build, number, channel);
}

static int start(struct solving *s, size_t number, struct error *err)
{
    struct worker *w = &s->workers[number];
    int pair[2], output[2];
    pid_t parent = getpid();
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return error_errno(err, "cannot start a stage");
    if (pipe2(output, O_CLOEXEC) < 0) {
        int rc = error_errno(err, "cannot start a stage");
        close(pair[0]);
        close(pair[1]);
        return rc;
    }
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0)
        be_stage(s, number, pair[1], output[1], parent);
    int why = errno;
    close(pair[1]);
    close(output[1]);
    w->channel = pair[0];
    w->output = output[0];
    (void)fcntl(w->output, F_SETFL, O_NONBLOCK);
    if (pid < 0)
        return error_set(err, -why, "cannot start a stage: %s", error_describe(why));
    w->pid = pid;
    w->vertex = (unsigned)number << 16;
    return 0;
}

/* All that it said comes before its end does. */
static void ended(struct solving *s, struct worker *w, int status)
{
    while (w->channel >= 0) {
        struct pollfd more = {.fd = w->channel, .events = POLLIN};
        if (poll(&more, 1, 0) <= 0)
            break;
        read_channel(s, w);
    }
    while (w->output >= 0 && read_output(s, w))
        continue;
    if (w->line.len > 0)
        tell_line(s, w);
    w->pid = 0;
    w->done = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    w->failed = !w->done;
    if (w->done || s->ending)
        return;
    if (s->failure == 0 && WIFSIGNALED(status)) {
        s->failure = -EIO;
        error_set(&s->why, -EIO, "the process of a stage was killed by signal %d",
                  WTERMSIG(status));
    }
    end_all(s);
}

static void reap(struct solving *s)
{
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
        for (size_t i = 0; i < s->count; i++)
            if (s->workers[i].pid == pid)
                ended(s, &s->workers[i], status);
}

static void take_signal(struct solving *s)
{
    struct signalfd_siginfo info;
    while (read(s->signals, &info, sizeof info) == (ssize_t)sizeof info) {
        if (info.ssi_signo == SIGCHLD)
            continue;
        if (s->failure == 0) {
            s->failure = -EINTR;
            error_set(&s->why, -EINTR, "interrupted; steps that were done are kept");
        }
        end_all(s);
    }
}

/* --- all of it --- */

static size_t running(const struct solving *s)
{
    size_t n = 0;
    for (size_t i = 0; i < s->count; i++)
        n += s->workers[i].pid > 0;
    return n;
}

static void wait_for_something(struct solving *s)
{
    autofree struct pollfd *fds = xcalloc(2 * s->count + 1, sizeof *fds);
    size_t n = 0;
    fds[n++] = (struct pollfd){.fd = s->signals, .events = POLLIN};
    for (size_t i = 0; i < s->count; i++) {
        fds[n++] = (struct pollfd){.fd = s->workers[i].channel, .events = POLLIN};
        fds[n++] = (struct pollfd){.fd = s->workers[i].output, .events = POLLIN};
    }
    (void)poll(fds, n, s->watch->tick ? TICK : -1);
    for (size_t i = 0; i < s->count; i++) {
        struct worker *w = &s->workers[i];
        if (w->output >= 0 && fds[2 + 2 * i].revents)
            (void)read_output(s, w);
        if (w->channel >= 0 && fds[1 + 2 * i].revents)
            read_channel(s, w);
    }
    take_signal(s);
    reap(s);
    answer_waiting(s);
    if (s->watch->tick)
        s->watch->tick(s->watch->closure);
}

int solve(struct build *build, const struct build_watch *watch, struct error *err)
{
    struct solving s = {.build = build, .watch = watch, .count = build->file.stage_count};
    sigset_t caught, before;
    int rc = step_log_limit(&s.log_limit, err);
    if (rc < 0)
        return rc;
    s.workers = xcalloc(s.count + 1, sizeof *s.workers);
    for (size_t i = 0; i < s.count; i++)
        s.workers[i].channel = s.workers[i].output = -1;
    sigemptyset(&caught);
    sigaddset(&caught, SIGCHLD);
    sigaddset(&caught, SIGINT);
    sigaddset(&caught, SIGTERM);
    sigaddset(&caught, SIGHUP);
    sigprocmask(SIG_BLOCK, &caught, &before);
    s.signals = signalfd(-1, &caught, SFD_NONBLOCK | SFD_CLOEXEC);
    if (s.signals < 0)
        rc = error_errno(err, "cannot wait for signals");
    for (size_t i = 0; rc == 0 && i < s.count; i++)
        if (build->graph.stages[i].needed)
            rc = start(&s, i, err);
    if (rc < 0)
        end_all(&s);
    while (running(&s) > 0)
        wait_for_something(&s);
    if (rc == 0 && s.failure != 0) {
        rc = s.failure;
        if (err)
            *err = s.why;
    }
    if (rc == 0 && !s.workers[build->graph.target].done)
        rc = error_set(err, -EIO, "the build ended before its target was made");
    for (size_t i = 0; i < s.count; i++) {
        buf_free(&s.workers[i].line);
        step_log_clear(&s.workers[i].log);
        if (s.workers[i].channel >= 0)
            close(s.workers[i].channel);
        if (s.workers[i].output >= 0)
            close(s.workers[i].output);
    }
    free(s.workers);
    if (s.signals >= 0)
        close(s.signals);
    sigprocmask(SIG_SETMASK, &before, NULL);
    return rc;
}
