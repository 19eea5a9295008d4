/* SPDX-License-Identifier: Apache-2.0 */
/* The operations of a container's life: lifecycle.h. */
#ifndef CAISSON_LIFECYCLE_LIFE_H
#define CAISSON_LIFECYCLE_LIFE_H

#include "lifecycle/lifecycle.h"
#include "runtime/launch.h"

struct create_options {
    const char *id;
    const char *bundle; /* directory, absolute */
    const char *pid_file;
    const char *console_socket;
    int keep; /* descriptors 3, 4, … that it gets */
    bool no_new_keyring;
    bool systemd;       /* makes the control group */
    bool terminal_here; /* a terminal without a socket stays with the caller: `run` */
};

#define LIVING_GROUP_SIZE 128
/* The name of a container's control group where the configuration gives none: another --root, or
 * another user, may have a container of that id. */
void living_group_name(const char *root, const char *id, char out[LIVING_GROUP_SIZE]);

/* What a container is made from, read and judged before anything is made. */
struct creation {
    struct buf text; /* config.json */
    struct bundle bundle;
};
/* With `systemd`: the unit that the container gets, into `bundle`. What the configuration says of
 * it has to be what the options say. */
int unit_judge(const struct create_options *options, struct bundle *bundle, struct error *err);
int creation_read(const struct create_options *options, struct creation *out, struct error *err);
/* Takes away what we do not have ourselves, with a warning each. */
void bundle_limit_caps(struct bundle *bundle);
void creation_free(struct creation *creation);

/* On success it waits to be started, and `out` is open and locked; `launched` has its first process
 * (and its terminal, where that stays here). */
int life_create(const struct containers_root *root, const struct create_options *options,
                const struct creation *creation, struct living *out, struct launched *launched,
                struct error *err);
/* Lets it go on. Failures of poststart hooks are no failures: warnings. */
int life_start(struct living *c, const struct bundle *bundle, struct strv *warnings,
               struct error *err);
int life_kill(struct living *c, int signal, bool all, struct error *err);
/* `force`: whatever it does. */
int life_delete(const struct containers_root *root, struct living *c, bool force,
                struct strv *warnings, struct error *err);
int life_freeze(struct living *c, bool frozen, struct error *err);

/* "PID" into a file that appears with its content. */
int write_pid_file(const char *path, pid_t pid, struct error *err);
/* Checks and connects before anything is made; the descriptor. */
int console_connect(const char *path, struct error *err);
int console_send(int socket, int master, struct error *err);

/* A connected unix socket; `what` names it in errors. */
int unix_connect(const char *path, const char *what, struct error *err);

/* The filter of system calls, and where its listener is sent. */
struct filter {
    bool there;
    struct seccomp_program program;
    struct seccomp_listener listener;
    char *before, *after; /* owned */
};
#define autofilter __attribute__((cleanup(filter_close))) struct filter
#define FILTER_NONE                                                                                \
    {                                                                                              \
        .listener = {.socket = -1 }                                                                \
    }
int filter_open(const struct living *c, const struct bundle *bundle, const char *status,
                struct filter *out, struct error *err);
void filter_close(struct filter *filter);

/* --- exec --- */
struct exec_process {
    struct bundle *bundle; /* with the process to be run in it */
    const char *pid_file;
    const char *console_socket;
    int keep;
    bool detached;
};
/* One more process. `launched` has it, and its terminal where there is no socket. */
int life_exec(struct living *c, const struct exec_process *process, struct launched *launched,
              int *exit_code, struct error *err);

#endif
