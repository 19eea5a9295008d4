/* SPDX-License-Identifier: Apache-2.0 */
/* The worker's part of commit (a tar and a configuration become an image on top of another) and of
 * cp (decompression). */
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "archive/confine.h"
#include "base/io.h"
#include "base/memory.h"
#include "base/text.h"
#include "cmd/image_events.h"
#include "cmd/image_worker.h"
#include "cmd/print.h"

#define EMPTY_TAR 1024 /* bytes: its end and nothing else */

static int read_config(int fd, const struct image *base, struct image_config *out,
                       struct error *err)
{
    autobuf text = {0};
    int rc = worker_config(fd, &text, out, err);
    if (rc < 0)
        return rc;
    strv_free(&out->diff_ids);
    strv_copy(&out->diff_ids, &base->config.diff_ids);
    return 0;
}

/* A container that wrote nothing adds a step to the history and no layer. */
static void add_layer(struct image_config *config, const struct ingest_layer *layer, bool empty)
{
    if (!empty)
        strv_add(&config->diff_ids, layer->diff_id);
    if (config->history_count > 0)
        config->history[config->history_count - 1].empty_layer = empty;
}

static int publish(struct staging *staging, struct ingest_layer *layer, const char *name,
                   struct image_config *config, char id[DIGEST_MAX], struct error *err)
{
    struct ingest_image image = {0};
    bool empty = layer->tar_bytes <= EMPTY_TAR;
    add_layer(config, layer, empty);
    if (config->diff_ids.len > OCI_LAYERS_MAX)
        return error_set(err, -E2BIG,
                         "the image would have more than %d layers: make it flat with caisson "
                         "export and caisson import",
                         OCI_LAYERS_MAX);
    image_config_write(config, &image.config);
    digest_of(&image.config, image.id);
    if (name)
        strv_add(&image.names, name);
    int rc = worker_manifest(staging->store, config, layer, &image, err);
    if (rc == 0)
        rc = ingest_publish(staging, layer, empty ? 0 : 1, &image, 1, err);
    if (rc == 0)
        memcpy(id, image.id, DIGEST_MAX);
    ingest_image_free(&image);
    return rc;
}

/* Whether whoever wrote the tar ended well. If not, the front says what happened, and nothing is
 * said here: 1. */
static int await_verdict(int fd, int rc, struct error *err)
{
    char byte;
    if ((rc < 0 && rc != -EBADMSG) || read_full(fd, &byte, 1) == 1)
        return rc;
    *err = (struct error){0};
    return 1;
}

static int make_image(struct store *store, const struct image *base, int config_fd, int verdict,
                      const char *name, char id[DIGEST_MAX], struct error *err)
{
    autostaging staging = {0};
    autoconfig config = {0};
    struct ingest_layer layer = {
        .source = {.fd = STDIN_FILENO, .length = STREAM_TO_END, .raw = true}};
    struct ingest_limits limits = {.stream = {.max_bytes = UINT64_MAX, .max_ratio = UINT64_MAX},
                                   .layer = {.max_bytes = UINT64_MAX}};
    autofd events = image_events_open();
    int rc = confine_to_store(store, -1, -1, err);
    if (rc == 0)
        rc = read_config(config_fd, base, &config, err);
    if (rc == 0)
        rc = staging_open(store, &staging, err);
    if (rc == 0)
        rc = ingest_layers(&staging, &layer, 1, &limits, err);
    rc = await_verdict(verdict, rc, err);
    if (rc == 0)
        rc = publish(&staging, &layer, name, &config, id, err);
    if (rc == 0 && name)
        image_event(events, "tag", id, name);
    return rc;
}

int command_commit_layer(const struct invocation *call, void *options, struct error *err)
{
    autostore store = {0};
    autoimage base = {0};
    autobuf name = {0};
    autobuf line = {0};
    char id[DIGEST_MAX];
    int config, verdict;
    (void)options;
    int rc = call->count > 3 ? image_full_name(call->arguments[3], &name, err) : 0;
    if (rc == 0)
        rc = worker_descriptor(call->arguments[1], &config, err);
    if (rc == 0)
        rc = worker_descriptor(call->arguments[2], &verdict, err);
    if (rc == 0)
        rc = open_store(&store, err);
    if (rc == 0)
        rc = store_lock(&store, LOCK_SH, err);
    if (rc == 0)
        rc = store_resolve(&store, call->arguments[0], &base, err);
    if (rc == 0)
        rc = make_image(&store, &base, config, verdict, name.len > 0 ? buf_text(&name) : NULL, id,
                        err);
    if (rc != 0)
        return rc;
    buf_fmt(&line, "%s\n", id);
    return print(&line);
}

/* --- decompression --- */

int command_decompress(const struct invocation *call, void *options, struct error *err)
{
    const struct confine_paths nothing = {0};
    const struct stream_limits limits = {0};
    struct stream_source source = {.fd = STDIN_FILENO, .length = STREAM_TO_END, .no_digests = true};
    const void *bytes;
    ssize_t n;
    (void)call;
    (void)options;
    int rc = worker_confine(&nothing, err);
    if (rc < 0)
        return rc;
    autostream stream = stream_open(&source, &limits, err);
    if (!stream)
        return err->code;
    while ((n = stream_peek(stream, &bytes, err)) > 0) {
        rc = write_all(STDOUT_FILENO, bytes, (size_t)n);
        if (rc < 0)
            return error_set(err, rc, "cannot write: %s", error_describe(rc));
        stream_used(stream, (size_t)n);
    }
    return (int)n;
}
