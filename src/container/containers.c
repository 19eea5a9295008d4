/* SPDX-License-Identifier: Apache-2.0 */
/* The two directories all containers lie below. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/memory.h"
#include "container/container.h"

static int open_made(int top, const char *path, const char *name, struct error *err)
{
    int fd = openat(top, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) {
        if (mkdirat(top, name, 0700) < 0 && errno != EEXIST)
            return error_errno(err, "cannot create %s/%s", path, name);
        fd = openat(top, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    }
    if (fd < 0)
        return error_errno(err, "cannot open %s/%s", path, name);
    return fd;
}

int containers_open(const char *root, const char *state, struct containers *out, struct error *err)
{
    autofd root_top = open_own_directory(root, "--root", err);
    if (root_top < 0)
        return root_top;
    autofd state_top = open_own_directory(state, "--state", err);
    if (state_top < 0)
        return state_top;
    autofd root_fd = open_made(root_top, root, "containers", err);
    autofd state_fd = root_fd < 0 ? root_fd : open_made(state_top, state, "containers", err);
    autofd root_names = state_fd < 0 ? state_fd : open_made(root_top, root, "names", err);
    autofd state_names = root_names < 0 ? root_names : open_made(state_top, state, "names", err);
    if (state_names < 0)
        return err ? err->code : -EIO;
    *out = (struct containers){.root = xstrdup(root),
                               .state = xstrdup(state),
                               .root_fd = take_fd(&root_fd),
                               .state_fd = take_fd(&state_fd),
                               .root_names = take_fd(&root_names),
                               .state_names = take_fd(&state_names),
                               .root_top = take_fd(&root_top),
                               .state_top = take_fd(&state_top)};
    return 0;
}

void containers_close(struct containers *c)
{
    if (!c->root)
        return; /* never opened */
    close(c->root_fd);
    close(c->state_fd);
    close(c->root_names);
    close(c->state_names);
    close(c->root_top);
    close(c->state_top);
    free(c->root);
    free(c->state);
    *c = (struct containers){0};
}
