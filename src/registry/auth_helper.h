/* SPDX-License-Identifier: Apache-2.0 */
/* Programs docker-credential-NAME: "get", "store" and "erase" over standard input and output
 * (docker-credential-helpers' protocol). `server` is what they know a registry by. */
#ifndef CAISSON_REGISTRY_AUTH_HELPER_H
#define CAISSON_REGISTRY_AUTH_HELPER_H

#include "registry/auth.h"

/* Nobody known: `out` stays as it is. */
int auth_helper_get(const char *name, const char *server, struct auth *out, struct error *err);
int auth_helper_store(const char *name, const char *server, const struct auth *auth,
                      struct error *err);
int auth_helper_erase(const char *name, const char *server, bool *removed, struct error *err);

#endif
