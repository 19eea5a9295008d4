/* SPDX-License-Identifier: Apache-2.0 */
/* --help, from the tables: for the program, for a group of verbs ("image"), for one verb. */
#ifndef CAISSON_CMD_HELP_H
#define CAISSON_CMD_HELP_H

#include "cmd/print.h"
#include "cmd/verb.h"

void help_overview(const struct verb *const *verbs, const struct screen *screen, struct buf *out);
/* The verbs whose name starts with `group` and a space. */
void help_group(const struct verb *const *verbs, const char *group, const struct screen *screen,
                struct buf *out);
void help_verb(const struct verb *verb, const struct screen *screen, struct buf *out);

/* --- for the other renderings of the tables (manual, completions) --- */

/* Calls for each heading of the verb's visible options, in the order of first appearance: the
 * index-th heading, or NULL after the last. */
const char *option_group(const struct option *options, size_t index);
bool option_in_group(const struct option *option, const char *group);
bool option_visible(const struct option *option);
/* Whether a word after the option belongs to it. */
bool option_takes_word(const struct option *option);

#endif
