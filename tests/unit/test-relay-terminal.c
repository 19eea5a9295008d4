/* SPDX-License-Identifier: Apache-2.0 */
/* The same at a terminal. */
#include "relay-kit.h"

#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <termios.h>

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
        T(a_terminal_is_raw_during_the_run_and_as_before_after_it),
        T(interrupt_characters_reach_the_container),
        T(the_size_of_the_window_follows),
        T(the_terminal_is_restored_when_the_container_is_killed),
        T(a_container_may_close_its_terminal_and_open_it_again),
        T(a_paste_that_nobody_reads_and_a_screen_that_stands_do_not_block_the_relay),
    };
    return cmocka_run_group_tests_name("relay-terminal", tests, NULL, NULL);
}
