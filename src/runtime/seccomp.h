/* SPDX-License-Identifier: Apache-2.0 */
/*
 * System call filters: Docker's profiles compiled by our own compiler.
 *
 * A profile says for each system call what happens (allow, an errno, a kill), perhaps depending on
 * arguments, capabilities and architecture. It becomes one classic BPF program: check the
 * architecture, then a binary search over ranges of call numbers, then, for the few calls that
 * need it, their arguments. Guarded against: calls of a foreign architecture (i386 on x86_64 unless
 * the profile asks for it, and x32 always) kill the process, because every rule about arguments
 * could be walked around through them; numbers newer than the profile get ENOSYS, so that a C
 * library falls back to the call that the profile knows.
 *
 * The two lists of ours are compiled when the project is built and cost nothing at run time. A
 * profile from a file is compiled once and kept below the cache directory, named by its content.
 *
 * What rules mean (seccomp_profile.h has the details): rules for one call are alternatives; of
 * those that match the strictest action counts; without a match the default action does.
 */
#ifndef CAISSON_RUNTIME_SECCOMP_H
#define CAISSON_RUNTIME_SECCOMP_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct seccomp_program {
    struct sock_filter *code;
    unsigned short count; /* instructions */
    unsigned flags;       /* SECCOMP_FILTER_FLAG_* for seccomp(2) */
    bool notifies;        /* some calls wait for a listener: seccomp_install() answers with it */
    bool owned;           /* `code` is an allocation, not one of the arrays built in */
    char *ignored;        /* names in the profile that are no system call, separated by spaces; NULL
                             when there were none */
};

/* Where the listener of a filter that notifies is sent: a connected socket, and what is said with
 * it, the number of the process on the host between two parts. */
struct seccomp_listener {
    int socket;
    const char *before, *after;
    int32_t pid;
};

/* What profiles may say here, each list ending with NULL. */
extern const char *const seccomp_action_names[],
    *const seccomp_operator_names[], *const seccomp_arch_names[], *const seccomp_flag_names[];

enum seccomp_builtin {
    SECCOMP_RESTRICTED, /* data/seccomp/restricted.json */
    SECCOMP_BASELINE,   /* data/seccomp/baseline.json: Docker's default list */
};

/* The list built in, for a container with these capabilities (bit n is capability n): some calls
 * open with the capability that governs them. */
int seccomp_builtin(enum seccomp_builtin which, uint64_t capabilities, struct seccomp_program *out,
                    struct error *err);

/* A profile in Docker's format or the object linux.seccomp of a runtime-spec configuration. `name`
 * is what errors call it. */
int seccomp_from_json(const char *text, size_t length, const char *name, uint64_t capabilities,
                      struct seccomp_program *out, struct error *err);

/* The object linux.seccomp for a container whose listener somebody waits with: SCMP_ACT_NOTIFY is
 * an action then, but not for the calls by which the listener is handed over. */
int seccomp_from_bundle(const char *text, size_t length, uint64_t capabilities, bool listener,
                        struct seccomp_program *out, struct error *err);

/* The same from a file of at most 1 MiB, by way of cache_dirfd/seccomp/ (-1: no cache). A cache
 * that cannot be read or written, or is damaged, only costs the time to compile. */
int seccomp_from_file(int cache_dirfd, const char *path, uint64_t capabilities,
                      struct seccomp_program *out, struct error *err);

/* Puts the filter on the calling thread: async-signal-safe, no allocation; 0 or -errno, or with
 * `notifies` the listener's descriptor (O_CLOEXEC). Needs no_new_privs or CAP_SYS_ADMIN. */
int seccomp_install(const struct seccomp_program *program);

/* For `inspect`: writes "NAME (N instructions)", cut to `size`; returns the whole length. */
size_t seccomp_describe(const struct seccomp_program *program, const char *name, char *out,
                        size_t size);

/* Whether the kernel would take the program and every path through it ends; for what comes back
 * from a cache. */
bool seccomp_program_valid(const struct sock_filter *code, size_t count);

void seccomp_program_free(struct seccomp_program *program);

#endif
