/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a list of containers shows, without reading their plans: a plan takes a quarter of a
 * millisecond to read, and a list may be of a thousand.
 *
 * The file `summary` lies beside config.json and says nothing that the plan does not: where it is
 * missing or damaged, the plan is read.
 */
#ifndef CAISSON_CONTAINER_SUMMARY_H
#define CAISSON_CONTAINER_SUMMARY_H

#include "container/container.h"

struct container_summary {
    char *name, *image, *image_id, *command;
    char *level; /* with what was relaxed: "restricted -readonly", "baseline +NET_ADMIN" */
    char *network;
    bool step;    /* of a build */
    bool passing; /* it goes with its end: --rm */
    bool checked; /* it has a health check */
    bool whole;   /* read from a file that says the two before */
    nanoseconds created;
    struct strv labels;
    struct strv exposed; /* ports, as the plan has them */
    struct strv mounts;  /* names of volumes and what is bound, which begins with a slash */
    struct strv targets; /* where they are mounted, in the same order */
};

/* One container as a list needs it. */
struct glance {
    char id[CONTAINER_ID_MAX];
    struct container_summary summary;
    nanoseconds started;
    enum container_state now;
    struct exit_record exit;
    bool oom_killed;
    char health[16]; /* "healthy" …; "" without a check */
    char *published; /* container_published(); NULL */
    pid_t pid;       /* 0 while it does not run */
    char *cgroup;    /* record; NULL */
};

/* -ENOENT: there is none (any more), -EBADMSG: damaged. Cleans up as container_find() does. */
int container_glance(struct containers *all, const char *id, struct glance *out, struct error *err);
void glance_free(struct glance *glance);

void summary_of_plan(const struct plan *plan, struct container_summary *out);
void summary_free(struct container_summary *summary);
/* Of a container that is there, whatever its state, which is left as it is. -ENOENT, -EBADMSG. */
int container_summary(struct containers *all, const char *id, struct container_summary *out,
                      struct error *err);
/* The same from its file alone, where it is the file of a container; nothing stays open.
 * `in_state`: its config.json lies below the state directory. -ENOENT, -EBADMSG: read the plan. */
int summary_find(struct containers *all, const char *id, struct container_summary *out,
                 bool *in_state);
/* Only for a container that stays for a while and so will be listed. Not durable: without it
 * everything works the same. */
int summary_write(int home, const struct plan *plan, struct error *err);

/* "restricted -seccomp": the level and each protection that a flag relaxed. */
void level_text(const struct plan *plan, struct buf *out);

/* What it has written to its root file system: bytes; 0 when that is read-only. */
int container_written(struct containers *all, const char *id, uint64_t *bytes, struct error *err);
/* Adds the bytes of all files below a directory. */
int tree_size(int dir, uint64_t *bytes);

#endif
