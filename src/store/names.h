/* SPDX-License-Identifier: Apache-2.0 */
/* Names and ids of images, written. The caller holds the store's lock, shared or exclusive. */
#ifndef CAISSON_STORE_NAMES_H
#define CAISSON_STORE_NAMES_H

#include "store/staging.h"

/* What an image is known by, to be made visible together by names_publish(). `index` is the digest
 * that a registry knows the name by where that is another than the manifest's; "" else. */
int names_stage(struct staging *staging, const char *full_name, const char *manifest,
                const char *id, const char *index, struct error *err);
int names_stage_id(struct staging *staging, const char *manifest, const char *id,
                   struct error *err);
/* *replaced becomes the id that the name meant before, "" when it is new or the same. */
int names_publish(struct staging *staging, const char *full_name, const char *id,
                  char replaced[DIGEST_MAX], struct error *err);
int names_publish_id(struct staging *staging, const char *id, struct error *err);
/* fsync of the directories above: what was published outlives a power cut. */
int names_sync(struct store *store, struct error *err);

/* Gives the image that `source` means a further name. */
int store_tag(struct store *store, const char *source, const struct reference *target,
              struct error *err);
/* Takes a name away; a missing one is no error. */
int store_untag(struct store *store, const char *full_name, struct error *err);
/* Takes the image itself off the books; its parts go with the next collection. */
int store_forget(struct store *store, const char *id, struct error *err);

#endif
