/* SPDX-License-Identifier: Apache-2.0 */
/* What is mounted: what was asked for, other containers' mounts, the image's VOLUMEs, places to
 * write. */
#include "container/storage.h"

#include "base/cleanup.h"
#include "base/memory.h"
#include "base/text.h"
#include "container/volumes.h"

#define MOUNTS_MAX 200

int storage_target(struct plan_mount *m, const char *text, const char *what, struct error *err)
{
    static const char *const forbidden[] = {"/", "/proc", "/sys", "/dev"};
    char clean[INROOT_PATH_MAX];
    int rc = inroot_clean(text, what, clean, err);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < sizeof forbidden / sizeof *forbidden; i++) {
        size_t n = strlen(forbidden[i]);
        bool below = i > 0 && i < 3 && starts_with(clean, forbidden[i]) && clean[n] == '/';
        if (streq(clean, forbidden[i]) || below)
            return error_set(err, -EINVAL, "%s: nothing can be mounted at %s in a container", what,
                             clean);
    }
    free(m->target);
    m->target = xstrdup(clean);
    return 0;
}

/* --- the level's own ---------------------------------------------------------------------------
 */

static bool has_target(const struct plan *plan, const char *target)
{
    for (size_t i = 0; i < plan->mount_count; i++)
        if (plan->mounts[i].target && streq(plan->mounts[i].target, target))
            return true;
    return false;
}

/* The size of places to write is bounded, so that filling them is an error for the program inside
 * and not the end of the container. */
static uint64_t scratch_size(const struct plan *plan)
{
    int64_t memory = plan->limits.memory;
    return memory > 0 ? (uint64_t)memory / 4 : UINT64_C(256) << 20;
}

/* Places to write in a read-only root. */
static void add_scratch(struct plan *plan, const char *target, const char *mode, bool no_exec,
                        uint64_t size)
{
    if (has_target(plan, target))
        return;
    struct plan_mount *m = plan_add_mount(plan);
    m->kind = PLAN_TMPFS;
    m->target = xstrdup(target);
    m->data = xasprintf("size=%llu,mode=%s", (unsigned long long)size, mode);
    m->no_exec = no_exec;
}

/* --- other containers' and the image's ---------------------------------------------------------
 */

static char *copy(const char *text)
{
    return text ? xstrdup(text) : NULL;
}

/* All of another container's mounts but those in memory; what was asked for at the same place
 * counts more. */
static int volumes_from(struct planning *p, const char *word, struct error *err)
{
    const char *colon = strrchr(word, ':');
    const char *mode = colon ? colon + 1 : "rw";
    autofree char *name = xstrndup(word, colon ? (size_t)(colon - word) : strlen(word));
    autocontainer other = CONTAINER_EMPTY;
    if (!streq(mode, "ro") && !streq(mode, "rw") && !streq(mode, "z") && !streq(mode, "Z"))
        return error_set(err, -EINVAL, "--volumes-from %s: after the colon stands ro or rw", word);
    int rc = container_find(p->places->containers, name, &other, err);
    if (rc < 0)
        return error_prefix(err, "--volumes-from");
    for (size_t i = 0; i < other.plan.mount_count; i++) {
        const struct plan_mount *from = &other.plan.mounts[i];
        if (from->kind == PLAN_TMPFS || has_target(p->plan, from->target))
            continue;
        struct plan_mount *m = plan_add_mount(p->plan);
        *m = *from;
        m->source = copy(from->source);
        m->target = copy(from->target);
        m->data = NULL;
        m->subpath = copy(from->subpath);
        m->manifest = copy(from->manifest);
        m->labels = (struct strv){0};
        m->read_only |= streq(mode, "ro");
    }
    return 0;
}

