/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Texts made from the tables when caisson is built: manual pages and shell completions. Only linked
 * into caisson-generate, which the build runs (`caisson-generate man|bash|zsh|fish DIR`).
 */
#ifndef CAISSON_CMD_GENERATE_H
#define CAISSON_CMD_GENERATE_H

#include "base/buf.h"
#include "cmd/verb.h"

/* All of them about the program that `program_line` is. PROGRAM(1), and PROGRAM-VERB(1) for one
 * verb; `date` is "2026-01-02". */
void manual_overview(const char *date, struct buf *out);
void manual_verb(const struct verb *verb, const char *date, struct buf *out);

void complete_bash(struct buf *out);
void complete_zsh(struct buf *out);
void complete_fish(struct buf *out);

/* "image ls" as the name of its page and of functions: "image-ls". */
void dashed_name(const char *name, struct buf *out);

#endif
