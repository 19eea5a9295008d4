/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Control groups of one container, on v2, v1 and hybrid hosts alike.
 *
 * The order of a run:
 *   struct cgroup group = CGROUP_EMPTY;
 *   cgroup_begin(parent, id, &limits, &making, &group, err);   parent process, before clone3
 *   clone3(... CLONE_INTO_CGROUP, .cgroup = cgroup_clone_fd(&group))   when that is >= 0
 *   cgroup_finish(making, &group, err)                     the rest, while the child sets itself up
 *   cgroup_join(group.tasks, CGROUP_SLOTS)                 in the child, with descriptors that were
 *                                                          sent to it: v1 hierarchies
 *   unshare(CLONE_NEWCGROUP)                               only now: the namespace's root is where
 *                                                          its maker stands at that moment
 *   ... cgroup_record() into the container's state; later commands: cgroup_open() ...
 *   cgroup_kill(), cgroup_remove(), cgroup_close()
 *
 * A missing controller or a missing right never fails a create: the limit is reported as not in
 * force, with the reason, and the caller decides. A value that the kernel refuses (a processor that
 * is not there, less memory than is in use) is an error that names the option.
 */
#ifndef CAISSON_RUNTIME_CGROUP_H
#define CAISSON_RUNTIME_CGROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/error.h"

#define CGROUP_UNSET INT64_MIN /* a limit that nobody asked for: nothing is written */
#define CGROUP_UNLIMITED (-1)  /* asked for: no limit */
#define CGROUP_DEFAULT_PARENT "caisson"
#define CGROUP_FOREIGN_PARENT "caisson-runtime" /* for bundles that name no place of their own */

enum device_access { DEVICE_MKNOD = 1, DEVICE_READ = 2, DEVICE_WRITE = 4, DEVICE_RWM = 7 };

/* One line of a device list; the last rule that matches an access decides. */
struct device_rule {
    char type;      /* 'c', 'b' or 'a' (both) */
    int64_t major;  /* -1: any */
    int64_t minor;  /* -1: any */
    uint8_t access; /* enum device_access, or-ed */
    bool allow;
};

/* The hierarchies a group can have a directory in. On v2 there is only the last. */
enum cgroup_slot {
    CGROUP_MEMORY,
    CGROUP_PIDS,
    CGROUP_CPU,
    CGROUP_CPUACCT,
    CGROUP_CPUSET,
    CGROUP_DEVICES,
    CGROUP_FREEZER,
    CGROUP_BLKIO,
    CGROUP_HUGETLB,
    CGROUP_NET_CLS,
    CGROUP_NET_PRIO,
    CGROUP_RDMA,
    CGROUP_UNIFIED,
    CGROUP_SLOTS,
};

/* One value of one control file, for what only foreign configurations ask for. Unlike a limit it is
 * never left out in silence: what cannot be written is an error that names `what`. */
struct cgroup_value {
    char *what;              /* "linux.resources.cpu.burst" */
    enum cgroup_slot slot;   /* on v1 */
    char *v1_file, *v1_text; /* NULL: v1 has nothing like it */
    char *v2_file, *v2_text; /* NULL: v2 has not */
};
void cgroup_value_free(struct cgroup_value *value);

struct cgroup_limits {
    int64_t memory;             /* bytes */
    int64_t memory_swap;        /* bytes of memory and swap together, as Docker counts */
    int64_t memory_reservation; /* bytes the kernel reclaims down to when memory is short */
    int64_t pids;               /* processes and threads */
    int64_t cpu_shares;         /* 2 … 262144; 1024 is one fair share (also makes the group) */
    int64_t cpu_quota;          /* microseconds in each cpu_period; --cpus 1.5 is 150000 */
    int64_t cpu_period;         /* microseconds; unset: 100000 */
    int64_t blkio_weight;       /* 10 … 1000 */
    const char *cpuset_cpus;    /* "0-3,7" or NULL */
    const char *cpuset_mems;
    bool devices_all; /* no device policy at all (privileged) */
    /* Everything not allowed here is denied. cgroup_default_devices is what a container needs;
     * cgroup_update() leaves devices alone. */
    const struct device_rule *devices;
    size_t device_count;
    unsigned by_flag; /* 1u << enum cgroup_limit: asked for by name, not only the level's */
    const struct cgroup_value *values;
    size_t value_count;
    bool everywhere; /* v1: in every hierarchy there is, where engines look for numbers */
    bool account_io; /* stats should know what was read and written (v1: one more hierarchy) */
};
/* Everything unset; devices: none allowed. */
#define CGROUP_LIMITS_NONE                                                                         \
    {                                                                                              \
        .memory = CGROUP_UNSET, .memory_swap = CGROUP_UNSET, .memory_reservation = CGROUP_UNSET,   \
        .pids = CGROUP_UNSET, .cpu_shares = CGROUP_UNSET, .cpu_quota = CGROUP_UNSET,               \
        .cpu_period = CGROUP_UNSET, .blkio_weight = CGROUP_UNSET                                   \
    }

