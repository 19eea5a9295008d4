/* SPDX-License-Identifier: Apache-2.0 */
/* A digest of fields, none of which can be mistaken for two: every one goes in with its length. */
#ifndef CAISSON_BUILD_KEY_H
#define CAISSON_BUILD_KEY_H

#include <stdint.h>

#include "base/hash.h"
#include "base/strv.h"
#include "store/steps.h"

struct key {
    struct sha256 hash;
};

/* `kind` says what is digested, and a number that changes when what follows from it does. */
void key_begin(struct key *key, const char *kind);
void key_bytes(struct key *key, const void *bytes, size_t length);
void key_text(struct key *key, const char *text); /* NULL is not "" */
void key_number(struct key *key, int64_t number);
void key_texts(struct key *key, const struct strv *texts);
void key_end(struct key *key, char out[STEP_KEY_MAX]);

#endif
