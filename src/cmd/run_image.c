/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/run_image.h"

#include <sys/file.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/text.h"
#include "cmd/worker.h"
#include "container/image_fetch.h"
#include "store/platform.h"

/* *name: under which it is now. */
static int fetch(const struct request *r, const char *when, struct buf *name, struct error *err)
{
    autofree char *worker = NULL;
    int rc = worker_path("caisson-image", &worker, err);
    if (rc < 0)
        return rc;
    const struct image_fetch wanted = {.worker = worker,
                                       .name = r->image,
                                       .policy = when,
                                       .platform = r->platform,
                                       .authfile = r->authfile,
                                       .tls_verify = r->tls_verify,
                                       .quiet = r->quiet};
    rc = image_fetch(&wanted, name, err);
    if (rc != 0)
        return rc < 0 ? rc : 0;
    return error_set(err, -ENOENT,
                     "no such image: %s, and it was not fetched, as said above ('caisson images' "
                     "lists what is there, --pull never asks no registry)",
                     r->image);
}

static int fetch_and_resolve(struct store *store, const struct request *r, const char *when,
                             struct image *out, struct error *err)
{
    autobuf name = {0};
    store_unlock(store); /* or nobody could clean up meanwhile */
    int rc = fetch(r, when, &name, err);
    if (rc == 0)
        rc = store_lock(store, LOCK_SH, err);
    return rc < 0 ? rc : store_resolve(store, buf_text(&name), out, err);
}

/* Docker takes the image that is there for another one then, too. */
static int fits(const struct request *r, const struct image *image, bool *out, struct error *err)
{
    autoplatform wanted = {0};
    *out = true;
    if (!r->platform)
        return 0;
    int rc = platform_parse(r->platform, &wanted, err);
    if (rc == 0)
        *out = platform_matches(&wanted, image->config.os, image->config.architecture,
                                image->config.variant);
    return rc;
}

static bool is_id(const char *text)
{
    return starts_with(text, "sha256:");
}

int front_image(struct store *store, const struct request *r, struct image *out, struct error *err)
{
    const char *when = r->pull ? r->pull : "missing";
    struct error missing = {0};
    bool fitting;
    if (streq(when, "always"))
        return fetch_and_resolve(store, r, when, out, err);
    int rc = store_resolve(store, r->image, out, &missing);
    if (rc == -ENOENT && streq(when, "missing") && !is_id(r->image)) {
        autobuf line = {0};
        buf_fmt(&line, "Unable to find image '%s' locally\n", r->image);
        if (!r->quiet)
            (void)write_all(STDERR_FILENO, line.data, line.len);
        return fetch_and_resolve(store, r, when, out, err);
    }
    if (rc < 0)
        return error_set(err, rc, "%s", missing.text);
    rc = fits(r, out, &fitting, err);
    if (rc == 0 && !fitting && streq(when, "missing")) {
        image_free(out);
        return fetch_and_resolve(store, r, "always", out, err);
    }
    return rc;
}
