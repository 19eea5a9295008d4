/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/bootstrap.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/memory.h"
#include "base/text.h"
#include "cmd/print.h"

static void bootstrap_free(struct bootstrap *b)
{
    if (b->fd >= 0)
        close(b->fd);
    strv_free(&b->changes);
    free(b->comment);
    free(b->created);
    free(b->name);
}

static int make(struct bootstrap *b, char id[DIGEST_MAX], struct error *err)
{
    autostore store = {0};
    autoconfig config = {0};
    autoreference ref = {0};
    autobuf full = {0};
    int rc = reference_parse(b->options->tag ? b->options->tag : b->name, &ref, err);
    if (rc < 0)
        return rc;
    reference_full(&ref, &full);
    b->request.name = buf_text(&full);
    b->request.comment = b->comment;
    b->request.created = b->created;
    b->request.changes = &b->changes;
    rc = import_prepare(&b->request, &config, err);
    if (rc == 0)
        rc = open_store(&store, err);
    return rc < 0 ? rc : import_image(&store, &b->request, &config, id, err);
}

int command_bootstrap(const struct invocation *call, void *options, struct error *err)
{
    static const struct {
        const char *kind;
        bool suites;
        int (*make)(struct bootstrap *, struct error *);
    } kinds[] = {{"debian", true, bootstrap_debian}, {"busybox", false, bootstrap_busybox}};
    __attribute__((cleanup(bootstrap_free))) struct bootstrap b = {.options = options, .fd = -1};
    autofree char *kind = xstrdup(call->arguments[0]);
    autobuf said = {0};
    char id[DIGEST_MAX];
    char *colon = strchr(kind, ':');
    if (colon) {
        *colon = '\0';
        b.suite = colon + 1;
    }
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (!streq(kind, kinds[i].kind))
            continue;
        if (b.suite && !kinds[i].suites)
            return error_set(err, -EINVAL, "%s has no suites: leave \":%.60s\" out", kind, b.suite);
        int rc = kinds[i].make(&b, err);
        if (rc == 0)
            rc = make(&b, id, err);
        if (rc < 0)
            return rc;
        buf_fmt(&said, "%s\n", id);
        return print(&said);
    }
    return error_set(err, -EINVAL, "cannot make \"%.60s\": there are debian[:SUITE] and busybox",
                     kind);
}
