/* SPDX-License-Identifier: Apache-2.0 */
/* The built caisson-monitor with a child in the place of the container; at the end it executes this
 * test program, which then leaves a note. */
#include "output-kit.h"

#include <dirent.h>
#include <fcntl.h>
#include <pty.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "container/exit_record.h"
#include "container/log_write.h"
#include "container/monitor.h"

#define NOTE "ended-note"

/* Shared with the container. */
static struct {
    volatile size_t written;
    volatile int go;
} * shared;

struct scene {
    int (*container)(void);
    bool terminal, no_log, no_after;
    int64_t max_size;
    int log_dir; /* 0: the state directory */
};

static _Noreturn void be_container(const struct scene *scene, const int fds[3])
{
    if (scene->terminal) {
        setsid();
        ioctl(fds[0], TIOCSCTTY, 0);
    }
    for (int i = 0; i < 3; i++)
        dup2(fds[i], i);
    close_range(3, ~0U, 0);
    signal(SIGPIPE, SIG_DFL);
    _exit(scene->container());
}

/* What the front does: makes the container and becomes its monitor. */
static _Noreturn void be_front(const struct scene *scene, int ready)
{
    int in[2], out[2], err[2], theirs[3];
    struct monitor_spec spec = {.id = "0123abcd",
                                .dir = kit_directory(),
                                .log = !scene->no_log,
                                .log_dir = -1,
                                .fields = -1,
                                .ready = ready,
                                .max_size = scene->max_size,
                                .max_file = 3,
                                .terminal = -1,
                                .out = -1,
                                .err = -1,
                                .in = -1,
                                .attach = -1,
                                .owner = -1};
    if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0 || pipe2(err, O_CLOEXEC) < 0)
        _exit(99);
    memcpy(theirs, (int[]){in[0], out[1], err[1]}, sizeof theirs);
    if (scene->terminal) {
        if (openpty(&spec.terminal, &theirs[0], NULL, NULL, NULL) < 0)
            _exit(99);
        theirs[1] = theirs[2] = theirs[0];
    } else {
        spec.in = in[1];
        spec.out = out[0];
        spec.err = err[0];
    }
    spec.pid = fork();
    if (spec.pid == 0)
        be_container(scene, theirs);
    spec.log_dir = scene->no_log ? -1 : scene->log_dir ? scene->log_dir : kit_directory();
    spec.after = scene->no_after ? -1 : open("/proc/self/exe", O_PATH | O_CLOEXEC);
    int program = open(MONITOR, O_PATH | O_CLOEXEC);
    _exit(-monitor_execute(program, &spec));
}

