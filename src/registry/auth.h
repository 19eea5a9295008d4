/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who we are at a registry: files of containers and Docker (containers-auth.json(5)), and their
 * credential helpers.
 *
 * Read, in this order, the first that knows the registry: --authfile or $REGISTRY_AUTH_FILE alone;
 * else $XDG_RUNTIME_DIR/containers/auth.json (root: /run/containers/0/auth.json),
 * ~/.config/containers/auth.json, $DOCKER_CONFIG/config.json or ~/.docker/config.json.
 * A helper is a program docker-credential-NAME, found through PATH as everybody does: the person's.
 */
#ifndef CAISSON_REGISTRY_AUTH_H
#define CAISSON_REGISTRY_AUTH_H

#include "registry/client.h"

struct auth {
    char *user, *password, *identity, *bearer; /* NULL */
};
void auth_free(struct auth *auth);
#define autoauth __attribute__((cleanup(auth_free))) struct auth

/* For a registry and the repository there, most specific entry first. Nobody: all NULL. */
int auth_find(const char *authfile, const char *domain, const char *repository, struct auth *out,
              struct error *err);
/* Fills in an endpoint. */
int auth_apply(const char *authfile, struct endpoint *endpoint, struct error *err);
/* Keeps it; *where becomes what holds it now, for a message (a file or a helper; the caller's). */
int auth_keep(const char *authfile, const char *domain, const struct auth *auth, char **where,
              struct error *err);
/* Takes it away everywhere; *removed tells whether there was something. domain NULL: all of the
 * file that auth_keep() writes. */
int auth_remove(const char *authfile, const char *domain, bool *removed, struct error *err);

#endif
