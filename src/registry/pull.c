/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/pull.h"

#include <string.h>
#include <sys/file.h>

#include "base/cleanup.h"
#include "base/memory.h"
#include "base/text.h"
#include "registry/download.h"
#include "store/choose.h"

#define INDEX_DEPTH_MAX 4

const struct document *pull_manifest(const struct pull *p)
{
    return p->manifest.text.len > 0 ? &p->manifest : &p->top;
}

static const struct endpoint *endpoint_of(const struct pull *p)
{
    return &p->client->endpoints->items[p->top.endpoint];
}

/* Down through indexes to the manifest for the platform. A digest cannot contain itself, so a chain
 * of them has an end; four are more than anybody has. */
static int descend(struct pull *p, const struct document *index, unsigned depth, struct error *err)
{
    autoindex parsed = {0};
    autodocument next = {0};
    const struct endpoint *e = endpoint_of(p);
    autofree char *what = xasprintf("%s/%s", e->name, e->repository);
    int rc = index_parse(buf_text(&index->text), index->text.len, &parsed, err);
    if (rc < 0)
        return error_prefix(err, "the index of %s", what);
    if (depth == INDEX_DEPTH_MAX)
        return error_set(err, -ELOOP, "%s: indexes within indexes, more than %d deep", what,
                         INDEX_DEPTH_MAX);
    const struct index_entry *chosen = index_choose(p->platform, &parsed);
    if (!chosen)
        return index_no_match(p->platform, &parsed, what, err);
    rc = document_fetch(p->client, index->endpoint, chosen->descriptor.digest, &next, err);
    if (rc < 0)
        return rc;
    if (document_is_index(&next))
        return descend(p, &next, depth + 1, err);
    p->manifest = next;
    next = (struct document){0};
    return 0;
}

/* Its bytes come later (download.c). A file that is kept of them is not larger than that. */
static int find_layer(void *closure, const struct descriptor *d, struct ingest_layer *layer,
                      struct error *err)
{
    const struct pull *p = closure;
    uint64_t most =
        p->limits.stream.max_bytes ? p->limits.stream.max_bytes : STREAM_DEFAULT_MAX_BYTES;
    if (d->size < 0 || (uint64_t)d->size > most)
        return error_set(err, -EFBIG,
                         "layer %s has %lld bytes, more than the %llu that it may unpack to "
                         "(--max-size)",
                         d->digest, (long long)d->size, (unsigned long long)most);
    layer->source.length = (uint64_t)d->size;
    return 0;
}

/* The name under which it is filed: with the tag, or where a digest was asked for, with that. */
static void add_name(struct pull *p, struct load_image *image)
{
    autobuf full = {0};
    if (p->by_digest)
        buf_fmt(&full, "%s/%s@%s", p->ref->domain, p->ref->path, p->held);
    else
        reference_exact(p->ref, &full);
    strv_add(&image->image.names, buf_text(&full));
}

static int plan_image(struct pull *p, const struct manifest *manifest, struct buf *config,
                      struct error *err)
{
    struct load_image *image = NULL;
    const struct document *document = pull_manifest(p);
    int rc = load_add_image(&p->plan, config, p->platform, &image, err);
    if (rc < 0)
        return rc;
    add_name(p, image);
    buf_add(&image->image.manifest, document->text.data, document->text.len);
    if (document != &p->top)
        memcpy(image->image.index, p->top.digest, DIGEST_MAX);
    rc = load_add_layers(&p->plan, image, manifest, find_layer, p, err);
    if (rc == 0)
        downloads_prepare(p, manifest);
    return rc;
}

int pull_find(struct pull *p, struct error *err)
{
    automanifest manifest = {0};
    autobuf config = {0};
    const char *version = p->held ? p->held : reference_version(p->ref);
    int rc = document_find(p->client, version, &p->top, err);
    if (rc == 0 && document_is_index(&p->top))
        rc = descend(p, &p->top, 0, err);
    if (rc < 0)
        return rc;
    const struct document *document = pull_manifest(p);
    const struct endpoint *e = endpoint_of(p);
    rc = manifest_parse(buf_text(&document->text), document->text.len, &manifest, err);
    if (rc == 0 && !streq(manifest.config.media_type, MEDIA_CONFIG) &&
        !streq(manifest.config.media_type, MEDIA_DOCKER_CONFIG))
        rc = error_set(err, -EINVAL, "it is no container image but \"%.100s\"",
                       manifest.config.media_type ? manifest.config.media_type : "untyped");
    if (rc == 0)
        rc = document_blob(p->client, document->endpoint, &manifest.config,
                           "the image's configuration", &config, err);
    if (rc == 0)
        rc = plan_image(p, &manifest, &config, err);
    return rc < 0 ? error_prefix(err, "%s/%s", e->name, e->repository) : 0;
}

static int publish(struct pull *p, struct error *err)
{
    struct load_image *image = &p->plan.images[0];
    int rc = store_lock(p->store, LOCK_SH, err);
    if (rc == 0)
        rc = ingest_publish(p->staging, p->plan.layers, p->plan.layer_count, &image->image, 1, err);
    store_unlock(p->store);
    return rc;
}

int pull_fetch(struct pull *p, struct error *err)
{
    int rc = ingest_layers(p->staging, p->plan.layers, p->plan.layer_count, &p->limits, err);
    return rc < 0 ? rc : publish(p, err);
}

void pull_free(struct pull *p)
{
    document_free(&p->top);
    document_free(&p->manifest);
    load_plan_free(&p->plan);
    free(p->downloads);
    free(p->layers);
}