/* null zero full random urandom tty console ptmx, and the container's own pts. */
extern const struct device_rule cgroup_default_devices[];
extern const size_t cgroup_default_device_count;

enum cgroup_layout {
    CGROUP_NONE,   /* nothing usable is mounted, or nothing we may write to */
    CGROUP_V1,     /* one hierarchy for each controller */
    CGROUP_HYBRID, /* v1 controllers, and a v2 tree beside them that has (almost) none */
    CGROUP_V2,
};

/* What can be asked for, and so be in force or not. */
enum cgroup_limit {
    CGROUP_LIMIT_MEMORY,
    CGROUP_LIMIT_SWAP,
    CGROUP_LIMIT_RESERVATION,
    CGROUP_LIMIT_PIDS,
    CGROUP_LIMIT_CPU_SHARES,
    CGROUP_LIMIT_CPU_QUOTA,
    CGROUP_LIMIT_CPUSET_CPUS,
    CGROUP_LIMIT_CPUSET_MEMS,
    CGROUP_LIMIT_BLKIO_WEIGHT,
    CGROUP_LIMIT_DEVICES,
    CGROUP_LIMIT_COUNT,
};

/* One container's group. Initialise with CGROUP_EMPTY, end with cgroup_close(); everything in it is
 * read through the functions below. */
struct cgroup {
    enum cgroup_layout layout;
    char *path;              /* below every hierarchy's root, "caisson/<id>"; NULL: no group */
    int root;                /* the mount point, /sys/fs/cgroup */
    int dirs[CGROUP_SLOTS];  /* O_PATH; -1: no group in this hierarchy */
    int tasks[CGROUP_SLOTS]; /* v1: open for the child to join with */
    uint32_t asked;          /* 1u << enum cgroup_limit */
    uint32_t in_force;
    char why[CGROUP_LIMIT_COUNT][128];
};
#define CGROUP_EMPTY                                                                               \
    {                                                                                              \
        .root = -1, .dirs = {[0 ... CGROUP_SLOTS - 1] = -1}, .tasks = {                            \
            [0 ... CGROUP_SLOTS - 1] = -1                                                          \
        }                                                                                          \
    }
#define autocgroup __attribute__((cleanup(cgroup_close))) struct cgroup

/* What this host has: its layout, and the controllers (or, with CGROUP_NONE, why not). */
void cgroup_host(enum cgroup_layout *layout, struct buf *detail);

/* Makes the group <parent>/<id> (parent NULL: below "caisson", where it is quickest; else
 * --cgroup-parent: absolute or relative to the root of the hierarchies, no ".." and no empty parts)
 * with `limits`, which have to stay until cgroup_making_end(). For an ordinary user the parent lies
 * below the group that was delegated to them. cgroup_begin() makes what clone3() needs and nothing
 * when it fails; cgroup_finish() the other hierarchies, and puts the limits in force: when it fails
 * the caller removes the group. */
struct cgroup_making;
int cgroup_begin(const char *parent, const char *id, const struct cgroup_limits *limits,
                 struct cgroup_making **making, struct cgroup *out, struct error *err);
int cgroup_finish(const struct cgroup_making *making, struct cgroup *group, struct error *err);
void cgroup_making_end(struct cgroup_making *making);

/* The group as a unit of systemd's. */
struct cgroup_unit {
    bool of_user;     /* of the user's manager, and not the host's */
    const char *name; /* "docker-ID.scope", or that of a slice */
    const char *slice;
    const char *description;
};
/* As cgroup_begin(); nothing is made before the first process is there. -ENOTSUP: not on this host.
 */
int cgroup_begin_unit(const struct cgroup_unit *unit, const struct cgroup_limits *limits,
                      struct cgroup_making **making, struct cgroup *out, struct error *err);
/* Makes it, with `pid` in it: before cgroup_finish(). */
int cgroup_start_unit(struct cgroup_making *making, pid_t pid, struct cgroup *group,
                      struct error *err);
/* Tells systemd of limits that cgroup_update() is about to write. */
int cgroup_update_unit(const struct cgroup_unit *unit, const struct cgroup *group,
                       const struct cgroup_limits *limits, struct error *err);
/* Ends it with all that is in it. One that is gone is no error. */
int cgroup_stop_unit(const struct cgroup_unit *unit, struct error *err);

/* For an ordinary user, before the first fork of a start: sees to it that this process is in a
 * group below which it may make others, from the user's systemd where nobody gave one. For root,
 * and where there is one already, nothing is done. An error: limits will not be in force, and why.
 */
int cgroup_delegate(const char *id, const char *description, struct error *err);
/* For an ordinary user: sees to it that processes of ours may be born in `group`. */
int cgroup_reach(const struct cgroup *group, const char *description, struct error *err);

