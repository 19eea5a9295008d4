/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plan of one container: everything that starting it will do, as data.
 *
 * It is built by src/container, printed by --dry-run, kept as config.json (a runtime-spec
 * configuration plus a "caisson" object for what the spec has no words for) and carried out by
 * src/runtime, which takes no more decisions: what can be refused has been refused while planning.
 */
#ifndef CAISSON_RUNTIME_PLAN_H
#define CAISSON_RUNTIME_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/strv.h"
#include "network/ports.h"
#include "oci/image.h"
#include "runtime/caps.h"
#include "runtime/cgroup.h"
#include "runtime/label.h"
#include "runtime/rlimit.h"

#define PLAN_ID_COUNT 65536 /* ids in each container's own range */

enum plan_mount_kind {
    PLAN_BIND,   /* source: an absolute path of the host */
    PLAN_TMPFS,  /* data: "size=…,mode=…" */
    PLAN_VOLUME, /* source: the name of a volume */
    PLAN_IMAGE,  /* source: the id of an image, whose files are mounted read-only */
};

struct plan_mount {
    enum plan_mount_kind kind;
    char *source;
    char *target;   /* clean absolute path inside the container */
    char *data;     /* tmpfs options, comma-separated; NULL */
    bool read_only; /* recursively, for binds */
    bool recursive; /* bind: with what is mounted below the source */
    bool no_exec, dev, suid;
    bool idmap;                /* bind: what the container writes belongs to bind_uid/bind_gid */
    bool copy_up;              /* tmpfs and volume: start with the image's files of this place */
    bool anonymous;            /* volume: goes with the container */
    char *subpath;             /* volume and image: only this of it, without "/" before it; NULL */
    char *manifest;            /* image: digest */
    unsigned long propagation; /* MS_PRIVATE, MS_SLAVE, … */
    /* Only for who makes the container, not kept in config.json. */
    bool given; /* volume: none of the store's, but a directory or file that whoever starts it opens
                 */
    bool make;  /* volume: make it when it is missing, */
    struct strv labels; /* with these */
};

struct plan_device {
    char *host, *path; /* where the node is and where it appears */
    unsigned access;   /* enum device_access */
    char type;         /* 'c' or 'b' */
    uint32_t major, minor;
};

enum plan_network { PLAN_NET_NONE, PLAN_NET_HOST, PLAN_NET_CONTAINER, PLAN_NET_BRIDGE };

/* A network that it is on, by PLAN_NET_BRIDGE. Addresses are text; NULL: any. */
struct plan_endpoint {
    char *network; /* name */
    struct strv aliases;
    char *ip4, *ip6, *mac;
};

/* Namespaces of its own; a missing one is shared with the host, or another container's. A user
 * namespace that is another container's counts as one of its own: its ids are not the host's. */
enum plan_namespace {
    PLAN_NS_USER = 1 << 0,
    PLAN_NS_PID = 1 << 1,
    PLAN_NS_IPC = 1 << 2,
    PLAN_NS_UTS = 1 << 3,
    PLAN_NS_NET = 1 << 4,
    PLAN_NS_CGROUP = 1 << 5,
};

/* Of an IPC namespace of its own. */
enum plan_ipc {
    PLAN_IPC_PRIVATE,
    PLAN_IPC_SHAREABLE, /* other containers may join it, and get its /dev/shm */
    PLAN_IPC_NONE,      /* there is no /dev/shm */
};

enum plan_seccomp {
    PLAN_SECCOMP_OFF,
    PLAN_SECCOMP_RESTRICTED,
    PLAN_SECCOMP_BASELINE,
    PLAN_SECCOMP_FILE
};

/* One protection: what was asked for, what is in force, and why not more. */
struct protection {
    char *name;     /* "seccomp" */
    char *asked;    /* "restricted" */
    char *in_force; /* "restricted (187 instructions)" */
    char *why;      /* NULL when nothing is amiss */
    char *flag;     /* the one-flag opposite: "--security-opt seccomp=unconfined" */
    bool relaxed;   /* weaker than the level says, because a flag asked for it */
};

struct posture {
    char *level; /* restricted, baseline, privileged */
    struct protection *items;
    size_t count;
};

/* How it is found out whether what runs is well; times in nanoseconds. */
struct plan_health {
    struct strv test; /* "CMD", …, or "CMD-SHELL" and one line; empty: no check */
    int64_t interval, timeout, start_period, start_interval, retries;
};

struct plan {
    char *id, *name, *hostname, *domainname;
    char *image_name, *image_id, *image_manifest;
    struct posture posture;

