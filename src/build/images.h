/* SPDX-License-Identifier: Apache-2.0 */
/* Images that a build begins with and takes files from: those that are not here are fetched before
 * anything is carried out, and with --pull all of them are asked for again. */
#ifndef CAISSON_BUILD_IMAGES_H
#define CAISSON_BUILD_IMAGES_H

#include "build/stage.h"

/* Of the stages that are needed. Why one cannot be fetched is told by who fetches; one that is not
 * here then is an error of the instruction that wants it. -EIO: with --pull, it could not be asked
 * for. */
int images_fetch(struct build *build, struct error *err);
/* Under which name an image is in the store, the caller's: aliases of registries.conf are settled,
 * and a name that the lock file has is its digest. -EACCES: there is a lock file without it. */
int images_name(const struct build *build, const char *name, char **out, struct error *err);
/* Whether what a name stands for was made here, or brought: it is not what was pulled last under
 * it, so no registry is asked for it. The store is not locked. */
bool images_ours(struct store *store, const struct reference *ref);

#endif
