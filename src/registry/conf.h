/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where images are: registries.conf of version 2 (containers-registries.conf(5)), certs.d
 * (containers-certs.d(5)) and what Docker does where there is neither. Files of the person who asks
 * and of the administrator; nothing in them comes from a registry.
 */
#ifndef CAISSON_REGISTRY_CONF_H
#define CAISSON_REGISTRY_CONF_H

#include "oci/reference.h"
#include "registry/client.h"

enum tls_verify { TLS_AS_CONFIGURED, TLS_ALWAYS, TLS_NEVER }; /* --tls-verify */

struct conf; /* what all files say together */

/* $HOME and the like, as far as it is ours to trust: what belongs to somebody else is as if it were
 * not set (root's commands keep the HOME of whoever became root). NULL: none. */
const char *own_directory(const char *variable);

/* Reads them: $CONTAINERS_REGISTRIES_CONF, or the person's, or the administrator's, then their
 * registries.conf.d. None is an empty one. */
int conf_read(struct conf **out, struct error *err);
/* Of texts, for tests: each is "FILE\0TEXT". */
int conf_parse(const char *text, size_t length, const char *file, struct conf **conf,
               struct error *err);
void conf_free(struct conf *conf);
static inline void cleanup_conf(struct conf **conf)
{
    conf_free(*conf);
}
#define autoconf __attribute__((cleanup(cleanup_conf))) struct conf *

/* What a name without registry stands for by [aliases]; the caller's; NULL: nothing. */
char *conf_alias(const struct conf *conf, const char *text);
/* What a word means: the alias that there is for it, then as everywhere. */
int conf_reference(const struct conf *conf, const char *text, struct reference *out,
                   struct error *err);
/* The places of an image, in the order they are to be asked: mirrors, then the registry. Without
 * credentials. -EACCES: blocked. `digest`: it is asked for by its digest. */
int conf_endpoints(const struct conf *conf, const struct reference *ref, bool digest,
                   enum tls_verify verify, struct endpoints *out, struct error *err);
/* The registry alone, for pushing and signing in. */
int conf_registry(const struct conf *conf, const char *domain, const char *path,
                  enum tls_verify verify, struct endpoints *out, struct error *err);

#endif
