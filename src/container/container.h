/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Containers on disk and what becomes of them.
 *
 *   <root>/containers/ID/    config.json (the plan), image (two lines: config digest, manifest
 *                            digest), last (how it last started and ended), `upper/{fs,work}`,
 *                            volumes/ (a file for each anonymous volume that goes with it), logs:
 *                            outlives a boot. Containers with --rm, a read-only root and no
 *                            anonymous volumes have no such directory.
 *   <state>/containers/ID/   status (while it runs, until all is cleaned up after it), exit, and
 *                            for containers without a root directory all the rest too. The
 *                            directory itself is the container's lock.
 *   <root>/names/NAME and <state>/names/NAME: symlinks to the id; made atomically, so that a name
 * has one owner. A name whose container is gone is free. The one in <state> decides who gets a
 * name.
 *
 * The state of a container is never stored as a word: it follows from the status (a process id with
 * its start time, which cannot be mistaken for another process) and the exit record.
 *
 * config.json is written last and removed first: without it a directory is what a command that was
 * killed left behind. Whoever can take its lock may remove it.
 */
#ifndef CAISSON_CONTAINER_CONTAINER_H
#define CAISSON_CONTAINER_CONTAINER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/strv.h"
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
    CONTAINER_RESTARTING, /* it ended, and its policy starts it again soon */
    CONTAINER_DEAD, /* it ran, but how it ended nobody saw: monitor killed, machine rebooted */
};
const char *container_state_name(enum container_state state);
/* It has a first process, which may be frozen. */
static inline bool container_runs(enum container_state state)
{
    return state == CONTAINER_RUNNING || state == CONTAINER_PAUSED;
}

/* What is known of a run; the file `status`, lines "key=value". */
struct container_status {
    pid_t pid;           /* first process, in our pid namespace; 0: never started */
    uint64_t start_time; /* of it, clock ticks since boot: field 22 of proc_pid_stat(5) */
    pid_t monitor;       /* who waits for it: the monitor, or the foreground command */
    uint64_t monitor_start;
    nanoseconds started;
    uint32_t id_base;
    char *cgroup; /* record of cgroup_record(); NULL */
    /* Of one that joined another's processes: their namespace, and without a control group its
     * mount namespace (strays.h), by number; else 0. */
    uint64_t process_ns, mount_ns;
    char *addresses; /* "NETWORK IP4|- IP6|- FLAGS MAC" for each network, separated by ";"; NULL */
    char *published; /* what caisson-port listens on: network/ports.h, published_format(); NULL */
    pid_t relay;     /* caisson-port; 0: nothing is published */
    uint64_t relay_start;
    bool oom_killed, pids_hit;
    bool donor_ended; /* it ended because the one whose processes it had joined did */
    /* By its restart policy, since a person started it; and how often in a row it ended soon. */
    int64_t restarts, quick_ends;
};

struct container {
    struct containers *all; /* borrowed */
    char id[CONTAINER_ID_MAX];
    int home;          /* the directory with config.json: below root, or below state */
    int state;         /* <state>/containers/ID */
    int lock;          /* -1 while not locked */
    bool in_state;     /* home is the same directory as state: nothing of it outlives a boot */
    bool unwritten;    /* claimed by us, but there is no config.json yet */
    int *held_volumes; /* locks, until it is written: volumes.h */
    size_t held_count;
    struct plan plan;
    struct container_status status;
    enum container_state now;
    /* The first process is gone, but who waits for it has not cleaned up after it yet. */
    bool ending;
    struct exit_record exit; /* valid when EXITED; when DEAD its code is 255 */
};
#define autocontainer __attribute__((cleanup(container_close))) struct container
#define CONTAINER_EMPTY                                                                            \
    {                                                                                              \
        .home = -1, .state = -1, .lock = -1                                                        \
    }

/* Puts a planned container on disk: directories, config.json, image, its name. plan->id, plan->name
 * and plan->created are chosen when NULL. Undone on failure. -EEXIST when the name is taken, and by
 * whom. On success the plan has moved into `out` (*plan is empty again), and the container is
 * locked: nobody sees it started by another before its maker unlocked it. */
int container_create(struct containers *all, struct plan *plan, struct container *out,
                     struct error *err);
/* The same in two steps, so that `run` can write while the container's process sets itself up:
 * directories and name; then files, before the image may be collected and anything runs. Whoever
 * claimed and goes no further calls container_remove(); who is killed leaves what a sweep finds. */
