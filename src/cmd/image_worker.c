/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/image_worker.h"

#include <stdlib.h>
#include <string.h>

#include "archive/confine.h"
#include "base/io.h"
#include "base/memory.h"
#include "base/text.h"

int open_store(struct store *store, struct error *err)
{
    return store_open(global_options.root, store, err);
}

int confine_to_store(const struct store *store, int source, int target, struct error *err)
{
    const int writable[] = {store->root_fd, target};
    const struct confine_paths allowed = {.read_write = writable,
                                          .read_write_count = target >= 0 ? 2 : 1,
                                          .read_only = &source,
                                          .read_only_count = source >= 0 ? 1 : 0};
    int stages = worker_confine(&allowed, err);
    return stages < 0 ? stages : 0;
}

static uint64_t given_or_default(int64_t value)
{
    return value > 0 ? (uint64_t)value : 0;
}

void limits_from_options(const struct limit_options *options, struct ingest_limits *out)
{
    *out = (struct ingest_limits){0};
    if (!options)
        return;
    out->stream.max_bytes = out->layer.max_bytes = given_or_default(options->max_size);
    out->stream.max_ratio = given_or_default(options->max_ratio);
    out->layer.max_entries = given_or_default(options->max_files);
}

int source_date_epoch(int64_t *seconds, struct error *err)
{
    const char *text = getenv("SOURCE_DATE_EPOCH");
    uint64_t value;
    if (!text || !*text)
        return 0;
    /* The year 2262 is where nanoseconds in 64 bits end. */
    if (parse_u64(text, 9223372036, &value) < 0)
        return error_set(err, -EINVAL, "SOURCE_DATE_EPOCH=%.40s is no count of seconds since 1970",
                         text);
    *seconds = (int64_t)value;
    return 1;
}

int image_full_name(const char *text, struct buf *out, struct error *err)
{
    autoreference ref = {0};
    int rc = reference_parse(text, &ref, err);
    if (rc == 0 && ref.digest[0])
        rc = error_set(err, -EINVAL, "the name %.200s may not have a digest", text);
    if (rc == 0)
        reference_full(&ref, out);
    return rc;
}

int worker_descriptor(const char *text, int *fd, struct error *err)
{
    uint64_t number;
    if (parse_u64(text, 1 << 20, &number) < 0)
        return error_set(err, -EINVAL, "%.20s is no descriptor", text);
    *fd = (int)number;
    return 0;
}

int worker_config(int fd, struct buf *text, struct image_config *out, struct error *err)
{
    int rc = read_fd(fd, OCI_DOCUMENT_MAX, text);
    if (rc < 0)
        return error_set(err, rc, "cannot read the image's configuration: %s", error_describe(rc));
    rc = image_config_parse(buf_text(text), text->len, out, err);
    return rc < 0 ? error_prefix(err, "the image's configuration") : 0;
}

int worker_manifest(struct store *store, const struct image_config *config,
                    const struct ingest_layer *last, struct ingest_image *image, struct error *err)
{
    size_t count = config->diff_ids.len;
    autofree struct ingest_layer *layers = xcalloc(count + 1, sizeof *layers);
    autofree const struct ingest_layer **pointers = xcalloc(count + 1, sizeof *pointers);
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < count; i++) {
        memcpy(layers[i].diff_id, config->diff_ids.items[i], DIGEST_MAX);
        pointers[i] = &layers[i];
        if (last && streq(layers[i].diff_id, last->diff_id))
            layers[i].tar_bytes = last->tar_bytes;
        else
            rc = store_layer_tar_size(store, layers[i].diff_id, &layers[i].tar_bytes, err);
    }
    if (rc == 0)
        ingest_manifest(image, pointers, count);
    return rc;
}
