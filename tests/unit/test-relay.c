/* SPDX-License-Identifier: Apache-2.0 */
/* The relay between this test, which plays the user, and a child that plays the container. */
#include "relay-kit.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#include "container/relay.h"

static void make_pipe(int ends[2])
{
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
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
    };
    return cmocka_run_group_tests_name("relay", tests, NULL, NULL);
}
