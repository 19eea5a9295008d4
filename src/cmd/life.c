/* SPDX-License-Identifier: Apache-2.0 */
/* restart, pause, unpause, rename, update, system restore. */
#include <limits.h>
#include <signal.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "cmd/container_options.h"
#include "cmd/container_words.h"
#include "cmd/front.h"
#include "cmd/print.h"
#include "container/events.h"
#include "container/health.h"
#include "container/restart.h"
#include "container/update.h"

/* What starting needs. Becoming a sealed copy of this program begins everything anew, so whoever
 * needs one becomes it before anything is stopped. */
struct starting {
    struct store store;
    struct start_options options;
    char program[PATH_MAX];
};

static int starting_begin(struct starting *s, struct error *err)
{
    s->options.program = s->program;
    int rc = front_program(s->program, sizeof s->program, err);
    return rc < 0 ? rc : store_open(global_options.root, &s->store, err);
}

static void starting_end(struct starting *s)
{
    store_close(&s->store);
}

#define STARTING __attribute__((cleanup(starting_end))) struct starting
#define STARTING_NONE                                                                              \
    {                                                                                              \
        .store = {.root_fd = -1, .lock_fd = -1 }                                                   \
    }

static int start_detached(struct container *c, struct starting *s, struct error *err)
{
    int exit_code;
    int rc = front_delegate(c, true, err);
    return rc < 0 ? rc : container_start(c, &s->store, &s->options, &exit_code, err);
}

/* --- restart --- */

struct restart {
    struct starting starting;
    int number;
    bool timeout_is_given;
    nanoseconds timeout;
};

static int restart_one(struct containers *all, const char *word, void *closure, struct error *err)
{
    struct restart *r = closure;
    autocontainer c = CONTAINER_EMPTY;
    int rc = container_find(all, word, &c, err);
    if (rc < 0)
        return rc;
    if (c.plan.remove)
        return error_set(err, -EINVAL,
                         "container %s was made with --rm: it is gone once it has stopped, and "
                         "cannot be started again",
                         c.plan.name);
    rc = front_seal_for(&c.plan, err);
    if (rc < 0)
        return rc;
    nanoseconds timeout = r->timeout;
    if (!r->timeout_is_given)
        timeout = c.plan.stop_timeout < 0 ? -1 : c.plan.stop_timeout * NSEC_PER_SEC;
    if (container_runs(c.now) || c.now == CONTAINER_RESTARTING)
        rc = container_stop(&c, r->number, timeout, err);
    if (rc == 0)
        rc = start_detached(&c, &r->starting, err);
    if (rc == 0)
        event_tell(all, &c.plan, c.id, "restart", NULL, NULL);
    return rc < 0 ? rc : print_word(word);
}

int command_restart(const struct invocation *call, void *options, struct error *err)
{
    const struct stop_options *o = options;
    struct restart r = {.starting = STARTING_NONE, .timeout_is_given = o->timeout != INT64_MIN};
    if (r.timeout_is_given && o->timeout > INT64_MAX / NSEC_PER_SEC)
        return error_set(err, -ERANGE, "--timeout %lld: that is more than 292 years",
                         (long long)o->timeout);
    if (r.timeout_is_given)
        r.timeout = o->timeout < 0 ? -1 : o->timeout * NSEC_PER_SEC;
    int rc = o->signal ? read_signal("--signal", o->signal, &r.number, err) : 0;
    if (rc == 0)
        rc = starting_begin(&r.starting, err);
    if (rc < 0)
        return rc;
    int status = for_each_word(call, restart_one, &r, err);
    starting_end(&r.starting);
    return status;
}

/* --- pause, unpause --- */

static int pause_one(struct containers *all, const char *word, void *closure, struct error *err)
{
    const bool *frozen = closure;
    autocontainer c = CONTAINER_EMPTY;
    int rc = container_find(all, word, &c, err);
    if (rc == 0)
        rc = container_pause(&c, *frozen, err);
    return rc < 0 ? rc : print_word(word);
}

