/* SPDX-License-Identifier: Apache-2.0 */
/* RUN: a container of our own whose writable layer becomes one of the image's. */
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/memory.h"
#include "base/text.h"
#include "build/run_mounts.h"
#include "container/plan_make.h"
#include "container/start.h"

#define RUN_PIDS 8192 /* a build may be large, and is no server that anybody sends things to */

static int by_text(const void *left, const void *right)
{
    return strcmp(*(char *const *)left, *(char *const *)right);
}

/* --- what is executed, with which variables --- */

static void find_command(const struct stage_run *run, const struct step *step, struct strv *out)
{
    const struct strv *shell = &run->config.shell;
    if (step->exec) {
        strv_copy(out, &step->words);
        return;
    }
    if (step->script && starts_with(step->script, "#!")) {
        strv_add(out, RUN_SCRIPT);
        return;
    }
    if (shell->len > 0) {
        strv_copy(out, shell);
    } else {
        strv_add(out, "/bin/sh");
        strv_add(out, "-c");
    }
    if (step->script)
        strv_add(out, step->script);
    else
        strv_copy(out, &step->words);
}

/* ENV of the image, and ARGs that it does not cover. With `kept` only what counts for the result:
 * without proxies that nobody declared. */
static void find_environment(const struct stage_run *run, bool kept, struct strv *out)
{
    const struct build *b = run->build;
    for (size_t i = 0; i < run->args.len; i++)
        pairs_set(out, run->args.items[i]);
    for (size_t i = 0; !kept && i < b->arguments.len; i++) {
        const char *pair = b->arguments.items[i];
        if (variables_is_proxy(pair, strcspn(pair, "=")))
            pairs_set(out, pair);
    }
    for (size_t i = 0; i < run->config.env.len; i++)
        pairs_set(out, run->config.env.items[i]);
}

static const char *network_of(const struct stage_run *run, const struct step *step)
{
    const char *asked = run->build->options->network;
    if (step->network == STEP_NETWORK_NONE)
        return "none";
    if (step->network == STEP_NETWORK_HOST)
        return "host";
    return asked && !streq(asked, "default") ? asked : "default";
}

static int check_allowed(const struct stage_run *run, const struct step *step, struct error *err)
{
    const struct build_options *o = run->build->options;
    if (step->insecure && !strv_has(&o->allow, "security.insecure"))
        return error_set(err, -EPERM,
                         "--security=insecure takes every protection from this step: allow it with "
                         "caisson build --allow security.insecure");
    if (step->network == STEP_NETWORK_HOST && !strv_has(&o->allow, "network.host"))
        return error_set(err, -EPERM,
                         "--network=host lets this step reach all that the host reaches: allow it "
                         "with caisson build --allow network.host");
    return 0;
}

static void find_key(const struct stage_run *run, const struct step *step,
                     const struct run_mounts *mounts, char out[STEP_KEY_MAX])
{
    const struct build_options *o = run->build->options;
    autostrv command = {0}, env = {0};
    struct key key;
    find_command(run, step, &command);
    find_environment(run, true, &env);
    if (env.len > 0)
        qsort(env.items, env.len, sizeof *env.items, by_text);
    key_begin(&key, "run 1");
    key_text(&key, run->key);
    key_texts(&key, &command);
    key_text(&key, step->script);
    key_texts(&key, &env);
    key_text(&key, run->config.user);
    key_text(&key, run->config.working_dir);
    key_text(&key, network_of(run, step));
    key_texts(&key, &o->egress);
    key_texts(&key, &o->add_hosts);
    key_number(&key, step->insecure);
    run_mounts_key(mounts, &key);
    key_end(&key, out);
}

/* --- the container --- */

static void set_limits(struct request *r, const struct build_options *o)
{
    r->memory = o->memory;
    r->memory_swap = o->memory_swap;
    r->shm_size = o->shm_size;
    r->cpus = o->cpus;
    r->cgroup_parent = o->cgroup_parent;
    strv_copy(&r->ulimits, &o->ulimits);
    strv_copy(&r->add_hosts, &o->add_hosts);
}

/* `name` of the container stays the caller's. */
static void describe(const struct stage_run *run, const struct step *step,
                     const struct run_mounts *mounts, const char *name, struct request *r)
{
    const struct build_options *o = run->build->options;
    static const char *const usual[] = {"NET_RAW", "AUDIT_WRITE", "MKNOD"};
    const char *network = network_of(run, step);
    request_init(r);
    r->image = "build";
    r->name = name;
    r->entrypoint = "";
    r->hostname = "build";
    r->level = step->insecure ? "privileged" : "baseline";
    r->remove = r->by_run = r->foreground = true;
    r->read_only = 0;
    find_command(run, step, &r->words);
    find_environment(run, false, &r->env);
    strv_copy(&r->env, &mounts->env);
    set_limits(r, o);
    for (size_t i = 0; !step->insecure && i < sizeof usual / sizeof *usual; i++)
        strv_add(&r->cap_add, usual[i]);
    if (!step->insecure)
        strv_add(&r->security_opt, "no-new-privileges=false");
    if (!streq(network, "default"))
        strv_add(&r->networks, network);
    if (!streq(network, "none") && !streq(network, "host"))
        strv_copy(&r->egress, &o->egress);
}

