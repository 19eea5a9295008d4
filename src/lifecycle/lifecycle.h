/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of a container of caisson-runtime, as runtime-spec has it: created, started, stopped,
 * deleted, by one short process each.
 *
 * On disk: <root>/ID/ with `config.json` (as it was when the container was created), `state.json`
 * (the first process with its start time, the control group and systemd's unit), and two pipes as
 * long as it waits to be started. The directory is the claim to the id. It is changed by who holds
 * a flock(2) on it; making and removing it also takes <root>/.lock, so that nobody locks what is
 * gone. Without state.json, and with nobody holding the lock, it is what a killed `create` left:
 * the next command removes it, the first process having ended with its creator.
 *
 * The status is never stored: it follows from the first process (a number of a process that was
 * given to another is told by the start time), from whether that waits at its pipe, and from the
 * freezer.
 */
#ifndef CAISSON_LIFECYCLE_LIFECYCLE_H
#define CAISSON_LIFECYCLE_LIFECYCLE_H

#include "base/clock.h"
#include "runtime/bundle.h"
#include "runtime/cgroup.h"

enum life {
    LIFE_CREATING,
    LIFE_CREATED,
    LIFE_RUNNING,
    LIFE_PAUSED,
    LIFE_STOPPED,
};
const char *life_name(enum life life);

struct containers_root {
    int fd;     /* the directory; -1: it is not there */
    char *path; /* owned */
};
#define autoroot __attribute__((cleanup(containers_root_close))) struct containers_root
/* `make`: for who creates something; else a missing one has no containers. */
int containers_root_open(const char *path, bool make, struct containers_root *out,
                         struct error *err);
void containers_root_close(struct containers_root *root);

struct living {
    char *id;
    int dir; /* <root>/ID, which carries the lock */
    bool locked;
    char *bundle; /* the directory, absolute */
    char *rootfs;
    char *cgroup;            /* cgroup_record() */
    char *unit;              /* of systemd's, which that is; NULL: none */
    bool unit_of_user;       /* of the user's systemd */
    struct strv annotations; /* "key=value" */
    pid_t pid;
    uint64_t start_time;
    nanoseconds created;
    unsigned owner;
    enum life now;
};
#define LIVING_NONE                                                                                \
    {                                                                                              \
        .dir = -1                                                                                  \
    }
#define autoliving __attribute__((cleanup(living_close))) struct living
void living_close(struct living *c);

/* What an id may be (CVE class: ids as paths). -EINVAL. */
int living_check_id(const char *id, struct error *err);
/* A new one, locked. -EEXIST. */
int living_claim(const struct containers_root *root, const char *id, struct living *out,
                 struct error *err);
/* One that is there. `lock`: nobody else may change it meanwhile. -ENOENT. */
int living_open(const struct containers_root *root, const char *id, bool lock, struct living *out,
                struct error *err);
/* Ids, sorted; what killed commands left is removed on the way. */
int living_list(const struct containers_root *root, struct strv *ids, struct error *err);
/* Looks again. */
void living_look(struct living *c);
int living_save(struct living *c, struct error *err);
int living_save_config(struct living *c, const struct buf *config, struct error *err);
/* The configuration that it was created with. */
int living_read_config(const struct living *c, struct bundle *out, struct error *err);
/* The directory goes. */
int living_remove(const struct containers_root *root, struct living *c, struct error *err);
int living_unlock(struct living *c);

/* runtime-spec's state as JSON. `pid` 0: none. */
void living_state(const struct living *c, const char *status, pid_t pid, unsigned indent,
                  struct buf *out);

/* The group that it was created with; -ENOENT when it is gone. */
int living_group(const struct living *c, struct cgroup *out, struct error *err);
/* Its unit of systemd's, with what is borrowed from `c`; false: it has none. */
bool living_unit(const struct living *c, struct cgroup_unit *out);
/* A descriptor of the first process that cannot be mistaken for another. -ESRCH. */
int living_pidfd(const struct living *c, struct error *err);

#endif
