/* SPDX-License-Identifier: Apache-2.0 */
/* Signals to a container, and waiting for its end. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/text.h"
#include "container/disk.h"
#include "container/events.h"
#include "container/numbers.h"
#include "container/restart.h"
#include "container/signals.h"
#include "runtime/donor.h"
#include "runtime/syscalls.h"

/* After SIGKILL only the kernel can make us wait. */
#define KILL_TIMEOUT (30 * NSEC_PER_SEC)

/* --- who waits for a container with --rm --- */

int waiters_join(int state)
{
    int fd = openat(state, WAITERS_NAME, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    return fd < 0 ? -errno : fd;
}

void waiters_tell(int state, const struct exit_record *record)
{
    char line[4 * NUMBER_MAX];
    autofd fd = openat(state, WAITERS_NAME, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return; /* nobody waits */
    int length = snprintf(line, sizeof line, "%d %d %lld\n", record->code, record->signal,
                          (long long)record->finished);
    (void)write_all(fd, line, (size_t)length);
}

int waiters_read(int fd, struct exit_record *out)
{
    char line[4 * NUMBER_MAX] = "";
    long long finished;
    struct exit_record record;
    if (pread(fd, line, sizeof line - 1, 0) <= 0 ||
        sscanf(line, "%d %d %lld", &record.code, &record.signal, &finished) != 3)
        return -ENOENT;
    record.finished = finished;
    *out = record;
    return 0;
}

/* --- processes --- */

/* A pidfd is opened first and checked afterwards: what it stands for cannot change any more. */
static int open_process(pid_t pid, uint64_t start_time)
{
    autofd fd = pid > 0 ? sys_pidfd_open(pid) : -ESRCH;
    if (fd < 0)
        return fd;
    return process_alive(pid, start_time) ? take_fd(&fd) : -ESRCH;
}

int container_pidfd(const struct container *c, struct error *err)
{
    int fd = open_process(c->status.pid, c->status.start_time);
    if (fd == -ESRCH)
        return error_set(err, fd, "container %s is not running", c->plan.name);
    if (fd < 0)
        return error_set(err, fd, "cannot watch container %s: %s", c->plan.name,
                         error_describe(fd));
    return fd;
}

int container_insider(const struct container *c, pid_t *pid, struct error *err)
{
    autofd first = container_pidfd(c, err);
    if (first < 0)
        return first;
    *pid = c->status.pid;
    int fd = donor_insider(pid, first, err);
    return fd < 0 ? error_prefix(err, "container %s", c->plan.name) : fd;
}

static int kill_group(const struct container *c)
{
    autocgroup group = CGROUP_EMPTY;
    int rc = c->status.cgroup ? cgroup_open(c->status.cgroup, &group, NULL) : -ENOENT;
    return rc < 0 ? rc : cgroup_kill(&group, NULL);
}

int container_signal(struct container *c, int number, struct error *err)
{
    autofd fd = container_pidfd(c, err);
    if (fd < 0)
        return fd;
    int rc = sys_pidfd_send_signal(fd, number);
    if (rc == 0)
        event_tell_number(c->all, &c->plan, c->id, "kill", "signal", number);
    if (rc == -ESRCH)
        return error_set(err, rc, "container %s is not running", c->plan.name);
    /* An AppArmor profile that takes no signals keeps out those of the host's root, too. */
    if (rc == -EACCES && number == SIGKILL && kill_group(c) == 0)
        return 0;
    if (rc < 0)
        return error_set(err, rc, "cannot send signal %d to container %s: %s", number, c->plan.name,
                         error_describe(rc));
    return 0;
}

/* --- waiting --- */

/* Until the process behind `fd` has ended. `end` on the monotonic clock, or -1. */
static int wait_process(int fd, nanoseconds end)
{
    for (;;) {
        nanoseconds left = end < 0 ? -1 : end - clock_monotonic();
        if (end >= 0 && left <= 0)
            return -ETIMEDOUT;
        struct timespec ts = {.tv_sec = left / NSEC_PER_SEC, .tv_nsec = left % NSEC_PER_SEC};
        struct pollfd watched = {.fd = fd, .events = POLLIN};
        int n = ppoll(&watched, 1, end < 0 ? NULL : &ts, NULL);
        if (n > 0)
            return 0;
        if (n < 0 && errno != EINTR)
            return -errno;
    }
}

/* One step: whoever is to be waited for now. 0 when there is nobody any more. */
static int wait_step(struct container *c, nanoseconds end, struct error *err)
{
    autofd fd = open_process(c->status.pid, c->status.start_time);
    if (fd == -ESRCH)
        fd = open_process(c->status.monitor, c->status.monitor_start);
    if (fd == -ESRCH)
        return container_ended(c, -1, err);
    if (fd < 0)
        return error_set(err, fd, "cannot wait for container %s: %s", c->plan.name,
                         error_describe(fd));
    int rc = wait_process(fd, end);
    if (rc == -ETIMEDOUT)
        return error_set(err, rc, "container %s is still running", c->plan.name);
    if (rc < 0)
        return error_set(err, rc, "cannot wait for container %s: %s", c->plan.name,
                         error_describe(rc));
    return 0;
}

/* It was removed while we waited: how it ended is in the file that we hold. */
static int read_end(struct container *c, int waiters, struct error *err)
{
    c->ending = false;
    c->status.pid = 0;
    c->now = CONTAINER_EXITED;
    if (waiters >= 0 && waiters_read(waiters, &c->exit) == 0)
        return 0;
    return error_set(err, -ENOENT, "container %s was removed before anyone saw how it ended",
                     c->plan.name);
}

int container_wait(struct container *c, nanoseconds timeout, struct error *err)
{
    nanoseconds end = timeout < 0 ? -1 : clock_monotonic() + timeout;
    autofd waiters = c->plan.remove && c->state >= 0 ? waiters_join(c->state) : -1;
    for (;;) {
        int rc = container_refresh(c, err);
        if (rc == -ENOENT)
            return read_end(c, waiters, err);
        if (rc < 0)
            return rc;
        if (c->status.pid == 0)
            return 0;
        rc = wait_step(c, end, err);
        if (rc < 0)
            return rc;
    }
}

/* --- stopping --- */

static void thaw(const struct container *c)
{
    autocgroup group = CGROUP_EMPTY;
    if (c->now == CONTAINER_PAUSED && c->status.cgroup &&
        cgroup_open(c->status.cgroup, &group, NULL) == 0)
        (void)cgroup_thaw(&group, NULL);
}

/* The signal, unless it has ended by itself. */
static int signal_if_running(struct container *c, int number, struct error *err)
{
    struct error why = {0};
    int rc = container_signal(c, number, &why);
    return rc < 0 && rc != -ESRCH ? error_set(err, rc, "%s", why.text) : 0;
}

/* container_wait() for those who do not care how it ended. -ETIMEDOUT without a sentence. */
static int wait_gone(struct container *c, nanoseconds timeout, struct error *err)
{
    struct error why = {0};
    int rc = container_wait(c, timeout, &why);
    if (rc == 0 || rc == -ENOENT)
        return 0;
    return rc == -ETIMEDOUT ? rc : error_set(err, rc, "%s", why.text);
}

static int stop(struct container *c, int number, nanoseconds timeout, struct error *err)
{
    int rc = restart_forbid(c, err);
    if (rc < 0)
        return rc;
    if (number == 0 && (!c->plan.stop_signal || signal_number(c->plan.stop_signal, &number) < 0))
        number = SIGTERM;
    rc = signal_if_running(c, number, err);
    if (rc < 0)
        return rc;
    thaw(c); /* a frozen process would get its signal some other day */
    rc = wait_gone(c, timeout, err);
    if (rc != -ETIMEDOUT)
        return rc;
    rc = signal_if_running(c, SIGKILL, err);
    if (rc < 0)
        return rc;
    rc = wait_gone(c, KILL_TIMEOUT, err);
    if (rc == -ETIMEDOUT)
        return error_set(err, rc,
                         "container %s is still there %lld seconds after SIGKILL: it waits inside "
                         "the kernel, for a device or network disk",
                         c->plan.name, (long long)(KILL_TIMEOUT / NSEC_PER_SEC));
    return rc;
}

int container_stop(struct container *c, int number, nanoseconds timeout, struct error *err)
{
    bool ran = container_runs(c->now);
    int rc = stop(c, number, timeout, err);
    if (rc == 0 && ran && !c->plan.remove)
        event_tell(c->all, &c->plan, c->id, "stop", NULL, NULL);
    return rc;
}