static void request_free(struct request *r)
{
    struct strv *const lists[] = {&r->words,   &r->env,      &r->ulimits, &r->add_hosts,
                                  &r->cap_add, &r->networks, &r->egress,  &r->security_opt};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        strv_free(lists[i]);
}

/* What a plan is made from: of the image only what steps see of it. */
static void as_image(const struct stage_run *run, struct image *out)
{
    *out = (struct image){.id = NO_DIGEST, .manifest = NO_DIGEST};
    out->config.os = run->config.os;
    out->config.architecture = run->config.architecture;
    out->config.user = run->config.user;
    out->config.working_dir = run->config.working_dir;
}

static int make_plan(struct stage_run *run, const struct step *step,
                     const struct run_mounts *mounts, struct plan *plan, struct error *err)
{
    struct request request = {0};
    struct image image;
    struct skeleton accounts = {.fs = -1, .empty = -1};
    const struct plan_places places = {run->build->place->store, run->build->place->containers};
    autofree char *name = xasprintf("build-%d-%zu-%zu", (int)getpid(), run->number, run->uppers);
    describe(run, step, mounts, name, &request);
    as_image(run, &image);
    int rc = stage_accounts(run, &accounts.passwd, &accounts.group, err);
    if (rc == 0)
        rc = plan_make(&request, &image, &accounts, &places, plan, err);
    skeleton_close(&accounts);
    request_free(&request);
    if (rc < 0)
        return rc;
    plan->step = true;
    if (plan->limits.pids > 0) /* the level's: nobody asked for it */
        plan->limits.pids = RUN_PIDS;
    /* That of an id without an entry is not there for steps; / is what others take as well. */
    if (plan->home && !pairs_find(&run->config.env, "HOME", 4) &&
        !pairs_find(&run->args, "HOME", 4))
        pairs_set(&plan->env, "HOME=/");
    /* They are what steps write to, and of no image that the store has. */
    char **const none[] = {&plan->passwd, &plan->group, &plan->image_id, &plan->image_manifest};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        free(*none[i]);
        *none[i] = NULL;
    }
    return 0;
}

/* An ordinary user's steps are in a group that systemd gives to their stage: this process moves
 * there, and all that is born of it with it. */
static int find_group(struct stage_run *run, const struct container *c, struct error *err)
{
    struct error why = {0};
    if (!run->scope[0])
        snprintf(run->scope, sizeof run->scope, "%.12s", c->id);
    if (cgroup_delegate(run->scope, "caisson build", &why) == 0 ||
        streq(c->plan.posture.level, "privileged"))
        return 0;
    return cgroup_refuse_any(c->plan.limits.by_flag, why.text, err);
}

static int execute(struct stage_run *run, struct plan *plan, const struct start_root *root,
                   struct error *err)
{
    const struct build_place *place = run->build->place;
    autocontainer c = CONTAINER_EMPTY;
    int exit_code = 125;
    int rc = container_claim(place->containers, plan, &c, err);
    if (rc < 0)
        return rc;
    rc = find_group(run, &c, err);
    const struct start_options options = {
        .foreground = true, .program = place->program, .root = root, .hints = true};
    if (rc == 0)
        rc = container_start(&c, place->store, &options, &exit_code, err);
    if (rc < 0) {
        (void)container_remove(&c, true, NULL);
        return rc;
    }
    if (exit_code == 0)
        return 0;
    return error_set(err, -ECHILD, "the command ended with exit code %d", exit_code);
}

static int carry_out(struct stage_run *run, const struct step *step, struct run_mounts *mounts,
                     int upper, struct error *err)
{
    autoplan plan = {0};
    autofree int *layers = xcalloc(stage_layer_room(run), sizeof *layers);
    autofree struct launch_source *sources = NULL;
    struct start_root root = {.layers = layers, .upper = upper};
    plan_init(&plan);
    int rc = stage_open_layers(run, true, layers, &root.layer_count, err);
    if (rc == 0)
        rc = run_mounts_open(mounts, err);
    if (rc == 0)
        rc = make_plan(run, step, mounts, &plan, err);
    if (rc == 0)
        rc = run_mounts_add(mounts, &plan, &sources, err);
    root.sources = sources;
    if (rc == 0)
        rc = execute(run, &plan, &root, err);
    if (rc == 0)
        run_mounts_clear(mounts, upper);
    return rc;
}

static int run_it(struct stage_run *run, const struct step *step, struct run_mounts *mounts,
                  const char *key, struct error *err)
{
    char entry[32];
    nanoseconds begun = clock_monotonic();
    autofd upper = stage_upper(run, entry, err);
    if (upper < 0)
        return upper;
    int rc = carry_out(run, step, mounts, upper, err);
    return rc < 0 ? rc : stage_made(run, entry, key, begun, err);
}

int stage_execute(struct stage_run *run, const struct step *step, struct error *err)
{
    char key[STEP_KEY_MAX];
    struct run_mounts mounts;
    int rc = check_allowed(run, step, err);
    if (rc < 0)
        return rc;
    rc = run_mounts_plan(run, step, &mounts, err);
    if (rc == 0) {
        find_key(run, step, &mounts, key);
        rc = stage_cached(run, key, err);
        if (rc == 0)
            rc = run_it(run, step, &mounts, key, err);
        if (rc > 0)
            rc = 0;
    }
    run_mounts_close(&mounts);
    return rc;
}
