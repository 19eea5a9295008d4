/* SPDX-License-Identifier: Apache-2.0 */
/* Planned mounts out of words; for storage.c and storage_words.c only. */
#ifndef CAISSON_CONTAINER_STORAGE_H
#define CAISSON_CONTAINER_STORAGE_H

#include "container/plan_make.h"
#include "path/inroot.h"

/* One word each of -v, --mount and --tmpfs. */
int storage_volume(struct planning *p, const char *text, struct error *err);
int storage_mount(struct planning *p, const char *text, struct error *err);
int storage_tmpfs(struct planning *p, const char *text, struct error *err);

/* Where it is mounted, cleaned; `what` names the option. */
int storage_target(struct plan_mount *m, const char *text, const char *what, struct error *err);

#endif
