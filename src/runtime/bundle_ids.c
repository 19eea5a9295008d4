/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/bundle_ids.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#include "base/io.h"
#include "base/strv.h"
#include "base/text.h"
#include "runtime/ids.h"
#include "runtime/mapper.h"
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

/* What an ordinary user may not write: newuidmap PID INSIDE OUTSIDE COUNT ... */
static int map_by_program(const char *program, pid_t pid, const struct bundle_map *maps,
                          size_t count, struct error *err)
{
    autostrv words = {0};
    strv_add(&words, program);
    strv_fmt(&words, "%d", (int)pid);
    for (size_t i = 0; i < count; i++) {
        strv_fmt(&words, "%u", maps[i].inside);
        strv_fmt(&words, "%u", maps[i].outside);
        strv_fmt(&words, "%u", maps[i].count);
    }
    pid_t mapper = fork();
    if (mapper < 0)
        return error_errno(err, "cannot start %s", program);
    if (mapper == 0)
        mapper_execute(&words);
    return mapper_end(mapper, program, err);
}

static int map_users(int dir, pid_t pid, const struct bundle_maps *maps, struct error *err)
{
    autobuf lines = {0};
    write_lines(maps->uids, maps->uid_count, &lines);
    int rc = write_kernel_file_at(dir, "uid_map", buf_text(&lines));
    if (rc == -EPERM && geteuid() != 0)
        rc = map_by_program("newuidmap", pid, maps->uids, maps->uid_count, err);
    else if (rc < 0)
        return error_set(err, rc, "cannot map the user ids of linux.uidMappings: %s",
                         error_describe(rc));
    return rc < 0 ? error_prefix(err, "linux.uidMappings") : 0;
}

static bool are_denied(pid_t pid)
{
    char path[40];
    autobuf text = {0};
    snprintf(path, sizeof path, "/proc/%d/setgroups", (int)pid);
    return read_kernel_file(path, 16, &text, NULL) == 0 && starts_with(buf_text(&text), "deny");
}

/* One's own group alone may be mapped without help, where nobody can leave groups then. */
static int map_groups(int dir, pid_t pid, const struct bundle_maps *maps, bool *denied,
                      struct error *err)
{
    autobuf lines = {0};
    bool own =
        maps->gid_count == 1 && maps->gids[0].count == 1 && maps->gids[0].outside == getegid();
    write_lines(maps->gids, maps->gid_count, &lines);
    int rc = write_kernel_file_at(dir, "gid_map", buf_text(&lines));
    if (rc == -EPERM && geteuid() != 0 && own &&
        write_kernel_file_at(dir, "setgroups", "deny") == 0) {
        *denied = true;
        rc = write_kernel_file_at(dir, "gid_map", buf_text(&lines));
    } else if (rc == -EPERM && geteuid() != 0) {
        rc = map_by_program("newgidmap", pid, maps->gids, maps->gid_count, err);
        *denied = rc == 0 && are_denied(pid); /* by that program, where the own group is all */
        return rc < 0 ? error_prefix(err, "linux.gidMappings") : 0;
    }
    return rc < 0 ? error_set(err, rc, "cannot map the group ids of linux.gidMappings: %s",
                              error_describe(rc))
                  : 0;
}

int bundle_ids_map(pid_t pid, const struct bundle_maps *maps, bool *groups_denied,
                   struct error *err)
{
    autofd dir = open_process(pid, err);
    if (dir < 0)
        return dir;
    int rc = map_users(dir, pid, maps, err);
    return rc < 0 ? rc : map_groups(dir, pid, maps, groups_denied, err);
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
