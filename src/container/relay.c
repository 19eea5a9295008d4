/* SPDX-License-Identifier: Apache-2.0 */
#include "container/relay.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "container/attach.h"
#include "container/relay_flow.h"

#define STRAGGLERS_NS NSEC_PER_SEC /* how long pipes may stay open after the end */
#define HANGUP_NS (ATTACH_HANGUP_SECONDS * NSEC_PER_SEC)

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
    nanoseconds hangup;   /* monotonic; 0, or when it is killed: our terminal is gone */
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

static void copy_window_size(const struct session *session, bool redraw)
{
    struct winsize size;
    if (session->relay->terminal < 0)
        return;
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (ioctl(fd, TIOCGWINSZ, &size) == 0) {
            if (redraw) { /* a size that it had already would say nothing */
                size.ws_row++;
                (void)ioctl(session->relay->terminal, TIOCSWINSZ, &size);
                size.ws_row--;
            }
            (void)ioctl(session->relay->terminal, TIOCSWINSZ, &size);
            return;
        }
}

/* One of our streams is a terminal whose other side is gone. */
static bool terminal_is_gone(void)
{
    struct termios settings;
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (tcgetattr(fd, &settings) < 0 && errno == EIO)
            return true;
    return false;
}

/* --- one turn --------------------------------------------------------------------------------- */