int container_claim(struct containers *all, struct plan *plan, struct container *out,
                    struct error *err);
int container_write(struct container *c, struct error *err);
/* By name, id, or unambiguous id prefix (the full name wins). -ENOENT: "no such container: X",
 * -EBADMSG: its config.json is damaged. Loads the plan, the status, the exit record and works out
 * the state; cleans up after a container whose end nobody saw. */
int container_find(struct containers *all, const char *name_or_id, struct container *out,
                   struct error *err);
/* As a name: the container that was made last. No container can have it as its name. */
#define CONTAINER_LATEST "--latest"
/* Only which one is meant, without reading it: also for damaged ones. */
int container_find_id(struct containers *all, const char *name_or_id, char id[CONTAINER_ID_MAX],
                      struct error *err);
/* As container_find() for a whole id as container_list() gives them, and without the cleaning up.
 */
int container_open(struct containers *all, const char *id, struct container *out,
                   struct error *err);
void container_close(struct container *c);
/* Takes the lock (nothing to do when it is held), makes the state directory when this boot has none
 * yet, then loads again what may have changed. -ENOENT when it was removed meanwhile. Do not hold
 * it while the container runs. */
int container_lock(struct container *c, struct error *err);
void container_unlock(struct container *c);
int container_refresh(struct container *c, struct error *err);
/* Replaces the file `status`. */
int container_save_status(struct container *c, struct error *err);
/* Saves the plan again (rename, update). */
int container_save_plan(struct container *c, struct error *err);
/* To be called, locked, before it is started: forgets how it ended the last time, notes that it is
 * being started. status.started is set. `again`: by its restart policy and not by a person. */
int container_starting(struct container *c, bool again, struct error *err);
/* Opens a directory of its home ("logs"), which is made when missing. */
int container_directory(const struct container *c, const char *name, struct error *err);

/* Start time of a process that is no zombie, for struct container_status; -ESRCH. */
int process_start_time(pid_t pid, uint64_t *start_time);
/* It is there, no zombie, and no other with its number. */
bool process_alive(pid_t pid, uint64_t start_time);

/* Every container's id, in no order. */
int container_list(struct containers *all, struct strv *ids, struct error *err);

/* After the first process ended (or was found gone, or could not be started): exit record kept,
 * control group killed and removed, id range given back; with --rm the container is removed, and
 * `c` is only good for container_close(). `wait_status` as from wait(2), or -1 when nobody knows or
 * the monitor already wrote the record. status.oom_killed and pids_hit are set. Takes the lock;
 * nothing to do when another was quicker. -EBUSY when it runs. */
int container_ended(struct container *c, int wait_status, struct error *err);
/* Removes it from disk; it must not run (else -EBUSY). With `volumes` also its anonymous volumes,
 * as far as no other container uses them. */
int container_remove(struct container *c, bool volumes, struct error *err);
/* Removes what is left of a container whose config.json cannot be read, by its whole id. */
int container_discard(struct containers *all, const char *id, struct error *err);
/* Freezes or thaws all its processes. -ESRCH when it does not run, -EALREADY. Takes the lock. */
int container_pause(struct container *c, bool frozen, struct error *err);
/* Gives it another name. -EEXIST with whose it is. Takes the lock. */
int container_rename(struct container *c, const char *name, struct error *err);
/* It runs, and the monitor that was to see its end is gone. */
bool container_unwatched(const struct container *c);
/* Sends a signal to the first process, through a pidfd checked against the start time. */
int container_signal(struct container *c, int number, struct error *err);
/* Its first process, checked; -ESRCH when it is gone. */
int container_pidfd(const struct container *c, struct error *err);
/* One of its processes by which its namespaces can be entered, as a pidfd; *pid goes with it. Its
 * first, or with --init, for an ordinary user, the command. -ESRCH when it is gone. */
int container_insider(const struct container *c, pid_t *pid, struct error *err);
/* Waits until it is neither running nor being cleaned up; timeout in ns, -1: for ever.
 * -ETIMEDOUT. Loads the state again. A container with --rm is gone by then, `exit` is still right.
 */
int container_wait(struct container *c, nanoseconds timeout, struct error *err);
/* Sends signal `number` (0: what the plan says, else SIGTERM), then SIGKILL after `timeout` (-1:
 * never). Not running is no error. */
int container_stop(struct container *c, int number, nanoseconds timeout, struct error *err);

#endif
