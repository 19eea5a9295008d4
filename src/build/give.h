/* SPDX-License-Identifier: Apache-2.0 */
/* The files of an image that was built, outside of the store: as a tar, or in a directory. */
#ifndef CAISSON_BUILD_GIVE_H
#define CAISSON_BUILD_GIVE_H

#include "build/build.h"

/* A detached mount of it, not to be written. */
int mount_tree(const struct build_place *place, const struct strv *diff_ids, struct error *err);
/* To a descriptor; ids are kept. */
int give_tar(const struct build_place *place, const struct strv *diff_ids, int to,
             struct error *err);
/* Into a directory that is there; what it has is merged with, or replaced. Files belong to whoever
 * builds; setuid bits, file capabilities and devices stay behind. */
int give_files(const struct build_place *place, const struct strv *diff_ids, int directory,
               struct error *err);

#endif
