/* SPDX-License-Identifier: Apache-2.0 */
/* One blob to a registry. For src/registry only. */
#ifndef CAISSON_REGISTRY_UPLOAD_H
#define CAISSON_REGISTRY_UPLOAD_H

#include "registry/push.h"

/* 1: it is there, with *size bytes. */
int upload_is_there(int lane, const struct endpoint *endpoint, const char *digest, int64_t *size,
                    struct error *err);
/* POST: begins an upload. With `digest` and `from` a mount is asked for: 1 when it was one.
 * *location is the caller's, else. */
int upload_begin(int lane, const struct endpoint *endpoint, const char *digest, const char *from,
                 char **location, struct error *err);
/* PATCH: what client_send() sends, until client_sent(). Then upload_sent() takes the answer. */
int upload_patch(int lane, const char *location, const struct endpoint *endpoint,
                 struct error *err);
int upload_sent(int lane, const struct endpoint *endpoint, char **location, struct error *err);
/* PUT: it was that. */
int upload_end(int lane, const struct endpoint *endpoint, const char *location, const char *digest,
               struct error *err);

#endif
