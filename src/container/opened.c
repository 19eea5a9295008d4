/* SPDX-License-Identifier: Apache-2.0 */
#include "container/opened.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/io.h"
#include "base/memory.h"
#include "base/text.h"
#include "container/start.h"

static bool changed;

void protection_fails(struct posture *posture, const char *name, const char *in_force,
                      const char *why)
{
    for (size_t i = 0; i < posture->count; i++) {
        struct protection *item = &posture->items[i];
        if (!streq(item->name, name))
            continue;
        free(item->in_force);
        free(item->why);
        item->in_force = xstrdup(in_force);
        item->why = xstrdup(why);
        changed = true;
    }
}

bool posture_changed(const struct posture *posture)
{
    return changed && posture->count > 0;
}

static int open_layers(struct container *c, struct store *store, struct opened *o,
                       struct error *err)
{
    struct image image = {0};
    snprintf(image.id, sizeof image.id, "%s", c->plan.image_id);
    image.config.diff_ids = c->plan.layers; /* borrowed for the call */
    int rc = skeleton_open_layers(store, &image, &o->skeleton, err);
    if (rc < 0)
        return rc;
    o->layers = xcalloc(c->plan.layers.len + 2, sizeof *o->layers);
    rc = skeleton_layers(store, &c->plan.layers, o->layers, &o->layer_count, err);
    if (rc < 0)
        return rc;
    if (o->skeleton.empty >= 0)
        o->layers[o->layer_count++] = take_fd(&o->skeleton.empty);
    o->layers[o->layer_count++] = take_fd(&o->skeleton.fs);
    return 0;
}

/* A directory that holds `fs` and `work`; made when missing. The work directory is emptied, as
 * overlayfs wants. */
static int writable_layer(int parent, const char *name, struct error *err)
{
    mode_t mask = umask(0);
    int rc = 0;
    if (mkdirat(parent, name, 0700) < 0 && errno != EEXIST)
        rc = error_errno(err, "cannot create the writable layer");
    autofd dir =
        rc < 0 ? rc : openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (dir < 0 && rc == 0)
        rc = error_errno(err, "cannot open the writable layer");
    if (rc == 0 && ((mkdirat(dir, "fs", 0755) < 0 && errno != EEXIST) ||
                    (mkdirat(dir, "work", 0700) < 0 && errno != EEXIST)))
        rc = error_errno(err, "cannot create the writable layer");
    umask(mask);
    return rc < 0 ? rc : take_fd(&dir);
}

/* A read-only root needs a writable layer too when mount points have to be made in it. */
static bool needs_upper(const struct plan *plan)
{
    static const char *const prepared[] = {"/tmp", "/var/tmp", "/run", "/home/nonroot"};
    if (!plan->root_read_only)
        return true;
    for (size_t i = 0; i < plan->mount_count; i++) {
        bool known = false;
        for (size_t j = 0; j < sizeof prepared / sizeof *prepared; j++)
            known |= streq(plan->mounts[i].target, prepared[j]);
        if (!known)
            return true;
    }
    return plan->cwd && !streq(plan->cwd, "/");
}

static int open_writable(struct container *c, struct opened *o, struct error *err)
{
    if (!needs_upper(&c->plan))
        return 0;
    o->upper = writable_layer(c->home, "upper", err);
    return o->upper < 0 ? o->upper : 0;
}

int opened_seccomp(struct container *c, struct seccomp_program *out, bool *has, struct error *err)
{
    const struct plan *plan = &c->plan;
    autofd cache = -1;
    *has = plan->seccomp != PLAN_SECCOMP_OFF;
    switch (plan->seccomp) {
    case PLAN_SECCOMP_OFF:
        return 0;
    case PLAN_SECCOMP_RESTRICTED:
        return seccomp_builtin(SECCOMP_RESTRICTED, plan->granted, out, err);
    case PLAN_SECCOMP_BASELINE:
        return seccomp_builtin(SECCOMP_BASELINE, plan->granted, out, err);
    case PLAN_SECCOMP_FILE:
        (void)mkdirat(c->all->root_top, "cache", 0700);
        cache = openat(c->all->root_top, "cache", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        return seccomp_from_file(cache, plan->seccomp_file, plan->granted, out, err);
    }
    return error_set(err, -EINVAL, "the plan of container %s names no known filter", plan->name);
}

int opened_landlock(const struct plan *plan, struct landlock_plan *out, struct error *err)
{
    if (!plan->landlock)
        return 0;
    autostrv writable = {0};
    for (size_t i = 0; i < plan->mount_count; i++)
        if (!plan->mounts[i].read_only)
            strv_add(&writable, plan->mounts[i].target);
    return landlock_prepare(!plan->root_read_only, &writable, plan->network == PLAN_NET_HOST, out,
                            err);
}

static int copy_fd(int fd, int *out, struct error *err)
{
    *out = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 3);
    return fd >= 0 && *out < 0 ? error_errno(err, "cannot duplicate a descriptor") : 0;
}

