/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Regular expressions that never go back a step.
 *
 * A subset of what RE2 and PCRE share: characters, `.`, classes, `\d \w \s`, `\b`, `^` and `$` at
 * lines, groups, one capture, `|`, `?` and `{n,m}`; `(?i)` in front. Every repetition has a bound,
 * and so has the text that an expression can match (EXPRESSION_REACH). An expression is refused
 * where, having taken a step, a matcher might have to take it back: a repetition whose next round
 * may begin like what follows it, two alternatives that begin alike. So what is first possible is
 * right, a byte is looked at once, and the meaning is the same in every engine.
 */
#ifndef CAISSON_SCAN_EXPRESSION_H
#define CAISSON_SCAN_EXPRESSION_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

#define EXPRESSION_REACH 4096

struct expression;
/* NULL: `err` says where in the text and why. */
struct expression *expression_compile(const char *text, struct error *err);
void expression_free(struct expression *e);

struct expression_match {
    size_t end;                       /* behind the last byte */
    size_t captured, captured_length; /* the group, or all of it where there is none */
};
/* Only a match that begins at `at`. */
bool expression_match(const struct expression *e, const unsigned char *text, size_t length,
                      size_t at, struct expression_match *out);

#endif
