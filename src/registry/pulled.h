/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a name meant when it was last pulled: pulled/NAME in the store, which outlives the image. So
 * a tag that moved is noticed, and an image that was signed before and is not any more.
 */
#ifndef CAISSON_REGISTRY_PULLED_H
#define CAISSON_REGISTRY_PULLED_H

#include "base/clock.h"
#include "store/store.h"

#define PULLED_SIGNER_MAX 512

struct pulled {
    char digest[DIGEST_MAX]; /* of what the registry has under the name; "": never pulled */
    nanoseconds when;        /* wall clock */
    char held[DIGEST_MAX]; /* what a lock file held it to when who may have signed was asked; "" */
    char coming[DIGEST_MAX]; /* what a pull that did not come to its end had begun with; "" */
    char signer[PULLED_SIGNER_MAX]; /* whose signature was verified; "": nobody's */
};

/* None: all of *out is empty. One that is there and cannot be read is an error, or whoever damaged
 * it had taken a signer's name off. */
int pulled_read(struct store *store, const char *full_name, struct pulled *out, struct error *err);
int pulled_write(struct store *store, const char *full_name, const struct pulled *pulled,
                 struct error *err);

#endif
