/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "cmd/container_options.h"
#include "cmd/container_words.h"
#include "cmd/print.h"
#include "container/journal_read.h"
#include "container/log_read.h"
#include "container/log_write.h"
#include "runtime/syscalls.h"

static int read_query(const struct logs_options *o, struct log_query *query, struct error *err)
{
    *query = LOG_QUERY_ALL;
    query->follow = o->follow;
    query->timestamps = o->timestamps;
    /* Docker takes every negative number and "all" for all. */
    if (o->tail && !streq(o->tail, "all") &&
        parse_i64(o->tail, INT64_MIN, INT64_MAX, &query->tail) < 0)
        return error_set(err, -EINVAL, "--tail %.40s: give a number of lines, or all", o->tail);
    if (query->tail < 0)
        query->tail = -1;
    int rc = read_moment("--since", o->since, &query->since, err);
    return rc < 0 ? rc : read_moment("--until", o->until, &query->until, err);
}

static int not_started(const struct container *c, struct error *err)
{
    return error_set(err, -ENOENT, "container %s has not been started yet: caisson start %s",
                     c->plan.name, c->plan.name);
}

static int open_logs(const struct container *c, struct error *err)
{
    int fd = openat(c->home, "logs", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd >= 0)
        return fd;
    if (errno != ENOENT)
        return error_errno(err, "cannot open the log of container %s", c->plan.name);
    if (c->now == CONTAINER_CREATED)
        return not_started(c, err);
    if (streq(c->plan.log_driver, "none"))
        return error_set(err, -ENOENT,
                         "container %s was made with --log-driver none: its output is not kept",
                         c->plan.name);
    return error_set(
        err, -ENOENT,
        "container %s has no log: it runs in the foreground with --rm, which shows the "
        "output and does not keep it; leave out --rm, or add -d",
        c->plan.name);
}

static void tell_dropped(const struct container *c)
{
    uint64_t lines;
    int reason;
    if (c->state >= 0 && log_dropped_read(c->state, &lines, &reason) == 0)
        tell_warning("%llu lines of container %s are missing: %s", (unsigned long long)lines,
                     c->plan.name, error_describe(reason));
}

int command_logs(const struct invocation *call, void *options, struct error *err)
{
    autocontainers all = {0};
    autocontainer c = CONTAINER_EMPTY;
    autofd monitor = -1;
    struct log_query query;
    int rc = read_query(options, &query, err);
    if (rc == 0)
        rc = containers_here(&all, err);
    if (rc == 0)
        rc = container_find(&all, call->arguments[0], &c, err);
    if (rc < 0)
        return rc;
    bool journal = streq(c.plan.log_driver, "journald");
    autofd logs = journal ? -1 : open_logs(&c, err);
    if (journal && c.now == CONTAINER_CREATED)
        return not_started(&c, err);
    if (!journal && logs < 0)
        return logs;
    if (query.follow && container_runs(c.now)) {
        /* Without a monitor nobody writes any more, and nothing will say that it ended. */
        monitor = c.status.monitor > 0 ? sys_pidfd_open(c.status.monitor) : -ESRCH;
        query.follow = monitor >= 0;
        query.pidfd = monitor;
        query.state_dir = c.state;
    } else {
        query.follow = false;
    }
    rc = journal ? journal_read(c.id, &query, err) : log_read(logs, &query, err);
    if (rc == -EPIPE)
        return 1; /* nobody reads any more, and nobody is to be told */
    tell_dropped(&c);
    return rc;
}
