/* SPDX-License-Identifier: Apache-2.0 */
/* exec of caisson-runtime: the container's own process with what the words change, or another. */
#include <fcntl.h>
#include <stdlib.h>

#include "base/io.h"
#include "base/memory.h"
#include "base/process.h"
#include "base/text.h"
#include "cmd/runtime.h"
#include "path/inroot.h"
#include "runtime/seal.h"

static int read_process_file(const char *path, struct bundle *bundle, struct error *err)
{
    autobuf text = {0};
    int rc = read_file_at(AT_FDCWD, path, PLAN_TEXT_MAX, &text, err);
    if (rc == 0)
        rc = bundle_read_process(buf_text(&text), text.len, bundle, err);
    return rc < 0 ? error_prefix(err, "--process %s", path) : 0;
}

static int read_user(const char *text, struct plan *plan, struct error *err)
{
    autostrv parts = {0};
    uint64_t uid = 0, gid = 0;
    strv_split(&parts, text, ':');
    if (parts.len > 2 || parse_u64(parts.items[0], UINT32_MAX - 1, &uid) < 0 ||
        (parts.len == 2 && parse_u64(parts.items[1], UINT32_MAX - 1, &gid) < 0))
        return error_set(err, -EINVAL,
                         "--user takes numbers, UID or UID:GID: a runtime knows no names");
    plan->uid = (uint32_t)uid;
    plan->gid = (uint32_t)gid;
    return 0;
}

static int read_groups(const struct strv *words, struct plan *plan, struct error *err)
{
    if (!words->len)
        return 0;
    free(take_ptr(plan->groups));
    plan->groups = xcalloc(words->len, sizeof *plan->groups);
    for (plan->group_count = 0; plan->group_count < words->len; plan->group_count++) {
        uint64_t gid;
        if (parse_u64(words->items[plan->group_count], UINT32_MAX - 1, &gid) < 0)
            return error_set(err, -EINVAL, "--additional-gids takes numbers, not \"%.40s\"",
                             words->items[plan->group_count]);
        plan->groups[plan->group_count] = (uint32_t)gid;
    }
    return 0;
}

/* Never above the container's own bounding set; nothing is inherited (CVE-2022-29162). */
static int add_caps(const struct strv *words, struct plan *plan, struct error *err)
{
    for (size_t i = 0; i < words->len; i++) {
        uint64_t one = 0;
        int rc = caps_parse(words->items[i], &one, err);
        if (rc < 0)
            return error_prefix(err, "--cap");
        if (one & ~plan->caps.bounding)
            return error_set(err, -EPERM,
                             "--cap %.40s: the container's bounding set does not have it",
                             words->items[i]);
        plan->caps.permitted |= one;
        plan->caps.effective |= one;
    }
    return 0;
}

static int change_label(struct label *label, enum label_kind kind, const char *text,
                        struct error *err)
{
    struct label other = {0};
    if (!text)
        return 0;
    int rc = label_prepare(kind, text, &other, err);
    if (rc < 0)
        return rc;
    label_free(label);
    *label = other;
    return 0;
}

/* The later of two of one name counts. */
static void add_env(const struct strv *words, struct strv *env)
{
    for (size_t i = 0; i < words->len; i++) {
        size_t length = strcspn(words->items[i], "="), at = 0;
        while (at < env->len && (strncmp(env->items[at], words->items[i], length) != 0 ||
                                 env->items[at][length] != '='))
            at++;
        if (at == env->len) {
            strv_add(env, words->items[i]);
        } else {
            free(env->items[at]);
            env->items[at] = xstrdup(words->items[i]);
        }
    }
}

static int check_words(const struct invocation *call, const struct runtime_exec_options *o,
                       struct error *err)
{
    for (size_t i = 0; i < o->env.len; i++)
        if (!strchr(o->env.items[i], '=') || o->env.items[i][0] == '=')
            return error_set(err, -EINVAL, "--env takes NAME=VALUE, not \"%.40s\"",
                             o->env.items[i]);
    if (o->process && call->count > 1)
        return error_set(err, -EINVAL, "--process FILE has the command: leave \"%.40s\" out",
                         call->arguments[1]);
    if (!o->process && call->count < 2)
        return error_set(err, -EINVAL, "give a command, or --process FILE");
    return 0;
}

