/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/registry_worker.h"

#include <sched.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/memory.h"
#include "base/text.h"
#include "cmd/worker.h"
#include "registry/auth.h"

#define LANES_LEAST 3
#define LANES_MOST 8

void connection_close(struct connection *connection)
{
    client_stop(&connection->client);
    endpoints_free(&connection->endpoints);
}

size_t registry_lanes(void)
{
    cpu_set_t set;
    size_t count = sched_getaffinity(0, sizeof set, &set) == 0 ? (size_t)CPU_COUNT(&set) : 1;
    return count < LANES_LEAST ? LANES_LEAST : count > LANES_MOST ? LANES_MOST : count;
}

/* --creds USER[:PASSWORD], instead of what files say. */
static int take_creds(const char *creds, struct endpoint *e, struct error *err)
{
    const char *colon = strchr(creds, ':');
    if (!colon || colon == creds)
        return error_set(err, -EINVAL, "--creds is written USER:PASSWORD");
    e->user = xstrndup(creds, (size_t)(colon - creds));
    e->password = xstrdup(colon + 1);
    return 0;
}

static int connect_to(const struct reach_options *reach, size_t lanes, bool writes,
                      struct connection *c, struct error *err)
{
    autofree char *program = NULL;
    int rc = worker_path("caisson-registry", &program, err);
    for (size_t i = 0; rc == 0 && i < c->endpoints.count; i++) {
        struct endpoint *e = &c->endpoints.items[i];
        /* What was said for the registry is not for its mirrors. */
        rc = reach->creds && !e->mirror ? take_creds(reach->creds, e, err)
                                        : auth_apply(reach->authfile, e, err);
    }
    return rc < 0 ? rc : client_start(program, &c->endpoints, lanes, writes, &c->client, err);
}

static enum tls_verify tls_of(const struct reach_options *reach)
{
    return reach->tls_verify < 0 ? TLS_AS_CONFIGURED : reach->tls_verify ? TLS_ALWAYS : TLS_NEVER;
}

int registry_valid(const char *host, struct error *err)
{
    autoreference ref = {0};
    autofree char *image = xasprintf("%s/x", host);
    if (reference_parse(image, &ref, NULL) == 0 &&
        (streq(ref.domain, host) || streq(host, "docker.io")))
        return 0;
    return error_set(err, -EINVAL,
                     "\"%.200s\" is no registry: give a host, such as registry.example.com or "
                     "localhost:5000",
                     host);
}

int connect_to_read(const struct conf *conf, const struct reference *ref,
                    const struct reach_options *reach, size_t lanes, struct connection *out,
                    struct error *err)
{
    int rc = conf_endpoints(conf, ref, ref->digest[0] != '\0', tls_of(reach), &out->endpoints, err);
    return rc < 0 ? rc : connect_to(reach, lanes, false, out, err);
}

int connect_to_registry(const struct conf *conf, const char *domain, const char *path,
                        const struct reach_options *reach, size_t lanes, bool writes,
                        struct connection *out, struct error *err)
{
    int rc = conf_registry(conf, domain, path, tls_of(reach), &out->endpoints, err);
    return rc < 0 ? rc : connect_to(reach, lanes, writes, out, err);
}
