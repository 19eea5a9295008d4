/* SPDX-License-Identifier: Apache-2.0 */
/* Generated files of a container (passwd, hosts …), as a detached mount. For src/runtime only. */
#ifndef CAISSON_RUNTIME_FILES_DIR_H
#define CAISSON_RUNTIME_FILES_DIR_H

#include "runtime/plan.h"

struct generated_file {
    const char *name;   /* in the directory */
    const char *target; /* in the container */
    const char *content;
    const char *more; /* after it; NULL */
};
#define GENERATED_FILES_MAX 5

/* Those that the plan has, in the order of mounting; the count. Host names get a line end in
 * `line`, which has room for 256 bytes. */
size_t generated_files(const struct plan *plan, char *line, struct generated_file *out);
/* A tmpfs that holds them, ids mapped as in `userns` (-1: not). */
int files_directory(const struct plan *plan, int userns, struct error *err);

#endif
