/* SPDX-License-Identifier: Apache-2.0 */
/* run, create and exec: words to requests, and nothing else. */
#include "cmd/run.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/file.h>

#include "base/io.h"
#include "base/memory.h"
#include "base/text.h"
#include "cmd/dry_run.h"
#include "cmd/front.h"
#include "cmd/print.h"
#include "cmd/run_image.h"
#include "cmd/verb.h"
#include "container/container.h"
#include "container/detach_keys.h"
#include "container/plan_make.h"
#include "container/relay.h"
#include "container/start.h"
#include "runtime/ids.h"
#include "runtime/seal.h"

int front_program(char *path, size_t size, struct error *err)
{
    ssize_t n = readlink("/proc/self/exe", path, size - 1);
    if (n <= 0)
        return error_errno(err, "cannot tell where this program is (is /proc mounted?)");
    path[n] = '\0';
    if (!sealed())
        return 0;
    /* A sealed copy was given the program's path as its name: seal_self(). */
    autobuf words = {0};
    int rc = read_kernel_file("/proc/self/cmdline", 4 << 20, &words, err);
    if (rc == 0)
        snprintf(path, size, "%s", buf_text(&words));
    return rc;
}

int front_seal_for(const struct plan *plan, struct error *err)
{
    /* An ordinary user may own this program, and then so does the root of their containers, whom
     * Landlock keeps from executing it. */
    bool ours = ids_limited() && !plan->landlock && access("/proc/self/exe", W_OK) == 0;
    return plan->namespaces & PLAN_NS_USER && !ours ? 0 : seal_self(err);
}

static int write_cid_file(const char *path, const char *id, struct error *err)
{
    if (!path)
        return 0;
    autofd fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd < 0)
        return error_errno(err, "--cidfile %s: cannot create the file", path);
    int rc = write_all(fd, id, strlen(id));
    if (rc < 0)
        return error_set(err, rc, "--cidfile %s: %s", path, error_describe(rc));
    return 0;
}

/* A terminal can only be handed on by somebody who has one. */
static int check_terminal(const struct request *r, struct error *err)
{
    if (r->detach && r->attach.len > 0)
        return error_set(err, -EINVAL, "--attach and --detach contradict each other");
    if (r->terminal && r->interactive && !r->detach && !isatty(STDIN_FILENO))
        return error_set(err, -ENOTTY, "-t: the standard input is not a terminal; leave -t out");
    return 0;
}

struct engine {
    struct store store;
    struct containers containers;
};

static int engine_open(struct engine *e, struct error *err)
{
    int rc = store_open(global_options.root, &e->store, err);
    if (rc == 0)
        rc = store_lock(&e->store, LOCK_SH, err);
    if (rc == 0)
        rc = containers_open(global_options.root, global_options.state, &e->containers, err);
    return rc;
}

static int make_plan(struct engine *e, const struct request *request, struct plan *plan,
                     struct error *err)
{
    struct image image = {0};
    struct skeleton skeleton = {.fs = -1, .empty = -1};
    const struct plan_places places = {&e->store, &e->containers};
    int rc = front_image(&e->store, request, &image, err);
    if (rc < 0)
        return rc;
    rc = skeleton_open(&e->store, &image, &skeleton, err);
    if (rc == 0) {
        rc = plan_make(request, &image, &skeleton, &places, plan, err);
        skeleton_close(&skeleton);
    }
    image_free(&image);
    return rc;
}

static void take_words(const struct invocation *call, struct request *r)
{
    r->image = call->arguments[0];
    for (size_t i = 1; i < call->count; i++)
        strv_add(&r->words, call->arguments[i]);
}

/* CAISSON_HINTS=no is for scripts that compare what is printed. */
static bool hints_wanted(const struct request *r)
{
    const char *word = getenv("CAISSON_HINTS");
    return !r->quiet && !(word && streq(word, "no"));
}

/* Whether this one of the three streams is shown, or passed on: all are where -a is not given. */
static bool attached(const struct request *r, const char *stream)
{
    return r->attach.len == 0 || strv_has(&r->attach, stream);
}

