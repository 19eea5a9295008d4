/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Something that this program itself does in a container's place: as its root, with its mounts, and
 * with none of its programs or libraries.
 *
 * Who does it is a child of ours that joins the namespaces of a container which runs, or is born as
 * the first process of one that does not (launch.h). It has the ids of the container's root, and of
 * that root's capabilities those for files; no_new_privs; no descriptor but those it needs, no
 * terminal. It is in no process namespace and in no control group of a running container: nothing
 * inside can see, signal, trace or freeze it. What it finds it reports through a pipe; whoever
 * reads that takes it for what a container says.
 */
#ifndef CAISSON_RUNTIME_ERRAND_H
#define CAISSON_RUNTIME_ERRAND_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "runtime/child.h"

struct errand_place {
    int root;          /* the container's, O_PATH; also the root directory of the process */
    int descriptors;   /* /proc/self/fd of the process, from a procfs that is not the container's */
    bool running;      /* the container does */
    uint32_t uid, gid; /* whose the files are that it makes */
};

#define ERRAND_FDS_MAX 4

struct errand {
    /* 0 or -errno with a sentence; *count is something that it counted, for the report. */
    int (*work)(void *closure, const struct errand_place *place, uint64_t *count,
                struct error *err);
    void *closure;
    int fds[ERRAND_FDS_MAX]; /* that work() needs; -1: none */
    bool bare;               /* only the root file system, without what is mounted on it */
    /* Whether the files it makes are to be `uid`'s and `gid`'s, the container's user's: asked
     * while that can still be chosen. NULL: they are its root's. */
    bool (*as_user)(void *closure, const struct errand_place *place);
    uint32_t uid, gid;
};

struct errand_report {
    int32_t code;
    uint64_t count;
    char text[1000];
};

/* One that is under way. */
struct errand_run {
    pid_t pid;
    int report;
};
#define ERRAND_RUN_NONE                                                                            \
    {                                                                                              \
        .pid = 0, .report = -1                                                                     \
    }

/* In the container whose first process `pidfd` is. */
int errand_join(const struct plan *plan, int pidfd, const struct errand *errand,
                struct errand_run *out, struct error *err);
/* In a container that does not run; launch->errand is set here. `spent` is closed later. */
int errand_launch(struct launch *launch, const struct errand *errand, struct errand_run *out,
                  struct spent *spent, struct error *err);
/* Not in a container at all: the other end of a pipe, in a process that can be confined. Its root
 * is -1. */
int errand_aside(const struct errand *errand, struct errand_run *out, struct error *err);
/* The same as errand_end(), but for no longer than this: then it is killed, not waited for (what it
 * touched may keep even that from ending it), and -ETIMEDOUT. */
int errand_end_within(struct errand_run *run, int milliseconds, struct error *err);
/* Waits for its end. 0, or its code with its sentence. Nothing to do for ERRAND_RUN_NONE. */
int errand_end(struct errand_run *run, uint64_t *count, struct error *err);

/* For child.c: the child goes this way instead of executing a command. `proc`: a procfs with the
 * process in it. */
_Noreturn void errand_begin(struct child *c, const struct errand *errand, int proc);

#endif
