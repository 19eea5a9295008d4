/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/hook.h"

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/process.h"
#include "base/text.h"

#define SAID_MAX 400

/* A file in memory instead of a pipe: neither side ever waits for the other. */
static int memory_file(const char *text, struct error *err)
{
    autofd fd = memfd_create("caisson-hook", MFD_CLOEXEC);
    if (fd < 0)
        return error_errno(err, "cannot make a file in memory");
    int rc = write_all(fd, text, strlen(text));
    if (rc < 0)
        return error_set(err, rc, "cannot write a file in memory: %s", error_describe(rc));
    return lseek(fd, 0, SEEK_SET) < 0 ? error_errno(err, "cannot rewind") : take_fd(&fd);
}

/* Killed when its time is over. */
static int wait_until(pid_t pid, int pidfd, int64_t seconds, int *status, struct error *err)
{
    struct pollfd end = {.fd = pidfd, .events = POLLIN};
    nanoseconds deadline = clock_monotonic() + seconds * NSEC_PER_SEC;
    while (seconds > 0) {
        nanoseconds left = deadline - clock_monotonic();
        int rc = left <= 0 ? 0 : poll(&end, 1, (int)(left / 1000000 % 60000) + 1);
        if (rc > 0)
            break;
        if (rc == 0 && clock_monotonic() >= deadline) {
            kill(pid, SIGKILL);
            (void)process_wait(pid, status, NULL);
            return error_set(err, -ETIMEDOUT, "it took longer than its timeout of %lld seconds",
                             (long long)seconds);
        }
    }
    return process_wait(pid, status, err);
}

static void said(int fd, struct buf *out)
{
    char text[SAID_MAX + 1];
    ssize_t n = pread(fd, text, SAID_MAX, 0);
    if (n <= 0)
        return;
    text[n] = '\0';
    while (n > 0 && text[n - 1] == '\n')
        text[--n] = '\0';
    buf_str(out, ": ");
    buf_printable(out, text);
}

static int run(const struct bundle_hook *hook, const char *state, const char *directory,
               struct error *err)
{
    char *const alone[] = {hook->path, NULL};
    autofd input = memory_file(state, err);
    autofd output = input < 0 ? input : memory_file("", err);
    if (output < 0)
        return output;
    struct process_spec spec = {
        .program = hook->path,
        .argv = hook->args.len ? strv_argv(&hook->args) : alone,
        .environment = strv_argv(&hook->env),
        .fds = {input, -1, output},
        .directory = directory,
    };
    pid_t pid;
    int status = 0, pidfd = -1;
    int rc = process_start(&spec, &pid, &pidfd, err);
    if (rc < 0)
        return rc;
    autofd held = pidfd;
    rc = wait_until(pid, held, hook->timeout, &status, err);
    if (rc < 0)
        return rc;
    if (status == 0)
        return 0;
    autobuf words = {0};
    said(output, &words);
    return error_set(err, -ECHILD, "it ended with status %d%s", process_exit_code(status),
                     buf_text(&words));
}

int hooks_run(const struct bundle *bundle, enum bundle_stage stage, const char *state,
              const char *directory, struct error *err)
{
    const struct bundle_hooks *hooks = &bundle->hooks[stage];
    for (size_t i = 0; i < hooks->count; i++) {
        int rc = run(&hooks->items[i], state, directory, err);
        if (rc < 0)
            return error_prefix(err, "hook %s[%zu] %s", bundle_stage_names[stage], i,
                                hooks->items[i].path);
    }
    return 0;
}

void hooks_try(const struct bundle *bundle, enum bundle_stage stage, const char *state,
               struct strv *warnings)
{
    const struct bundle_hooks *hooks = &bundle->hooks[stage];
    for (size_t i = 0; i < hooks->count; i++) {
        struct error err = {0};
        if (run(&hooks->items[i], state, bundle->path, &err) < 0)
            strv_fmt(warnings, "hook %s[%zu] %s: %s", bundle_stage_names[stage], i,
                     hooks->items[i].path, err.text);
    }
}
