/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Carrying out a plan: one process becomes a container.
 *
 * The parent makes the control group, clones the child with its namespaces, maps its ids and
 * prepares what only it may: the root file system, device nodes, bind mounts, all as detached
 * mounts. They go to the child in one message. The child mounts, gives up its rights and executes;
 * every failure on the way comes back as a sentence. Neither trusts a path that the image or a
 * volume could have changed: targets are opened in-root and mounted to by descriptor.
 */
#ifndef CAISSON_RUNTIME_LAUNCH_H
#define CAISSON_RUNTIME_LAUNCH_H

#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "runtime/cgroup.h"
#include "runtime/ids.h"
#include "runtime/landlock.h"
#include "runtime/plan.h"
#include "runtime/rootfs.h"
#include "runtime/seccomp.h"

/* What is another container's, and joined: descriptors of namespaces; -1: none. With a process or
 * IPC namespace that belongs to a user namespace of that container's comes the user namespace. */
struct launch_join {
    int user, pid, ipc, net;
    int shm; /* with `ipc`: the /dev/shm that goes with it, detached */
};
#define LAUNCH_JOIN_NONE                                                                           \
    {                                                                                              \
        .user = -1, .pid = -1, .ipc = -1, .net = -1, .shm = -1                                     \
    }

/* What a volume or an image of the plan is. */
struct launch_source {
    int fd;      /* PLAN_VOLUME: the directory or file, O_PATH; -1 */
    int *layers; /* PLAN_IMAGE: directories, lowest first; at least two */
    size_t layer_count;
};

struct errand;

struct launch {
    const struct plan *plan;
    const struct errand *errand; /* what is done there instead of the plan's command; NULL */
    const int *layers;           /* directory descriptors, lowest first, the skeleton last */
    size_t layer_count;
    int upper;                           /* directory with `fs` and `work`, or -1 */
    const struct launch_source *sources; /* one for each mount of the plan; NULL: none needed */
    struct ids ids;                      /* all 0 without a user namespace */
    struct launch_join join;
    const struct seccomp_program *seccomp; /* NULL: none */
    const struct landlock_plan *landlock;  /* NULL: none */
    int stdio[3]; /* the container's, -1: its own /dev/null; ignored with a terminal */
    bool die_with_parent;
    /* Called once the child works on its own; failure ends it. May be called again when the launch
     * is tried a second time. */
    int (*meanwhile)(void *closure, struct error *err);
    void *closure;
    /* Puts it on its networks, before it begins: `inside` is a NETLINK_ROUTE socket of its network
     * namespace `namespace`, `pidfd` its first process. NULL: it is on none. */
    int (*connect)(void *closure, int inside, int namespace, int pidfd, struct error *err);
    void *networks; /* the closure of connect */
};

struct launched {
    pid_t pid;
    int pidfd;
    int terminal;      /* master, or -1 */
    uint64_t mount_ns; /* of one in another container's process namespace: its number; else 0 */
    struct cgroup cgroup;
    struct spent
        spent; /* close with spent_close() when there is time: the container runs already */
};

/* On success the container's command is executing. On failure everything is undone; *exit_code is
 * 125, or 126 and 127 when it was the command that could not be executed or found. */
int launch_container(const struct launch *launch, struct launched *out, int *exit_code,
                     struct error *err);

#endif
