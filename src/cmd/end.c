/* SPDX-License-Identifier: Apache-2.0 */
/* stop, kill, wait, rm: the verbs that end containers. */
#include <limits.h>
#include <signal.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "base/memory.h"
#include "base/text.h"
#include "cmd/container_options.h"
#include "cmd/container_words.h"
#include "cmd/front.h"
#include "cmd/print.h"
#include "container/restart.h"
#include "container/signals.h"

/* --- stop --- */

struct stop {
    int number;            /* 0: the container's own */
    nanoseconds timeout;   /* -1: never kill */
    bool timeout_is_given; /* else the container's own */
};

static int stop_one(struct containers *all, const char *word, void *closure, struct error *err)
{
    const struct stop *stop = closure;
    autocontainer c = CONTAINER_EMPTY;
    int rc = container_find(all, word, &c, err);
    if (rc < 0)
        return rc;
    nanoseconds timeout = stop->timeout;
    if (!stop->timeout_is_given)
        timeout = c.plan.stop_timeout < 0 ? -1 : c.plan.stop_timeout * NSEC_PER_SEC;
    rc = container_stop(&c, stop->number, timeout, err);
    return rc < 0 ? rc : print_word(word);
}

/* Several at a time, a process for each: most of the time is spent in waiting. */
static int stop_together(const struct invocation *call, struct stop *stop, struct error *err)
{
    autofree pid_t *children = xcalloc(call->count, sizeof *children);
    int result = 0;
    for (size_t i = 0; i < call->count; i++) {
        struct invocation one = {.verb = call->verb, .arguments = call->arguments + i, .count = 1};
        children[i] = fork();
        if (children[i] < 0) {
            result = error_errno(err, "cannot stop %s", call->arguments[i]);
            break;
        }
        if (children[i] == 0) {
            int status = for_each_word(&one, stop_one, stop, err);
            if (status < 0)
                tell_error(err);
            _exit(status == 0 ? 0 : 1);
        }
    }
    for (size_t i = 0; i < call->count && children[i] > 0; i++) {
        int status;
        while (waitpid(children[i], &status, 0) < 0 && errno == EINTR)
            ;
        if (status != 0 && result == 0)
            result = 1;
    }
    return result;
}

int command_stop(const struct invocation *call, void *options, struct error *err)
{
    const struct stop_options *o = options;
    struct stop stop = {.timeout_is_given = o->timeout != INT64_MIN};
    if (o->signal) {
        int rc = read_signal("--signal", o->signal, &stop.number, err);
        if (rc < 0)
            return rc;
    }
    if (stop.timeout_is_given) {
        if (o->timeout > INT64_MAX / NSEC_PER_SEC)
            return error_set(err, -ERANGE, "--timeout %lld: that is more than 292 years",
                             (long long)o->timeout);
        stop.timeout = o->timeout < 0 ? -1 : o->timeout * NSEC_PER_SEC;
    }
    return call->count > 1 ? stop_together(call, &stop, err)
                           : for_each_word(call, stop_one, &stop, err);
}

/* --- kill --- */

static bool is_stop_signal(const struct container *c, int number)
{
    int own;
    return number ==
           (c->plan.stop_signal && signal_number(c->plan.stop_signal, &own) == 0 ? own : SIGTERM);
}

static int kill_one(struct containers *all, const char *word, void *closure, struct error *err)
{
    const int *number = closure;
    autocontainer c = CONTAINER_EMPTY;
    int rc = container_find(all, word, &c, err);
    if (rc == 0 && (*number == SIGKILL || is_stop_signal(&c, *number)))
        rc = restart_forbid(&c, err);
    if (rc == 0)
        rc = container_signal(&c, *number, err);
    return rc < 0 ? rc : print_word(word);
}

int command_kill(const struct invocation *call, void *options, struct error *err)
{
    const struct kill_options *o = options;
    int number = SIGKILL;
    int rc = o->signal ? read_signal("--signal", o->signal, &number, err) : 0;
    return rc < 0 ? rc : for_each_word(call, kill_one, &number, err);
}

/* --- wait --- */

