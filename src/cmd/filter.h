/* SPDX-License-Identifier: Apache-2.0 */
/*
 * --filter KEY=VALUE, as the list and prune verbs have it in common. Values of one key are
 * alternatives, but labels must all be there; keys add up.
 */
#ifndef CAISSON_CMD_FILTER_H
#define CAISSON_CMD_FILTER_H

#include <stdbool.h>

#include "base/strv.h"

/* --- reading --- */

/* A key that takes any value. */
struct filter_key {
    const char *key;
    struct strv *values;
};
/* False: the word is KEY=VALUE of none of these. */
bool filter_take(const struct filter_key *keys, size_t count, const char *word);
/* KEY=true, 1, false or 0; false: the word is none of them. */
bool filter_take_bool(const char *key, const char *word, bool *value);

/* --- matching: nothing wanted, everything does --- */

bool filter_by_part(const struct strv *wanted, const char *name);
bool filter_by_prefix(const struct strv *wanted, const char *id);
/* `wanted`: NAME or NAME=VALUE. */
bool labels_have(const struct strv *labels, const char *wanted);
bool filter_by_labels(const struct strv *wanted, const struct strv *labels);

#endif
