/* SPDX-License-Identifier: Apache-2.0 */
/* What a fork that starts something says to the process that waits for it: whether it worked, and
 * if not the sentence and the exit code, through a pipe that both were born with. */
#ifndef CAISSON_CONTAINER_VERDICT_H
#define CAISSON_CONTAINER_VERDICT_H

#include "base/error.h"

/* `code`: 0 or a negative errno, then with the sentence in `err`. Nobody may listen any more. */
void verdict_send(int pipe, int code, int exit_code, const struct error *err);
/* The code that was sent; *exit_code is untouched when it is 0. -ECHILD without a sentence when the
 * other end was closed before: whoever knows what that means says it. */
int verdict_receive(int pipe, int *exit_code, struct error *err);

#endif
