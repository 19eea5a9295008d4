/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which devices a container may open or make: guards the host's disks, memory and consoles against
 * a container that has a node for them. On v2 a small program built here decides; on v1 a list in
 * the kernel does. Owns no state: both live with the group.
 *
 * Loading and attaching a program takes longer than everything else about a group together, so
 * containers below the default parent that have the same rules stand below one group named after
 * the rules' hash, which has the program; it stays until the next boot.
 */
#include <fcntl.h>
#include <linux/bpf.h>
#include <string.h>
#include <sys/syscall.h>

#include "base/cleanup.h"
#include "base/hash.h"
#include "base/memory.h"
#include "runtime/cgroup_internal.h"

const struct device_rule cgroup_default_devices[] = {
    {'c', 1, 3, DEVICE_RWM, true},    /* null */
    {'c', 1, 5, DEVICE_RWM, true},    /* zero */
    {'c', 1, 7, DEVICE_RWM, true},    /* full */
    {'c', 1, 8, DEVICE_RWM, true},    /* random */
    {'c', 1, 9, DEVICE_RWM, true},    /* urandom */
    {'c', 5, 0, DEVICE_RWM, true},    /* tty */
    {'c', 5, 1, DEVICE_RWM, true},    /* console */
    {'c', 5, 2, DEVICE_RWM, true},    /* ptmx */
    {'c', 136, -1, DEVICE_RWM, true}, /* pts */
};
const size_t cgroup_default_device_count =
    sizeof(cgroup_default_devices) / sizeof(*cgroup_default_devices);

int cgroup_check_devices(const struct device_rule *rules, size_t count, struct error *err)
{
    if (count > CGROUP_DEVICE_RULES_MAX)
        return error_set(err, -E2BIG, "more than %d device rules", CGROUP_DEVICE_RULES_MAX);
    for (size_t i = 0; i < count; i++) {
        const struct device_rule *r = &rules[i];
        if ((r->type != 'a' && r->type != 'b' && r->type != 'c') || r->major < -1 ||
            r->major >= 1 << 12 || r->minor < -1 || r->minor >= 1 << 20 || r->access == 0 ||
            r->access > DEVICE_RWM)
            return error_set(err, -EINVAL,
                             "device rule %zu is not one: type a, b or c, major to 4095, minor to "
                             "1048575, access of r, w and m",
                             i + 1);
    }
    return 0;
}

/* --- v2: the program --- */

#define INSN(c, d, s, o, i)                                                                        \
    ((struct bpf_insn){.code = (c), .dst_reg = (d), .src_reg = (s), .off = (o), .imm = (i)})

/* Registers: 2 the device's type, 3 the access bits not decided yet, 4 and 5 major and minor. The
 * last matching rule decides each bit, so the list is walked from its end: an allowing rule takes
 * its bits off register 3, and when none is left the access is granted. */
static size_t add_rule(struct bpf_insn *out, const struct device_rule *r)
{
    size_t tests[3], n = 0, t = 0;

    if (r->type != 'a') {
        tests[t++] = n;
        out[n++] = INSN(BPF_JMP | BPF_JNE | BPF_K, 2, 0, 0,
                        r->type == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR);
    }
    if (r->major >= 0) {
        tests[t++] = n;
        out[n++] = INSN(BPF_JMP | BPF_JNE | BPF_K, 4, 0, 0, (int32_t)r->major);
    }
    if (r->minor >= 0) {
        tests[t++] = n;
        out[n++] = INSN(BPF_JMP | BPF_JNE | BPF_K, 5, 0, 0, (int32_t)r->minor);
    }
    if (r->allow) {
        out[n++] = INSN(BPF_ALU64 | BPF_AND | BPF_K, 3, 0, 0, ~(int32_t)r->access);
        out[n++] = INSN(BPF_JMP | BPF_JNE | BPF_K, 3, 0, 2, 0);
    } else {
        out[n++] = INSN(BPF_ALU64 | BPF_MOV | BPF_X, 1, 3, 0, 0);
        out[n++] = INSN(BPF_ALU64 | BPF_AND | BPF_K, 1, 0, 0, r->access);
        out[n++] = INSN(BPF_JMP | BPF_JEQ | BPF_K, 1, 0, 2, 0);
    }
    out[n++] = INSN(BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, r->allow);
    out[n++] = INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
    for (size_t i = 0; i < t; i++)
        out[tests[i]].off = (int16_t)(n - tests[i] - 1);
    return n;
}

/* A rule for all devices and all accesses decides everything: the verifier refuses instructions
 * that can never run, so what is before it in the list is left out. */
