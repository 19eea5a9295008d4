/* SPDX-License-Identifier: Apache-2.0 */
/* One line on a terminal that tells how far a long copy is. */
#ifndef CAISSON_CMD_PROGRESS_H
#define CAISSON_CMD_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"

struct progress {
    bool wanted;
    nanoseconds begun, shown;
};

/* Nothing is ever shown where standard error is no terminal, or when `quiet`. */
void progress_begin(struct progress *progress, bool quiet);
/* In the shape of a tar_progress. */
void progress_bytes(void *progress, uint64_t bytes);
/* Takes the line away. */
void progress_end(struct progress *progress);

#endif