static int copy_fds(const int *fds, size_t count, int **out, size_t *copied, struct error *err)
{
    int rc = 0;
    *out = xcalloc(count + 1, sizeof **out);
    for (*copied = 0; rc == 0 && *copied < count; ++*copied)
        rc = copy_fd(fds[*copied], &(*out)[*copied], err);
    return rc;
}

/* Copies: what is opened is closed with the rest. */
static int take_root(const struct plan *plan, const struct start_root *root, struct opened *o,
                     struct error *err)
{
    int rc = copy_fds(root->layers, root->layer_count, &o->layers, &o->layer_count, err);
    if (rc == 0)
        rc = copy_fd(root->upper, &o->upper, err);
    if (rc < 0 || !root->sources || plan->mount_count == 0)
        return rc;
    o->sources = xcalloc(plan->mount_count, sizeof *o->sources);
    o->source_count = plan->mount_count;
    for (size_t i = 0; i < plan->mount_count; i++)
        o->sources[i].fd = -1;
    for (size_t i = 0; rc == 0 && i < plan->mount_count; i++) {
        const struct launch_source *from = &root->sources[i];
        rc = copy_fd(from->fd, &o->sources[i].fd, err);
        if (rc == 0 && from->layer_count > 0)
            rc = copy_fds(from->layers, from->layer_count, &o->sources[i].layers,
                          &o->sources[i].layer_count, err);
    }
    return rc;
}

int opened_open(struct container *c, struct store *store, const struct start_root *root,
                struct opened *out, struct error *err)
{
    const struct protection *users = posture_find(&c->plan.posture, "user-namespace");
    out->users_asked = users && users->flag && streq(users->flag, "--userns auto");
    out->store = store;
    out->ids = opened_own_ids(&c->plan);
    int rc = opened_joins(c, out, err);
    if (rc == 0 && root) {
        rc = take_root(&c->plan, root, out, err);
    } else if (rc == 0) {
        rc = open_layers(c, store, out, err);
        if (rc == 0)
            rc = open_writable(c, out, err);
        if (rc == 0)
            rc = opened_sources(c, out, err);
    }
    if (rc == 0)
        rc = opened_seccomp(c, &out->seccomp, &out->has_seccomp, err);
    if (rc == 0)
        rc = opened_landlock(&c->plan, &out->landlock, err);
    return rc;
}

void opened_close(struct opened *opened)
{
    for (size_t i = 0; i < opened->layer_count; i++)
        if (opened->layers[i] >= 0)
            close(opened->layers[i]);
    free(opened->layers);
    skeleton_close(&opened->skeleton);
    if (opened->upper >= 0)
        close(opened->upper);
    for (size_t i = 0; i < opened->source_count; i++) {
        struct launch_source *source = &opened->sources[i];
        if (source->fd >= 0)
            close(source->fd);
        for (size_t j = 0; j < source->layer_count; j++)
            close(source->layers[j]);
        free(source->layers);
    }
    free(opened->sources);
    const int joined[] = {opened->join.user, opened->join.pid, opened->join.ipc, opened->join.net,
                          opened->join.shm};
    for (size_t i = 0; i < sizeof joined / sizeof *joined; i++)
        if (joined[i] >= 0)
            close(joined[i]);
    if (opened->has_seccomp)
        seccomp_program_free(&opened->seccomp);
    landlock_plan_free(&opened->landlock);
}
