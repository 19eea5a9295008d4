/* SPDX-License-Identifier: Apache-2.0 */
/* Asking a person for what nobody else shall see. */
#ifndef CAISSON_CMD_SECRET_WORDS_H
#define CAISSON_CMD_SECRET_WORDS_H

#include <stdbool.h>

#include "base/error.h"
#include "base/secret.h"

/* A line of standard input, without its end; the caller's. */
int secret_read_line(char **out, struct error *err);
/* From the terminal, not shown; however that ends, the terminal is as it was. A signal does what it
 * does elsewhere, and who comes back from one that stops is asked again. */
int secret_ask(const char *question, char **out, struct error *err);
/* The passphrase of a key: of a file, of $COSIGN_PASSWORD (which is gone afterwards), or asked for;
 * `twice` when it is a new one. */
int secret_passphrase(const char *file, bool twice, char **out, struct error *err);
/* Nobody needs the variable: it is wiped, and what is started from here on does not see it. */
void secret_forget_variable(void);

#endif
