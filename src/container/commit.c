/* SPDX-License-Identifier: Apache-2.0 */
#include "container/commit.h"

#include <fcntl.h>
#include <strings.h>

#include "archive/confine.h"
#include "archive/tar_pipe.h"
#include "archive/tree_give.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "base/memory.h"
#include "base/text.h"
#include "container/changes.h"
#include "container/visit.h"
#include "oci/change.h"

/* --- configuration --- */

static void replace(char **field, const char *value)
{
    free(*field);
    *field = xstrdup(value);
}

static const char *find_variable(const struct strv *env, const char *name, size_t length)
{
    for (size_t i = 0; i < env->len; i++)
        if (strncmp(env->items[i], name, length) == 0 && env->items[i][length] == '=')
            return env->items[i];
    return NULL;
}

/* What a run adds by itself is none of the image's. */
static bool is_of_a_run(const char *variable)
{
    static const char *const names[] = {"HOSTNAME", "HOME", "TERM", "PATH"};
    size_t length = strcspn(variable, "=");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strlen(names[i]) == length && strncmp(variable, names[i], length) == 0)
            return true;
    return false;
}

static void set_environment(const struct plan *plan, struct image_config *config)
{
    struct strv env = {0};
    for (size_t i = 0; i < plan->env.len; i++) {
        const char *variable = plan->env.items[i];
        const char *before = find_variable(&config->env, variable, strcspn(variable, "="));
        if (before || !is_of_a_run(variable))
            strv_add(&env, variable);
    }
    strv_free(&config->env);
    config->env = env;
}

/* The plan has one command line; as much of it as the image's entry point is, stays that. */
static void set_command(const struct plan *plan, struct image_config *config)
{
    size_t same = 0;
    while (same < config->entrypoint.len && same < plan->args.len &&
           streq(config->entrypoint.items[same], plan->args.items[same]))
        same++;
    if (same < config->entrypoint.len) { /* another was given */
        strv_free(&config->entrypoint);
        strv_add(&config->entrypoint, plan->args.items[0]);
        same = 1;
    }
    strv_free(&config->command);
    for (size_t i = same; i < plan->args.len; i++)
        strv_add(&config->command, plan->args.items[i]);
}

static void set_health(const struct plan *plan, struct image_config *config)
{
    if (plan->health.test.len == 0)
        return;
    strv_free(&config->health.test);
    strv_copy(&config->health.test, &plan->health.test);
    config->health.interval = plan->health.interval;
    config->health.timeout = plan->health.timeout;
    config->health.start_period = plan->health.start_period;
    config->health.start_interval = plan->health.start_interval;
    config->health.retries = plan->health.retries;
}

void commit_config(const struct plan *plan, struct image_config *config)
{
    bool root_by_default = !config->user || !*config->user;
    set_environment(plan, config);
    set_command(plan, config);
    set_health(plan, config);
    if (plan->user_text && !(root_by_default && streq(plan->user_text, "0")))
        replace(&config->user, plan->user_text);
    if (plan->cwd && !(streq(plan->cwd, "/") && (!config->working_dir || !*config->working_dir)))
        replace(&config->working_dir, plan->cwd);
    if (plan->stop_signal)
        replace(&config->stop_signal, plan->stop_signal);
    strv_free(&config->labels);
    strv_copy(&config->labels, &plan->labels);
    strv_free(&config->on_build); /* it was for who builds on the image's image */
}

int commit_describe(const struct plan *plan, const struct commit_words *words,
                    struct image_config *config, struct error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < words->changes->len; i++)
        rc = image_config_change(config, words->changes->items[i], err);
    if (rc < 0)
        return rc;
    autobuf command = {0};
    strv_join(&plan->args, " ", &command);
    free(config->author);
    config->author = words->author ? xstrdup(words->author) : NULL;
    replace(&config->created, words->created);
    config->history = xrealloc(config->history, config->history_count + 1, sizeof *config->history);
    config->history[config->history_count++] = (struct history_entry){
        .created = xstrdup(words->created),
        .created_by = buf_take(&command),
        .author = words->author ? xstrdup(words->author) : NULL,
        .comment = words->message ? xstrdup(words->message) : NULL,
    };
    return 0;
}

const char *commit_secret(const struct image_config *image, const struct image_config *config)
{
    static const char *const words[] = {"PASSWORD", "PASSWD", "SECRET",     "TOKEN",
                                        "API_KEY",  "APIKEY", "CREDENTIAL", "PRIVATE_KEY"};
    for (size_t i = 0; i < config->env.len; i++) {
        const char *variable = config->env.items[i];
        size_t length = strcspn(variable, "=");
        if (!variable[length] || !variable[length + 1] || strv_has(&image->env, variable))
            continue;
        autofree char *name = xstrndup(variable, length);
        for (size_t j = 0; j < sizeof words / sizeof *words; j++)
            if (strcasestr(name, words[j]))
                return variable;
    }
    return NULL;
}

/* --- the layer --- */

struct reading {
    const struct plan *plan;
    int upper, fd;
};

static int give_layer(void *closure, const struct errand_place *place, uint64_t *count,
                      struct error *err)
{
    const struct reading *r = closure;
    const struct confine_paths allowed = {.read_only = &r->upper, .read_only_count = 1};
    autopipe pipe = {.fd = r->fd};
    struct tar_writer tar = {.sink = tar_pipe_put, .closure = &pipe};
    autostrv foreign = {0};
    container_foreign_places(r->plan, &foreign);
    struct tree_give give = {
        .tar = &tar,
        .descriptors = place->descriptors,
        .name = "",
        .devices = true,
        .layer = true,
        .empty = &foreign,
    };
    int rc = worker_confine(&allowed, err);
    if (rc >= 0)
        rc = tree_give(&give, r->upper, err);
    if (rc == 0)
        rc = tar_write_end(&tar, err);
    if (rc == 0)
        rc = tar_pipe_end(&pipe, err);
    *count = give.entries;
    return rc;
}

static int read_layer(const struct container *c, int fd, struct error *err)
{
    struct errand_run run = ERRAND_RUN_NONE;
    static const char nothing[1024]; /* a tar without entries */
    autofd upper = container_upper(c, err);
    if (upper == -ENOENT) {
        int rc = write_all(fd, nothing, sizeof nothing);
        return rc < 0 ? error_set(err, rc, "cannot write: %s", error_describe(rc)) : 0;
    }
    if (upper < 0)
        return upper;
    struct reading reading = {.plan = &c->plan, .upper = upper, .fd = fd};
    struct errand errand = {.work = give_layer, .closure = &reading};
    int rc = errand_aside(&errand, &run, err);
    if (rc == 0)
        rc = errand_end(&run, NULL, err);
    return rc < 0 ? error_prefix(err, "cannot read what container %s has written", c->plan.name)
                  : 0;
}

int commit_layer(struct container *c, bool pause, int fd, struct error *not_paused,
                 struct error *err)
{
    if (c->now == CONTAINER_RUNNING) {
        struct error ignored = {0};
        bool paused = pause && container_pause(c, true, not_paused) == 0;
        int rc = read_layer(c, fd, err);
        if (paused && container_pause(c, false, &ignored) < 0 && rc == 0)
            rc = error_set(err, ignored.code, "%s", ignored.text);
        return rc;
    }
    int rc = container_lock(c, err); /* nobody starts it meanwhile */
    if (rc == 0)
        rc = read_layer(c, fd, err);
    container_unlock(c);
    return rc;
}
