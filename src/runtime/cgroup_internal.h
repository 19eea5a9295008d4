/* SPDX-License-Identifier: Apache-2.0 */
/* What the cgroup_*.c files share, and what their unit tests look at; nobody else includes it. */
#ifndef CAISSON_RUNTIME_CGROUP_INTERNAL_H
#define CAISSON_RUNTIME_CGROUP_INTERNAL_H

#include <linux/bpf.h>

#include "runtime/cgroup.h"

#define CGROUP_MOUNT "/sys/fs/cgroup"
#define CGROUP_PATH_MAX 2048
/* The leaf an ordinary user's own processes step into, because a v2 group that hands controllers
 * down may hold none itself. */
#define CGROUP_SELF_LEAF "caisson-self"

/* Where groups are made. Production code gets it from cgroup_tree_open(); unit tests fill it in for
 * a fake tree in a temporary directory. */
struct cgroup_tree {
    int root; /* -1 with CGROUP_NONE */
    enum cgroup_layout layout;
    char *base;       /* v2, ordinary user: the delegated group, owned; else NULL */
    int write_flags;  /* how control files are opened; a fake tree adds O_CREAT */
    bool undelegated; /* CGROUP_NONE, but v2: systemd may give this user a group */
    char why[128];    /* with CGROUP_NONE */
};

/* One value to be written into one file of the group. */
struct cgroup_write {
    enum cgroup_slot slot;
    enum cgroup_limit limit;
    const char *file;
    const char *instead; /* another name of the same file on other kernels, or NULL */
    const char *text;    /* borrowed from the limits; NULL: number */
    char number[48];
};
struct cgroup_plan {
    struct cgroup_write writes[16];
    size_t count;
    uint32_t slots; /* 1u << enum cgroup_slot */
    uint32_t asked; /* 1u << enum cgroup_limit */
    bool fresh;     /* the group was made for this: it has the kernel's defaults */
};

/* Where the group of a container is made. */
struct cgroup_place {
    char *parent; /* owned */
    const char *id;
    bool shared; /* the parent is one for all containers with these device rules */
};

struct cgroup_making {
    struct cgroup_tree tree;
    const struct cgroup_limits *limits;
    struct cgroup_plan plan;
    struct cgroup_place place;
    const struct cgroup_unit *unit; /* systemd makes it */
};

/* --- cgroup_tree.c: which tree, which directories --- */
/* The host's, whoever may write there. */
int cgroup_tree_look(const char *mount, struct cgroup_tree *out, struct error *err);
/* The same as far as this user may make groups there. */
int cgroup_tree_open(const char *mount, struct cgroup_tree *out, struct error *err);
void cgroup_tree_close(struct cgroup_tree *tree);
int cgroup_check_path(const char *path, const char *what, struct error *err);
/* The delegated group named in the text of /proc/self/cgroup, or NULL. */
char *cgroup_own_path(const char *proc_self_cgroup);
const char *cgroup_slot_name(enum cgroup_slot slot);
/* An O_PATH descriptor of a group that exists; -ENOENT also when the hierarchy is not there. */
int cgroup_open_path(int root, enum cgroup_layout layout, enum cgroup_slot slot, const char *path);
/* The same, made where it is missing, with v2 controllers handed down to its children. */
int cgroup_make_parent(const struct cgroup_tree *tree, enum cgroup_slot slot, const char *path);
/* v2: hands the controllers that exist down along `path`; 0, or why the last one was refused. */
int cgroup_hand_down(const struct cgroup_tree *tree, const char *path);
/* v1: a cpuset without processors takes no process. */
void cgroup_inherit_cpuset(int dir, int write_flags);
/* One directory: <parent>/<name> in one hierarchy; O_PATH. */
int cgroup_make_group(const struct cgroup_tree *tree, enum cgroup_slot slot, const char *parent,
                      const char *name);

/* --- cgroup_limits.c: limits as values of files --- */
int cgroup_plan_limits(enum cgroup_layout layout, const struct cgroup_limits *limits,
                       struct cgroup_plan *plan, struct error *err);
uint64_t cgroup_weight_of_shares(uint64_t shares);
uint64_t cgroup_weight_of_blkio(uint64_t weight);
int cgroup_apply(const struct cgroup_tree *tree, const struct cgroup_plan *plan,
                 struct cgroup *group, struct error *err);
void cgroup_not_in_force(struct cgroup *group, enum cgroup_limit limit, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* --- cgroup_devices.c --- */
#define CGROUP_DEVICE_RULES_MAX 512
int cgroup_check_devices(const struct device_rule *rules, size_t count, struct error *err);
/* The line for devices.allow or devices.deny. */
void cgroup_device_text(const struct device_rule *rule, char out[48]);
/* Can the v1 controller, which forgets the order of rules, express the list? */
bool cgroup_devices_fit_v1(const struct device_rule *rules, size_t count);
/* The program for v2; *length instructions, the caller's to free. */
struct bpf_insn *cgroup_device_program(const struct device_rule *rules, size_t count,
                                       size_t *length);
/* Attaches it to a v2 group. 0 or -errno. */
int cgroup_attach_devices(int dir, const struct device_rule *rules, size_t count);
int cgroup_write_devices_v1(int dir, int write_flags, const struct device_rule *rules,
                            size_t count);
#define CGROUP_DEVICE_GROUP_PREFIX "devices-"
/* The name of the group that containers with these rules share as parent. */
void cgroup_device_group(const struct device_rule *rules, size_t count, char name[32]);
/* Whichever the layout has; fills in in_force and why. `shared`: the parent is such a group, and
 * the rules may be put in force there. */
void cgroup_apply_devices(const struct cgroup_tree *tree, const struct cgroup_limits *limits,
                          const char *parent, bool shared, const char *id, struct cgroup *group);

/* --- cgroup_values.c --- */
/* The v1 hierarchies that values need, 1u << enum cgroup_slot. */
uint32_t cgroup_value_slots(enum cgroup_layout layout, const struct cgroup_limits *limits);
int cgroup_write_values(const struct cgroup_tree *tree, const struct cgroup_limits *limits,
                        const struct cgroup *group, struct error *err);

/* --- cgroup.c --- */
int cgroup_create_in(const struct cgroup_tree *tree, const char *parent, const char *id,
                     const struct cgroup_limits *limits, struct cgroup *out, struct error *err);
int cgroup_open_in(const struct cgroup_tree *tree, const char *record, struct cgroup *out,
                   struct error *err);
/* The hierarchy that says which processes there are; CGROUP_SLOTS when there is none. */
enum cgroup_slot cgroup_main_slot(const struct cgroup *group);
/* What changed limits count on and do not say: the memory that a limit of swap is counted from. */
int cgroup_complete(const struct cgroup *group, struct cgroup_limits *limits, struct error *err);
/* Makes the group in one more hierarchy and moves all processes into it. */
int cgroup_extend(struct cgroup *group, enum cgroup_slot slot, struct error *err);
int cgroup_write_file(int dir, const char *name, const char *value, int write_flags);

/* --- cgroup_stats.c --- */
int cgroup_read_u64(int dir, const char *name, uint64_t *value);
/* The number after "key " at the start of a line; -ENOENT. */
int cgroup_field(const char *text, const char *key, uint64_t *value);

#endif
