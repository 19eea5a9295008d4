/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A container from somebody else's config.json: a plan, and what only such documents can say.
 *
 * The reader takes a runtime-spec 1.2 configuration and fills in a `struct bundle`. Every member of
 * the specification is either honoured or refused by name; members that it does not know are left
 * alone, as it demands; annotations are carried along and decide nothing. What the reader let pass,
 * src/runtime/bundle_*.c carry out without another decision.
 *
 * It is trusted as far as whoever may call caisson-runtime is. What it points to is not: the root
 * file system, and every volume, may be written by containers that run already.
 */
#ifndef CAISSON_RUNTIME_BUNDLE_H
#define CAISSON_RUNTIME_BUNDLE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/strv.h"
#include "runtime/plan.h"

enum bundle_ns {
    BUNDLE_USER,
    BUNDLE_PID,
    BUNDLE_MOUNT,
    BUNDLE_IPC,
    BUNDLE_UTS,
    BUNDLE_NET,
    BUNDLE_CGROUP,
    BUNDLE_TIME,
    BUNDLE_NS_COUNT,
};

struct bundle_namespace {
    bool listed; /* else the container shares the runtime's */
    char *path;  /* the one to join; NULL: a new one */
};

/* What the kernel and the specification call a namespace. */
struct bundle_ns_word {
    const char *name; /* "network" */
    const char *file; /* "net", in /proc/PID/ns */
    int flag;         /* CLONE_NEWNET */
};
extern const struct bundle_ns_word bundle_ns_words[BUNDLE_NS_COUNT];

struct bundle_map {
    uint32_t inside, outside, count;
};

struct bundle_maps {
    struct bundle_map *uids, *gids;
    size_t uid_count, gid_count;
};

struct bundle_mount {
    char *target; /* clean absolute path */
    char *source; /* of a bind: absolute; else what the file system is told; NULL */
    char *type;   /* "bind" for every bind */
    char *data;   /* options for the file system itself, comma-separated; NULL */
    bool bind, recursive;
    bool copy_up;                /* a tmpfs starts with what lies at its place */
    uint64_t set, clear;         /* MOUNT_ATTR_* of the mount */
    uint64_t set_all, clear_all; /* and of those with all that is mounted below */
    unsigned long propagation;   /* MS_PRIVATE, …; 0: private */
    bool propagation_all;
    bool idmap, idmap_all; /* by `maps`, or as the container's user namespace */
    struct bundle_maps maps;
};

struct bundle_device {
    char *path;
    char type; /* 'c', 'b', or 'p' for a pipe */
    uint32_t major, minor, mode, uid, gid;
};

enum bundle_stage {
    HOOK_PRESTART,
    HOOK_CREATE_RUNTIME,
    HOOK_CREATE_CONTAINER,
    HOOK_START_CONTAINER,
    HOOK_POSTSTART,
    HOOK_POSTSTOP,
    HOOK_STAGES,
};
extern const char *const bundle_stage_names[HOOK_STAGES];

struct bundle_hook {
    char *path;
    struct strv args, env; /* args: argv, empty: the path alone */
    int64_t timeout;       /* seconds; 0: none */
};

struct bundle_hooks {
    struct bundle_hook *items;
    size_t count;
};

/* What the first process gets beside what a plan knows. */
struct bundle_attributes {
    int64_t rows, columns; /* of its terminal; 0: as it is */
    bool has_personality;
    unsigned long personality;
    int io_class; /* 0: as it is */
    int io_priority;
    bool has_scheduler;
    struct bundle_scheduler {
        uint32_t policy;
        int32_t nice;
        uint32_t priority;
        uint64_t flags, runtime, deadline, period;
    } scheduler;
    char *cpus; /* execCPUAffinity.final: "0-3,7"; NULL */
    char *cpus_initial;
};

struct bundle {
    struct plan plan; /* first: tables of fields count their offsets from here */
    char *path;       /* the bundle's directory */
    char *rootfs;     /* absolute */
    struct bundle_namespace namespaces[BUNDLE_NS_COUNT];
    struct bundle_maps maps;
    bool has_offsets;
    int64_t monotonic[2], boottime[2]; /* seconds, nanoseconds */
    struct bundle_mount *mounts;
    size_t mount_count;
    struct bundle_device *devices;
    size_t device_count;
    struct bundle_hooks hooks[HOOK_STAGES];
    struct bundle_attributes attributes;
    char *cgroup_parent, *cgroup_name; /* the group is <parent>/<name>; NULL: not said */
    char *cgroup_slice,
        *cgroup_unit;            /* or it is this unit of systemd's; a slice of NULL: not said */
    struct cgroup_value *values; /* for plan.limits */
    size_t value_count;
    bool memory_check;              /* update: never set less than is in use */
    unsigned long root_propagation; /* MS_SHARED, …; 0: private */
    char *seccomp;                  /* JSON; NULL */
    char *listener_path;            /* unix socket for the listener of seccomp; NULL */
    char *listener_metadata;        /* what is said with it */
    struct strv warnings;           /* of what the specification wants warned about only */
};

void bundle_init(struct bundle *bundle);
void bundle_free(struct bundle *bundle);
#define autobundle __attribute__((cleanup(bundle_free))) struct bundle

/* `path`: the bundle's directory, absolute, against which relative paths count. Errors begin with
 * "config.json: " and name the member. -ENOTSUP for what is refused, -EINVAL for what is wrong. */
int bundle_parse(const char *text, size_t length, const char *path, struct bundle *out,
                 struct error *err);
/* Replaces the process of a bundle by that of a process.json. */
int bundle_read_process(const char *text, size_t length, struct bundle *bundle, struct error *err);
/* linux.resources alone, as `update` gets it: only limits, values and devices of `out` are set. */
int bundle_read_resources(const char *text, size_t length, struct bundle *out, struct error *err);

/* The options of mounts that the reader honours, for `features`; NULL after the last. */
const char *bundle_mount_option(size_t index);

/* Whether it gets a user namespace of its own, new or joined. */
bool bundle_has_users(const struct bundle *bundle);

/* The namespace that an item of linux.sysctl ("name=value") belongs to, however it is spelled;
 * BUNDLE_NS_COUNT: none. */
enum bundle_ns bundle_sysctl_namespace(const char *item);

#endif