static int start_it(struct engine *e, struct container *c, const struct request *r,
                    struct error *err)
{
    char program[PATH_MAX];
    struct detach_keys keys;
    int exit_code = 125;
    int rc = detach_keys_parse(r->detach_keys, &keys, err);
    if (rc == 0)
        rc = front_program(program, sizeof program, err);
    struct start_options options = {
        .foreground = !r->detach,
        .interactive = r->interactive && attached(r, "stdin"),
        .no_out = !attached(r, "stdout"),
        .no_err = !attached(r, "stderr"),
        .keys = &keys,
        .sig_proxy = r->sig_proxy != 0,
        .program = program,
        .hints = hints_wanted(r),
    };
    if (rc == 0)
        rc = container_start(c, &e->store, &options, &exit_code, err);
    if (rc < 0) {
        if (r->remove || exit_code == 125)
            (void)container_remove(c, true, NULL);
        return exit_code > 0 ? exit_code : 125;
    }
    if (rc == RELAY_DETACHED)
        tell_detached(c);
    if (r->detach) {
        autobuf line = {0};
        buf_fmt(&line, "%s\n", c->id);
        (void)print(&line);
    }
    return exit_code;
}

/* What it has by default, but cannot have here. */
static void tell_network(const struct plan *plan, const struct request *r)
{
    const struct protection *network = posture_find(&plan->posture, "network");
    if (hints_wanted(r) && network && network->why)
        tell_warning("container %s has no network: %s", plan->name, network->why);
}

int command_run(const struct invocation *call, void *options, struct error *err)
{
    struct request *r = options;
    struct engine e = {.store = {.root_fd = -1, .lock_fd = -1}};
    autoplan plan = {0};
    autocontainer c = CONTAINER_EMPTY;
    plan_init(&plan);
    take_words(call, r);
    r->by_run = true;
    r->foreground = !r->detach && !r->dry_run;
    int rc = check_terminal(r, err);
    if (rc == 0)
        rc = engine_open(&e, err);
    if (rc == 0)
        rc = make_plan(&e, r, &plan, err);
    if (rc == 0 && r->dry_run)
        return dry_run_print(&plan, r->format);
    if (rc == 0)
        rc = front_seal_for(&plan, err); /* begins anew: what is told comes after */
    if (rc == 0)
        rc = container_claim(&e.containers, &plan, &c, err);
    if (rc < 0)
        return rc;
    tell_network(&c.plan, r);
    rc = front_delegate(&c, hints_wanted(r), err);
    if (rc == 0)
        rc = write_cid_file(r->cid_file, c.id, err);
    if (rc < 0) {
        (void)container_remove(&c, true, NULL);
        return rc;
    }
    return start_it(&e, &c, r, err);
}

int command_create(const struct invocation *call, void *options, struct error *err)
{
    struct request *r = options;
    struct engine e = {.store = {.root_fd = -1, .lock_fd = -1}};
    autoplan plan = {0};
    autocontainer c = CONTAINER_EMPTY;
    plan_init(&plan);
    take_words(call, r);
    int rc = engine_open(&e, err);
    if (rc == 0)
        rc = make_plan(&e, r, &plan, err);
    if (rc == 0)
        rc = front_check_limits(&plan, hints_wanted(r), err);
    if (rc == 0)
        rc = container_create(&e.containers, &plan, &c, err);
    if (rc < 0)
        return rc;
    tell_network(&c.plan, r);
    rc = write_cid_file(r->cid_file, c.id, err);
    if (rc < 0) {
        (void)container_remove(&c, true, NULL);
        return rc;
    }
    autobuf line = {0};
    buf_fmt(&line, "%s\n", c.id);
    return print(&line);
}

int command_exec(const struct invocation *call, void *options, struct error *err)
{
    const struct exec_words *w = options;
    struct detach_keys keys;
    struct containers all;
    autocontainer c = CONTAINER_EMPTY;
    struct exec_options exec = {
        .user = w->user,
        .cwd = w->workdir,
        .terminal = w->terminal,
        .interactive = w->interactive,
        .detached = w->detach,
        .keys = &keys,
    };
    int exit_code = 125;
    if (w->terminal && w->interactive && !w->detach && !isatty(STDIN_FILENO))
        return error_set(err, -ENOTTY, "-t: the standard input is not a terminal; leave -t out");
    int rc = detach_keys_parse(w->detach_keys, &keys, err);
    if (rc == 0)
        rc = containers_open(global_options.root, global_options.state, &all, err);
    if (rc == 0)
        rc = container_find(&all, call->arguments[0], &c, err);
    if (rc == 0)
        rc = front_seal_for(&c.plan, err);
    if (rc < 0)
        return rc;
    for (size_t i = 1; i < call->count; i++)
        strv_add(&exec.args, call->arguments[i]);
    rc = environment_words(&w->env_files, &w->env, &exec.env, err);
    if (rc == 0)
        rc = container_exec(&c, &exec, &exit_code, err);
    strv_free(&exec.args);
    strv_free(&exec.env);
    return rc < 0 && exit_code <= 0 ? rc : exit_code;
}
