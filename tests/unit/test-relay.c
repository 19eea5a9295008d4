/* SPDX-License-Identifier: Apache-2.0 */
/* The relay between this test, which plays the user, and a child that plays the container. */
#include "output-kit.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>

#include "container/relay.h"

#define RELAY_FAILED 200
#define RELAY_INTERRUPTED 201
#define RELAY_LEAKED 202

struct scene {
    int (*container)(void); /* what it ends with */
    int ours[3];            /* what the relay finds as its 0, 1, 2; -1: closed */
    bool input;             /* -i */
    bool terminal;          /* -t */
    bool no_proxy;
    bool show_tail; /* the relay prints the tail to its stdout in the end */
};

/* Shared with container and relay. */
static struct {
    volatile size_t written;
    volatile bool ready;
} * shared;

static int count_fds(void)
{
    autodir dir = opendir("/proc/self/fd");
    int count = 0;
    while (readdir(dir))
        count++;
    return count;
}

static _Noreturn void be_container(const struct scene *scene, const int fds[3], int slave)
{
    sigset_t none;
    sigemptyset(&none);
    if (slave >= 0) {
        setsid();
        ioctl(slave, TIOCSCTTY, 0);
    }
    for (int i = 0; i < 3; i++)
        dup2(slave >= 0 ? slave : fds[i], i);
    close_range(3, ~0U, 0);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    _exit(scene->container());
}

/* In a child: sets the scene up, relays, ends with the container's code. */
static int play(void *argument)
{
    const struct scene *scene = argument;
    struct relay_tail tail;
    struct relay relay = {.pidfd = -1,
                          .attach = -1,
                          .in = -1,
                          .out = -1,
                          .err = -1,
                          .terminal = -1,
                          .stdin_too = scene->input,
                          .sig_proxy = !scene->no_proxy,
                          .tail = &tail};
    int in[2] = {-1, -1}, out[2] = {-1, -1}, other[2] = {-1, -1}, slave = -1;
    sigset_t old;
    alarm(60);
    for (int i = 0; i < 3; i++)
        if (scene->ours[i] < 0)
            close(i);
        else
            dup2(scene->ours[i], i);
    close_range(3, ~0U, 0);
    if (reserve_standard_fds(NULL) < 0)
        return RELAY_FAILED;
    int before = count_fds();
    relay_signals_block(relay.sig_proxy, &old);
    if (scene->terminal) {
        if (openpty(&relay.terminal, &slave, NULL, NULL, NULL) < 0)
            return RELAY_FAILED;
        fcntl(relay.terminal, F_SETFD, FD_CLOEXEC);
    } else if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0 ||
               pipe2(other, O_CLOEXEC) < 0) {
        return RELAY_FAILED;
    }
    relay.pid = fork();
    if (relay.pid == 0)
        be_container(scene, (int[]){in[0], out[1], other[1]}, slave);
    for (int i = 0; i < 4; i++) {
        int theirs = (int[]){in[0], out[1], other[1], slave}[i];
        if (theirs >= 0)
            close(theirs);
    }
    if (!scene->terminal) {
        relay.out = out[0];
        relay.err = other[0];
        if (scene->input)
            relay.in = in[1];
        else
            close(in[1]);
    }
    int status = 0;
    struct error err = {0};
    int rc = relay_run(&relay, &status, &err);
    relay_signals_restore(&old);
    if (count_fds() != before)
        return RELAY_LEAKED;
    if (rc == -EINTR) {
        kill(relay.pid, SIGKILL);
        return RELAY_INTERRUPTED;
    }
    if (scene->show_tail && write_all(1, tail.bytes, tail.length) < 0)
        return RELAY_FAILED;
    return rc < 0                ? RELAY_FAILED
           : WIFSIGNALED(status) ? 128 + WTERMSIG(status)
                                 : WEXITSTATUS(status);
}

static int setup(void **state)
{
    shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return shared == MAP_FAILED ? -1 : kit_setup(state);
}

static int teardown(void **state)
{
    munmap((void *)shared, 4096);
    return kit_teardown(state);
}

static void make_pipe(int ends[2])
{
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
}

static void assert_code(pid_t pid, int code)
{
    assert_int_equal(kit_wait(pid), W_EXITCODE(code, 0));
}

static bool is_ready(void *ignored)
{
    (void)ignored;
    return shared->ready;
}

static void wait_ready(void)
{
    assert_true(kit_until(is_ready, NULL));
}

/* --- containers --------------------------------------------------------------------------------
 */