/* 0 or, when it asked us to end and that is not passed on, -EINTR. */
static int handle_signal(struct session *session, int number, struct error *err)
{
    bool terminal = session->relay->terminal >= 0;
    if (number == SIGPIPE)
        return 0;
    if (number == SIGWINCH && terminal) {
        copy_window_size(session, false);
        return 0;
    }
    if (number == SIGCONT && session->raw) {
        (void)set_raw(&session->cooked); /* the shell had set it back */
        return 0;
    }
    if (number == SIGHUP && !session->ended && session->hangup == 0 && terminal_is_gone())
        session->hangup = clock_monotonic() + HANGUP_NS;
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

/* It ended: what it left to be read is owed to our reader. */
static void note_end(struct session *session)
{
    session->ended = true;
    session->deadline = clock_monotonic() + STRAGGLERS_NS;
    flow_close(&session->flow[TO_IN]);
    flow_count_owed(&session->flow[FROM_OUT]);
    flow_count_owed(&session->flow[FROM_ERR]);
    if (session->peer >= 0)
        close(take_fd(&session->peer));
}

/* One message of the monitor; only while neither flow holds anything. */
static int take_message(struct session *session, struct error *err)
{
    static char message[1 + ATTACH_MESSAGE_MAX];
    ssize_t n = recv(session->relay->attach, message, sizeof message, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (n <= 0)
        return error_set(err, -ECONNRESET, "the container's monitor is gone");
    switch ((enum attach_kind)message[0]) {
    case ATTACH_OUT:
    case ATTACH_ERR:
        flow_feed(&session->flow[message[0] == ATTACH_OUT ? FROM_OUT : FROM_ERR], message + 1,
                  (size_t)n - 1);
        return 0;
    case ATTACH_END:
        for (ssize_t i = 1; i < n && i <= 4; i++)
            session->status |= (int)((unsigned)(unsigned char)message[i] << 8 * (i - 1));
        note_end(session);
        return 0;
    default:
        return error_set(err, -EPROTO, "the container's monitor said something unknown");
    }
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
    if (pid > 0)
        note_end(session);
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

static int milliseconds_until(nanoseconds moment)
{
    nanoseconds left = moment - clock_monotonic();
    return left <= 0 ? 0 : (int)(left / 1000000) + 1;
}

static int next_timeout(const struct session *session)
{
    if (!session->ended)
        return session->hangup ? milliseconds_until(session->hangup) : -1;
    if (flow_holds(&session->flow[FROM_OUT]) || flow_holds(&session->flow[FROM_ERR]))
        return -1;
    return milliseconds_until(session->deadline);
}

/* It was told that the terminal is gone, and goes on. */
static void kill_late(struct session *session)
{
    if (session->ended || session->hangup == 0 || clock_monotonic() < session->hangup)
        return;
    (void)syscall(SYS_pidfd_send_signal, session->pidfd, SIGKILL, NULL, 0);
    session->hangup += NSEC_PER_SEC;
}

enum polled { SIGNALS, PROCESS, MONITOR, POLLED };

static void fill_polls(const struct session *session, struct pollfd *fds)
{
    const struct relay *relay = session->relay;
    bool holds = flow_holds(&session->flow[FROM_OUT]) || flow_holds(&session->flow[FROM_ERR]);
    bool attached = relay->attach >= 0;
    fds[SIGNALS] = (struct pollfd){.fd = session->signals, .events = POLLIN};
    fds[PROCESS] =
        (struct pollfd){.fd = session->ended || attached ? -1 : session->pidfd, .events = POLLIN};
    fds[MONITOR] =
        (struct pollfd){.fd = session->ended || holds ? -1 : relay->attach, .events = POLLIN};
    for (int i = 0; i < FLOWS; i++)
        flow_poll(&session->flow[i], &fds[POLLED + i * FLOW_POLLS]);
}

/* 0, RELAY_DETACHED or -EIO: what was typed, or that nobody can type any more. */
static int look_at_input(const struct session *session, struct error *err)
{
    const struct flow *in = &session->flow[TO_IN];
    if (session->ended || !session->raw)
        return 0;
    if (in->detach && !flow_holds(in))
        return RELAY_DETACHED;
    if (!in->detach && in->from < 0)
        return error_set(err, -EIO, "the terminal is gone");
    return 0;
}

static int turn(struct session *session, struct error *err)
{
    struct pollfd fds[POLLED + FLOWS * FLOW_POLLS];
    fill_polls(session, fds);
    int n = poll(fds, sizeof fds / sizeof *fds, next_timeout(session));
    if (n < 0)
        return errno == EINTR ? 0 : error_errno(err, "cannot wait for the container");
    if (n == 0) { /* then nothing is there any more that could be owed */
        session->flow[FROM_OUT].owed = session->flow[FROM_ERR].owed = 0;
        kill_late(session);
    }
    int rc = fds[SIGNALS].revents ? take_signals(session, err) : 0;
    if (rc < 0)
        return rc;
    for (int i = 0; i < FLOWS; i++)
        flow_move(&session->flow[i], &fds[POLLED + i * FLOW_POLLS]);
    if (fds[MONITOR].revents)
        rc = take_message(session, err);
    else if (fds[PROCESS].revents)
        rc = reap(session, err);
    return rc < 0 ? rc : look_at_input(session, err);
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

static int start_typing(struct session *session, struct error *err)
{
    const struct relay *relay = session->relay;
    if (!relay->stdin_too)
        return 0;
    session->flow[TO_IN] = (struct flow){
        .from = STDIN_FILENO, .to = relay->terminal, .to_container = true, .keys = relay->keys};
    return make_raw(session, err);
}

static int start_terminal(struct session *session, struct error *err)
{
    const struct relay *relay = session->relay;
    if (relay->attach >= 0) { /* the monitor reads what comes out of it */
        session->flow[FROM_OUT] =
            (struct flow){.from = -1, .to = STDOUT_FILENO, .tail = relay->tail};
        copy_window_size(session, relay->redraw);
        return start_typing(session, err);
    }
    /* The master is ours alone, and refuses to take more of a line than somebody reads. */
    int flags = fcntl(relay->terminal, F_GETFL);
    if (flags < 0 || fcntl(relay->terminal, F_SETFL, flags | O_NONBLOCK) < 0)
        return error_errno(err, "cannot use the container's terminal");
    session->peer = ioctl(relay->terminal, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
    session->flow[FROM_OUT] =
        (struct flow){.from = relay->terminal, .to = STDOUT_FILENO, .tail = relay->tail};
    copy_window_size(session, false);
    return start_typing(session, err);
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
    if (session->pidfd < 0 && relay->attach < 0) {
        session->pidfd = (int)syscall(SYS_pidfd_open, relay->pid, 0);
        session->own_pidfd = true;
    }
    if (session->pidfd < 0 && relay->attach < 0)
        return error_errno(err, "cannot watch the container's process %d", (int)relay->pid);
    int rc = relay->terminal < 0 ? 0 : start_terminal(session, err);
    if (relay->no_out)
        session->flow[FROM_OUT].to = -1;
    if (relay->no_err)
        session->flow[FROM_ERR].to = -1;
    return rc;
}

static void finish(struct session *session, bool detached)
{
    const struct relay *relay = session->relay;
    if (session->raw)
        (void)tcsetattr(STDIN_FILENO, TCSANOW, &session->cooked);
    for (int i = 0; i < FLOWS; i++)
        flow_close(&session->flow[i]);
    if (session->peer >= 0)
        close(session->peer);
    if (relay->terminal >= 0 && !detached)
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
    finish(&session, rc == RELAY_DETACHED);
    relay_signals_restore(&old);
    if (rc == 0)
        *wait_status = session.status;
    return rc;
}
