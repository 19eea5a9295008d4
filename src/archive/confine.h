/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a worker that parses foreign bytes gives up before it reads the first of them.
 *
 * Stages, in the order they are taken; each holds for the whole process, its later threads and
 * whatever an attacker would make of it:
 *   network       an empty network namespace (where we may make one)
 *   no_new_privs  nothing executed can gain rights
 *   landlock      of all files only those below the named directories, and what is open already
 *   capabilities  none but those that unpacking needs, and only if they were held
 *   seccomp       only the system calls of an unpacker: no sockets, no execve, no ptrace, no mount
 * A kernel without Landlock or a place where no network namespace may be made leaves the others in
 * force; the result says which hold, for `info` and for a caller that insists.
 */
#ifndef CAISSON_ARCHIVE_CONFINE_H
#define CAISSON_ARCHIVE_CONFINE_H

#include <stddef.h>

#include "base/error.h"

enum confine_stage {
    CONFINED_NETWORK = 1 << 0,
    CONFINED_NO_NEW_PRIVS = 1 << 1,
    CONFINED_LANDLOCK = 1 << 2,
    CONFINED_CAPABILITIES = 1 << 3,
    CONFINED_SECCOMP = 1 << 4,
};

struct confine_paths {
    const int *read_write; /* directory descriptors, O_PATH is fine: all below may be changed */
    size_t read_write_count;
    const int *read_only; /* files or directories that may be opened for reading */
    size_t read_only_count;
};

/* Call before the first thread is started. The stages that hold (a set of enum confine_stage), or
 * -errno: no_new_privs, capabilities and seccomp must succeed where the kernel has them. */
int worker_confine(const struct confine_paths *allowed, struct error *err);

/* "network", "no_new_privs", … for one stage; NULL for an unknown one. */
const char *confine_stage_name(enum confine_stage stage);

#endif