static int say_both(void)
{
    return write(1, "out", 3) == 3 && write(2, "err", 3) == 3 ? 7 : 1;
}

static int copy_input(void)
{
    char bytes[4096];
    ssize_t n;
    while ((n = read(0, bytes, sizeof bytes)) > 0)
        if (write_all(1, bytes, (size_t)n) < 0)
            return 1;
    return n == 0 ? 3 : 2;
}

#define MUCH (1 << 20)
static int say_much(void)
{
    static char bytes[1000];
    memset(bytes, 'm', sizeof bytes);
    for (size_t left = MUCH; left > 0;) {
        ssize_t n = write(1, bytes, left < sizeof bytes ? left : sizeof bytes);
        if (n <= 0)
            return 1;
        left -= (size_t)n;
        shared->written += (size_t)n;
    }
    return 5;
}

static int end_at_once(void)
{
    return 4;
}

static void on_signal(int number)
{
    _exit(number);
}

static int wait_for_signal(void)
{
    signal(SIGTERM, on_signal);
    signal(SIGUSR1, on_signal);
    signal(SIGRTMIN, on_signal);
    shared->ready = true;
    while (pause() < 0)
        ;
    return 1;
}

static int be_killed(void)
{
    return kill(getpid(), SIGKILL);
}

static int leave_a_straggler(void)
{
    if (fork() == 0) {
        sleep(20);
        _exit(0);
    }
    return write(1, "said", 4) == 4 ? 6 : 1;
}

/* --- tests -------------------------------------------------------------------------------------
 */

static void output_errors_and_status_are_passed_on(void **state)
{
    (void)state;
    int out[2], err[2];
    make_pipe(out);
    make_pipe(err);
    struct scene scene = {.container = say_both, .ours = {0, out[1], err[1]}};
    pid_t pid = kit_fork(play, &scene);
    close(out[1]);
    close(err[1]);
    autofree char *said = kit_drain(out[0]), *complained = kit_drain(err[0]);
    assert_string_equal(said, "out");
    assert_string_equal(complained, "err");
    assert_code(pid, 7);
    close(out[0]);
    close(err[0]);
}

static void the_end_by_a_signal_is_told(void **state)
{
    (void)state;
    struct scene scene = {.container = be_killed, .ours = {0, 1, 2}};
    assert_code(kit_fork(play, &scene), 137);
}

static void input_and_its_end_are_passed_on(void **state)
{
    (void)state;
    int in[2], out[2];
    make_pipe(in);
    make_pipe(out);
    struct scene scene = {.container = copy_input, .ours = {in[0], out[1], 2}, .input = true};
    pid_t pid = kit_fork(play, &scene);
    close(out[1]);
    close(in[0]);
    char got[8] = "";
    assert_int_equal(write_all(in[1], "first", 5), 0);
    assert_int_equal(read_full(out[0], got, 5), 5); /* while the input is still open */
    assert_string_equal(got, "first");
    assert_int_equal(write_all(in[1], "last", 4), 0);
    close(in[1]);
    autofree char *rest = kit_drain(out[0]);
    assert_string_equal(rest, "last");
    assert_code(pid, 3);
    close(out[0]);
}

static void without_input_the_container_sees_its_end_at_once(void **state)
{
    (void)state;
    int in[2];
    make_pipe(in); /* nobody ever writes */
    struct scene scene = {.container = copy_input, .ours = {in[0], 1, 2}};
    assert_code(kit_fork(play, &scene), 3);
    close(in[0]);
    close(in[1]);
}

