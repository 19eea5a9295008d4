/* SPDX-License-Identifier: Apache-2.0 */
/* The prune verbs as parts: what each removes, for themselves and for `system prune`. */
#ifndef CAISSON_CMD_PRUNE_PARTS_H
#define CAISSON_CMD_PRUNE_PARTS_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/strv.h"

/* Each appends the names of what it removed to `said`, a line each, and adds to *freed. The exit
 * status (1 when one could not be removed, which was told), or a negative errno. */
int prune_containers(const struct strv *filters, struct buf *said, uint64_t *freed,
                     struct error *err);
int prune_volumes(bool named_too, const struct strv *filters, struct buf *said, uint64_t *freed,
                  struct error *err);

int prune_networks(const struct strv *filters, struct buf *said, struct error *err);

/* label=NAME[=VALUE] and label!=…: all of the first, none of the second. */
struct label_filter {
    struct strv with, without;
};
void label_filter_free(struct label_filter *filter);
/* False: the word is no filter by label. */
bool label_filter_take(struct label_filter *filter, const char *word);
bool label_filter_matches(const struct label_filter *filter, const struct strv *labels);

/* Asks unless `force`: 1 to go on, 0 not to, -EINVAL where there is no terminal. */
int prune_confirm(bool force, const char *question, struct error *err);
/* "Deleted Containers:" and the names, if there are any. */
void prune_section(struct buf *answer, const char *heading, const struct buf *said);
/* "Total reclaimed space: 1.2MB", and prints all. */
int prune_print(struct buf *answer, uint64_t freed);

#endif
