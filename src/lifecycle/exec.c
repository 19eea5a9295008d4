/* SPDX-License-Identifier: Apache-2.0 */
/* exec: one more process in a container, joined to its first. */
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/io.h"
#include "base/text.h"
#include "lifecycle/life.h"
#include "runtime/bundle.h"
#include "runtime/join.h"

/* The namespaces in which the process is elsewhere than we are: entering one's own user namespace
 * again is an error. */
static int namespaces_of(pid_t pid)
{
    int flags = 0;
    for (int i = 0; i < BUNDLE_NS_COUNT; i++) {
        char ours[48], theirs[48];
        struct stat a, b;
        snprintf(ours, sizeof ours, "/proc/self/ns/%s", bundle_ns_words[i].file);
        snprintf(theirs, sizeof theirs, "/proc/%d/ns/%s", (int)pid, bundle_ns_words[i].file);
        if (stat(ours, &a) == 0 && stat(theirs, &b) == 0 &&
            (a.st_ino != b.st_ino || a.st_dev != b.st_dev))
            flags |= bundle_ns_words[i].flag;
    }
    return flags;
}

static bool groups_denied(pid_t pid)
{
    char path[40];
    autobuf text = {0};
    snprintf(path, sizeof path, "/proc/%d/setgroups", (int)pid);
    return read_kernel_file(path, 16, &text, NULL) == 0 && starts_with(buf_text(&text), "deny");
}

static int tell(const struct exec_process *process, int console, struct launched *launched,
                struct error *err)
{
    int rc = 0;
    if (console >= 0 && launched->terminal >= 0) {
        rc = console_send(console, launched->terminal, err);
        close(take_fd(&launched->terminal));
    }
    if (rc == 0 && process->pid_file)
        rc = write_pid_file(process->pid_file, launched->pid, err);
    if (rc < 0) {
        kill(launched->pid, SIGKILL);
        (void)waitpid(launched->pid, NULL, 0);
    }
    return rc;
}

static int join(struct living *c, const struct exec_process *process, struct cgroup *group,
                const struct filter *filter, struct launched *launched, int *exit_code,
                struct error *err)
{
    const struct bundle *bundle = process->bundle;
    const struct plan *plan = &bundle->plan;
    autofd pidfd = living_pidfd(c, err);
    if (pidfd < 0)
        return pidfd;
    struct join j = {
        .plan = plan,
        .pidfd = pidfd,
        .cgroup = group,
        .uid = plan->uid,
        .gid = plan->gid,
        .groups = plan->groups,
        .group_count = plan->group_count,
        .cwd = plan->cwd,
        .terminal = plan->terminal,
        .seccomp = filter->there ? &filter->program : NULL,
        .listener = &filter->listener,
        .stdio = {0, 1, 2},
        .attributes = &bundle->attributes,
        .namespaces = namespaces_of(c->pid),
        .groups_denied = groups_denied(c->pid),
        .caps = &plan->caps,
        .keep = process->keep,
    };
    /* What was just looked at by number was still the container. */
    living_look(c);
    if (c->now == LIFE_STOPPED)
        return error_set(err, -ESRCH, "container not running: %s", c->id);
    return join_container(&j, launched, exit_code, err);
}

int life_exec(struct living *c, const struct exec_process *process, struct launched *launched,
              int *exit_code, struct error *err)
{
    const struct bundle *bundle = process->bundle;
    autocgroup group = CGROUP_EMPTY;
    autofilter filter = FILTER_NONE;
    autofd console = process->console_socket ? console_connect(process->console_socket, err) : -1;
    if (process->console_socket && console < 0)
        return console;
    int rc = living_group(c, &group, err);
    if (rc == 0)
        rc = filter_open(c, bundle, life_name(c->now), &filter, err);
    if (rc == 0)
        rc = join(c, process, &group, &filter, launched, exit_code, err);
    if (rc == 0)
        rc = tell(process, console, launched, err);
    return rc;
}
