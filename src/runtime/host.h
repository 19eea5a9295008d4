/* SPDX-License-Identifier: Apache-2.0 */
/* What this kernel and this user can give to a container, found out by trying. For `info`. */
#ifndef CAISSON_RUNTIME_HOST_H
#define CAISSON_RUNTIME_HOST_H

#include <stdbool.h>
#include <stddef.h>

struct host_ability {
    const char *name; /* as the protection that needs it */
    bool available;
    char detail[200];
};
#define HOST_ABILITIES_MAX 8

/* The count. `store`: a directory on the file system that images lie on. */
size_t host_abilities(int store, struct host_ability out[HOST_ABILITIES_MAX]);

#endif