static int wait_one(struct containers *all, const char *word, void *closure, struct error *err)
{
    autocontainer c = CONTAINER_EMPTY;
    autobuf line = {0};
    (void)closure;
    int rc = container_find(all, word, &c, err);
    if (rc == 0)
        rc = container_wait(&c, -1, err);
    if (rc < 0)
        return rc;
    buf_fmt(&line, "%d\n", c.now == CONTAINER_CREATED ? 0 : c.exit.code);
    return print(&line) == 0 ? 0 : -EIO;
}

int command_wait(const struct invocation *call, void *options, struct error *err)
{
    (void)options;
    return for_each_word(call, wait_one, NULL, err);
}

/* --- rm --- */

static int force_end(struct container *c, struct error *err)
{
    int rc = restart_forbid(c, err); /* first: it may be between two runs */
    if (rc < 0)
        return rc;
    if (c->now != CONTAINER_RUNNING && c->now != CONTAINER_PAUSED && c->now != CONTAINER_RESTARTING)
        return 0;
    return container_stop(c, SIGKILL, -1, err);
}

#define END_TRIES 5

/* A start that was on its way while we looked makes it run before we have its lock. */
static int end_and_remove(struct container *c, bool volumes, struct error *err)
{
    struct error why = {0};
    int rc = -EBUSY;
    for (int i = 0; rc == -EBUSY && i < END_TRIES; i++) {
        rc = i > 0 ? container_refresh(c, &why) : 0;
        if (rc == 0)
            rc = force_end(c, &why);
        if (rc == 0)
            rc = container_remove(c, volumes, &why);
    }
    return rc < 0 ? error_set(err, rc, "%s", why.text) : 0;
}

/* What is left of a container whose config.json cannot be read: only by its id, which `word` must
 * be, or its name. */
static int discard(struct containers *all, const char *word, struct error *err)
{
    char id[CONTAINER_ID_MAX];
    int rc = container_find_id(all, word, id, err);
    return rc < 0 ? rc : container_discard(all, id, err);
}

static int remove_one(struct containers *all, const char *word, void *closure, struct error *err)
{
    const struct rm_options *o = closure;
    autocontainer c = CONTAINER_EMPTY;
    struct error why = {0};
    int rc = container_find(all, word, &c, &why);
    if (rc == -ENOENT && o->force)
        return 0; /* as was wanted */
    if (rc == -EBADMSG && o->force) {
        rc = discard(all, word, err);
        return rc < 0 ? rc : print_word(word);
    }
    if (rc < 0)
        return error_set(err, rc, "%s", why.text);
    rc = o->force ? end_and_remove(&c, o->volumes, &why) : container_remove(&c, o->volumes, &why);
    /* One with --rm went by itself once it had ended. */
    if (rc < 0 && !(rc == -ENOENT && o->force))
        return error_set(err, rc, "%s", why.text);
    return print_word(word);
}

int command_rm(const struct invocation *call, void *options, struct error *err)
{
    return for_each_word(call, remove_one, options, err);
}

/* --- after the end --- */

/* Becoming a sealed copy of this program begins everything anew; by then it has ended already. */
static int start_again(struct container *c, struct error *err)
{
    char program[PATH_MAX];
    struct store store = {.root_fd = -1, .lock_fd = -1};
    struct start_options start = {.program = program};
    int rc = front_seal_for(&c->plan, err);
    if (rc == 0)
        rc = front_program(program, sizeof program, err);
    if (rc == 0)
        rc = store_open(global_options.root, &store, err);
    if (rc < 0)
        return rc;
    rc = restart_after_end(c, &store, &start, err);
    store_close(&store);
    return rc;
}

static int clean_up(struct containers *all, const char *id, void *closure, struct error *err)
{
    autocontainer c = CONTAINER_EMPTY;
    struct error why = {0};
    (void)closure;
    int rc = container_open(all, id, &c, &why);
    if (rc == -ENOENT)
        return 0; /* removed meanwhile */
    if (rc < 0)
        return error_set(err, rc, "%s", why.text);
    rc = container_ended(&c, -1, err);
    return rc < 0 || !c.plan.restart ? rc : start_again(&c, err);
}

int command_ended(const struct invocation *call, void *options, struct error *err)
{
    (void)options;
    return for_each_word(call, clean_up, NULL, err);
}
