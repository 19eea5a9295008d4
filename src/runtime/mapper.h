/* SPDX-License-Identifier: Apache-2.0 */
/*
 * newuidmap(1) and newgidmap(1), which are setuid and map the subordinate ids of an ordinary user,
 * as /etc/subuid and /etc/subgid give them. They are looked for where a distribution puts them, and
 * never in PATH.
 */
#ifndef CAISSON_RUNTIME_MAPPER_H
#define CAISSON_RUNTIME_MAPPER_H

#include <sys/types.h>

#include "base/error.h"
#include "base/strv.h"

/* In a child: becomes words[0] with these words, or ends with 127. */
_Noreturn void mapper_execute(const struct strv *words);
/* Waits for it; says what was wrong. */
int mapper_end(pid_t pid, const char *program, struct error *err);

#endif