    /* process */
    struct strv args, env;
    char *cwd;
    uint32_t uid, gid;
    uint32_t *groups;
    size_t group_count;
    bool stand_in;   /* uid and gid are for the image's root, which nobody asked for */
    char *user_text; /* as asked for or as the image says, for `inspect` */
    bool terminal, stdin_open, init;
    int64_t umask; /* -1: 022 */
    struct caps caps;
    uint64_t granted; /* what --cap-add and the level give, before the user is considered */
    bool no_new_privs;
    enum plan_seccomp seccomp;
    char *seccomp_file;
    bool landlock;
    struct label label;
    struct rlimit_spec *rlimits;
    size_t rlimit_count;
    int64_t open_files; /* of one process at most, where no rlimit says it; 0: as many as we may */
    int64_t oom_score_adj; /* INT64_MIN: as it is */
    char *stop_signal;
    int64_t stop_timeout; /* seconds */

    /* where it runs */
    unsigned namespaces; /* enum plan_namespace, or-ed */
    uint32_t id_base;    /* host id of its id 0; 0: not chosen yet, or no user namespace */
    enum plan_network network;
    /* Ids of other containers whose namespaces are joined; NULL. */
    char *network_container, *pid_container, *ipc_container, *user_container;
    enum plan_ipc ipc;
    struct plan_endpoint *endpoints;
    size_t endpoint_count;
    struct port_bindings ports; /* what of it is published */
    struct strv exposed;        /* "80/tcp", "8000-8010/udp": what its image or somebody says */
    bool publish_all;           /* ports are, among others, all that are exposed */
    bool host_access, metadata_access; /* to the host's services; to where clouds answer */
    struct strv egress; /* where it may go (network/egress.h); empty: as its networks say */
    struct strv dns, dns_search, dns_options, extra_hosts; /* NAME=IP */
    /* Lines of /etc/hosts for its own addresses, and of resolv.conf: chosen by each start, not
     * kept. */
    char *hosts_own, *resolv_own;
    struct strv sysctls; /* "net.ipv4.x=1" */
    char *cgroup_parent;
    struct cgroup_limits limits; /* its strings are owned by the plan, below */
    char *cpuset_cpus, *cpuset_mems;
    struct device_rule *device_rules;
    size_t device_rule_count;
    bool all_devices;

    /* file system */
    struct strv layers; /* diff ids, lowest first */
    bool root_read_only;
    struct plan_mount *mounts;
    size_t mount_count;
    struct plan_device *devices;
    size_t device_count;
    struct strv masked, read_only_paths;
    int64_t shm_size;
    /* Generated files; NULL: the image's own. */
    char *passwd, *group, *hosts, *resolv_conf;
    char *home; /* a home directory for an id without an entry; a tmpfs is there; NULL */
    uint32_t bind_uid, bind_gid; /* who ran it, for bind mounts */

    /* life */
    bool remove; /* --rm */
    bool by_run; /* made by `run`, which starts it at once, and not by `create` */
    bool step;   /* of a build: lists and events leave it out */
    bool detached;
    char *restart; /* NULL or a policy */
    struct plan_health health;
    char *log_driver; /* "json-file", "journald" or "none" */
    int64_t log_max_size, log_max_file;
    /* For the journal: its template, NULL: the short id; and names of labels and variables. */
    char *log_tag;
    struct strv log_labels, log_env;
    struct strv labels, annotations;
    char *created; /* RFC 3339 */
    char *cid_file;
};

/* Nothing asked for, every protection on: what a plan does not say is the stricter way. */
void plan_init(struct plan *plan);
void plan_free(struct plan *plan);
#define autoplan __attribute__((cleanup(plan_free))) struct plan

struct plan_mount *plan_add_mount(struct plan *plan);
struct plan_endpoint *plan_add_endpoint(struct plan *plan);
/* What it owns. */
void plan_endpoint_free(struct plan_endpoint *endpoint);
/* Looks the node up; -ENODEV and a sentence when `host` is no device. */
int plan_add_device(struct plan *plan, const char *host, const char *path, unsigned access,
                    struct error *err);
struct protection *posture_add(struct posture *posture, const char *name, const char *asked,
                               const char *flag);
const struct protection *posture_find(const struct posture *posture, const char *name);

/*
 * config.json, both ways. What was written comes back the same, but for bytes that are not UTF-8,
 * which JSON cannot hold. Of a document that was damaged, `plan_read` says which member is wrong
 * ("config.json: linux.resources.pids.limit must be …", -EINVAL); members it does not know are left
 * alone, and what follows from others (mounts that every container has) is not read at all. A
 * joined namespace has the path "container:ID", which no other runtime would follow by mistake.
 */
#define PLAN_TEXT_MAX (8u << 20)
void plan_write(const struct plan *plan, unsigned indent, struct buf *out);
/* Whether `plan_read` would take back what `plan_write` makes of it, but for its length; quick. */
int plan_check(const struct plan *plan, struct error *err);
/* plan_write() of at most `max` bytes; -EFBIG otherwise. */
int plan_write_checked(const struct plan *plan, size_t max, struct buf *out, struct error *err);
int plan_read(const char *text, size_t length, struct plan *out, struct error *err);

#endif