static void files_serve_as_well(void **state)
{
    (void)state;
    kit_write_file("input", "from a file");
    autofd in = openat(kit_directory(), "input", O_RDONLY | O_CLOEXEC);
    autofd out = openat(kit_directory(), "output", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    struct scene scene = {.container = copy_input, .ours = {in, out, 2}, .input = true};
    assert_code(kit_fork(play, &scene), 3);
    autofree char *text = kit_file("output");
    assert_string_equal(text, "from a file");
    scene.container = say_much;
    assert_code(kit_fork(play, &scene), 5);
    autofree char *much = kit_file("output");
    assert_int_equal(strlen(much), MUCH + strlen("from a file"));
}

static void dev_null_and_closed_descriptors_serve_as_well(void **state)
{
    (void)state;
    autofd null = open("/dev/null", O_RDWR | O_CLOEXEC);
    struct scene scene = {.container = copy_input, .ours = {null, null, null}, .input = true};
    assert_code(kit_fork(play, &scene), 3);
    scene = (struct scene){.container = say_much, .ours = {-1, -1, -1}, .input = true};
    assert_code(kit_fork(play, &scene), 5);
}

static void the_container_goes_on_when_nobody_reads_any_more(void **state)
{
    (void)state;
    int out[2];
    make_pipe(out);
    close(out[0]);
    struct scene scene = {.container = say_much, .ours = {0, out[1], 2}};
    pid_t pid = kit_fork(play, &scene);
    close(out[1]);
    assert_code(pid, 5);
    assert_int_equal(shared->written, MUCH);
}

static void a_reader_that_pauses_makes_the_container_wait(void **state)
{
    (void)state;
    int out[2];
    make_pipe(out);
    struct scene scene = {.container = say_much, .ours = {0, out[1], 2}};
    pid_t pid = kit_fork(play, &scene);
    close(out[1]);
    usleep(300000);
    assert_true(shared->written < MUCH / 2); /* two pipes and a buffer */
    autofree char *much = kit_drain(out[0]);
    assert_int_equal(strlen(much), MUCH);
    assert_code(pid, 5);
    close(out[0]);
}

static void what_a_container_said_before_its_end_waits_for_a_slow_reader(void **state)
{
    (void)state;
    int out[2];
    make_pipe(out);
    fcntl(out[1], F_SETPIPE_SZ, 4096);
    kit_write_file("input", "");
    struct scene scene = {.container = copy_input, .ours = {0, out[1], 2}, .input = true};
    autofd in = openat(kit_directory(), "input", O_RDWR | O_CLOEXEC);
    assert_int_equal(ftruncate(in, 50000), 0);
    scene.ours[0] = in;
    pid_t pid = kit_fork(play, &scene);
    close(out[1]);
    usleep(1500000); /* longer than stragglers get */
    struct buf got = {0};
    assert_int_equal(read_fd(out[0], 1 << 20, &got), 0);
    assert_int_equal(got.len, 50000);
    buf_free(&got);
    assert_code(pid, 3);
    close(out[0]);
}

static void input_that_the_container_never_reads_does_not_hold_it(void **state)
{
    (void)state;
    autofd zero = open("/dev/zero", O_RDONLY | O_CLOEXEC);
    struct scene scene = {.container = end_at_once, .ours = {zero, 1, 2}, .input = true};
    assert_code(kit_fork(play, &scene), 4);
}

static void signals_are_passed_on(void **state)
{
    (void)state;
    const int numbers[] = {SIGTERM, SIGUSR1, SIGRTMIN};
    for (size_t i = 0; i < 3; i++) {
        struct scene scene = {.container = wait_for_signal, .ours = {0, 1, 2}};
        shared->ready = false;
        pid_t pid = kit_fork(play, &scene);
        wait_ready();
        kill(pid, SIGCHLD); /* not this one */
        kill(pid, numbers[i]);
        assert_code(pid, numbers[i]);
    }
}

static bool has_written_some(void *ignored)
{
    (void)ignored;
    return shared->written > 60000;
}

static int say_much_or_end(void)
{
    signal(SIGTERM, on_signal);
    return say_much();
}

static void signals_get_through_when_nobody_reads_the_output(void **state)
{
    (void)state;
    int out[2];
    make_pipe(out);
    struct scene scene = {.container = say_much_or_end, .ours = {0, out[1], 2}};
    pid_t pid = kit_fork(play, &scene);
    assert_true(kit_until(has_written_some, NULL));
    usleep(50000);
    kill(pid, SIGTERM); /* ends the container; the relay still has something to say */
    usleep(200000);
    assert_int_equal(waitpid(pid, NULL, WNOHANG), 0);
    kill(pid, SIGTERM); /* and this means the relay */
    assert_code(pid, SIGTERM);
    close(out[0]);
    close(out[1]);
}

static void without_proxy_a_signal_is_the_callers(void **state)
{
    (void)state;
    struct scene scene = {.container = wait_for_signal, .ours = {0, 1, 2}, .no_proxy = true};
    pid_t pid = kit_fork(play, &scene);
    wait_ready();
    kill(pid, SIGTERM);
    assert_code(pid, RELAY_INTERRUPTED);
}

static void who_holds_the_pipes_after_the_end_is_not_waited_for_long(void **state)
{
    (void)state;
    int out[2];
    make_pipe(out);
    struct scene scene = {.container = leave_a_straggler, .ours = {0, out[1], 2}};
    struct timespec begin, end;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    pid_t pid = kit_fork(play, &scene);
    close(out[1]);
    autofree char *said = kit_drain(out[0]);
    assert_string_equal(said, "said");
    assert_code(pid, 6);
    clock_gettime(CLOCK_MONOTONIC, &end);
    assert_true(end.tv_sec - begin.tv_sec < 5);
    close(out[0]);
}

static int complain_at_length(void)
{
    char line[32];
    for (int i = 0; i < 2000; i++) {
        int n = snprintf(line, sizeof line, "complaint %d\n", i);
        if (write(2, line, (size_t)n) != n)
            return 1;
    }
    return 1;
}

static void the_last_complaints_are_kept(void **state)
{
    (void)state;
    int out[2];
    make_pipe(out);
    autofd null = open("/dev/null", O_RDWR | O_CLOEXEC);
    struct scene scene = {
        .container = complain_at_length, .ours = {0, out[1], null}, .show_tail = true};
    pid_t pid = kit_fork(play, &scene);
    close(out[1]);
    autofree char *tail = kit_drain(out[0]);
    assert_int_equal(strlen(tail), RELAY_TAIL_MAX);
    assert_string_equal(strstr(tail, "complaint 1998"), "complaint 1998\ncomplaint 1999\n");
    assert_code(pid, 1);
    close(out[0]);
}

/* --- terminals ---------------------------------------------------------------------------------
 */

struct terminal {
    int master, slave;
    struct termios before;
};

static struct terminal open_terminal(void)
{
    struct terminal terminal;
    struct winsize size = {.ws_row = 33, .ws_col = 111};
    assert_int_equal(openpty(&terminal.master, &terminal.slave, NULL, NULL, &size), 0);
    assert_int_equal(tcgetattr(terminal.slave, &terminal.before), 0);
    return terminal;
}

static pid_t play_on(const struct terminal *terminal, int (*container)(void))
{
    struct scene scene = {.container = container, .input = true, .terminal = true};
    for (int i = 0; i < 3; i++)
        scene.ours[i] = terminal->slave;
    return kit_fork(play, &scene);
}

static void close_terminal(struct terminal *terminal)
{
    struct termios after;
    assert_int_equal(tcgetattr(terminal->slave, &after), 0);
    assert_int_equal(after.c_lflag, terminal->before.c_lflag);
    assert_int_equal(after.c_iflag, terminal->before.c_iflag);
    assert_int_equal(after.c_oflag, terminal->before.c_oflag);
    close(terminal->master);
    close(terminal->slave);
}

/* What the user sees until `text`. */
static void see(const struct terminal *terminal, const char *text)
{
    char seen[4096] = "";
    size_t length = 0;
    while (!strstr(seen, text)) {
        struct pollfd ready = {.fd = terminal->master, .events = POLLIN};
        if (poll(&ready, 1, 10000) <= 0)
            fail_msg("waited for '%s', saw '%s'", text, seen);
        ssize_t n = read(terminal->master, seen + length, sizeof seen - 1 - length);
        assert_true(n > 0);
        length += (size_t)n;
        seen[length] = '\0';
    }
}

static int read_a_line(void)
{
    char line[64];
    if (write(1, "ready>", 6) != 6)
        return 1;
    ssize_t n = read(0, line, sizeof line);
    return n == 6 && memcmp(line, "hello\n", 6) == 0 && isatty(0) && isatty(1) && isatty(2) ? 9 : 1;
}

static void a_terminal_is_raw_during_the_run_and_as_before_after_it(void **state)
{
    (void)state;
    struct terminal terminal = open_terminal();
    struct termios during;
    pid_t pid = play_on(&terminal, read_a_line);
    see(&terminal, "ready>");
    assert_int_equal(tcgetattr(terminal.slave, &during), 0);
    assert_false(during.c_lflag & (ICANON | ECHO | ISIG));
    assert_int_equal(write_all(terminal.master, "hello\r", 6), 0);
    see(&terminal, "hello\r\n"); /* the container's terminal echoes, once */
    assert_code(pid, 9);
    close_terminal(&terminal);
}

static void interrupt_characters_reach_the_container(void **state)
{
    (void)state;
    struct terminal terminal = open_terminal();
    pid_t pid = play_on(&terminal, read_a_line);
    see(&terminal, "ready>");
    assert_int_equal(write_all(terminal.master, "\x03", 1), 0);
    assert_code(pid, 128 + SIGINT);
    close_terminal(&terminal);
}

static void on_resize(int number)
{
    (void)number;
    struct winsize size;
    char text[32];
    ioctl(0, TIOCGWINSZ, &size);
    int n = snprintf(text, sizeof text, "<%dx%d>", size.ws_row, size.ws_col);
    if (write(1, text, (size_t)n) != n)
        _exit(1);
}

static int tell_size(void)
{
    char c;
    signal(SIGWINCH, on_resize);
    on_resize(SIGWINCH);
    while (read(0, &c, 1) < 0)
        ;
    return 8;
}

static void the_size_of_the_window_follows(void **state)
{
    (void)state;
    struct terminal terminal = open_terminal();
    struct winsize size = {.ws_row = 44, .ws_col = 132};
    pid_t pid = play_on(&terminal, tell_size);
    see(&terminal, "<");
    assert_int_equal(ioctl(terminal.master, TIOCSWINSZ, &size), 0);
    kill(pid, SIGWINCH); /* the kernel would, were it the relay's controlling terminal */
    see(&terminal, "<44x132>");
    assert_int_equal(write_all(terminal.master, "\r", 1), 0);
    assert_code(pid, 8);
    close_terminal(&terminal);
}

static void the_terminal_is_restored_when_the_container_is_killed(void **state)
{
    (void)state;
    struct terminal terminal = open_terminal();
    pid_t pid = play_on(&terminal, be_killed);
    assert_code(pid, 137);
    close_terminal(&terminal);
}

static int close_and_open_again(void)
{
    const char *name = ttyname(0);
    char copy[64];
    snprintf(copy, sizeof copy, "%s", name ? name : "");
    for (int i = 0; i < 3; i++)
        close(i);
    usleep(200000);
    return open(copy, O_RDWR) == 0 && write(0, "again", 5) == 5 ? 2 : 1;
}

static void a_container_may_close_its_terminal_and_open_it_again(void **state)
{
    (void)state;
    struct terminal terminal = open_terminal();
    pid_t pid = play_on(&terminal, close_and_open_again);
    see(&terminal, "again");
    assert_code(pid, 2);
    close_terminal(&terminal);
}

static int never_read(void)
{
    signal(SIGTERM, on_signal);
    shared->ready = true;
    while (pause() < 0)
        ;
    return 1;
}

static void a_paste_that_nobody_reads_and_a_screen_that_stands_do_not_block_the_relay(void **state)
{
    (void)state;
    struct terminal terminal = open_terminal();
    pid_t pid = play_on(&terminal, never_read);
    wait_ready();
    usleep(50000);
    static char paste[20000];
    memset(paste, 'p', sizeof paste);
    fcntl(terminal.master, F_SETFL, O_NONBLOCK);
    for (int i = 0; i < 20; i++) {
        char echo[4096];
        if (write(terminal.master, paste, sizeof paste) < 0)
            usleep(10000);
        (void)!read(terminal.master, echo, sizeof echo);
    }
    kill(pid, SIGTERM); /* to the container */
    usleep(200000);
    kill(pid, SIGTERM); /* to the relay, which still has something to say */
    assert_code(pid, SIGTERM);
    close_terminal(&terminal);
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(output_errors_and_status_are_passed_on),
        T(the_end_by_a_signal_is_told),
        T(input_and_its_end_are_passed_on),
        T(without_input_the_container_sees_its_end_at_once),
        T(files_serve_as_well),
        T(dev_null_and_closed_descriptors_serve_as_well),
        T(the_container_goes_on_when_nobody_reads_any_more),
        T(a_reader_that_pauses_makes_the_container_wait),
        T(what_a_container_said_before_its_end_waits_for_a_slow_reader),
        T(input_that_the_container_never_reads_does_not_hold_it),
        T(signals_are_passed_on),
        T(signals_get_through_when_nobody_reads_the_output),
        T(without_proxy_a_signal_is_the_callers),
        T(who_holds_the_pipes_after_the_end_is_not_waited_for_long),
        T(the_last_complaints_are_kept),
        T(a_terminal_is_raw_during_the_run_and_as_before_after_it),
        T(interrupt_characters_reach_the_container),
        T(the_size_of_the_window_follows),
        T(the_terminal_is_restored_when_the_container_is_killed),
        T(a_container_may_close_its_terminal_and_open_it_again),
        T(a_paste_that_nobody_reads_and_a_screen_that_stands_do_not_block_the_relay),
    };
    return cmocka_run_group_tests_name("relay", tests, NULL, NULL);
}
