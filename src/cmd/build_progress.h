/* SPDX-License-Identifier: Apache-2.0 */
/* What is seen of a build while it goes on: lines, a live view on a terminal, or JSON. */
#ifndef CAISSON_CMD_BUILD_PROGRESS_H
#define CAISSON_CMD_BUILD_PROGRESS_H

#include "build/build.h"

struct build_progress;
/* `kind`: "auto", "plain", "tty", "json", "quiet"; NULL is auto. */
struct build_progress *build_progress_new(const char *kind, struct build_watch *watch);
/* Takes the live view away; how many steps there were, and how many were known. */
void build_progress_end(struct build_progress *progress, size_t *steps, size_t *cached);
void build_progress_free(struct build_progress *progress);

#endif
