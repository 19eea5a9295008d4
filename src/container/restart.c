/* SPDX-License-Identifier: Apache-2.0 */
#include "container/restart.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/io.h"
#include "base/memory.h"
#include "base/text.h"
#include "container/disk.h"
#include "runtime/syscalls.h"

#define STOPPED_NAME "stopped"
#define FIRST_PAUSE (100 * NSEC_PER_SEC / 1000)
#define LONGEST_PAUSE (60 * NSEC_PER_SEC)
#define GOOD_RUN (10 * NSEC_PER_SEC)

static const char *const kinds[] = {[RESTART_NO] = "no",
                                    [RESTART_ALWAYS] = "always",
                                    [RESTART_UNLESS_STOPPED] = "unless-stopped",
                                    [RESTART_ON_FAILURE] = "on-failure"};
#define KINDS (sizeof kinds / sizeof *kinds)

const char *restart_name(enum restart_kind kind)
{
    return kinds[kind];
}

int restart_parse(const char *text, struct restart_policy *out, struct error *err)
{
    struct restart_policy policy = {0};
    const char *colon = text ? strchr(text, ':') : NULL;
    size_t length = colon ? (size_t)(colon - text) : text ? strlen(text) : 0;
    size_t i = 0;
    while (text && i < KINDS && !(strlen(kinds[i]) == length && starts_with(text, kinds[i])))
        i++;
    if (i == KINDS || (colon && i != RESTART_ON_FAILURE))
        return error_set(err, -EINVAL,
                         "--restart %.60s: give no, always, unless-stopped or on-failure[:TIMES]",
                         text);
    policy.kind = (enum restart_kind)i;
    if (colon && parse_i64(colon + 1, 0, INT32_MAX, &policy.most) < 0)
        return error_set(err, -EINVAL, "--restart %.60s: \"%.40s\" is not a number of times", text,
                         colon + 1);
    *out = policy;
    return 0;
}

static struct restart_policy policy_of(const struct container *c)
{
    struct restart_policy policy = {0};
    (void)restart_parse(c->plan.restart, &policy, NULL); /* it was judged when it was planned */
    return policy;
}

/* --- a person's will --- */

static int note_stopped(struct container *c, struct error *err)
{
    autofd fd = openat(c->home, STOPPED_NAME, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return error_errno(err, "cannot note that container %s is to be stopped", c->plan.name);
    if (fsync(c->home) < 0)
        return error_errno(err, "cannot note that container %s is to be stopped", c->plan.name);
    return 0;
}

int restart_forbid(struct container *c, struct error *err)
{
    if (policy_of(c).kind == RESTART_NO)
        return 0;
    bool locked = c->lock >= 0;
    int rc = container_lock(c, err);
    if (rc < 0)
        return rc;
    rc = note_stopped(c, err);
    if (rc == 0 && c->now == CONTAINER_RESTARTING)
        restart_cancel(c);
    if (!locked)
        container_unlock(c);
    return rc < 0 ? rc : container_refresh(c, err);
}

bool restart_forbidden(const struct container *c)
{
    return faccessat(c->home, STOPPED_NAME, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

int restart_allow(const struct container *c)
{
    return unlinkat(c->home, STOPPED_NAME, 0) < 0 && errno != ENOENT ? -errno : 0;
}

/* --- deciding --- */

static bool wanted(const struct container *c)
{
    struct restart_policy policy = policy_of(c);
    if (policy.kind == RESTART_NO || restart_forbidden(c))
        return false;
    if (policy.kind != RESTART_ON_FAILURE)
        return true;
    bool failed = c->now == CONTAINER_DEAD || c->exit.code != 0;
    return failed && (policy.most == 0 || c->status.restarts < policy.most);
}

bool restart_wanted_after_boot(const struct container *c)
{
    struct restart_policy policy = policy_of(c);
    if (c->now == CONTAINER_CREATED && c->status.started == 0)
        return false; /* nobody ever started it */
    switch (policy.kind) {
    case RESTART_NO:
        return false;
    case RESTART_ALWAYS:
        return true;
    case RESTART_UNLESS_STOPPED:
        return !restart_forbidden(c);
    case RESTART_ON_FAILURE: /* one whose end nobody saw has failed */
        return c->now == CONTAINER_DEAD && wanted(c);
    }
    return false;
}

/* --- waiting and starting --- */

static nanoseconds pause_before(int64_t quick_ends)
{
    nanoseconds pause = FIRST_PAUSE;
    for (int64_t i = 0; i < quick_ends && pause < LONGEST_PAUSE; i++)
        pause *= 2;
    return pause < LONGEST_PAUSE ? pause : LONGEST_PAUSE;
}

int64_t restart_quick_ends(const struct container *c)
{
    return c->exit.finished - c->status.started >= GOOD_RUN ? 0 : c->status.quick_ends;
}

/* In the status, as the monitor of a container without a first process. */
static int stand_in(struct container *c, struct error *err)
{
    c->status.pid = 0;
    c->status.monitor = getpid();
    int rc = process_start_time(getpid(), &c->status.monitor_start);
    return rc < 0 ? rc : container_save_status(c, err);
}

static bool still_waiting(const struct container *c)
{
    return c->now == CONTAINER_RESTARTING && c->status.monitor == getpid();
}

static int wait_and_start(struct container *c, struct store *store, nanoseconds pause,
                          const struct start_options *options, struct error *err)
{
    struct timespec ts = {.tv_sec = pause / NSEC_PER_SEC, .tv_nsec = pause % NSEC_PER_SEC};
    int exit_code;
    int rc = stand_in(c, err);
    container_unlock(c);
    if (rc < 0)
        return rc;
    while (nanosleep(&ts, &ts) < 0 && errno == EINTR)
        ;
    rc = container_lock(c, err);
    if (rc < 0)
        return rc == -ENOENT ? 0 : rc;
    if (!still_waiting(c) || !wanted(c)) {
        container_unlock(c);
        return 0;
    }
    return container_start(c, store, options, &exit_code, err);
}

int restart_after_end(struct container *c, struct store *store, const struct start_options *start,
                      struct error *err)
{
    struct start_options options = *start;
    options.again = true;
    for (int64_t failures = 0;; failures++) {
        int rc = container_lock(c, err);
        if (rc < 0)
            return rc == -ENOENT ? 0 : rc;
        bool over = c->now == CONTAINER_EXITED || c->now == CONTAINER_DEAD;
        if (!over || c->status.pid > 0 || !wanted(c)) {
            container_unlock(c);
            return 0;
        }
        int64_t quick = restart_quick_ends(c) + failures;
        rc = wait_and_start(c, store, pause_before(quick), &options, err);
        /* What cannot be started now (its network's container is gone, say) may be later. */
        if (rc == 0)
            return 0;
    }
}

void restart_cancel(struct container *c)
{
    autofd fd = c->now == CONTAINER_RESTARTING ? sys_pidfd_open(c->status.monitor) : -1;
    if (fd < 0)
        return;
    if (process_alive(c->status.monitor, c->status.monitor_start))
        (void)sys_pidfd_send_signal(fd, SIGKILL); /* it only sleeps: we hold the lock */
    (void)unlinkat(c->state, STATUS_NAME, 0);
    c->status.monitor = 0;
}
