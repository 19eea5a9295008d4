/* SPDX-License-Identifier: Apache-2.0 */
/* What happens between clone3(2) and execve(2). For src/runtime only. */
#ifndef CAISSON_RUNTIME_CHILD_H
#define CAISSON_RUNTIME_CHILD_H

#include "runtime/launch.h"

enum child_fd {
    CHILD_ROOT,  /* the root file system */
    CHILD_DEV,   /* its /dev */
    CHILD_FILES, /* generated files */
    CHILD_FIXED,
};
#define CHILD_FDS_MAX 240

/* From the parent, with descriptors: CHILD_FIXED ones, then one for each bind mount and volume of
 * the plan, in order, then one for each device (only where nodes cannot be made). */
struct child_go {
    uint32_t id_base;
    uint32_t fd_count;
    uint32_t spent_count; /* the last of them: mounts that have served, see mounts.c */
};

/* CHILD_LIMITS: everything is mounted; the parent now sets resource limits, which only it may
 * raise, and answers with one byte. */
enum child_message_kind { CHILD_FAILED = 1, CHILD_TERMINAL = 2, CHILD_LIMITS = 3 };
struct child_message {
    uint32_t kind;
    int32_t code; /* -errno */
    int32_t exit_code;
    char text[900];
};

struct child {
    const struct launch *launch;
    const struct plan *plan;
    struct cgroup *cgroup;
    int socket;   /* to the parent, O_CLOEXEC */
    int root;     /* the container's root, O_PATH */
    int proc;     /* its procfs, detached or mounted */
    int terminal; /* slave, or -1 */
    int label;    /* where the label is written, or -1 */
    int fds[CHILD_FDS_MAX];
    size_t fd_count, spent_count;
    uid_t setup_uid; /* root of the user namespace */
};

/* Tells the parent and ends. */
_Noreturn void child_fail(struct child *c, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
_Noreturn void child_fail_exit(struct child *c, int exit_code, int code, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

_Noreturn void child_main(struct child *c);

/* mounts.c: all mounts below c->root, then pivot_root. */
void child_mount_everything(struct child *c);
/* enter.c: the last stages, shared with exec. */
struct enter {
    const struct plan *plan;
    uint32_t uid, gid;
    const uint32_t *groups;
    size_t group_count;
    const struct caps *caps;
    const struct seccomp_program *seccomp;
    const struct landlock_plan *landlock;
    const char *cwd;
    int label; /* descriptor or -1 */
    int stdio[3];
    bool terminal; /* stdio[0] is to become the controlling terminal */
    bool make_cwd;
    bool die_with_parent;
    bool init;
};
_Noreturn void child_enter(struct child *c, const struct enter *e);

#endif
