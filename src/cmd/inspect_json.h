/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CAISSON_CMD_INSPECT_JSON_H
#define CAISSON_CMD_INSPECT_JSON_H

#include "base/json.h"
#include "container/container.h"

/* A container as one object with Docker's names, and Posture. `written`: NULL, or the bytes for
 * SizeRw. */
void inspect_write(struct json_out *w, const struct container *c, const uint64_t *written);
/* Its list of destinations and what else was said about names, as it is in HostConfig. */
void inspect_name_config(struct json_out *w, const struct plan *plan);
/* NetworkSettings: where it is now. */
void inspect_networks(struct json_out *w, const struct container *c);
/* "key=value" words as an object. */
void inspect_pairs(struct json_out *w, const char *key, const struct strv *words);
/* Prints an array as it is, or each of its elements by a template. The exit status, or -errno. */
int inspect_print(struct buf *array, const char *format, struct error *err);

#endif
