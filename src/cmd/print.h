/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What people see. The only place of a program that writes to standard output and standard error on
 * its own account; one write for a whole answer, so that two commands never mix their lines.
 */
#ifndef CAISSON_CMD_PRINT_H
#define CAISSON_CMD_PRINT_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/error.h"

struct screen {
    bool terminal;
    bool colour;    /* a terminal, NO_COLOR unset or empty, TERM neither unset nor "dumb" */
    unsigned width; /* columns; 80 where it is no terminal */
};
struct screen screen_of(int fd);

#define STYLE_BOLD "\033[1m"
#define STYLE_DIM "\033[2m"
#define STYLE_OFF "\033[0m"

/* Writes the whole text to standard output. The exit status: 0, or 1 with a message when it cannot
 * be written (a full disk, say). */
int print(const struct buf *text);
/* "caisson: TEXT" on standard error. */
void tell_error(const struct error *err);
/* The same for something that is not fatal. */
void tell_warning(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Asks on standard error, reads an answer from standard input; false unless it is y or yes. Without
 * a terminal on standard input the answer is no. */
bool ask(const char *question);

#endif
