/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside of containers on disk: locks, names, the files `status` and `last`. Only for the files of
 * src/container that implement container.h.
 *
 * Who may do what: a container's directories are only changed by who holds its lock, a flock(2) on
 * <state>/containers/ID itself. A lock whose directory was removed meanwhile is worth nothing, so
 * it is checked after it was got. Names are claimed without a lock (symlink(2) fails for all but
 * one) and taken over from the dead under a lock on the directory of names.
 */
#ifndef CAISSON_CONTAINER_DISK_H
#define CAISSON_CONTAINER_DISK_H

#include "container/container.h"

#define CONFIG_NAME "config.json"
#define IMAGE_NAME "image"
#define STATUS_NAME "status"
#define LAST_NAME "last"
#define WAITERS_NAME "waiters"
#define VOLUMES_NAME "volumes"
/* Made before a container is frozen and removed after it is thawed: without it nobody need look
 * into its control group, with it that still decides. */
#define PAUSED_NAME "paused"
#define PARENT_NAME "cgroup-parent" /* a symlink, in the state directory; only with one */

#define CONFIG_MAX PLAN_TEXT_MAX
#define CONFIG_SPARE (256u << 10) /* for what a start and `update` note in it later */
#define STATUS_MAX (64u << 10)

/* 64 hexadecimal digits. */
bool id_valid(const char *id);

/* The lock of a container: a descriptor. `make`: its directory is made when missing, else -ENOENT.
 * kind: LOCK_EX, or LOCK_EX | LOCK_NB, then -EWOULDBLOCK when somebody has it. */
int disk_lock(const struct containers *all, const char *id, bool make, int kind, struct error *err);
/* Whether a container with this id is there. */
bool disk_has_config(const struct containers *all, const char *id);
/* Whether it is there, or is being made or removed. */
bool disk_alive(const struct containers *all, const char *id);
/* Kills and removes what a killed command may have left running for a container of which no status
 * is kept: its control group, its claim of ids. `parent` as --cgroup-parent, NULL. */
void disk_sweep_group(const struct containers *all, const char *id, const char *parent);
/* Removes what a killed command left of a container without config.json. */
void disk_sweep(struct containers *all, const char *id);
/* As container_open(), tidying up what nobody else will. -ENOENT also when that removed it. */
int disk_open(struct containers *all, const char *id, struct container *out, struct error *err);
/* Clears up after a container with --rm that nobody waits for any more: it is gone then. */
void disk_tidy(struct containers *all, const char *id);
/* Removes everything of the container, with the volumes that it lists; the caller holds its lock.
 * `name` may be NULL. */
int disk_remove(struct containers *all, const char *id, const char *name, bool in_root,
                struct error *err);

/* Claims `name`, also below root when `in_root`. -EEXIST with whose it is. */
int name_claim(struct containers *all, const char *name, const char *id, bool in_root,
               struct error *err);
/* Gives it up where it is ours. */
void name_release(const struct containers *all, const char *name, const char *id, bool in_root);
/* Whose it is, in names directory `names`; false: nobody's. */
bool name_owner(int names, const char *name, char id[CONTAINER_ID_MAX]);

/* The file `status`, at `path` below `dir`. A missing one is an empty status. */
int status_read(int dir, const char *path, struct container_status *out, struct error *err);
int status_write(int state, const struct container_status *status, struct error *err);
void status_free(struct container_status *status);

/* The file `last`, in a home below root: what outlives a boot of how it started and ended. */
struct last_run {
    nanoseconds started;
    bool ended;
    struct exit_record exit; /* when `ended` */
    bool oom_killed, pids_hit, donor_ended;
    int64_t restarts, quick_ends;
};
/* -ENOENT: it was never started. A damaged one says that it was started. */
int last_read(int dir, const char *path, struct last_run *out);
int last_write(int home, const struct last_run *last, bool durable, struct error *err);

/* Works out c->now from status, exit record and the processes. Its directories need not be open
 * (-1), `all`, `id` and `in_state` are enough. */
int state_load(struct container *c, struct error *err);

/* Those who wait for a container that will be removed with --rm read its end from a file that they
 * hold open. */
int waiters_join(int state);
void waiters_tell(int state, const struct exit_record *record);
int waiters_read(int fd, struct exit_record *out);

#endif
