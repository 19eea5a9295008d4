/* SPDX-License-Identifier: Apache-2.0 */
/* What a plan mounts besides binds, opened: volumes, which get what they start with, and other
 * images. What a volume has inside belongs to containers, and is opened in-root. */
#include <fcntl.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/memory.h"
#include "base/text.h"
#include "container/opened.h"
#include "container/volumes.h"
#include "path/inroot.h"
#include "runtime/ids.h"

/* On disk a volume's ids are the image's; an ordinary user's stand-in is root there (ids.h). */
static void owner_of(const struct plan *plan, const struct ids *joined, uint32_t *uid,
                     uint32_t *gid)
{
    struct ids ids = *joined;
    ids.base = 0;
    *uid = ids_outside(&ids, ids.stand_in_uid, plan->uid);
    *gid = ids_outside(&ids, ids.stand_in_gid, plan->gid);
}

static int open_subpath(int data, const struct plan_mount *m, struct error *err)
{
    struct stat st;
    autofd fd = inroot_open(data, m->subpath, O_PATH);
    if (fd == -ENOENT)
        return error_set(err, fd, "volume-subpath=%s: there is no such thing in volume %s",
                         m->subpath, m->source);
    if (fd < 0 || fstat(fd, &st) < 0)
        return error_set(err, fd < 0 ? fd : -errno, "cannot open %s in volume %s: %s", m->subpath,
                         m->source, error_describe(fd < 0 ? fd : -errno));
    if (!S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode))
        return error_set(err, -EINVAL,
                         "volume-subpath=%s: in volume %s that is neither a directory nor a file",
                         m->subpath, m->source);
    return take_fd(&fd);
}

static int open_volume(struct container *c, const struct opened *o, const struct plan_mount *m,
                       struct error *err)
{
    struct volume_start start = {
        .layers = o->layers,
        .layer_count = o->layer_count,
        .target = m->target,
        .copy = m->copy_up && !m->subpath,
        .durable = !c->plan.remove || !m->anonymous,
    };
    owner_of(&c->plan, &o->ids, &start.uid, &start.gid);
    autofd data = volume_open(c->all, m->source, &start, err);
    if (data == -ENOENT)
        error_prefix(err, "container %s", c->plan.name);
    return data < 0 || !m->subpath ? take_fd(&data) : open_subpath(data, m, err);
}

static int open_image(struct opened *o, const struct plan_mount *m, struct launch_source *source,
                      struct error *err)
{
    autoimage image = {0};
    int rc = store_resolve(o->store, m->source, &image, err);
    if (rc < 0)
        return error_prefix(err, "cannot mount an image at %s", m->target);
    source->layers = xcalloc(OCI_LAYERS_MAX + 2, sizeof *source->layers);
    return skeleton_bare_layers(o->store, &image, source->layers, &source->layer_count, err);
}

int opened_sources(struct container *c, struct opened *o, struct error *err)
{
    const struct plan *plan = &c->plan;
    int rc = 0;
    if (plan->mount_count == 0)
        return 0;
    o->sources = xcalloc(plan->mount_count, sizeof *o->sources);
    o->source_count = plan->mount_count;
    for (size_t i = 0; i < plan->mount_count; i++)
        o->sources[i].fd = -1;
    for (size_t i = 0; rc >= 0 && i < plan->mount_count; i++) {
        const struct plan_mount *m = &plan->mounts[i];
        if (m->kind == PLAN_VOLUME)
            rc = o->sources[i].fd = open_volume(c, o, m, err);
        else if (m->kind == PLAN_IMAGE)
            rc = open_image(o, m, &o->sources[i], err);
    }
    return rc < 0 ? rc : 0;
}
