/* SPDX-License-Identifier: Apache-2.0 */
/* Between clone3(2) and execve(2) of a bundle's first process. For src/runtime only. */
#ifndef CAISSON_RUNTIME_BUNDLE_CHILD_H
#define CAISSON_RUNTIME_BUNDLE_CHILD_H

#include "runtime/bundle_launch.h"
#include "runtime/child.h"

/* The parent's first word, with the v1 control groups to join: ids are mapped. */
struct bundle_go {
    int32_t pid; /* on the host */
    uint32_t group_count;
    bool users;         /* the process is in a user namespace other than the parent's */
    bool groups_denied; /* setgroups(2) is, in that namespace */
    char group[2048];   /* its control group, below the root of every hierarchy; may be empty */
};

/* What the child asks with CHILD_SOURCE: an index of the bundle's mounts, or one of these. */
enum { SOURCE_ROOT = -1, SOURCE_DEVICE = -2 }; /* devices: SOURCE_DEVICE - index */

/* The answer, with a descriptor when there is one: without, and `code` 0, the child is to do it. */
struct bundle_answer {
    int32_t code;
    char text[900];
};

struct bundle_child {
    struct child child; /* first: what the shared stages know */
    const struct bundle_launch *launch;
    const struct bundle *bundle;
    struct bundle_go go;
    int host;  /* the host's root, O_PATH */
    int *late; /* tmpfs that become read-only when all is mounted */
    size_t late_count;
    uint64_t own_dev; /* id of the file system in memory that we made at /dev; 0: none */
};

_Noreturn void bundle_child_main(struct bundle_child *b);

/* Asks the parent; the descriptor, or -1 when the child is to do it itself. */
int bundle_ask(struct bundle_child *b, int source, const char *what);
/* Asks for something to be done, and waits until it is. */
void bundle_tell(struct bundle_child *b, enum child_message_kind kind);

/* bundle_fs.c: all mounts below a root that is attached, then what lies in /dev. */
void bundle_mount_root(struct bundle_child *b);
void bundle_mount_all(struct bundle_child *b);
void bundle_mount_finish(struct bundle_child *b);
/* bundle_dev.c */
void bundle_make_devices(struct bundle_child *b);
void bundle_make_terminal(struct bundle_child *b);

/* What parent and child do alike, whoever can. A detached copy of a bind's source, as its options
 * say; `userns`: for idmap without maps of its own. */
int bundle_clone_bind(const struct bundle_mount *m, int userns, struct error *err);
int bundle_clone_root(const struct bundle *bundle, struct error *err);
/* A copy of the host's own node, for where none can be made. */
int bundle_clone_device(const struct bundle_device *device, struct error *err);

#endif
