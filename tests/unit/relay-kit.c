/* SPDX-License-Identifier: Apache-2.0 */
#include "relay-kit.h"

#include <dirent.h>
#include <fcntl.h>
#include <pty.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "container/relay.h"

struct shared_page *shared;

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

int play(void *argument)
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

int setup(void **state)
{
    shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return shared == MAP_FAILED ? -1 : kit_setup(state);
}

int teardown(void **state)
{
    munmap((void *)shared, 4096);
    return kit_teardown(state);
}

void assert_code(pid_t pid, int code)
{
    assert_int_equal(kit_wait(pid), W_EXITCODE(code, 0));
}

static bool is_ready(void *ignored)
{
    (void)ignored;
    return shared->ready;
}

void wait_ready(void)
{
    assert_true(kit_until(is_ready, NULL));
}

void on_signal(int number)
{
    _exit(number);
}

int be_killed(void)
{
    return kill(getpid(), SIGKILL);
}
