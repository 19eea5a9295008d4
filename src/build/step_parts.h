/* SPDX-License-Identifier: Apache-2.0 */
/* What the files step*.c share. */
#ifndef CAISSON_BUILD_STEP_PARTS_H
#define CAISSON_BUILD_STEP_PARTS_H

#include "build/step.h"

struct making {
    const struct dockerfile *file;
    const struct instruction *instruction;
    const struct expand *expand;
    struct step *out;
    size_t *left; /* bytes that its words may still become */
    struct error *err;
};

/* -EINVAL with the place and a sentence. */
int step_wrong(const struct making *m, struct place place, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* A word of the instruction, or the value of a flag, expanded; the caller's. */
int step_expand(const struct making *m, struct place place, const char *word, char **out);

/* RUN: its flags. */
int step_run_flags(const struct making *m);
/* COPY and ADD. */
int step_copy(const struct making *m);

#endif