int command_pause(const struct invocation *call, void *options, struct error *err)
{
    (void)options;
    return for_each_word(call, pause_one, &(bool){true}, err);
}

int command_unpause(const struct invocation *call, void *options, struct error *err)
{
    (void)options;
    return for_each_word(call, pause_one, &(bool){false}, err);
}

/* --- rename --- */

int command_rename(const struct invocation *call, void *options, struct error *err)
{
    autocontainers all = {0};
    autocontainer c = CONTAINER_EMPTY;
    (void)options;
    int rc = containers_here(&all, err);
    if (rc == 0)
        rc = container_find(&all, call->arguments[0], &c, err);
    return rc < 0 ? rc : container_rename(&c, call->arguments[1], err);
}

/* --- update --- */

static int update_one(struct containers *all, const char *word, void *closure, struct error *err)
{
    autocontainer c = CONTAINER_EMPTY;
    int rc = container_find(all, word, &c, err);
    if (rc == 0)
        rc = container_update(&c, closure, err);
    return rc < 0 ? rc : print_word(word);
}

int command_update(const struct invocation *call, void *options, struct error *err)
{
    const struct request *r = options;
    if (r->memory == INT64_MIN && r->memory_swap == INT64_MIN &&
        r->memory_reservation == INT64_MIN && !r->cpus && r->cpu_shares == INT64_MIN &&
        r->cpu_quota == INT64_MIN && r->cpu_period == INT64_MIN && !r->cpuset_cpus &&
        !r->cpuset_mems && r->pids == INT64_MIN && r->blkio_weight == INT64_MIN && !r->restart)
        return error_set(err, -EINVAL, "give what is to be changed, such as --memory 1g");
    return for_each_word(call, update_one, options, err);
}

/* --- system restore --- */

/* It runs, but whoever was to read its output and to see its end is gone. */
static int end_unwatched(struct container *c, struct error *err)
{
    int rc = container_signal(c, SIGKILL, err);
    return rc < 0 && rc != -ESRCH ? rc : container_wait(c, 30 * NSEC_PER_SEC, err);
}

static int restore_one(struct containers *all, const char *id, struct starting *s,
                       struct error *err)
{
    autocontainer c = CONTAINER_EMPTY;
    int rc = container_find(all, id, &c, err);
    if (rc == -ENOENT)
        return 0;
    if (rc < 0)
        return rc;
    if (c.now == CONTAINER_RESTARTING)
        return 0;
    if (container_runs(c.now)) {
        if (!c.plan.restart || !container_unwatched(&c))
            return 0;
        rc = end_unwatched(&c, err);
    }
    if (rc < 0 || !restart_wanted_after_boot(&c))
        return rc;
    rc = front_seal_for(&c.plan, err);
    if (rc == 0)
        rc = start_detached(&c, s, err);
    return rc < 0 ? rc : print_word(c.plan.name);
}

int command_system_restore(const struct invocation *call, void *options, struct error *err)
{
    autocontainers all = {0};
    autostrv ids = {0};
    STARTING s = STARTING_NONE;
    int status = 0;
    (void)call;
    (void)options;
    int rc = containers_here(&all, err);
    if (rc == 0)
        rc = container_list(&all, &ids, err);
    if (rc == 0)
        rc = starting_begin(&s, err);
    for (size_t i = 0; rc == 0 && i < ids.len; i++) {
        struct error wrong = {0};
        if (restore_one(&all, ids.items[i], &s, &wrong) < 0) {
            tell_error(&wrong);
            status = 1;
        }
    }
    return rc < 0 ? rc : status;
}

/* --- health --- */

static int check_one(struct containers *all, const char *id, void *closure, struct error *err)
{
    autocontainer c = CONTAINER_EMPTY;
    int rc = container_open(all, id, &c, err);
    if (rc == 0)
        rc = front_seal_for(&c.plan, err);
    return rc < 0 ? rc : health_check(&c, closure, err);
}

int command_health(const struct invocation *call, void *options, struct error *err)
{
    bool healthy = false;
    (void)options;
    int status = for_each_word(call, check_one, &healthy, err);
    return status ? status : healthy ? 0 : 1;
}
