/* SPDX-License-Identifier: Apache-2.0 */
/* Resource limits of processes: --ulimit name=soft[:hard] as Docker writes it. */
#ifndef CAISSON_RUNTIME_RLIMIT_H
#define CAISSON_RUNTIME_RLIMIT_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

struct rlimit_spec {
    int resource;  /* RLIMIT_* */
    uint64_t soft; /* UINT64_MAX: unlimited */
    uint64_t hard;
};

/* "nofile=1024:2048", "core=0", "memlock=-1", "stack=unlimited". */
int rlimit_parse(const char *text, struct rlimit_spec *out, struct error *err);
/* "nofile" of RLIMIT_NOFILE; NULL when there is none. */
const char *rlimit_name(int resource);
/* RLIMIT_* of "nofile" or of the runtime configuration's "RLIMIT_NOFILE"; -1. */
int rlimit_by_name(const char *name);
/* Sets them for the calling process, in order: no allocation, safe after clone3. Raising a hard
 * limit without CAP_SYS_RESOURCE is -EPERM, and the sentence names the limit. */
int rlimit_apply(const struct rlimit_spec *limits, size_t count, struct error *err);

#endif
