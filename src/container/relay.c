/* SPDX-License-Identifier: Apache-2.0 */
#include "container/relay.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "container/relay_flow.h"

#define STRAGGLERS_NS NSEC_PER_SEC /* how long pipes may stay open after the end */

enum flow_index {
    FROM_OUT,
    FROM_ERR,
    TO_IN,
    FLOWS,
};

struct session {
    const struct relay *relay;
    struct flow flow[FLOWS];
    int signals; /* signalfd */
    int pidfd;
    bool own_pidfd;
    int peer; /* the other side of the container's terminal, so that it has no end before us */
    bool raw; /* our terminal is, and `cooked` is what it was */
    struct termios cooked;
    bool ended;
    int status;
    nanoseconds deadline; /* monotonic; once ended */
};

/* --- signals ---------------------------------------------------------------------------------- */

/* What is passed on. Not: what cannot be caught, what says that this program itself is wrong, what
 * tells of our own children and pipes, and what a shell's job control does to a process in the
 * background that reads from the terminal. SIGPIPE is taken, but only so that it does not end us.
 */
static void signals_taken(bool sig_proxy, sigset_t *set)
{
    static const int not_taken[] = {SIGSEGV, SIGBUS,  SIGFPE,  SIGILL, SIGTRAP,
                                    SIGSYS,  SIGCHLD, SIGTTIN, SIGTTOU};
    static const int own[] = {SIGPIPE, SIGWINCH, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGCONT};
    sigemptyset(set);
    if (sig_proxy) {
        sigfillset(set);
        for (size_t i = 0; i < sizeof not_taken / sizeof *not_taken; i++)
            sigdelset(set, not_taken[i]);
        return;
    }
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        sigaddset(set, own[i]);
}

void relay_signals_block(bool sig_proxy, sigset_t *old)
{
    sigset_t set;
    signals_taken(sig_proxy, &set);
    sigprocmask(SIG_BLOCK, &set, old);
}

/* A SIGPIPE that is still waiting would end us now. */
void relay_signals_restore(const sigset_t *old)
{
    sigset_t pipe;
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    if (!sigismember(old, SIGPIPE))
        while (sigtimedwait(&pipe, NULL, &(struct timespec){0}) == SIGPIPE)
            ;
    sigprocmask(SIG_SETMASK, old, NULL);
}

/* --- our terminal ----------------------------------------------------------------------------- */

static int set_raw(const struct termios *cooked)
{
    struct termios raw = *cooked;
    cfmakeraw(&raw);
    return tcsetattr(STDIN_FILENO, TCSANOW, &raw);
}

static int make_raw(struct session *session, struct error *err)
{
    if (tcgetattr(STDIN_FILENO, &session->cooked) < 0)
        return 0; /* our stdin is no terminal: nothing to change */
    if (set_raw(&session->cooked) < 0)
        return error_errno(err, "cannot make the terminal raw");
    session->raw = true;
    return 0;
}

static void copy_window_size(const struct session *session)
{
    struct winsize size;
    if (session->relay->terminal < 0)
        return;
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (ioctl(fd, TIOCGWINSZ, &size) == 0) {
            (void)ioctl(session->relay->terminal, TIOCSWINSZ, &size);
            return;
        }
}

/* --- one turn --------------------------------------------------------------------------------- */

/* 0 or, when it asked us to end and that is not passed on, -EINTR. */
static int handle_signal(struct session *session, int number, struct error *err)
{
    bool terminal = session->relay->terminal >= 0;
    if (number == SIGPIPE)
        return 0;
    if (number == SIGWINCH && terminal) {
        copy_window_size(session);
        return 0;
    }
    if (number == SIGCONT && session->raw) {
        (void)set_raw(&session->cooked); /* the shell had set it back */
        return 0;
    }
    bool ends_us = number == SIGINT || number == SIGTERM || number == SIGHUP || number == SIGQUIT;
    if (session->ended && ends_us) { /* nobody is there to get it: then it means the output */
        flow_drop(&session->flow[FROM_OUT]);
        flow_drop(&session->flow[FROM_ERR]);
        session->deadline = 0;
        return 0;
    }
    if (session->relay->sig_proxy) {
        if (!session->ended)
            (void)syscall(SYS_pidfd_send_signal, session->pidfd, number, NULL, 0);
        return 0;
    }
    if (!ends_us)
        return 0;
    return error_set(err, -EINTR, "interrupted by signal %d (%s); the container still runs", number,
                     sigabbrev_np(number));
}

