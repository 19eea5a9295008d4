/* SPDX-License-Identifier: Apache-2.0 */
#include "base/process.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/io.h"

/* By the kernel's own call: the C library keeps signals 32 and 33 to itself and would leave them
 * ignored when we were started so. All zero is SIG_DFL without flags in every architecture's form.
 */
void process_reset_signals(void)
{
    static const unsigned long defaults[8];
    for (int number = 1; number <= 64; number++)
        if (number != SIGKILL && number != SIGSTOP)
            syscall(SYS_rt_sigaction, number, defaults, NULL, 8); /* of 64 signals */
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static bool kept(const struct process_spec *spec, int fd)
{
    for (size_t i = 0; i < spec->keep_count; i++)
        if (spec->keep[i] == fd)
            return true;
    return false;
}

/* First above their places, as with the three. */
static int line_up(const struct process_spec *spec, int *report)
{
    int above = 3 + (int)spec->line_count, high[PROCESS_LINE_MAX];
    if (spec->line_count > PROCESS_LINE_MAX)
        return -1;
    *report = fcntl(*report, F_DUPFD_CLOEXEC, above);
    for (size_t i = 0; *report >= 0 && i < spec->line_count; i++) {
        high[i] = fcntl(spec->line[i], F_DUPFD_CLOEXEC, above);
        if (high[i] < 0)
            return -1;
    }
    for (size_t i = 0; *report >= 0 && i < spec->line_count; i++)
        if (dup2(high[i], 3 + (int)i) < 0)
            return -1;
    return *report;
}

/* In the child: from here on only system calls that are safe after fork(2). */
static _Noreturn void execute(const struct process_spec *spec, int report, pid_t parent)
{
    int fds[3];
    process_reset_signals();
    if (spec->die_with_us && (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent))
        goto failed;
    /* First above 2, so that none of the three is overwritten before it was moved. */
    for (int i = 0; i < 3; i++) {
        int from = spec->fds[i] >= 0 ? spec->fds[i] : open("/dev/null", O_RDWR | O_CLOEXEC);
        fds[i] = fcntl(from, F_DUPFD_CLOEXEC, 3);
        if (fds[i] < 0)
            goto failed;
    }
    for (int i = 0; i < 3; i++)
        if (dup2(fds[i], i) < 0)
            goto failed;
    if (close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) < 0)
        goto failed;
    if (spec->line_count > 0 && line_up(spec, &report) < 0)
        goto failed;
    for (size_t i = 0; i < spec->keep_count; i++)
        if (spec->keep[i] > 2 && fcntl(spec->keep[i], F_SETFD, 0) < 0)
            goto failed;
    if (!kept(spec, report) && fcntl(report, F_SETFD, FD_CLOEXEC) < 0)
        goto failed;
    if (spec->directory && chdir(spec->directory) < 0)
        goto failed;
    char *const *environment = spec->environment ? spec->environment : environ;
    if (spec->search)
        execvpe(spec->program, spec->argv, environment);
    else
        execve(spec->program, spec->argv, environment);
failed:;
    int code = errno;
    (void)write_all(report, &code, sizeof code);
    _exit(127);
}

/* In the child: goes on in a child of its own, whose parent is nobody of ours. */
static void detach(int report)
{
    (void)setsid();
    pid_t child = fork();
    int code = errno;
    if (child < 0)
        (void)write_all(report, &code, sizeof code);
    if (child != 0)
        _exit(0);
}

int process_start(const struct process_spec *spec, pid_t *pid, int *pidfd, struct error *err)
{
    int report[2];
    if (pipe2(report, O_CLOEXEC) < 0)
        return error_errno(err, "cannot start %s", spec->program);
    autofd reader = report[0];
    autofd writer = report[1];
    pid_t parent = getpid(), child = fork();
    if (child < 0)
        return error_errno(err, "cannot start %s", spec->program);
    if (child == 0) {
        if (spec->detached)
            detach(writer);
        execute(spec, writer, parent);
    }
    close(take_fd(&writer));
    int code = 0;
    if (spec->detached)
        (void)waitpid(child, NULL, 0);
    if (read_full(reader, &code, sizeof code) == (ssize_t)sizeof code) {
        if (!spec->detached)
            (void)waitpid(child, NULL, 0);
        return error_set(err, -code, "cannot execute %s: %s", spec->program, error_describe(code));
    }
    if (spec->detached)
        return 0;
    if (pidfd) {
        int fd = (int)syscall(SYS_pidfd_open, child, 0);
        if (fd < 0) {
            int saved = errno;
            kill(child, SIGKILL);
            (void)waitpid(child, NULL, 0);
            return error_set(err, -saved, "cannot watch %s: %s", spec->program,
                             error_describe(saved));
        }
        *pidfd = fd;
    }
    *pid = child;
    return 0;
}

int process_wait(pid_t pid, int *status, struct error *err)
{
    while (waitpid(pid, status, 0) < 0)
        if (errno != EINTR)
            return error_errno(err, "cannot wait for process %d", (int)pid);
    return 0;
}

int process_exit_code(int status)
{
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int process_run(const struct process_spec *spec, struct buf *output, size_t limit,
                struct error *err)
{
    struct process_spec with = *spec;
    int ends[2] = {-1, -1};
    if (output && pipe2(ends, O_CLOEXEC) < 0)
        return error_errno(err, "cannot start %s", spec->program);
    autofd reader = ends[0];
    autofd writer = ends[1];
    if (output)
        with.fds[1] = writer;
    pid_t pid;
    int rc = process_start(&with, &pid, NULL, err);
    if (rc < 0)
        return rc;
    if (writer >= 0)
        close(take_fd(&writer));
    int read_rc = output ? read_fd(reader, limit, output) : 0;
    if (reader >= 0)
        close(take_fd(&reader)); /* a writer beyond the limit ends by SIGPIPE */
    int status;
    rc = process_wait(pid, &status, err);
    if (rc < 0)
        return rc;
    if (read_rc < 0)
        return error_set(err, read_rc, "%s printed more than %zu bytes", spec->program, limit);
    if (status != 0)
        return error_set(err, -ECHILD, "%s failed with status %d", spec->program,
                         process_exit_code(status));
    return 0;
}

static char *words;
static size_t words_length;

void process_set_words(int argc, char **argv)
{
    if (argc <= 0)
        return;
    words = argv[0];
    words_length = (size_t)(argv[argc - 1] + strlen(argv[argc - 1]) - argv[0]);
}

void process_hide_words(void)
{
    if (words)
        memset(words, 0, words_length);
}
