/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From words to a verb's options struct.
 *
 * Guards against words that mean nothing: an unknown flag, a flag without its value, a value that
 * is no number, an argument too many. Each is an error that names the flag and the way out, and
 * nothing has been done yet. Owns no state; a parsed LIST belongs to the options struct.
 */
#ifndef CAISSON_CMD_PARSE_H
#define CAISSON_CMD_PARSE_H

#include "cmd/verb.h"

#define SPELLING_MAX 64

/* The verb's index-th spelling (0: its name, then its aliases), or NULL after the last. */
const char *verb_spelling(const struct verb *verb, size_t index, char out[SPELLING_MAX]);

/* The verb that the first one or two of `words` name; *used is how many. NULL: there is none. */
const struct verb *find_verb(const struct verb *const *verbs, char *const *words, size_t *used);
/* Whether `word` is the first of two-word verbs ("image"). */
bool is_verb_group(const struct verb *const *verbs, const char *word);
/* The sentence for words that name no verb; always -EINVAL. */
int unknown_verb(const struct verb *const *verbs, char *const *words, struct error *err);

/* Allocates the verb's options struct with every option at its "not given" value; never NULL. */
void *new_options(const struct verb *verb);
void free_options(const struct verb *verb, void *options);

/* What parse_words() found besides errors. */
enum parse_result {
    PARSE_OK = 0,
    PARSE_HELP = 1, /* --help (or -h, where the verb has no -h of its own) */
};
/* Parses `words` (NULL-terminated, without the verb; reordered: call->arguments points into it)
 * into `options`. An enum parse_result, or -EINVAL with a sentence. Borrows from `words`. */
int parse_words(const struct verb *verb, char **words, struct invocation *call, void *options,
                struct error *err);

#endif
