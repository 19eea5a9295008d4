/* SPDX-License-Identifier: Apache-2.0 */
#include "container/log_follow.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "container/exit_record.h"

bool log_follow_over(const struct log_query *query)
{
    if (query->state_dir >= 0 && faccessat(query->state_dir, EXIT_RECORD_NAME, F_OK, 0) == 0)
        return true;
    struct pollfd process = {.fd = query->pidfd, .events = POLLIN};
    if (query->pidfd >= 0 && poll(&process, 1, 0) > 0)
        return true;
    return query->until != 0 && clock_wall() > query->until;
}

static int watch_directory(int inotify, int dir, struct error *err)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", dir);
    /* The log and the state may share a directory: then both ask for the same. */
    if (inotify_add_watch(inotify, path, IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_ONLYDIR) < 0)
        return error_errno(err, "cannot follow the log");
    return 0;
}

int log_follow_open(const struct log_query *query, int log_dir, struct error *err)
{
    autofd inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (inotify < 0)
        return error_errno(err, "cannot follow the log");
    int rc = log_dir >= 0 ? watch_directory(inotify, log_dir, err) : 0;
    if (rc == 0 && query->state_dir >= 0)
        rc = watch_directory(inotify, query->state_dir, err);
    return rc < 0 ? rc : take_fd(&inotify);
}

static int until_timeout(nanoseconds until)
{
    if (until == 0)
        return -1;
    nanoseconds left = (until - clock_wall()) / 1000000 + 1;
    return left < 0 ? 0 : left > INT32_MAX ? INT32_MAX : (int)left;
}

int log_follow_wait(const struct log_query *query, int watched, int input, struct error *err)
{
    char events[4096];
    struct pollfd fds[] = {{.fd = watched, .events = POLLIN},
                           {.fd = query->pidfd, .events = POLLIN},
                           {.fd = input, .events = POLLIN},
                           {.fd = query->out},
                           {.fd = query->err}};
    int n = poll(fds, sizeof fds / sizeof *fds, until_timeout(query->until));
    if (n < 0 && errno != EINTR)
        return error_errno(err, "cannot follow the log");
    if (n > 0 && ((fds[3].revents | fds[4].revents) & POLLERR))
        return error_set(err, -EPIPE, "nobody reads the output any more");
    while (read(watched, events, sizeof events) > 0)
        ;
    return 0;
}
