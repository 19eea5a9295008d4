/* SPDX-License-Identifier: Apache-2.0 */
#include "build/run_mounts.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>

#include "archive/tree_place.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "base/memory.h"
#include "base/text.h"
#include "build/secrets.h"

#define AGENT_SOCKET "/run/buildkit/ssh_agent." /* and its number, as with BuildKit */
#define STUBS_MAX 200                           /* parts of missing mount points */

/* --- planning --- */

static int find_target(struct stage_run *run, const struct step_mount *words, char *out,
                       struct error *err)
{
    const char *before =
        run->config.working_dir && *run->config.working_dir ? run->config.working_dir : "/";
    autocopypath path = {0};
    copy_path_read(words->target, before, &path);
    return inroot_clean(path.clean, "the target of a mount", out, err);
}

/* As a COPY of the same source would be described. */
static void describe(struct run_mount *m)
{
    m->step = (struct step){.kind = INSTRUCTION_COPY,
                            .from = m->words->from ? xstrdup(m->words->from) : NULL,
                            .target = xstrdup("/")};
    strv_add(&m->step.sources, m->words->source ? m->words->source : "/");
}

static int plan_bind(struct stage_run *run, struct run_mount *m, struct error *err)
{
    describe(m);
    m->copying = (struct copying)COPYING(run, &m->step);
    m->copying.placing.target = "/";
    m->copying.placing.directory = true;
    return copying_begin(&m->copying, m->words->place, err);
}

/* A base image is not who the secrets were given to. */
static int check_trigger(const struct stage_run *run, const struct step_mount *words,
                         struct error *err)
{
    bool ours = words->kind == MOUNT_SECRET || words->kind == MOUNT_SSH;
    if (!run->trigger || !ours || strv_has(&run->build->options->allow, "onbuild.secrets"))
        return 0;
    return error_set(err, -EPERM,
                     "an ONBUILD of the base image asks for the %s %s: allow it with caisson build "
                     "--allow onbuild.secrets",
                     words->kind == MOUNT_SECRET ? "secret" : "ssh agent",
                     words->id ? words->id : "default");
}

/* `number`: how many ssh agents come before. */
static int plan_one(struct stage_run *run, const struct step_mount *words, size_t number,
                    struct run_mount *m, struct error *err)
{
    *m = (struct run_mount){.words = words, .lock = -1, .source = {.fd = -1}};
    m->copying = (struct copying)COPYING(run, &m->step);
    int rc = check_trigger(run, words, err);
    if (rc == 0 && words->target)
        rc = find_target(run, words, m->target, err);
    if (words->kind == MOUNT_SSH && !words->target)
        snprintf(m->target, sizeof m->target, AGENT_SOCKET "%zu", number);
    if (rc == 0 && (words->kind == MOUNT_BIND || (words->kind == MOUNT_CACHE && words->from)))
        rc = plan_bind(run, m, err);
    m->copies = words->kind == MOUNT_CACHE || !m->copying.from.key[0] || words->read_write;
    return rc;
}

int run_mounts_plan(struct stage_run *run, const struct step *step, struct run_mounts *out,
                    struct error *err)
{
    int rc = 0;
    size_t agents = 0;
    *out = (struct run_mounts){.run = run, .secrets = -1, .script_source = {.fd = -1}};
    out->script = step->script;
    out->items = xcalloc(step->mount_count + 1, sizeof *out->items);
    for (size_t n = 0; rc == 0 && n < step->mount_count; n++) {
        rc = plan_one(run, &step->mounts[n], agents, &out->items[n], err);
        agents += step->mounts[n].kind == MOUNT_SSH;
        out->count++;
        if (rc < 0 && !strstr(err->text, "\n")) {
            struct error inner = *err;
            (void)dockerfile_wrong(&run->build->file, step->mounts[n].place, err, "%s", inner.text);
            err->code = inner.code;
        }
    }
    return rc;
}