/* Is `parent` a name that cgroup_create() takes? For refusing it while planning. */
int cgroup_check_parent(const char *parent, struct error *err);
/* Likewise for the name below it. */
int cgroup_check_id(const char *id, struct error *err);
/* One line of text for the container's state: layout, hierarchies and path. */
void cgroup_record(const struct cgroup *group, struct buf *out);
/* Finds the group again. -ENOENT: it is gone. The limits in force are not known afterwards. */
int cgroup_open(const char *record, struct cgroup *out, struct error *err);
/* The same without a record: the group of `id` below `parent` (NULL: the default). For clearing up
 * after somebody who was killed before anything was recorded. -ENOENT: there is none. */
int cgroup_find(const char *parent, const char *id, struct cgroup *out, struct error *err);
void cgroup_close(struct cgroup *group);

/* For clone3(CLONE_INTO_CGROUP), or -1. */
int cgroup_clone_fd(const struct cgroup *group);
/* The calling thread (of a process that has no others) enters the v1 hierarchies whose `tasks` are
 * given (-1: none): only writes to descriptors, safe after clone3 and in a new user namespace. Some
 * 30 microseconds a hierarchy, where cgroup_add() can take 10 ms for each: the kernel need not stop
 * every fork on the machine for a thread that moves itself. -errno. */
int cgroup_join(const int *tasks, size_t count);
/* After cgroup_open(): opens what cgroup_join() needs, so that exec's process enters as quickly. */
int cgroup_open_tasks(struct cgroup *group, struct error *err);
/* Closes the parent's copy of what cgroup_join() needed. */
void cgroup_joined(struct cgroup *group);
/* Moves another process into all hierarchies, v2 included: where clone3() or cgroup_join() cannot.
 */
int cgroup_add(const struct cgroup *group, pid_t pid, struct error *err);

bool cgroup_in_force(const struct cgroup *group, enum cgroup_limit limit);
/* Why an asked-for limit is not in force, for the posture; NULL when it is, or was not asked for.
 */
const char *cgroup_why_not(const struct cgroup *group, enum cgroup_limit limit);
/* An error that names the first of these limits (1u << enum cgroup_limit) that is not in force. */
int cgroup_check_asked(const struct cgroup *group, unsigned limits, struct error *err);
/* The sentence of that error, -ENOTSUP. */
int cgroup_refuse(enum cgroup_limit limit, const char *why, struct error *err);
/* The same for the first of these (1u << enum cgroup_limit); 0 where there is none. */
int cgroup_refuse_any(unsigned limits, const char *why, struct error *err);
/* Why no group can be made at all, into `why`; false: they can. */
bool cgroup_none(char *why, size_t size);
/* "memory", "memory-swap" …: the option's name without dashes. */
const char *cgroup_limit_name(enum cgroup_limit limit);

/* Changes the limits that are set. On v1 this can add hierarchies: record the group again. */
int cgroup_update(struct cgroup *group, const struct cgroup_limits *limits, struct error *err);

/* Sends SIGKILL to everything in the group, also to what forks meanwhile; returns when it is empty
 * (-ETIMEDOUT after ten seconds, with a sentence). */
int cgroup_kill(struct cgroup *group, struct error *err);
/* On v1 without a v2 tree this adds the freezer hierarchy: record the group again. */
int cgroup_freeze(struct cgroup *group, struct error *err);
int cgroup_thaw(struct cgroup *group, struct error *err);
int cgroup_frozen(const struct cgroup *group, bool *frozen, struct error *err);
/* The processes in it and in groups nested in it; *pids is the caller's to free. */
int cgroup_processes(const struct cgroup *group, pid_t **pids, size_t *count, struct error *err);
/* Removes it and groups nested in it; waits up to a second for the last process to be gone. Absent
 * is no error. */
int cgroup_remove(struct cgroup *group, struct error *err);

#define CGROUP_NO_LIMIT UINT64_MAX
struct cgroup_stats {
    bool has_memory, has_cpu, has_pids, has_io; /* false: the numbers below are 0, not known */
    uint64_t memory_usage;                      /* without what reclaiming gives back at once */
    uint64_t memory_limit;                      /* CGROUP_NO_LIMIT */
    uint64_t memory_peak;                       /* 0: this kernel does not tell */
    uint64_t cpu_ns, cpu_user_ns, cpu_system_ns;
    uint64_t cpu_periods, cpu_throttled_periods, cpu_throttled_ns;
    uint64_t pids, pids_limit; /* CGROUP_NO_LIMIT */
    uint64_t io_read_bytes, io_write_bytes;
};
int cgroup_stats(const struct cgroup *group, struct cgroup_stats *stats, struct error *err);

struct cgroup_events {
    uint64_t oom_kills; /* processes killed for memory, nested groups included */
    uint64_t pids_max;  /* forks refused for the limit of processes */
};
int cgroup_events(const struct cgroup *group, struct cgroup_events *events, struct error *err);

#endif
