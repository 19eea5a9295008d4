/* SPDX-License-Identifier: Apache-2.0 */
/* Events of images, for workers that confine themselves: the file is opened before. */
#ifndef CAISSON_CMD_IMAGE_EVENTS_H
#define CAISSON_CMD_IMAGE_EVENTS_H

#include <stdint.h>

#include "base/strv.h"

/* A descriptor, or -1 where nobody will be told: the state directory is not ours. */
int image_events_open(void);
/* `name`: full, told as people write it; NULL: the id stands in its place. */
void image_event(int events, const char *action, const char *id, const char *name);
/* One for each name, or one. */
void image_event_names(int events, const char *action, const char *id, const struct strv *names);
void image_event_pruned(int events, uint64_t bytes);

#endif
