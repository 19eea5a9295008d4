/* SPDX-License-Identifier: Apache-2.0 */
/* The volumes of one container: made and held while it is being made, gone with it when they are
 * its own. */
#include <fcntl.h>
#include <sys/file.h>

#include "base/io.h"
#include "base/memory.h"
#include "base/text.h"
#include "container/disk.h"
#include "container/volumes.h"

/* Before there is a volume that could be left behind. */
static int note_anonymous(struct container *c, const char *name, struct error *err)
{
    autofd list = container_directory(c, VOLUMES_NAME, err);
    if (list < 0)
        return list;
    autofd note = openat(list, name, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    return note < 0 ? error_errno(err, "cannot note the volumes of container %.12s", c->id) : 0;
}

static int hold(struct container *c, const struct plan *plan, const struct plan_mount *m,
                struct error *err)
{
    struct volume volume = {.anonymous = m->anonymous, .labels = m->labels};
    int fd;
    snprintf(volume.name, sizeof volume.name, "%s", m->source);
    for (;;) {
        struct error why = {0};
        fd = volume_hold(c->all, m->source, &why);
        if (fd != -ENOENT || !m->make) {
            if (fd < 0)
                return error_set(err, fd, "%s", why.text);
            break;
        }
        int rc = volume_create(c->all, &volume, !plan->remove || !m->anonymous, err);
        if (rc < 0)
            return rc;
    }
    c->held_volumes = xrealloc(c->held_volumes, c->held_count + 1, sizeof *c->held_volumes);
    c->held_volumes[c->held_count++] = fd;
    return 0;
}

int container_volumes_claim(struct container *c, const struct plan *plan, struct error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < plan->mount_count; i++) {
        const struct plan_mount *m = &plan->mounts[i];
        if (m->kind != PLAN_VOLUME || m->given)
            continue;
        rc = volume_check_name(m->source, err);
        if (rc == 0 && m->anonymous)
            rc = note_anonymous(c, m->source, err);
        if (rc == 0)
            rc = hold(c, plan, m, err);
    }
    return rc;
}

/* A process that was forked meanwhile has the same descriptors, and closing ours would not do. */
void container_volumes_release(struct container *c)
{
    for (size_t i = 0; i < c->held_count; i++) {
        (void)lock_fd(c->held_volumes[i], LOCK_UN);
        close(c->held_volumes[i]);
    }
    free(take_ptr(c->held_volumes));
    c->held_count = 0;
}

void container_volumes_remove(struct containers *all, int home)
{
    int fd = openat(home, VOLUMES_NAME, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    autodir d = fd < 0 ? NULL : fdopendir(fd);
    const struct dirent *entry;
    if (!d && fd >= 0)
        close(fd);
    while (d && (entry = readdir(d)))
        if (volume_name_valid(entry->d_name))
            (void)volume_remove(all, entry->d_name, NULL, NULL);
}