void run_mounts_key(const struct run_mounts *mounts, struct key *key)
{
    key_number(key, (int64_t)mounts->count);
    for (size_t i = 0; i < mounts->count; i++) {
        const struct run_mount *m = &mounts->items[i];
        key_number(key, m->words->kind);
        key_text(key, m->target);
        key_text(key, m->words->env);
        key_number(key, m->words->read_write);
        key_text(key, m->words->id);
        key_text(key, m->copying.content);
        key_number(key, m->words->size);
        key_number(key, m->words->mode);
        key_number(key, m->words->uid);
        key_number(key, m->words->gid);
        key_number(key, m->words->required);
    }
}

/* --- places of our own --- */

static int own_directory(struct run_mounts *mounts, struct error *err)
{
    const struct build *b = mounts->run->build;
    if (!mounts->entry[0]) {
        snprintf(mounts->entry, sizeof mounts->entry, "m%zu.%zu", mounts->run->number,
                 mounts->run->step);
        if (mkdirat(b->staging.fd, mounts->entry, 0755) < 0)
            return error_errno(err, "cannot create a place for mounts");
    }
    return open_directory_at(b->staging.fd, mounts->entry, err);
}

static int hidden_directory(struct run_mounts *mounts, struct error *err)
{
    const struct build *b = mounts->run->build;
    char path[64];
    if (mounts->secrets >= 0)
        return mounts->secrets;
    snprintf(mounts->hidden, sizeof mounts->hidden, "hidden%zu.%zu", mounts->run->number,
             mounts->run->step);
    if (mkdirat(b->staging.fd, mounts->hidden, 0700) < 0)
        return error_errno(err, "cannot create a place for secrets");
    autofd dir = open_directory_at(b->staging.fd, mounts->hidden, err);
    if (dir < 0)
        return dir;
    snprintf(path, sizeof path, "/proc/self/fd/%d", dir);
    const unsigned long flags = MS_NOSUID | MS_NODEV;
    if (mount("caisson", path, "tmpfs", flags, "mode=0711,size=8m,noswap") < 0 &&
        mount("caisson", path, "tmpfs", flags, "mode=0711,size=8m") < 0)
        return error_errno(err, "cannot make a place for secrets");
    return mounts->secrets = open_directory_at(b->staging.fd, mounts->hidden, err);
}

static int write_hidden(struct run_mounts *mounts, const char *name, const void *bytes,
                        size_t length, mode_t mode, uid_t uid, gid_t gid, struct error *err)
{
    int dir = hidden_directory(mounts, err);
    if (dir < 0)
        return dir;
    autofd fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    int rc = fd < 0 ? -errno : write_all(fd, bytes, length);
    if (rc == 0 && (fchown(fd, uid, gid) < 0 || fchmod(fd, mode) < 0))
        rc = -errno;
    if (rc < 0)
        return error_set(err, rc, "cannot write a secret for the step: %s", error_describe(rc));
    int out = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    return out < 0 ? error_errno(err, "cannot open a secret for the step") : out;
}

/* --- preparing --- */