static bool decides_all(const struct device_rule *r)
{
    return r->type == 'a' && r->major < 0 && r->minor < 0 && r->access == DEVICE_RWM;
}

struct bpf_insn *cgroup_device_program(const struct device_rule *rules, size_t count,
                                       size_t *length)
{
    struct bpf_insn *out = xcalloc(count * 8 + 8, sizeof(*out));
    size_t n = 0;
    int32_t otherwise = 0;

    out[n++] = INSN(BPF_LDX | BPF_MEM | BPF_W, 2, 1, 0, 0);
    out[n++] = INSN(BPF_ALU64 | BPF_MOV | BPF_X, 3, 2, 0, 0);
    out[n++] = INSN(BPF_ALU64 | BPF_AND | BPF_K, 2, 0, 0, 0xffff);
    out[n++] = INSN(BPF_ALU64 | BPF_RSH | BPF_K, 3, 0, 0, 16);
    out[n++] = INSN(BPF_LDX | BPF_MEM | BPF_W, 4, 1, 4, 0);
    out[n++] = INSN(BPF_LDX | BPF_MEM | BPF_W, 5, 1, 8, 0);
    for (size_t i = count; i-- > 0;) {
        if (decides_all(&rules[i])) {
            otherwise = rules[i].allow;
            break;
        }
        n += add_rule(out + n, &rules[i]);
    }
    out[n++] = INSN(BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, otherwise);
    out[n++] = INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
    *length = n;
    return out;
}

int cgroup_attach_devices(int dir, const struct device_rule *rules, size_t count)
{
    size_t length;
    autofree struct bpf_insn *program = cgroup_device_program(rules, count, &length);
    union bpf_attr load, attach;

    memset(&load, 0, sizeof(load));
    load.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
    load.insns = (uintptr_t)program;
    load.insn_cnt = (uint32_t)length;
    load.license = (uintptr_t) "Apache-2.0";
    memcpy(load.prog_name, "caisson_devices", 15);
    autofd fd = (int)syscall(SYS_bpf, BPF_PROG_LOAD, &load, sizeof(load));
    if (fd < 0)
        return -errno;
    memset(&attach, 0, sizeof(attach));
    attach.target_fd = (uint32_t)dir;
    attach.attach_bpf_fd = (uint32_t)fd;
    attach.attach_type = BPF_CGROUP_DEVICE;
    attach.attach_flags = BPF_F_ALLOW_MULTI;
    return syscall(SYS_bpf, BPF_PROG_ATTACH, &attach, sizeof(attach)) < 0 ? -errno : 0;
}

static bool has_program(int dir)
{
    union bpf_attr query;

    memset(&query, 0, sizeof(query));
    query.query.target_fd = (uint32_t)dir;
    query.query.attach_type = BPF_CGROUP_DEVICE;
    return syscall(SYS_bpf, BPF_PROG_QUERY, &query, sizeof(query)) == 0 && query.query.prog_cnt > 0;
}

void cgroup_device_group(const struct device_rule *rules, size_t count, char name[32])
{
    autobuf text = {0};
    char hex[SHA256_HEX], line[48];

    buf_str(&text, "program 1\n"); /* counts up when the same rules give another program */
    for (size_t i = 0; i < count; i++) {
        cgroup_device_text(&rules[i], line);
        buf_fmt(&text, "%s %s\n", rules[i].allow ? "allow" : "deny", line);
    }
    sha256_hex(text.data, text.len, hex);
    snprintf(name, 32, CGROUP_DEVICE_GROUP_PREFIX "%.16s", hex);
}

/* --- v1: the list --- */

static void number_or_any(int64_t number, char out[16])
{
    if (number < 0)
        snprintf(out, 16, "*");
    else
        snprintf(out, 16, "%u", (unsigned)number);
}

static size_t device_line(const struct device_rule *r, char type, char out[48])
{
    char major[16], minor[16];

    number_or_any(r->major, major);
    number_or_any(r->minor, minor);
    return (size_t)snprintf(out, 48, "%c %s:%s %s%s%s", type, major, minor,
                            r->access & DEVICE_READ ? "r" : "", r->access & DEVICE_WRITE ? "w" : "",
                            r->access & DEVICE_MKNOD ? "m" : "");
}

void cgroup_device_text(const struct device_rule *rule, char out[48])
{
    if (decides_all(rule))
        snprintf(out, 48, "a");
    else
        device_line(rule, rule->type, out);
}

static bool meet(int64_t a, int64_t b)
{
    return a < 0 || b < 0 || a == b;
}

/* The kernel's list holds allowed devices only; denying takes an entry off when it is the same, and
 * does nothing when it is only a part of one. */
