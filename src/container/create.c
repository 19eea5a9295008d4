/* SPDX-License-Identifier: Apache-2.0 */
/* Putting a planned container on disk. */
#include <fcntl.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/memory.h"
#include "base/text.h"
#include "container/disk.h"
#include "container/events.h"
#include "container/names.h"
#include "container/summary.h"
#include "container/volumes.h"

#define RANDOM_NAME_TRIES 100
#define RANDOM_NAME_PLAIN 5 /* then they get a number, for those who have thousands */

/* Nothing of it needs a disk: it is read-only, no volume goes with it and nobody will look for it
 * later. */
static bool belongs_in_state(const struct plan *plan)
{
    if (!plan->remove || !plan->root_read_only)
        return false;
    for (size_t i = 0; i < plan->mount_count; i++)
        if (plan->mounts[i].anonymous)
            return false;
    return true;
}

static int choose_id(struct plan *plan, struct error *err)
{
    unsigned char random[(CONTAINER_ID_MAX - 1) / 2];
    if (plan->id) {
        if (!id_valid(plan->id))
            return error_set(err, -EINVAL, "the container's id is not 64 hexadecimal digits");
        return 0;
    }
    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
        return error_errno(err, "cannot get random bytes");
    plan->id = xmalloc(CONTAINER_ID_MAX);
    hex_encode(random, sizeof random, plan->id);
    return 0;
}

static int choose_name(struct container *c, struct plan *plan, struct error *err)
{
    bool in_root = !c->in_state;
    if (plan->name)
        return name_claim(c->all, plan->name, plan->id, in_root, err);
    for (int i = 0;; i++) {
        char name[64];
        container_random_name(name);
        if (i >= RANDOM_NAME_PLAIN) {
            size_t length = strlen(name);
            snprintf(name + length, sizeof name - length, "_%d", i);
        }
        int rc = name_claim(c->all, name, plan->id, in_root, err);
        if (rc == 0)
            plan->name = xstrdup(name);
        if (rc != -EEXIST || i == RANDOM_NAME_TRIES)
            return rc;
    }
}

/* A file that appears whole or not at all. `durable` leaves the directory's fsync to the caller. */
static int put_file(int dir, const char *name, const char *temporary, const void *bytes,
                    size_t length, bool durable, struct error *err)
{
    autofd fd = openat(dir, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return error_errno(err, "cannot write %s", name);
    int rc = write_all(fd, bytes, length);
    if (rc == 0 && durable && fsync(fd) < 0)
        rc = -errno;
    if (rc == 0 && renameat(dir, temporary, dir, name) < 0)
        rc = -errno;
    if (rc < 0)
        return error_set(err, rc, "cannot write %s: %s", name, error_describe(rc));
    return 0;
}

/* The image first: once there is a config.json, nobody may collect what it needs. */
static int put_files(struct container *c, const struct plan *plan, struct error *err)
{
    autobuf config = {0};
    bool durable = !plan->remove;
    int rc = plan_write_checked(plan, CONFIG_MAX - CONFIG_SPARE, &config, err);
    if (rc < 0)
        return rc;
    if (plan->image_id && plan->image_manifest) {
        autobuf image = {0};
        buf_fmt(&image, "%s\n%s\n", plan->image_id, plan->image_manifest);
        for (size_t i = 0; i < plan->mount_count; i++)
            if (plan->mounts[i].kind == PLAN_IMAGE)
                buf_fmt(&image, "%s\n%s\n", plan->mounts[i].source, plan->mounts[i].manifest);
        rc = put_file(c->home, IMAGE_NAME, ".image", buf_text(&image), image.len, durable, err);
        if (rc < 0)
            return rc;
    }
    rc = summary_write(c->home, plan, err);
    if (rc < 0)
        return rc;
    rc = put_file(c->home, CONFIG_NAME, ".config", buf_text(&config), config.len, durable, err);
    if (rc < 0 || !durable)
        return rc;
    if (fsync(c->home) < 0 || fsync(c->all->root_fd) < 0 || fsync(c->all->root_names) < 0)
        return error_errno(err, "cannot write the container to disk");
    return 0;
}

static int make_directories_of(struct container *c, const char *id, struct error *err)
{
    c->lock = disk_lock(c->all, id, true, LOCK_EX, err);
    if (c->lock < 0)
        return c->lock;
    c->state = openat(c->lock, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (c->state < 0)
        return error_errno(err, "cannot open %s/containers/%s", c->all->state, id);
    if (c->in_state) {
        c->home = c->state;
        return 0;
    }
    if (mkdirat(c->all->root_fd, id, 0700) < 0)
        return error_errno(err, "cannot create %s/containers/%s", c->all->root, id);
    c->home = open_directory_at(c->all->root_fd, id, err);
    return c->home < 0 ? c->home : 0;
}

static void undo(struct container *c, struct plan *plan, bool named)
{
    container_volumes_release(c);
    if (c->lock >= 0)
        (void)disk_remove(c->all, c->id, plan->name, !c->in_state, NULL);
    if (!named)
        free(take_ptr(plan->name));
}

int container_claim(struct containers *all, struct plan *plan, struct container *out,
                    struct error *err)
{
    autocontainer c = CONTAINER_EMPTY;
    bool named = plan->name != NULL, chosen = plan->id != NULL;
    plan_init(&c.plan);
    c.all = all;
    c.in_state = belongs_in_state(plan);
    int rc = choose_id(plan, err);
    if (rc < 0)
        return rc;
    memcpy(c.id, plan->id, CONTAINER_ID_MAX);
    if (chosen && disk_alive(all, c.id))
        return error_set(err, -EEXIST, "there is a container with the id %.12s already", c.id);
    if (!plan->created) {
        plan->created = xmalloc(RFC3339_MAX);
        format_rfc3339(clock_wall(), plan->created);
    }
    rc = make_directories_of(&c, c.id, err);
    if (rc == 0 && plan->cgroup_parent &&
        symlinkat(plan->cgroup_parent, c.state, PARENT_NAME) < 0 && errno != EEXIST)
        rc = error_errno(err, "cannot note the parent of container %.12s", c.id);
    if (rc == 0)
        rc = choose_name(&c, plan, err);
    if (rc == 0)
        rc = container_volumes_claim(&c, plan, err);
    if (rc < 0) {
        undo(&c, plan, named);
        return rc;
    }
    c.plan = *plan;
    plan_init(plan);
    c.now = CONTAINER_CREATED;
    c.unwritten = true;
    *out = c;
    c = (struct container)CONTAINER_EMPTY;
    return 0;
}

int container_write(struct container *c, struct error *err)
{
    if (!c->unwritten)
        return 0;
    int rc = put_files(c, &c->plan, err);
    if (rc < 0)
        return rc;
    c->unwritten = false;
    container_volumes_release(c);
    event_tell(c->all, &c->plan, c->id, "create", NULL, NULL);
    return 0;
}

int container_create(struct containers *all, struct plan *plan, struct container *out,
                     struct error *err)
{
    autocontainer c = CONTAINER_EMPTY;
    bool named = plan->name != NULL;
    int rc = container_claim(all, plan, &c, err);
    if (rc < 0)
        return rc;
    rc = container_write(&c, err);
    if (rc < 0) {
        *plan = c.plan;
        plan_init(&c.plan);
        undo(&c, plan, named);
        return rc;
    }
    *out = c;
    c = (struct container)CONTAINER_EMPTY;
    return 0;
}
