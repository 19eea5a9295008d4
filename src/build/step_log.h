/* SPDX-License-Identifier: Apache-2.0 */
/* How much of what one step prints is told: the beginning, up to a limit, and where the step fails
 * its last lines as well. A step that prints without end fills no log and no memory. */
#ifndef CAISSON_BUILD_STEP_LOG_H
#define CAISSON_BUILD_STEP_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/strv.h"

#define STEP_LOG_DEFAULT ((uint64_t)2 << 20) /* bytes, as with BuildKit */
#define STEP_LOG_LAST 20                     /* lines */
#define STEP_LOG_VARIABLE "CAISSON_STEP_LOG"

struct step_log {
    uint64_t told; /* bytes */
    bool beyond;
    struct strv last; /* of what is not told */
};

/* The limit that the variable sets: bytes, UINT64_MAX for none. -EINVAL with a sentence. */
int step_log_limit(uint64_t *limit, struct error *err);

enum step_log_verdict { STEP_LOG_TELL, STEP_LOG_STOP, STEP_LOG_KEEP };
/* What is to be done with a line: it is told; the limit is reached just now, which is told instead;
 * it is kept. */
enum step_log_verdict step_log_take(struct step_log *log, uint64_t limit, const char *line);
/* What is told instead. */
void step_log_stop(uint64_t limit, struct buf *out);
/* For the next step. */
void step_log_clear(struct step_log *log);

#endif