bool cgroup_devices_fit_v1(const struct device_rule *rules, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct device_rule *deny = &rules[i];
        if (deny->allow || decides_all(deny))
            continue;
        for (size_t j = 0; j < i; j++) {
            const struct device_rule *a = &rules[j];
            bool same = a->type == deny->type && a->major == deny->major && a->minor == deny->minor;
            bool types = a->type == deny->type || a->type == 'a' || deny->type == 'a';
            if (a->allow && !same && types && meet(a->major, deny->major) &&
                meet(a->minor, deny->minor) && (a->access & deny->access))
                return false;
        }
    }
    return true;
}

int cgroup_write_devices_v1(int dir, int write_flags, const struct device_rule *rules, size_t count)
{
    int rc = cgroup_write_file(dir, "devices.deny", "a", write_flags);

    for (size_t i = 0; rc == 0 && i < count; i++) {
        const char *file = rules[i].allow ? "devices.allow" : "devices.deny";
        /* "a" with numbers means everything to the kernel: say both types instead. */
        bool both = rules[i].type == 'a' && !decides_all(&rules[i]);
        char line[48];
        cgroup_device_text(&rules[i], line);
        if (both)
            device_line(&rules[i], 'b', line);
        rc = cgroup_write_file(dir, file, line, write_flags);
        if (rc == 0 && both) {
            device_line(&rules[i], 'c', line);
            rc = cgroup_write_file(dir, file, line, write_flags);
        }
    }
    return rc;
}

/* --- whichever there is --- */

/* The shared group's own program, attached when the group is new; else the container's. */
static int apply_program(const struct cgroup_tree *tree, const struct cgroup_limits *limits,
                         const char *shared, int own)
{
    if (own < 0)
        return -ENOENT;
    if (!shared)
        return cgroup_attach_devices(own, limits->devices, limits->device_count);
    autofd above = cgroup_open_path(tree->root, tree->layout, CGROUP_UNIFIED, shared);
    if (above < 0)
        return above;
    if (has_program(above))
        return 0;
    return cgroup_attach_devices(above, limits->devices, limits->device_count);
}

static bool allows_all(int dir)
{
    char text[4] = "";
    autofd fd = openat(dir, "devices.list", O_RDONLY | O_CLOEXEC);

    return fd < 0 || read(fd, text, sizeof(text)) <= 0 || text[0] == 'a';
}

static int apply_v1(const struct cgroup_tree *tree, const struct cgroup_limits *limits,
                    const char *parent, bool shared, const char *id, struct cgroup *group)
{
    if (!cgroup_devices_fit_v1(limits->devices, limits->device_count))
        return -EOPNOTSUPP;
    autofd above = cgroup_make_parent(tree, CGROUP_DEVICES, parent);
    if (above < 0)
        return above;
    /* Refused when another container is in it by now: then this one gets a list of its own. */
    if (shared && allows_all(above))
        cgroup_write_devices_v1(above, tree->write_flags, limits->devices, limits->device_count);
    int dir = group->dirs[CGROUP_DEVICES];
    if (dir < 0)
        dir = cgroup_make_group(tree, CGROUP_DEVICES, parent, id);
    if (dir < 0)
        return dir;
    group->dirs[CGROUP_DEVICES] = dir;
    if (shared && !allows_all(dir))
        return 0;
    return cgroup_write_devices_v1(dir, tree->write_flags, limits->devices, limits->device_count);
}

void cgroup_apply_devices(const struct cgroup_tree *tree, const struct cgroup_limits *limits,
                          const char *parent, bool shared, const char *id, struct cgroup *group)
{
    group->asked |= 1u << CGROUP_LIMIT_DEVICES;
    int rc = apply_program(tree, limits, shared ? parent : NULL, group->dirs[CGROUP_UNIFIED]);
    if (rc < 0 && tree->layout != CGROUP_V2)
        rc = apply_v1(tree, limits, parent, shared, id, group);
    if (rc == 0)
        group->in_force |= 1u << CGROUP_LIMIT_DEVICES;
    else if (rc == -EOPNOTSUPP && tree->layout != CGROUP_V2)
        cgroup_not_in_force(group, CGROUP_LIMIT_DEVICES,
                            "the v1 controller cannot deny a part of what it allows");
    else if (tree->layout == CGROUP_V2)
        cgroup_not_in_force(group, CGROUP_LIMIT_DEVICES, "no device program could be attached: %s",
                            error_describe(rc));
    else
        cgroup_not_in_force(group, CGROUP_LIMIT_DEVICES, "the devices controller: %s",
                            error_describe(rc));
}