/* What --image-volume says is there in their place. */
static int image_volumes(struct planning *p, struct error *err)
{
    const char *kind = p->request->image_volume;
    if (streq(kind, "ignore"))
        return 0;
    for (size_t i = 0; i < p->image->config.volumes.len; i++) {
        const char *target = p->image->config.volumes.items[i];
        char clean[INROOT_PATH_MAX];
        int rc = inroot_clean(target, "the image's VOLUME", clean, err);
        if (rc < 0)
            return rc;
        if (has_target(p->plan, clean))
            continue;
        struct plan_mount *m = plan_add_mount(p->plan);
        if (streq(kind, "tmpfs")) {
            m->kind = PLAN_TMPFS;
            m->data = xasprintf("size=%llu,mode=1777", (unsigned long long)scratch_size(p->plan));
        } else {
            m->kind = PLAN_VOLUME;
            m->idmap = m->copy_up = m->anonymous = m->make = true;
        }
        rc = storage_target(m, clean, "the image's VOLUME", err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static size_t depth(const char *path)
{
    size_t n = 0;
    for (; *path; path++)
        n += *path == '/';
    return n;
}

/* Parents before children; mounts of one depth in the order given. */
static void sort_mounts(struct plan *plan)
{
    for (size_t i = 1; i < plan->mount_count; i++) {
        struct plan_mount m = plan->mounts[i];
        size_t at = i;
        for (; at > 0 && depth(plan->mounts[at - 1].target) > depth(m.target); at--)
            plan->mounts[at] = plan->mounts[at - 1];
        plan->mounts[at] = m;
    }
}

static int finish(struct plan *plan, struct error *err)
{
    char name[VOLUME_NAME_SIZE];
    for (size_t i = 0; i < plan->mount_count; i++) {
        struct plan_mount *m = &plan->mounts[i];
        if (m->kind == PLAN_VOLUME && !m->source) {
            volume_random_name(name);
            m->source = xstrdup(name);
        }
        for (size_t j = 0; j < i; j++)
            if (streq(plan->mounts[j].target, m->target))
                return error_set(err, -EINVAL, "two mounts at %s; leave one out", m->target);
    }
    return 0;
}

/* At `restricted` always; else only when it was asked for, so that --read-only is as Docker's. */
static void add_scratches(struct planning *p)
{
    struct plan *plan = p->plan;
    int asked = p->request->read_only_tmpfs;
    uint64_t size = scratch_size(plan);
    if (!plan->root_read_only)
        return;
    if (asked < 0 ? p->level == LEVEL_RESTRICTED : asked) {
        add_scratch(plan, "/tmp", "1777", false, size);
        add_scratch(plan, "/var/tmp", "1777", false, size);
        add_scratch(plan, "/run", "1777", false, size < 64u << 20 ? size : 64u << 20);
    }
    if (plan->home) {
        autofree char *mode = xasprintf("0700,uid=%u,gid=%u", plan->uid, plan->gid);
        add_scratch(plan, plan->home, mode, false, size);
    }
}

static int each(struct planning *p, const struct strv *words,
                int (*add)(struct planning *, const char *, struct error *), struct error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < words->len; i++)
        rc = add(p, words->items[i], err);
    return rc;
}

int plan_mounts(struct planning *p, struct error *err)
{
    const struct request *r = p->request;
    struct plan *plan = p->plan;
    if (r->volumes.len + r->mounts.len + r->tmpfs.len > MOUNTS_MAX)
        return error_set(err, -E2BIG, "too many mounts: at most %d", MOUNTS_MAX);
    int rc = each(p, &r->volumes, storage_volume, err);
    if (rc == 0)
        rc = each(p, &r->mounts, storage_mount, err);
    if (rc == 0)
        rc = each(p, &r->tmpfs, storage_tmpfs, err);
    if (rc == 0)
        rc = each(p, &r->volumes_from, volumes_from, err);
    if (rc == 0)
        rc = image_volumes(p, err);
    if (rc < 0)
        return rc;
    add_scratches(p);
    if (plan->mount_count > MOUNTS_MAX)
        return error_set(err, -E2BIG, "too many mounts: at most %d", MOUNTS_MAX);
    sort_mounts(plan);
    return finish(plan, err);
}