static int change_process(const struct invocation *call, const struct runtime_exec_options *o,
                          struct bundle *bundle, struct error *err)
{
    struct plan *plan = &bundle->plan;
    char cwd[INROOT_PATH_MAX];
    strv_free(&plan->args);
    for (size_t i = 1; i < call->count; i++)
        strv_add(&plan->args, call->arguments[i]);
    plan->terminal = o->terminal;
    add_env(&o->env, &plan->env);
    if (o->no_new_privs >= 0)
        plan->no_new_privs = o->no_new_privs;
    int rc = o->user ? read_user(o->user, plan, err) : 0;
    if (rc == 0)
        rc = read_groups(&o->groups, plan, err);
    if (rc == 0)
        rc = add_caps(&o->caps, plan, err);
    if (rc == 0 && o->cwd) {
        rc = inroot_clean(o->cwd, "--cwd", cwd, err);
        free(plan->cwd);
        plan->cwd = xstrdup(rc == 0 ? cwd : "/");
    }
    if (rc == 0)
        rc = change_label(&plan->label, LABEL_APPARMOR, o->apparmor, err);
    return rc < 0 ? rc : change_label(&plan->label, LABEL_SELINUX, o->process_label, err);
}

static int make_process(const struct invocation *call, const struct runtime_exec_options *o,
                        struct bundle *bundle, struct error *err)
{
    uint64_t bounding = bundle->plan.caps.bounding;
    int rc = o->process ? read_process_file(o->process, bundle, err)
                        : change_process(call, o, bundle, err);
    if (rc == 0 && o->process && o->terminal)
        bundle->plan.terminal = true;
    if (rc == 0 && bundle->plan.terminal && o->detach && !o->console_socket)
        return error_set(err, -EINVAL,
                         "a terminal needs --console-socket PATH, to which it is sent, or no -d");
    if (rc < 0)
        return rc;
    struct caps *caps = &bundle->plan.caps;
    if ((caps->bounding | caps->permitted) & ~bounding)
        strv_add(&bundle->warnings, "process.capabilities: the container's bounding set does not "
                                    "have all of them");
    caps->bounding &= bounding;
    caps->permitted &= bounding;
    caps->effective &= bounding;
    caps->inheritable &= bounding;
    caps->ambient &= bounding;
    bundle_limit_caps(bundle);
    return 0;
}

static int check_status(const struct living *c, const struct runtime_exec_options *o,
                        struct error *err)
{
    if (c->now == LIFE_STOPPED || c->now == LIFE_CREATING)
        return error_set(err, -ESRCH, "cannot exec in container %s: container not running", c->id);
    if (c->now == LIFE_PAUSED && !o->ignore_paused)
        return error_set(err, -EBUSY,
                         "cannot exec in a paused container: resume %s, or give --ignore-paused",
                         c->id);
    return 0;
}

int command_runtime_exec(const struct invocation *call, void *options, struct error *err)
{
    const struct runtime_exec_options *o = options;
    autoroot root = {.fd = -1};
    autoliving c = LIVING_NONE;
    autobundle bundle = {0};
    autostrv env = {0};
    struct exec_process process = {
        .bundle = &bundle,
        .pid_file = o->pid_file,
        .console_socket = o->console_socket,
        .detached = o->detach,
    };
    struct launched run = {.pidfd = -1, .terminal = -1, .cgroup = CGROUP_EMPTY};
    int exit_code = 255, status = 0;
    int rc = check_words(call, o, err);
    if (rc == 0)
        rc = runtime_keep(o->preserve_fds, &process.keep, &env, err);
    if (rc == 0)
        rc = runtime_find(call, false, &root, &c, err);
    if (rc == 0)
        rc = check_status(&c, o, err);
    if (rc == 0)
        rc = living_read_config(&c, &bundle, err);
    /* Also with a user namespace: its map may have the owner of this program. */
    if (rc == 0)
        rc = seal_self(err);
    if (rc == 0)
        rc = make_process(call, o, &bundle, err);
    if (rc < 0)
        return rc;
    strv_copy(&bundle.plan.env, &env);
    runtime_warn(&bundle.warnings);
    rc = runtime_words(life_exec(&c, &process, &run, &exit_code, err), err);
    if (rc < 0 || o->detach)
        return rc;
    rc = runtime_wait(&run, &status, err);
    return rc < 0 ? rc : process_exit_code(status);
}
