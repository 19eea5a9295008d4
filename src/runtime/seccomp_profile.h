/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Between the JSON of a profile and BPF: the profile as rules.
 *
 * Theory of operation. seccomp_profile_parse() takes a profile apart for one container: rules whose
 * conditions about capabilities, architecture or kernel do not hold are gone, names are numbers in
 * the table of calls. seccomp_profile_compile() makes the program.
 *
 * What a profile means:
 * - the conditions of one rule must all hold, and they look at different arguments; a rule with two
 *   conditions on one argument is split into one rule per condition (so do runc and crun, and
 *   Docker's lists rely on it);
 * - all rules for one call are looked at; of those that match the strictest action counts (the
 *   kernel's order: kill process, kill thread, trap, errno, trace, log, allow; of two errnos the
 *   one that is written first), so that "allow ioctl" and "EPERM for this ioctl" mean what they
 *   say; libseccomp refuses or forgets one of the two;
 * - without a matching rule: the default action; for numbers above every call that the profile
 *   names, ENOSYS instead, unless the default lets calls through (as runc does).
 */
#ifndef CAISSON_RUNTIME_SECCOMP_PROFILE_H
#define CAISSON_RUNTIME_SECCOMP_PROFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "runtime/seccomp.h"

enum seccomp_arch {
    SECCOMP_X86_64,
    SECCOMP_I386,
    SECCOMP_AARCH64,
    SECCOMP_ARCHES,
};

#if defined(__x86_64__)
#define SECCOMP_NATIVE SECCOMP_X86_64
#elif defined(__aarch64__)
#define SECCOMP_NATIVE SECCOMP_AARCH64
#else
#error "seccomp filters are made for x86_64 and aarch64"
#endif

/* --- the table of calls --- */
#define SECCOMP_NUMBERS_MAX 1024 /* above every number in the table */

/* The index of a call in the table, or -1. */
int seccomp_call_find(const char *name);
/* The name of an index, or NULL beyond the table. */
const char *seccomp_call_name(unsigned index);
/* The number of a call on an architecture, or -1. */
int seccomp_call_number(unsigned index, enum seccomp_arch arch);

/* --- the profile as rules --- */
enum seccomp_operator {
    SECCOMP_OP_NE,
    SECCOMP_OP_LT,
    SECCOMP_OP_LE,
    SECCOMP_OP_EQ,
    SECCOMP_OP_GE,
    SECCOMP_OP_GT,
    SECCOMP_OP_MASKED_EQ, /* (argument & value) == value_two */
};

struct seccomp_condition {
    uint64_t value, value_two;
    uint8_t argument; /* 0 to 5 */
    uint8_t op;       /* enum seccomp_operator */
};

struct seccomp_rule {
    uint32_t action; /* SECCOMP_RET_* with its data */
    uint8_t count;
    struct seccomp_condition conditions[6];
};

struct seccomp_entry {
    uint16_t call; /* index in the table */
    uint16_t rule;
};

struct seccomp_profile {
    uint32_t default_action;
    unsigned flags; /* SECCOMP_FILTER_FLAG_* */
    enum seccomp_arch native;
    bool compat; /* x86_64: i386 programs run too */
    bool notifies;
    struct seccomp_rule *rules;
    size_t rule_count;
    struct seccomp_entry *entries; /* one per call and rule, in the order of the profile */
    size_t entry_count;
    struct buf ignored; /* unknown names, separated by spaces */
    uint64_t relevant;  /* capabilities that some rule asks about */
};

/* For whom a profile is read. */
struct seccomp_target {
    enum seccomp_arch native;
    uint64_t capabilities;
    uint32_t kernel; /* major << 16 | minor */
    bool listener;   /* SCMP_ACT_NOTIFY has somebody to notify */
};

int seccomp_profile_parse(const char *text, size_t length, const char *name,
                          const struct seccomp_target *target, struct seccomp_profile *out,
                          struct error *err);
/* The program, allocated. -E2BIG over the kernel's limit of 4096 instructions. */
int seccomp_profile_compile(const struct seccomp_profile *profile, struct seccomp_program *out,
                            struct error *err);
void seccomp_profile_free(struct seccomp_profile *profile);

/* How strict an action is: the smaller the stricter. */
int seccomp_strictness(uint32_t action);
/* What happens without a rule to numbers above every call of the profile. */
uint32_t seccomp_beyond(uint32_t default_action);

#endif
