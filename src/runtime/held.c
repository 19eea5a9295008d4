/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/held.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/io.h"
#include "runtime/syscalls.h"

#define STOPPED_LOOK_MS 100
#define STOPPED_MOST 50

static void wait_for(pid_t pid)
{
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
}

static void close_one(int *fd)
{
    if (*fd >= 0)
        close(take_fd(fd));
}

static void end_processes(struct held *h)
{
    pid_t pid = h->result.pid;
    if (pid <= 0)
        return;
    kill(pid, SIGKILL);
    pid_t born = h->birth ? birth_of(pid, h->birth) : 0;
    wait_for(pid);
    if (born > 0) {
        kill(born, SIGKILL);
        wait_for(born);
    }
}

void held_end(struct held *h)
{
    cgroup_making_end(h->group);
    close_one(&h->userns);
    close_one(&h->socket);
    close_one(&h->childs_socket);
    if (h->let_go)
        return;
    end_processes(h);
    birth_forget(h->birth);
    close_one(&h->result.pidfd);
    close_one(&h->result.terminal);
    struct error ignored = {0};
    if (h->result.cgroup.path) {
        (void)cgroup_kill(&h->result.cgroup, &ignored);
        (void)cgroup_remove(&h->result.cgroup, &ignored);
    }
    cgroup_close(&h->result.cgroup);
    spent_close(&h->result.spent);
}

static int make(struct held *h, const struct clone_args *args, const struct between *how, int *step)
{
    struct clone_args own = *args;
    *step = -1;
    if (how->enter)
        return between_clone(how, args, &h->result.pidfd, step);
    int pid = sys_clone3(&own);
    if (pid == 0)
        how->child(how->closure);
    return pid;
}

int held_make(struct held *h, struct cgroup *group, uint64_t flags, const struct between *how,
              int *step, struct error *err)
{
    int pair[2];
    *step = -1;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return error_errno(err, "cannot make a socket pair");
    h->socket = pair[0];
    h->childs_socket = pair[1];
    int cgroup = cgroup_clone_fd(group);
    struct clone_args args = {
        .flags = flags | CLONE_PIDFD | (cgroup >= 0 ? CLONE_INTO_CGROUP : 0),
        .pidfd = (uint64_t)(uintptr_t)&h->result.pidfd,
        .exit_signal = SIGCHLD,
        .cgroup = (uint64_t)(cgroup < 0 ? 0 : cgroup),
    };
    int pid = make(h, &args, how, step);
    close_one(&h->childs_socket);
    if (pid < 0)
        return *step >= 0 ? pid
                          : error_set(err, pid, "%s: %s",
                                      flags ? "cannot make the container's namespaces"
                                            : "cannot start a process",
                                      error_describe(pid));
    h->result.pid = pid;
    return 0;
}

static bool is_stopped(pid_t pid)
{
    char path[32], text[512];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    autofd fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    text[n < 0 ? 0 : n] = '\0';
    const char *end = strrchr(text, ')');
    return end && (end[1] == ' ') && (end[2] == 'T' || end[2] == 't');
}

/* Whoever lives where it is born may have its uid from some moment on, and stop it: it is set going
 * again, and ended when that happens too often. Otherwise it takes the time that it takes. */
static int wait_for_word(struct held *h, struct error *err)
{
    struct pollfd word = {.fd = h->socket, .events = POLLIN};
    for (int stopped = 0; h->birth && stopped < STOPPED_MOST;) {
        int n = poll(&word, 1, STOPPED_LOOK_MS);
        if (n > 0 || (n < 0 && errno != EINTR))
            return 0;
        pid_t born = __atomic_load_n(&h->birth->pid, __ATOMIC_ACQUIRE);
        if (n == 0 && born > 0 && is_stopped(born)) {
            kill(born, SIGCONT);
            stopped++;
        }
    }
    return h->birth ? error_set(err, -EPERM,
                                "the process was stopped again and again by somebody in the "
                                "container while it was being made")
                    : 0;
}

int held_hear(struct held *h, struct child_message *message, int *fd, struct error *err)
{
    size_t count = 0;
    *fd = -1;
    int rc = wait_for_word(h, err);
    if (rc < 0)
        return rc;
    ssize_t n = receive_fds(h->socket, message, sizeof *message, fd, 1, &count);
    if (n == 0)
        return 1;
    if (n != (ssize_t)sizeof *message) {
        if (count == 1)
            close_one(fd);
        return error_set(err, n < 0 ? (int)n : -EPROTO, "cannot hear the process that is made");
    }
    if (count != 1)
        *fd = -1;
    message->text[sizeof message->text - 1] = '\0';
    return 0;
}

int held_take_born(struct held *h, struct error *err)
{
    pid_t stage = h->result.pid;
    pid_t pid = birth_of(stage, h->birth);
    close_one(&h->result.pidfd);
    wait_for(stage);
    h->result.pid = pid;
    h->result.mount_ns = h->birth->mount_ns;
    birth_forget(h->birth);
    h->birth = NULL;
    if (pid == 0)
        return error_set(err, -ECHILD, "the process that was to be made was killed");
    h->result.pidfd = sys_pidfd_open(pid);
    return h->result.pidfd < 0 ? error_set(err, h->result.pidfd, "cannot watch the new process: %s",
                                           error_describe(h->result.pidfd))
                               : 0;
}

int held_set_limits(const struct plan *plan, pid_t pid, const struct rlimit_spec **failed)
{
    for (size_t i = 0; i < plan->rlimit_count; i++) {
        const struct rlimit_spec *spec = &plan->rlimits[i];
        struct rlimit limit = {.rlim_cur = spec->soft, .rlim_max = spec->hard};
        *failed = spec;
        if (prlimit(pid, (__rlimit_resource_t)spec->resource, &limit, NULL) < 0)
            return -errno;
    }
    return 0;
}

int held_set_oom_score(pid_t pid, int64_t score)
{
    char path[48], value[24];
    snprintf(path, sizeof path, "/proc/%d/oom_score_adj", (int)pid);
    snprintf(value, sizeof value, "%lld", (long long)score);
    return write_kernel_file_at(AT_FDCWD, path, value);
}