static int open_copy(struct run_mounts *mounts, struct run_mount *m, size_t number,
                     struct error *err)
{
    char name[32];
    autofd place = own_directory(mounts, err);
    if (place < 0)
        return place;
    snprintf(name, sizeof name, "%zu", number);
    if (mkdirat(place, name, 0755) < 0)
        return error_errno(err, "cannot create a place for a mount");
    autofd dir = open_directory_at(place, name, err);
    int rc = dir < 0 ? dir : copying_fill(&m->copying, dir, err);
    if (rc < 0)
        return rc;
    const struct selection *s = &m->copying.selection;
    if (s->contents)
        return m->source.fd = take_fd(&dir);
    if (s->count == 0)
        return error_set(err, -ENOENT, "%s is not in %s", m->step.sources.items[0],
                         m->copying.root.what);
    m->source.fd = openat(dir, s->items[0].target, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    return m->source.fd < 0 ? error_errno(err, "cannot open the source of a mount") : 0;
}

static int open_layers(struct run_mounts *mounts, struct run_mount *m, struct error *err)
{
    struct build *b = mounts->run->build;
    struct stage_run other = {.build = b,
                              .layers = m->copying.from.stage.layers,
                              .layer_count = m->copying.from.stage.layer_count};
    autofree int *fds = xcalloc(stage_layer_room(&other), sizeof *fds);
    size_t count;
    int rc = stage_open_layers(&other, false, fds, &count, err);
    if (rc < 0)
        return rc;
    m->source.layers = xcalloc(count + 1, sizeof *m->source.layers);
    m->source.layers[0] = b->empty;
    memcpy(m->source.layers + 1, fds, count * sizeof *fds);
    m->source.layer_count = count + 1;
    return 0;
}

static int open_secret(struct run_mounts *mounts, struct run_mount *m, size_t number,
                       struct error *err)
{
    const struct step_mount *w = m->words;
    const struct secret *secret = secret_find(mounts->run->build->secrets, w->id);
    char name[32];
    if (!secret) {
        m->skipped = true;
        return w->required ? error_set(err, -ENOENT,
                                       "the secret %s is required: give it with --secret "
                                       "id=%s,src=FILE",
                                       w->id, w->id)
                           : 0;
    }
    if (w->env)
        strv_fmt(&mounts->env, "%s=%.*s", w->env, (int)secret->value.len, buf_text(&secret->value));
    if (w->env && !w->target) {
        m->skipped = true;
        return 0;
    }
    snprintf(name, sizeof name, "secret%zu", number);
    m->source.fd =
        write_hidden(mounts, name, buf_text(&secret->value), secret->value.len,
                     w->mode >= 0 ? (mode_t)w->mode : 0400, w->uid >= 0 ? (uid_t)w->uid : 0,
                     w->gid >= 0 ? (gid_t)w->gid : 0, err);
    return m->source.fd < 0 ? m->source.fd : 0;
}

static int open_agent(struct run_mounts *mounts, struct run_mount *m, size_t number,
                      struct error *err)
{
    const struct step_mount *w = m->words;
    const char *id = w->id ? w->id : "default";
    const char *socket = pairs_find(&mounts->run->build->secrets->agents, id, strlen(id));
    char path[80], name[32];
    if (!socket) {
        m->skipped = true;
        return w->required ? error_set(err, -ENOENT,
                                       "the step needs an ssh agent: give it with --ssh %s", id)
                           : 0;
    }
    int dir = hidden_directory(mounts, err);
    if (dir < 0)
        return dir;
    if (mounts->agent_count == sizeof mounts->agents / sizeof *mounts->agents)
        return error_set(err, -E2BIG, "more than 8 ssh agents in one step");
    snprintf(name, sizeof name, "agent%zu", number);
    snprintf(path, sizeof path, "/proc/self/fd/%d/%s", dir, name);
    int rc = agent_relay(path, socket, w->mode >= 0 ? (mode_t)w->mode : 0600,
                         w->uid >= 0 ? (uid_t)w->uid : 0, w->gid >= 0 ? (gid_t)w->gid : 0,
                         &mounts->agents[mounts->agent_count], err);
    if (rc < 0)
        return rc;
    mounts->agent_count++;
    strv_fmt(&mounts->env, "SSH_AUTH_SOCK=%s", m->target);
    m->source.fd = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    return m->source.fd < 0 ? error_errno(err, "cannot open the socket of an ssh agent") : 0;
}

int run_mounts_open(struct run_mounts *mounts, struct error *err)
{
    int rc = 0;
    for (size_t i = 0; rc >= 0 && i < mounts->count; i++) {
        struct run_mount *m = &mounts->items[i];
        switch (m->words->kind) {
        case MOUNT_BIND:
            rc = m->copies ? open_copy(mounts, m, i, err) : open_layers(mounts, m, err);
            break;
        case MOUNT_CACHE:
            rc = run_cache_open(mounts, m, err);
            break;
        case MOUNT_SECRET:
            rc = open_secret(mounts, m, i, err);
            break;
        case MOUNT_SSH:
            rc = open_agent(mounts, m, i, err);
            break;
        case MOUNT_TMPFS:
            break;
        }
    }
    if (rc >= 0 && mounts->script)
        rc = mounts->script_source.fd =
            write_hidden(mounts, "script", mounts->script, strlen(mounts->script), 0555, 0, 0, err);
    return rc < 0 ? rc : 0;
}

/* --- into the plan --- */

static void add_mount(struct plan *plan, const struct run_mount *m)
{
    const struct step_mount *w = m->words;
    struct plan_mount *p = plan_add_mount(plan);
    p->target = xstrdup(m->target);
    p->kind = w->kind == MOUNT_TMPFS      ? PLAN_TMPFS
              : m->source.layer_count > 0 ? PLAN_IMAGE
                                          : PLAN_VOLUME;
    p->source = p->kind == PLAN_TMPFS   ? NULL
                : p->kind == PLAN_IMAGE ? xstrdup(NO_DIGEST)
                                        : xstrdup("build");
    p->manifest = p->kind == PLAN_IMAGE ? xstrdup(NO_DIGEST) : NULL;
    p->given = p->kind == PLAN_VOLUME;
    p->propagation = MS_PRIVATE;
    p->read_only = (w->kind == MOUNT_BIND && !w->read_write) ||
                   (w->kind == MOUNT_CACHE && !w->read_write) || w->kind == MOUNT_SECRET;
    p->suid = w->kind == MOUNT_BIND;
    if (w->kind == MOUNT_TMPFS)
        p->data = w->size > 0 ? xasprintf("mode=1777,size=%lld", (long long)w->size)
                              : xstrdup("mode=1777");
    if (p->kind == PLAN_IMAGE && w->source) {
        autocopypath path = {0};
        copy_path_read(w->source, "/", &path);
        p->subpath = path.clean[1] ? xstrdup(path.clean + 1) : NULL;
    }
}

/* What of a mount point's path the stage does not have: what a link leads to is made where it
 * leads. */
static void find_missing(struct run_mounts *mounts, int root, const char *target)
{
    char real[INROOT_PATH_MAX];
    size_t n;
    if (inroot_find(root, target, real, &n) < 0)
        return;
    while (real[n] && mounts->made.len < STUBS_MAX) {
        n += real[n] == '/';
        n += strcspn(real + n, "/");
        autofree char *path = xasprintf("/%.*s", (int)n, real);
        if (!strv_has(&mounts->made, path))
            strv_add(&mounts->made, path);
    }
}

int run_mounts_add(struct run_mounts *mounts, struct plan *plan, struct launch_source **sources,
                   struct error *err)
{
    size_t before = plan->mount_count;
    for (size_t i = 0; i < mounts->count; i++)
        if (!mounts->items[i].skipped)
            add_mount(plan, &mounts->items[i]);
    if (mounts->script) {
        struct plan_mount *p = plan_add_mount(plan);
        p->kind = PLAN_VOLUME;
        p->source = xstrdup("build");
        p->target = xstrdup(RUN_SCRIPT);
        p->given = true;
        p->read_only = true;
        p->propagation = MS_PRIVATE;
    }
    if (plan->mount_count == 0)
        return 0;
    autofd root = stage_mount(mounts->run, -1, true, err);
    if (root < 0)
        return root;
    struct launch_source *list = xcalloc(plan->mount_count, sizeof *list);
    for (size_t i = 0; i < plan->mount_count; i++) {
        list[i].fd = -1;
        find_missing(mounts, root, plan->mounts[i].target);
    }
    size_t at = before;
    for (size_t i = 0; i < mounts->count; i++)
        if (!mounts->items[i].skipped)
            list[at++] = mounts->items[i].source;
    if (mounts->script)
        list[at] = mounts->script_source;
    *sources = list;
    return 0;
}

/* --- afterwards --- */

/* Directories that were only copied up because a mount point was made in them, and say nothing that
 * is not below: they go as well, from the inside out. */
static void clear_parents(int fs, int below, const char *path)
{
    autofree char *at = xstrdup(path + 1);
    for (char *slash; (slash = strrchr(at, '/'));) {
        struct stat ours, theirs;
        char opaque;
        *slash = '\0';
        const char *name = strrchr(at, '/');
        autofree char *parent = xstrndup(at, name ? (size_t)(name - at) : 0);
        autofd dir = inroot_open_beneath(fs, at, O_RDONLY | O_DIRECTORY);
        autofd known = inroot_open_beneath(below, at, O_PATH | O_DIRECTORY);
        autofd above = inroot_open_beneath(fs, parent, O_PATH | O_DIRECTORY);
        if (dir < 0 || known < 0 || above < 0 || fstat(dir, &ours) < 0 || fstat(known, &theirs) < 0)
            return;
        if (ours.st_mode != theirs.st_mode || ours.st_uid != theirs.st_uid ||
            ours.st_gid != theirs.st_gid ||
            fgetxattr(dir, "user.overlay.opaque", &opaque, sizeof opaque) > 0 ||
            unlinkat(above, name ? name + 1 : at, AT_REMOVEDIR) < 0)
            return;
    }
}

/* Empty, and nothing but what we made: a directory that the step put something into stays, and so
 * does a file with something in it. Deepest first. */
void run_mounts_clear(struct run_mounts *mounts, int upper)
{
    autofd fs = openat(upper, "fs", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    autofd below = mounts->made.len > 0 ? stage_mount(mounts->run, -1, true, NULL) : -1;
    for (size_t i = mounts->made.len; fs >= 0 && i-- > 0;) {
        struct stat st;
        const char *path = mounts->made.items[i];
        const char *slash = strrchr(path, '/');
        autofree char *parent = xstrndup(path + 1, slash > path ? (size_t)(slash - path - 1) : 0);
        autofd dir = inroot_open_beneath(fs, parent, O_PATH | O_DIRECTORY);
        if (dir < 0 || fstatat(dir, slash + 1, &st, AT_SYMLINK_NOFOLLOW) < 0)
            continue;
        if (S_ISDIR(st.st_mode))
            (void)unlinkat(dir, slash + 1, AT_REMOVEDIR);
        else if (S_ISREG(st.st_mode) && st.st_size == 0)
            (void)unlinkat(dir, slash + 1, 0);
        if (below >= 0)
            clear_parents(fs, below, path);
    }
}

void run_mounts_close(struct run_mounts *mounts)
{
    const struct build *b = mounts->run->build;
    for (size_t i = 0; i < mounts->count; i++) {
        struct run_mount *m = &mounts->items[i];
        if (m->source.fd >= 0)
            close(m->source.fd);
        free(m->source.layers);
        if (m->lock >= 0)
            close(m->lock);
        copying_free(&m->copying);
        step_free(&m->step);
    }
    free(mounts->items);
    for (size_t i = 0; i < mounts->agent_count; i++) {
        kill(mounts->agents[i], SIGKILL);
        (void)waitpid(mounts->agents[i], NULL, 0);
    }
    if (mounts->script_source.fd >= 0)
        close(mounts->script_source.fd);
    if (mounts->secrets >= 0) {
        char path[64];
        snprintf(path, sizeof path, "/proc/self/fd/%d", mounts->secrets);
        (void)umount2(path, MNT_DETACH);
        close(mounts->secrets);
    }
    if (mounts->hidden[0])
        (void)unlinkat(b->staging.fd, mounts->hidden, AT_REMOVEDIR);
    if (mounts->entry[0])
        (void)remove_tree_at(b->staging.fd, mounts->entry, NULL);
    for (size_t i = 0; i < mounts->env.len; i++)
        explicit_bzero(mounts->env.items[i], strlen(mounts->env.items[i]));
    strv_free(&mounts->env);
    strv_free(&mounts->made);
}
