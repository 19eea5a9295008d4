/* SPDX-License-Identifier: Apache-2.0 */
/* What the handlers of registry verbs share: who is asked, as whom, and the worker that asks. All
 * of it before a process is confined. */
#ifndef CAISSON_CMD_REGISTRY_WORKER_H
#define CAISSON_CMD_REGISTRY_WORKER_H

#include "cmd/registry_options.h"
#include "cmd/verb.h"
#include "oci/reference.h"
#include "registry/conf.h"

/* Endpoints and the child that reaches them. */
struct connection {
    struct endpoints endpoints;
    struct client client;
};
void connection_close(struct connection *connection);
#define autoconnection __attribute__((cleanup(connection_close))) struct connection

/* Where an image is read from, with credentials. */
int connect_to_read(const struct conf *conf, const struct reference *ref,
                    const struct reach_options *reach, size_t lanes, struct connection *out,
                    struct error *err);
/* The registry itself, no mirror of it. `path` "": no repository. `writes`: not only to read. */
int connect_to_registry(const struct conf *conf, const char *domain, const char *path,
                        const struct reach_options *reach, size_t lanes, bool writes,
                        struct connection *out, struct error *err);
/* -EINVAL: a host, perhaps with a port, is meant. */
int registry_valid(const char *host, struct error *err);
/* How many layers go at once. */
size_t registry_lanes(void);

/* From here on this process reaches no file but those that are open. */
int confine_to_nothing(struct error *err);

verb_handler command_manifest_inspect, command_search, command_pull, command_push, command_login,
    command_logout;

#endif
