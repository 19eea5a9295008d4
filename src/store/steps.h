/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What steps of builds have made: build/steps/KEY, one file a step, by a digest of everything that
 * went into it. Only a build writes here, of what it made itself: an image that was loaded or
 * pulled is no source of the cache, whatever its history says.
 *
 * A file that is damaged, or whose layer is gone, is one that is not there. Its time of change is
 * when it was last of use.
 */
#ifndef CAISSON_STORE_STEPS_H
#define CAISSON_STORE_STEPS_H

#include <stdbool.h>
#include <time.h>

#include "base/clock.h"
#include "store/staging.h"

#define STEP_KEY_MAX 65 /* 64 hexadecimal digits and NUL */

struct step_record {
    char layer[DIGEST_MAX];     /* diff id; "": it wrote nothing */
    char created[RFC3339_MAX];  /* when it was carried out */
    char content[STEP_KEY_MAX]; /* of a record of what other stages' files contain; "" */
    /* Something that looks like a secret is in the layer: a digest of what was let in by name, or
     * all zeros where the layer went into no image. "": nothing was found. */
    char secrets[STEP_KEY_MAX];
    uint64_t milliseconds; /* that it took */
};

/* 1: there, and used just now; 0: not there. */
int steps_find(struct store *store, const char *key, struct step_record *out);
/* The caller holds the store's lock (shared) since before the layer was published. */
int steps_keep(struct staging *staging, const char *key, const struct step_record *record,
               struct error *err);

/* A record as text, and back; false for what is none. */
void steps_write(const struct step_record *record, struct buf *out);
bool steps_read(const char *text, struct step_record *out);

/* Adds the diff ids of all layers that steps have made, once each. */
int steps_layers(struct store *store, struct strv *out, struct error *err);
/* Forgets what was not of use since `before` (seconds since 1970; INT64_MAX: all of it). The layers
 * are the collector's then. The caller holds the store's lock exclusively. */
int steps_forget(struct store *store, int64_t before, size_t *count, struct error *err);

/* The directory build/NAME, made when missing: "mounts" (of RUN --mount=type=cache) or "contexts".
 * The descriptor or -errno. */
int steps_directory(struct store *store, const char *name, struct error *err);

#endif