/* Returns once the monitor is ready. */
static pid_t start(const struct scene *scene)
{
    int ready[2];
    char byte = 0;
    assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
    setenv("CAISSON_TEST_NOTE", kit_path(), 1);
    pid_t pid = fork();
    if (pid == 0)
        be_front(scene, ready[1]);
    close(ready[1]);
    assert_int_equal(read_full(ready[0], &byte, 2), 1); /* one byte, then closed */
    assert_int_equal(byte, 'r');
    close(ready[0]);
    return pid;
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

static void assert_record(int code, int number)
{
    struct exit_record record;
    assert_int_equal(exit_record_read(kit_directory(), &record), 0);
    assert_int_equal(record.code, code);
    assert_int_equal(record.signal, number);
    assert_true(record.finished <= clock_wall() &&
                record.finished > clock_wall() - 60 * NSEC_PER_SEC);
}

static void assert_has(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("no '%s' in '%s'", part, text);
}

/* In KiB. */
static long memory_of(pid_t pid)
{
    char path[64];
    struct buf text = {0};
    snprintf(path, sizeof path, "/proc/%d/smaps_rollup", (int)pid);
    assert_int_equal(read_kernel_file(path, 65536, &text, NULL), 0);
    long pss = strtol(strstr(text.data, "\nPss:") + 5, NULL, 10);
    buf_free(&text);
    return pss;
}

static void wait_go(void)
{
    while (!shared->go)
        usleep(1000);
}

/* --- containers --------------------------------------------------------------------------------
 */

static int say_both(void)
{
    return write(1, "out\n", 4) == 4 && write(2, "err", 3) == 3 ? 7 : 1;
}

static int be_killed(void)
{
    return kill(getpid(), SIGKILL);
}

static int wait_quietly(void)
{
    wait_go();
    return 3;
}

static int say_without_end(void)
{
    static char line[128];
    memset(line, 'w', sizeof line - 1);
    line[sizeof line - 1] = '\n';
    while (!shared->go) {
        if (write(1, line, sizeof line) != sizeof line)
            return 1;
        shared->written += sizeof line;
    }
    return 4;
}

static int say_and_wait(void)
{
    static char line[128];
    memset(line, 'w', sizeof line - 1);
    line[sizeof line - 1] = '\n';
    for (int i = 0; i < 100000; i++) {
        if (write(1, line, sizeof line) != sizeof line)
            return 1;
        shared->written += sizeof line;
    }
    wait_go();
    return 4;
}

static int use_the_terminal_twice(void)
{
    char name[64];
    snprintf(name, sizeof name, "%s", ttyname(0));
    if (write(1, "first\n", 6) != 6)
        return 1;
    for (int i = 0; i < 3; i++)
        close(i);
    usleep(200000);
    return open(name, O_RDWR | O_NOCTTY) == 0 && write(0, "second\n", 7) == 7 ? 5 : 1;
}

static int leave_a_straggler(void)
{
    if (fork() == 0) {
        sleep(20);
        _exit(0);
    }
    return write(1, "said\n", 5) == 5 ? 6 : 1;
}

static int read_input(void)
{
    char c;
    fcntl(0, F_SETFL, O_NONBLOCK);
    return read(0, &c, 1) < 0 && errno == EAGAIN ? 8 : 1; /* 0 would be its end */
}

/* --- tests -------------------------------------------------------------------------------------
 */

static void output_is_logged_the_end_recorded_and_the_next_program_executed(void **state)
{
    (void)state;
    struct scene scene = {.container = say_both};
    assert_int_equal(kit_wait(start(&scene)), W_EXITCODE(42, 0)); /* this program's */
    assert_record(7, 0);
    autofree char *log = kit_file(LOG_NAME), *note = kit_file(NOTE);
    assert_has(log, "{\"log\":\"out\\n\",\"stream\":\"stdout\",\"time\":\"20");
    assert_has(log, "{\"log\":\"err\",\"stream\":\"stderr\",\"time\":\"20");
    assert_has(note, "caisson __ended 0123abcd\n");
    assert_has(note, "record present\n"); /* by then */
    assert_has(note, "signals default\n");
    assert_has(note, "descriptors 3\n");
    struct buf score = {0};
    char expected[64];
    assert_int_equal(read_kernel_file("/proc/self/oom_score_adj", 64, &score, NULL), 0);
    snprintf(expected, sizeof expected, "oom score %s", score.data);
    buf_free(&score);
    assert_has(note, expected);
}

static void the_end_by_a_signal_is_recorded(void **state)
{
    (void)state;
    struct scene scene = {.container = be_killed, .no_after = true};
    assert_int_equal(kit_wait(start(&scene)), 0);
    assert_record(137, SIGKILL);
}

static void signals_do_not_end_it(void **state)
{
    (void)state;
    struct scene scene = {.container = wait_quietly, .no_after = true};
    pid_t pid = start(&scene);
    const int numbers[] = {SIGTERM, SIGINT,  SIGHUP,  SIGQUIT, SIGPIPE,
                           SIGUSR1, SIGUSR2, SIGALRM, SIGTSTP};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        kill(pid, numbers[i]);
    usleep(50000);
    shared->go = 1;
    assert_int_equal(kit_wait(pid), 0);
    assert_record(3, 0);
}

static void it_is_small_and_quiet(void **state)
{
    (void)state;
    char path[64], cwd[16] = "";
    autofd extra = open("/dev/null", O_RDONLY); /* stays open over execve */
    struct scene scene = {.container = wait_quietly, .no_after = true};
    pid_t pid = start(&scene);
    usleep(50000);
    long memory = memory_of(pid);
    print_message("memory: %ld KiB\n", memory);
    snprintf(path, sizeof path, "/proc/%d/cwd", (int)pid);
    assert_int_equal(readlink(path, cwd, sizeof cwd), 1);
    assert_int_equal(getsid(pid), pid);
    snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    DIR *dir = opendir(path);
    int count = -2; /* . and .. */
    while (readdir(dir))
        count++;
    closedir(dir);
    /* 0, 1, 2, state directory, out, err, in, epoll, pidfd; the log is opened when needed */
    assert_int_equal(count, 9);
    shared->go = 1;
    assert_int_equal(kit_wait(pid), 0);
    assert_true(memory < MONITOR_MEMORY_MAX);
}

static void output_without_end_does_not_make_it_grow(void **state)
{
    (void)state;
    struct scene scene = {.container = say_without_end, .no_after = true, .max_size = 1 << 20};
    pid_t pid = start(&scene);
    long most = 0;
    for (int i = 0; i < 20; i++) {
        usleep(50000);
        long now = memory_of(pid);
        most = now > most ? now : most;
    }
    shared->go = 1;
    assert_int_equal(kit_wait(pid), 0);
    print_message("%zu MiB logged, memory at most %ld KiB\n", shared->written >> 20, most);
    assert_true(shared->written > 20 << 20);
    assert_true(most < MONITOR_MEMORY_MAX + 300); /* its buffers */
    const char *const names[] = {LOG_NAME, LOG_NAME ".1", LOG_NAME ".2"};
    for (int i = 0; i < 3; i++) {
        struct stat st;
        assert_int_equal(fstatat(kit_directory(), names[i], &st, 0), 0);
        assert_true(st.st_size <= 1 << 20);
    }
}

static void memory_is_given_back_when_the_container_is_quiet_again(void **state)
{
    (void)state;
    struct scene scene = {.container = say_and_wait, .no_after = true};
    pid_t pid = start(&scene);
    long now = 0;
    for (int i = 0; i < 100; i++) {
        usleep(100000);
        now = memory_of(pid);
        if (shared->written == 100000 * 128 && now < MONITOR_MEMORY_MAX)
            break;
    }
    shared->go = 1;
    assert_int_equal(kit_wait(pid), 0);
    assert_true(now < MONITOR_MEMORY_MAX);
}

static void a_monitor_that_stands_still_makes_the_container_wait(void **state)
{
    (void)state;
    struct scene scene = {.container = say_without_end, .no_after = true, .max_size = 1 << 20};
    pid_t pid = start(&scene);
    kill(pid, SIGSTOP);
    usleep(100000);
    size_t before = shared->written;
    usleep(200000);
    assert_int_equal(shared->written, before);
    kill(pid, SIGCONT);
    usleep(200000);
    assert_true(shared->written > before);
    shared->go = 1;
    assert_int_equal(kit_wait(pid), 0);
    assert_record(4, 0);
}

static void without_log_the_output_is_read_and_dropped(void **state)
{
    (void)state;
    struct scene scene = {.container = say_without_end, .no_after = true, .no_log = true};
    pid_t pid = start(&scene);
    usleep(200000);
    shared->go = 1;
    assert_int_equal(kit_wait(pid), 0);
    assert_true(shared->written > 1 << 20);
    assert_record(4, 0);
    autofree char *log = kit_file(LOG_NAME);
    assert_string_equal(log, "");
}

static void a_terminal_is_logged_even_when_closed_and_opened_again(void **state)
{
    (void)state;
    struct scene scene = {.container = use_the_terminal_twice, .no_after = true, .terminal = true};
    pid_t pid = start(&scene);
    assert_int_equal(kit_wait(pid), 0);
    assert_record(5, 0);
    autofree char *log = kit_file(LOG_NAME);
    assert_has(log, "{\"log\":\"first\\r\\n\",\"stream\":\"stdout\"");
    assert_has(log, "{\"log\":\"second\\r\\n\",\"stream\":\"stdout\"");
}

static long cpu_ticks(pid_t pid)
{
    char path[64];
    struct buf text = {0};
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    assert_int_equal(read_kernel_file(path, 4096, &text, NULL), 0);
    char *at = strrchr(text.data, ')') + 2;
    long user = 0, system = 0;
    for (int field = 3; field < 14; field++)
        at = strchr(at, ' ') + 1;
    user = strtol(at, &at, 10);
    system = strtol(at, NULL, 10);
    buf_free(&text);
    return user + system;
}

static int close_the_terminal_and_wait(void)
{
    for (int i = 0; i < 3; i++)
        close(i);
    wait_go();
    return 3;
}

static void a_closed_terminal_costs_no_time(void **state)
{
    (void)state;
    struct scene scene = {
        .container = close_the_terminal_and_wait, .no_after = true, .terminal = true};
    pid_t pid = start(&scene);
    usleep(500000);
    long ticks = cpu_ticks(pid);
    shared->go = 1;
    assert_int_equal(kit_wait(pid), 0);
    assert_true(ticks <= 5);
}

static void who_holds_the_pipes_after_the_end_is_not_waited_for_long(void **state)
{
    (void)state;
    struct scene scene = {.container = leave_a_straggler, .no_after = true};
    nanoseconds begin = clock_monotonic();
    assert_int_equal(kit_wait(start(&scene)), 0);
    assert_true(clock_monotonic() - begin < 5 * NSEC_PER_SEC);
    assert_record(6, 0);
    autofree char *log = kit_file(LOG_NAME);
    assert_has(log, "said");
}

static void the_containers_input_stays_open(void **state)
{
    (void)state;
    struct scene scene = {.container = read_input, .no_after = true};
    assert_int_equal(kit_wait(start(&scene)), 0);
    assert_record(8, 0);
}

static int run_on_a_full_disk(void *argument)
{
    (void)argument;
    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("tmpfs", kit_path(), "tmpfs", 0, "size=64k") < 0)
        return 77;
    struct scene scene = {.container = say_and_wait, .no_after = true};
    scene.log_dir = open(kit_path(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    pid_t pid = start(&scene);
    for (int i = 0; i < 1000 && shared->written < 100000 * 128; i++)
        usleep(10000);
    if (shared->written < 100000 * 128)
        return 1;
    shared->go = 1;
    return kit_wait(pid) == 0 ? 0 : 2;
}

static void a_full_disk_neither_ends_it_nor_holds_the_container(void **state)
{
    (void)state;
    int status = kit_wait(kit_fork(run_on_a_full_disk, NULL));
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
        skip(); /* no mount namespaces here */
    assert_int_equal(status, 0);
    assert_record(4, 0);
    uint64_t lines;
    int reason;
    assert_int_equal(log_dropped_read(kit_directory(), &lines, &reason), 0);
    assert_int_equal(reason, ENOSPC);
    assert_true(lines > 90000 && lines < 100000);
}

static void a_wrong_command_line_is_refused(void **state)
{
    (void)state;
    static const char *const wrong[][8] = {
        {"m", NULL},
        {"m", "--id", "x", "--pid", "1", NULL},
        {"m", "--id", "x", "--pid", "0", "--dir", "3", NULL},
        {"m", "--id", "x", "--pid", "1", "--dir", "2", NULL},
        {"m", "--id", "x", "--pid", "1", "--dir", NULL},
        {"m", "--id", "", "--pid", "1", "--dir", "3", NULL},
        {"m", "--oops", "x", "--pid", "1", "--dir", "3", NULL},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct monitor_spec spec = {.pid = 42};
        assert_int_equal(monitor_spec_parse((char **)(uintptr_t)wrong[i], &spec), -EINVAL);
        assert_int_equal(spec.pid, 42);
        pid_t pid = fork();
        if (pid == 0) {
            execv(MONITOR, (char **)(uintptr_t)wrong[i]);
            _exit(1);
        }
        assert_int_equal(kit_wait(pid), W_EXITCODE(125, 0));
    }
}

/* --- what the monitor executes -----------------------------------------------------------------
 */

static int leave_note(int argc, char **argv)
{
    autofd dir = open(getenv("CAISSON_TEST_NOTE"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct buf note = {0};
    for (int i = 0; i < argc; i++)
        buf_fmt(&note, "%s%c", argv[i], i + 1 < argc ? ' ' : '\n');
    buf_fmt(&note, "record %s\n", faccessat(dir, "exit", F_OK, 0) == 0 ? "present" : "absent");
    bool standard = true;
    for (int number = 1; number < 32; number++) {
        struct sigaction action;
        if (number != SIGKILL && number != SIGSTOP && sigaction(number, NULL, &action) == 0)
            standard &= action.sa_handler != SIG_IGN; /* sanitizers have handlers */
    }
    buf_fmt(&note, "signals %s\noom score ", standard ? "default" : "changed");
    if (read_kernel_file("/proc/self/oom_score_adj", 64, &note, NULL) < 0)
        return 1;
    int count = 0;
    for (int fd = 0; fd < 256; fd++)
        count += fd != dir && fcntl(fd, F_GETFD) >= 0;
    buf_fmt(&note, "descriptors %d\n", count);
    int rc = write_file_at(dir, NOTE, note.data, note.len, 0600, VOLATILE, NULL);
    buf_free(&note);
    return rc < 0 ? 1 : 42;
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "__ended") == 0)
        return leave_note(argc, argv);
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(output_is_logged_the_end_recorded_and_the_next_program_executed),
        T(the_end_by_a_signal_is_recorded),
        T(signals_do_not_end_it),
        T(it_is_small_and_quiet),
        T(output_without_end_does_not_make_it_grow),
        T(memory_is_given_back_when_the_container_is_quiet_again),
        T(a_monitor_that_stands_still_makes_the_container_wait),
        T(without_log_the_output_is_read_and_dropped),
        T(a_terminal_is_logged_even_when_closed_and_opened_again),
        T(a_closed_terminal_costs_no_time),
        T(who_holds_the_pipes_after_the_end_is_not_waited_for_long),
        T(the_containers_input_stays_open),
        T(a_full_disk_neither_ends_it_nor_holds_the_container),
        T(a_wrong_command_line_is_refused),
    };
    return cmocka_run_group_tests_name("monitor", tests, NULL, NULL);
}
