/* SPDX-License-Identifier: Apache-2.0 */
/* Id mappings as a foreign configuration gives them. For src/runtime only. */
#ifndef CAISSON_RUNTIME_BUNDLE_IDS_H
#define CAISSON_RUNTIME_BUNDLE_IDS_H

#include <sys/types.h>

#include "runtime/bundle.h"

/* Maps a fresh user namespace, whose first process is `pid`. *groups_denied: an ordinary user's
 * only way was to forbid setgroups(2) in it. */
int bundle_ids_map(pid_t pid, const struct bundle_maps *maps, bool *groups_denied,
                   struct error *err);
/* A user namespace only for mapping a mount. */
int bundle_ids_namespace(const struct bundle_maps *maps, struct error *err);

#endif
