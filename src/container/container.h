/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Containers on disk and what becomes of them.
 *
 *   <root>/containers/ID/    config.json (the plan), image (two lines: config digest, manifest
 *                            digest), exit, `upper/{fs,work}`, volumes/, logs: outlives a boot.
 *                            Containers with --rm and a read-only root have no such directory.
 *   <state>/containers/ID/   lock (flock'ed by whoever changes the container), status (while it
 * runs or did in this boot), and for containers without a root directory all the rest too.
 *   <root>/names/NAME and <state>/names/NAME: symlinks to the id; made atomically, so that a name
 * has one owner. A name whose container is gone is free.
 *
 * The state of a container is never stored as a word: it follows from the status (a process id with
 * its start time, which cannot be mistaken for another process) and the exit record.
 */
#ifndef CAISSON_CONTAINER_CONTAINER_H
#define CAISSON_CONTAINER_CONTAINER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/error.h"
#include "container/exit_record.h"
#include "runtime/plan.h"

#define CONTAINER_ID_MAX 65 /* 64 hexadecimal digits and NUL */

/* The two directories all containers lie below. */
struct containers {
    char *root, *state;    /* paths */
    int root_fd, state_fd; /* <root>/containers and <state>/containers */
    int root_names, state_names;
    int root_top, state_top; /* <root> and <state> themselves */
};
int containers_open(const char *root, const char *state, struct containers *out, struct error *err);
void containers_close(struct containers *c);

enum container_state {
    CONTAINER_CREATED,
    CONTAINER_RUNNING,
    CONTAINER_PAUSED,
    CONTAINER_EXITED,
    CONTAINER_DEAD, /* it ran, but how it ended nobody saw: monitor killed, machine rebooted */
};
const char *container_state_name(enum container_state state);

/* What is known of a run; the file `status`, lines "key=value". */
struct container_status {
    pid_t pid;           /* first process, in our pid namespace; 0: never started */
    uint64_t start_time; /* of it, clock ticks since boot: field 22 of proc_pid_stat(5) */
    pid_t monitor;       /* who waits for it: the monitor, or the foreground command */
    uint64_t monitor_start;
    nanoseconds started;
    uint32_t id_base;
    char *cgroup; /* record of cgroup_record(); NULL */
    bool oom_killed, pids_hit;
};

struct container {
    struct containers *all; /* borrowed */
    char id[CONTAINER_ID_MAX];
    int home;      /* the directory with config.json: below root, or below state */
    int state;     /* <state>/containers/ID */
    int lock;      /* -1 while not locked */
    bool in_state; /* home == state: nothing of it outlives a boot */
    struct plan plan;
    struct container_status status;
    enum container_state now;
    struct exit_record exit; /* valid when EXITED */
};
#define autocontainer __attribute__((cleanup(container_close))) struct container
#define CONTAINER_EMPTY                                                                            \
    {                                                                                              \
        .home = -1, .state = -1, .lock = -1                                                        \
    }

/* Puts a planned container on disk: directories, config.json, image, its name. plan->id and
 * plan->name are chosen when NULL. Undone on failure. -EEXIST when the name is taken, and by whom.
 */
int container_create(struct containers *all, struct plan *plan, struct container *out,
                     struct error *err);
/* By name, id, or unambiguous id prefix (the full name wins). -ENOENT: "no such container: X".
 * Loads the plan, the status, the exit record and works out the state. */
int container_find(struct containers *all, const char *name_or_id, struct container *out,
                   struct error *err);
void container_close(struct container *c);
/* flock; then loads again what may have changed. */
int container_lock(struct container *c, struct error *err);
void container_unlock(struct container *c);
int container_refresh(struct container *c, struct error *err);
/* Replaces the file `status`. */
int container_save_status(struct container *c, struct error *err);
/* Saves the plan again (rename, update). */
int container_save_plan(struct container *c, struct error *err);

/* Every container's id, oldest first is not promised; entries that cannot be read are left out. */
int container_list(struct containers *all, struct strv *ids, struct error *err);

/* After the first process ended (or was found gone): exit record kept, control group killed and
 * removed, id range given back; with --rm the container is removed. `wait_status` as from wait(2),
 * or -1 when nobody knows or the monitor already wrote the record. Takes the lock. */
int container_ended(struct container *c, int wait_status, struct error *err);
/* Removes it from disk; it must not run (else -EBUSY). */
int container_remove(struct container *c, bool volumes, struct error *err);
/* Sends a signal to the first process, through a pidfd checked against the start time. */
int container_signal(struct container *c, int number, struct error *err);
/* Its first process, checked; -ESRCH when it is gone. */
int container_pidfd(const struct container *c, struct error *err);
/* Waits until it is neither running nor being cleaned up; timeout in ns, -1: for ever.
 * -ETIMEDOUT. Loads the state again. */
int container_wait(struct container *c, nanoseconds timeout, struct error *err);
/* SIGTERM (or what the image says), then SIGKILL after `timeout`. */
int container_stop(struct container *c, int number, nanoseconds timeout, struct error *err);

#endif
