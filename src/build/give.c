/* SPDX-License-Identifier: Apache-2.0 */
#include "build/give.h"

#include <fcntl.h>
#include <unistd.h>

#include "archive/confine.h"
#include "archive/tar_pipe.h"
#include "archive/tree_give.h"
#include "archive/tree_take.h"
#include "base/cleanup.h"
#include "base/memory.h"
#include "container/skeleton.h"
#include "runtime/errand.h"
#include "runtime/rootfs.h"
#include "store/steps.h"

int mount_tree(const struct build_place *place, const struct strv *diff_ids, struct error *err)
{
    autofree int *fds = xcalloc(diff_ids->len + 2, sizeof *fds);
    size_t count = 0;
    autofd empty = steps_directory(place->store, "empty", err);
    if (empty < 0)
        return empty;
    int rc = skeleton_layers(place->store, diff_ids, fds + 1, &count, err);
    if (rc == 0 && count == 0) /* an overlay of nothing: the empty directory */
        return take_fd(&empty);
    fds[0] = empty;
    const struct rootfs_source source = {
        .layers = fds, .count = count + 1, .upper = -1, .userns = -1, .no_devices = 1};
    autofd root = rc < 0 ? rc : rootfs_mount(&source, err);
    for (size_t i = 1; i <= count; i++)
        close(fds[i]);
    return take_fd(&root);
}

/* --- one process reads --- */

struct giving {
    int root, to;
};

static int give(void *closure, const struct errand_place *place, uint64_t *count, struct error *err)
{
    const struct giving *g = closure;
    const struct confine_paths allowed = {.read_only = &g->root, .read_only_count = 1};
    autopipe pipe = {.fd = g->to};
    struct tar_writer tar = {.sink = tar_pipe_put, .closure = &pipe};
    struct tree_give tree = {
        .tar = &tar,
        .descriptors = place->descriptors,
        .name = "",
        .devices = true,
        .whole_seconds = true,
    };
    int rc = worker_confine(&allowed, err);
    if (rc >= 0)
        rc = tree_give(&tree, g->root, err);
    if (rc == 0)
        rc = tar_write_end(&tar, err);
    if (rc == 0)
        rc = tar_pipe_end(&pipe, err);
    *count = tree.entries;
    return rc;
}

static int start_giving(struct giving *giving, struct errand_run *run, struct error *err)
{
    const struct errand errand = {.work = give, .closure = giving, .fds = {-1, -1, -1, -1}};
    return errand_aside(&errand, run, err);
}

int give_tar(const struct build_place *place, const struct strv *diff_ids, int to,
             struct error *err)
{
    struct errand_run run = ERRAND_RUN_NONE;
    autofd root = mount_tree(place, diff_ids, err);
    struct giving giving = {.root = root, .to = to};
    int rc = root < 0 ? root : start_giving(&giving, &run, err);
    if (rc == 0)
        rc = errand_end(&run, NULL, err);
    return rc;
}

/* --- and another writes --- */

struct taking {
    int from, into;
};

static int take(void *closure, const struct errand_place *place, uint64_t *count, struct error *err)
{
    const struct taking *t = closure;
    const struct confine_paths allowed = {.read_write = &t->into, .read_write_count = 1};
    autopipe pipe = {.fd = t->from};
    (void)place;
    int rc = worker_confine(&allowed, err);
    if (rc < 0)
        return rc;
    struct tree_take tree = {.into = t->into, .uid = geteuid(), .gid = getegid(), .harmless = true};
    rc = tree_take_pipe(&tree, &pipe, err);
    *count = tree.left_out;
    return rc;
}

int give_files(const struct build_place *place, const struct strv *diff_ids, int directory,
               struct error *err)
{
    struct errand_run giver = ERRAND_RUN_NONE, taker = ERRAND_RUN_NONE;
    struct error why = {0};
    int ends[2];
    autofd root = mount_tree(place, diff_ids, err);
    if (root < 0)
        return root;
    if (pipe2(ends, O_CLOEXEC) < 0)
        return error_errno(err, "cannot make a pipe");
    struct giving giving = {.root = root, .to = ends[1]};
    struct taking taking = {.from = ends[0], .into = directory};
    const struct errand errand = {.work = take, .closure = &taking, .fds = {-1, -1, -1, -1}};
    int rc = start_giving(&giving, &giver, err);
    close(ends[1]);
    if (rc == 0)
        rc = errand_aside(&errand, &taker, err);
    close(ends[0]);
    int taken = errand_end(&taker, NULL, rc == 0 ? err : NULL);
    int given = errand_end(&giver, NULL, &why);
    if (rc == 0)
        rc = taken;
    if (given < 0 && given != -EPIPE && rc == 0)
        rc = error_set(err, given, "%s", why.text);
    return rc;
}
