/* SPDX-License-Identifier: Apache-2.0 */
/* What every verb of caisson-runtime begins with. */
#ifndef CAISSON_CMD_RUNTIME_LINE_H
#define CAISSON_CMD_RUNTIME_LINE_H

#include "cmd/verb.h"

#define VERB(name) extern const struct verb verb_##name;
#include "cmd/runtime_verbs.list"
#undef VERB

/* --version, as containerd and Podman look for it. */
int runtime_version(void);
/* Appends to --log. */
void runtime_log(const char *level, const char *text);

#endif
