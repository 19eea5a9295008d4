/* SPDX-License-Identifier: Apache-2.0 */
/* How whoever follows a log waits for more of it, and learns that no more will come. */
#ifndef CAISSON_CONTAINER_LOG_FOLLOW_H
#define CAISSON_CONTAINER_LOG_FOLLOW_H

#include "container/log_read.h"

/* A descriptor for log_follow_wait(), which tells of the query's state directory and of `log_dir`,
 * where it is not -1; or -errno. */
int log_follow_open(const struct log_query *query, int log_dir, struct error *err);
/* The writer has ended, or the time is over. All that it wrote is there by then. */
bool log_follow_over(const struct log_query *query);
/* Returns when something changed, or `input` (-1: none) can be read. -EPIPE when nobody reads any
 * more what is shown. */
int log_follow_wait(const struct log_query *query, int watched, int input, struct error *err);

#endif
