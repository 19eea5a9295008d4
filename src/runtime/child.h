/* SPDX-License-Identifier: Apache-2.0 */
/* What happens between clone3(2) and execve(2). For src/runtime only. */
#ifndef CAISSON_RUNTIME_CHILD_H
#define CAISSON_RUNTIME_CHILD_H

#include "runtime/assemble.h"
#include "runtime/birth.h"
#include "runtime/launch.h"

enum child_fd {
    CHILD_ROOT,  /* the root file system */
    CHILD_FILES, /* generated files */
    CHILD_FIXED,
};
#define CHILD_FDS_MAX 240
#define CHILD_HELD_MAX                                                                             \
    (CHILD_FDS_MAX - CGROUP_SLOTS - 1) /* beside control groups and a ruleset                      \
                                        */

/* From the parent, as soon as ids are mapped, with /dev: the child makes its own file systems. */
struct child_start {
    uint32_t id_base;
};

/* From the parent, with descriptors: CHILD_FIXED ones, then one for each mount of the plan
 * that is no tmpfs, in order, a Landlock ruleset if it is begun, the control groups to join, and
 * mounts that have served (mounts.c). */
struct child_go {
    uint32_t fd_count, group_count, spent_count;
    bool landlock_begun;
    bool unified_only; /* control groups are v2 */
    struct assembly_state assembled;
};

/* CHILD_LIMITS: everything is mounted; the parent now sets resource limits, which only it may
 * raise, and answers with one byte. */
enum child_message_kind {
    CHILD_FAILED = 1,
    CHILD_TERMINAL = 2, /* with the master */
    CHILD_LIMITS = 3,
    CHILD_NETWORK = 8, /* with a netlink socket of its network namespace, and that */
    /* Only of a bundle's (bundle_child.h): */
    CHILD_SOURCE = 5, /* `code` says which */
    CHILD_HOOKS = 6,  /* those of the runtime's namespaces are due */
    CHILD_READY = 7,  /* it waits to be started */
};
struct child_message {
    uint32_t kind;
    int32_t code; /* -errno */
    int32_t exit_code;
    char text[900];
};

enum { CHILD_OWN_FS = 3 }; /* in /dev: pts, shm, mqueue */

struct child {
    const struct launch *launch;
    const struct plan *plan;
    int socket;          /* to the parent, O_CLOEXEC */
    int said;            /* a pipe for failures, when nobody listens there any more; 0: none */
    int root;            /* the container's root, O_PATH */
    int dev;             /* its /dev, detached or mounted */
    int proc;            /* its procfs, detached or mounted */
    int sys;             /* likewise */
    int terminal;        /* slave, or -1 */
    int label;           /* where the label is written, or -1 */
    struct birth *birth; /* in a stage that another process comes from; else NULL */
    int own_fs[CHILD_OWN_FS];
    int landlock;  /* ruleset that the parent began, or -1 */
    int empty;     /* what covers directories, -1 before the first */
    bool attached; /* the root is, in our mount namespace */
    bool masked;   /* what lies on /proc and /sys, and /dev is filled */
    bool unified_only;
    struct assembly_state assembled;
    int fds[CHILD_FDS_MAX];
    size_t fd_count, group_count, spent_count;
};

/* Tells the parent and ends. */
_Noreturn void child_fail(struct child *c, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
_Noreturn void child_fail_error(struct child *c, const struct error *err);
_Noreturn void child_fail_exit(struct child *c, int exit_code, int code, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* The parent's answer to CHILD_LIMITS: sets the plan's resource limits. */
int launch_give_limits(const struct plan *plan, pid_t pid, int socket, struct error *err);
/* Lowers what a plan without limits lowers, then has the parent set the plan's resource limits. */
void child_take_limits(struct child *c);
_Noreturn void child_main(struct child *c);

/* --- stages that a bundle's first process shares ------------------------------------------------
 */
void child_join_groups(struct child *c, const int *tasks, size_t count);
void child_become_root(struct child *c, bool groups_denied);
void child_loopback_up(struct child *c);
/* Closes everything but 0, 1, 2, the `preserved` ones after them and `fds` (-1: none). What is only
 * marked to go at execve can be reached until then by whoever inside may look into the process. */
void child_close_all_but(struct child *c, int preserved, const int *fds, size_t count);
void child_make_proc(struct child *c);
void child_set_sysctl(struct child *c, const char *name, const char *value);
void child_set_asked_sysctls(struct child *c);
/* mounts.c */
void child_attach(struct child *c, int mount, int target, const char *path);
/* Masks and read-only paths; what covers files is `null` in c->dev. */
void child_fence_paths(struct child *c);
void child_make_working_directory(struct child *c);
void child_enter_root(struct child *c);

/* mounts.c: what needs no root yet: /sys and what lies in /dev; masks. c->proc and c->dev are
 * there.
 */
void child_make_own_mounts(struct child *c);
/* All mounts below c->root, then pivot_root. */
void child_mount_everything(struct child *c);
/* enter.c: the last stages, shared with exec. */
struct enter {
    const struct plan *plan;
    uint32_t uid, gid;
    const uint32_t *groups;
    size_t group_count;
    const struct caps *caps;
    const struct seccomp_program *seccomp;
    const struct seccomp_listener *listener; /* for a filter that notifies */
    const struct landlock_plan *landlock;
    int landlock_begun; /* see landlock_restrict() */
    const char *cwd;
    int label;     /* descriptor or -1 */
    int stdio[3];  /* -1: c->dev/null */
    bool terminal; /* stdio[0] is to become the controlling terminal */
    bool die_with_parent;
    bool init;
    bool groups_denied; /* setgroups(2) is */
    bool fenced;        /* fences are up already */
    int keep;           /* descriptors 3, 4, … that stay open */
    /* Called with everything given up but system calls, right before execve; NULL. */
    void (*hold)(struct child *c, const struct enter *e);
};
/* The program that execve would find: in PATH, or the word itself; ends the child when there is
 * none that can be executed. The answer lies in static memory. */
const char *child_find_program(struct child *c, const struct enter *e);
/* no_new_privs, Landlock, and without no_new_privs the filter of system calls. */
void child_fences(struct child *c, const struct enter *e);
_Noreturn void child_enter(struct child *c, const struct enter *e);

#endif