static int take_signals(struct session *session, struct error *err)
{
    struct signalfd_siginfo infos[16];
    ssize_t n = read(session->signals, infos, sizeof infos);
    for (ssize_t i = 0; i < n / (ssize_t)sizeof *infos; i++) {
        int rc = handle_signal(session, (int)infos[i].ssi_signo, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int reap(struct session *session, struct error *err)
{
    pid_t pid;
    do {
        pid = waitpid(session->relay->pid, &session->status, WNOHANG);
    } while (pid < 0 && errno == EINTR);
    if (pid < 0)
        return error_errno(err, "cannot wait for the container's process %d",
                           (int)session->relay->pid);
    if (pid == 0)
        return 0;
    session->ended = true;
    session->deadline = clock_monotonic() + STRAGGLERS_NS;
    flow_close(&session->flow[TO_IN]);
    flow_count_owed(&session->flow[FROM_OUT]);
    flow_count_owed(&session->flow[FROM_ERR]);
    if (session->peer >= 0)
        close(take_fd(&session->peer));
    return 0;
}

/* After the end: what the container printed is passed on, however slowly our reader takes it; for
 * stragglers that hold the pipes open we wait a moment only. */
static bool done(const struct session *session)
{
    const struct flow *out = &session->flow[FROM_OUT], *err = &session->flow[FROM_ERR];
    if (!session->ended || flow_holds(out) || flow_holds(err) || out->owed + err->owed > 0)
        return false;
    return (!flow_is_open(out) && !flow_is_open(err)) || clock_monotonic() >= session->deadline;
}

static int next_timeout(const struct session *session)
{
    if (!session->ended || flow_holds(&session->flow[FROM_OUT]) ||
        flow_holds(&session->flow[FROM_ERR]))
        return -1;
    nanoseconds left = session->deadline - clock_monotonic();
    return left <= 0 ? 0 : (int)(left / 1000000) + 1;
}

static int turn(struct session *session, struct error *err)
{
    struct pollfd fds[2 + FLOWS * FLOW_POLLS];
    fds[0] = (struct pollfd){.fd = session->signals, .events = POLLIN};
    fds[1] = (struct pollfd){.fd = session->ended ? -1 : session->pidfd, .events = POLLIN};
    for (int i = 0; i < FLOWS; i++)
        flow_poll(&session->flow[i], &fds[2 + i * FLOW_POLLS]);
    int n = poll(fds, sizeof fds / sizeof *fds, next_timeout(session));
    if (n < 0)
        return errno == EINTR ? 0 : error_errno(err, "cannot wait for the container");
    if (n == 0) /* then nothing is there any more that could be owed */
        session->flow[FROM_OUT].owed = session->flow[FROM_ERR].owed = 0;
    int rc = fds[0].revents ? take_signals(session, err) : 0;
    if (rc < 0)
        return rc;
    for (int i = 0; i < FLOWS; i++)
        flow_move(&session->flow[i], &fds[2 + i * FLOW_POLLS]);
    return fds[1].revents ? reap(session, err) : 0;
}

/* --- the whole -------------------------------------------------------------------------------- */

static void start_pipes(struct session *session)
{
    const struct relay *relay = session->relay;
    session->flow[FROM_OUT] =
        (struct flow){.from = relay->out, .to = STDOUT_FILENO, .owns_from = true};
    session->flow[FROM_ERR] = (struct flow){
        .from = relay->err, .to = STDERR_FILENO, .owns_from = true, .tail = relay->tail};
    if (relay->in >= 0)
        session->flow[TO_IN] = (struct flow){
            .from = STDIN_FILENO, .to = relay->in, .owns_to = true, .to_container = true};
}

static int start_terminal(struct session *session, struct error *err)
{
    const struct relay *relay = session->relay;
    /* The master is ours alone, and refuses to take more of a line than somebody reads. */
    int flags = fcntl(relay->terminal, F_GETFL);
    if (flags < 0 || fcntl(relay->terminal, F_SETFL, flags | O_NONBLOCK) < 0)
        return error_errno(err, "cannot use the container's terminal");
    session->peer = ioctl(relay->terminal, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
    session->flow[FROM_OUT] =
        (struct flow){.from = relay->terminal, .to = STDOUT_FILENO, .tail = relay->tail};
    copy_window_size(session);
    if (!relay->stdin_too)
        return 0;
    session->flow[TO_IN] =
        (struct flow){.from = STDIN_FILENO, .to = relay->terminal, .to_container = true};
    return make_raw(session, err);
}

static int start(struct session *session, struct error *err)
{
    const struct relay *relay = session->relay;
    sigset_t set;
    if (relay->terminal < 0)
        start_pipes(session); /* first: they are to be closed whatever happens */
    signals_taken(relay->sig_proxy, &set);
    session->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (session->signals < 0)
        return error_errno(err, "cannot take signals");
    if (session->pidfd < 0) {
        session->pidfd = (int)syscall(SYS_pidfd_open, relay->pid, 0);
        session->own_pidfd = true;
    }
    if (session->pidfd < 0)
        return error_errno(err, "cannot watch the container's process %d", (int)relay->pid);
    return relay->terminal < 0 ? 0 : start_terminal(session, err);
}

static void finish(struct session *session)
{
    const struct relay *relay = session->relay;
    if (session->raw)
        (void)tcsetattr(STDIN_FILENO, TCSANOW, &session->cooked);
    for (int i = 0; i < FLOWS; i++)
        flow_close(&session->flow[i]);
    if (session->peer >= 0)
        close(session->peer);
    if (relay->terminal >= 0)
        close(relay->terminal);
    if (session->signals >= 0)
        close(session->signals);
    if (session->own_pidfd && session->pidfd >= 0)
        close(session->pidfd);
}

int relay_run(const struct relay *relay, int *wait_status, struct error *err)
{
    struct session session = {.relay = relay, .signals = -1, .pidfd = relay->pidfd, .peer = -1};
    sigset_t old;
    for (int i = 0; i < FLOWS; i++)
        session.flow[i] = FLOW_NONE;
    if (relay->tail)
        relay->tail->length = 0;
    relay_signals_block(relay->sig_proxy, &old);
    int rc = start(&session, err);
    while (rc == 0 && !done(&session))
        rc = turn(&session, err);
    finish(&session);
    relay_signals_restore(&old);
    if (rc == 0)
        *wait_status = session.status;
    return rc;
}
