/* SPDX-License-Identifier: Apache-2.0 */
/* Names below a source's root: directories read, wildcards matched. Only for src/build. */
#ifndef CAISSON_BUILD_SELECTION_MATCH_H
#define CAISSON_BUILD_SELECTION_MATCH_H

#include "build/selection.h"

#define SOURCE_DEPTH_MAX 400 /* directories in each other */

/* "WHAT PATH of the build context: no such file": returns `code`. */
int source_wrong(const struct source_root *root, const char *path, int code, const char *what,
                 struct error *err);
/* What is in an open directory, sorted by bytes; `path` is for messages. */
int source_list(const struct source_root *root, int dir, const char *path, struct strv *names,
                struct error *err);
/* The paths that a clean source names: itself where it has no wildcard, else those that there are,
 * none as well. `deep`: `**` stands for any number of directories. At most SELECTION_MAX. */
int source_match(const struct source_root *root, const char *pattern, bool deep, struct strv *out,
                 struct error *err);

#endif
