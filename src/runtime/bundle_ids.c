/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/bundle_ids.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#include "base/io.h"
#include "runtime/ids.h"
#include "runtime/syscalls.h"

static void write_lines(const struct bundle_map *maps, size_t count, struct buf *out)
{
    for (size_t i = 0; i < count; i++)
        buf_fmt(out, "%u %u %u\n", maps[i].inside, maps[i].outside, maps[i].count);
}

static int open_process(pid_t pid, struct error *err)
{
    char path[32];
    snprintf(path, sizeof path, "/proc/%d", (int)pid);
    int dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    return dir < 0 ? error_errno(err, "cannot open %s", path) : dir;
}

int bundle_ids_map(pid_t pid, const struct bundle_maps *maps, bool *groups_denied,
                   struct error *err)
{
    autobuf uids = {0};
    autobuf gids = {0};
    write_lines(maps->uids, maps->uid_count, &uids);
    write_lines(maps->gids, maps->gid_count, &gids);
    autofd dir = open_process(pid, err);
    if (dir < 0)
        return dir;
    int rc = write_kernel_file_at(dir, "uid_map", buf_text(&uids));
    if (rc < 0)
        return error_set(err, rc, "cannot map the user ids of linux.uidMappings: %s%s",
                         error_describe(rc),
                         geteuid() ? " (an ordinary user may map one id, their own)" : "");
    rc = write_kernel_file_at(dir, "gid_map", buf_text(&gids));
    if (rc == -EPERM && geteuid() != 0 && write_kernel_file_at(dir, "setgroups", "deny") == 0) {
        *groups_denied = true;
        rc = write_kernel_file_at(dir, "gid_map", buf_text(&gids));
    }
    if (rc < 0)
        return error_set(err, rc, "cannot map the group ids of linux.gidMappings: %s",
                         error_describe(rc));
    return 0;
}

/* On the disk are the ids of the host's side, for the kernel those of the container's. */
int bundle_ids_namespace(const struct bundle_maps *maps, struct error *err)
{
    bool denied = false;
    struct clone_args args = {.flags = CLONE_NEWUSER, .exit_signal = SIGCHLD};
    int pid = sys_clone3(&args);
    if (pid < 0)
        return error_set(err, pid, "cannot make a user namespace: %s", error_describe(pid));
    if (pid == 0)
        for (;;)
            pause();
    int rc = bundle_ids_map(pid, maps, &denied, err);
    int fd = rc < 0 ? rc : ids_namespace_of(pid, err);
    kill(pid, SIGKILL);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
    return fd;
}
