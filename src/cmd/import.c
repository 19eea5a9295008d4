/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/memory.h"
#include "base/text.h"
#include "cmd/image_events.h"
#include "cmd/image_worker.h"
#include "cmd/print.h"
#include "oci/change.h"
#include "store/load.h"

static int set_created(const struct import_request *request, struct image_config *config,
                       struct error *err)
{
    char text[RFC3339_MAX];
    int64_t seconds = 0;
    if (request->created) {
        config->created = xstrdup(request->created);
        return 0;
    }
    int rc = source_date_epoch(&seconds, err);
    if (rc < 0)
        return rc;
    format_rfc3339(rc ? seconds * NSEC_PER_SEC : clock_wall(), text);
    config->created = xstrdup(text);
    return 0;
}

int import_prepare(const struct import_request *request, struct image_config *config,
                   struct error *err)
{
    autoplatform platform = {0};
    int rc = platform_parse(request->platform, &platform, err);
    if (rc == 0)
        rc = set_created(request, config, err);
    if (rc < 0)
        return rc;
    config->os = take_ptr(platform.os);
    config->architecture = take_ptr(platform.architecture);
    config->variant = take_ptr(platform.variant);
    config->history = xcalloc(1, sizeof *config->history);
    config->history[config->history_count++] = (struct history_entry){
        .created = xstrdup(config->created), .comment = xstrdup(request->comment)};
    for (size_t i = 0; rc == 0 && request->changes && i < request->changes->len; i++)
        rc = image_config_change(config, request->changes->items[i], err);
    return rc;
}

/* Somebody who imports an archive of `docker save` wanted to load it. */
static void warn_of_archive(const struct staging *staging, const struct ingest_layer *layer)
{
    autofree char *manifest = xasprintf("%s/fs/manifest.json", layer->entry);
    autofree char *index = xasprintf("%s/fs/index.json", layer->entry);
    autofree char *bin = xasprintf("%s/fs/bin", layer->entry);
    if (faccessat(staging->fd, bin, F_OK, AT_SYMLINK_NOFOLLOW) < 0 &&
        (faccessat(staging->fd, manifest, F_OK, AT_SYMLINK_NOFOLLOW) == 0 ||
         faccessat(staging->fd, index, F_OK, AT_SYMLINK_NOFOLLOW) == 0))
        tell_warning("this looks like an image archive, which 'caisson load' reads; it was "
                     "imported as a root file system");
}

static int publish(struct store *store, struct staging *staging, struct ingest_layer *layer,
                   const struct import_request *request, struct image_config *config,
                   char id[DIGEST_MAX], struct error *err)
{
    struct ingest_image image = {0};
    const struct ingest_layer *layers[] = {layer};
    strv_add(&config->diff_ids, layer->diff_id);
    image_config_write(config, &image.config);
    digest_of(&image.config, image.id);
    if (request->name)
        strv_add(&image.names, request->name);
    ingest_manifest(&image, layers, 1);
    int rc = store_lock(store, LOCK_SH, err);
    if (rc == 0)
        rc = ingest_publish(staging, layer, 1, &image, 1, err);
    if (rc == 0)
        memcpy(id, image.id, DIGEST_MAX);
    ingest_image_free(&image);
    return rc;
}

int import_image(struct store *store, const struct import_request *request,
                 struct image_config *config, char id[DIGEST_MAX], struct error *err)
{
    autostaging staging = {0};
    struct ingest_layer layer = {.source = request->source};
    struct ingest_limits limits;
    limits_from_options(request->limits, &limits);
    autofd events = image_events_open();
    int rc = confine_to_store(store, -1, -1, err);
    if (rc == 0)
        rc = staging_open(store, &staging, err);
    if (rc == 0)
        rc = ingest_layers(&staging, &layer, 1, &limits, err);
    /* How a writer ended explains a stream that ends too early better than the stream does. */
    if (request->ready && (rc == 0 || rc == -EBADMSG)) {
        int ended = request->ready(request->closure, err);
        rc = ended < 0 ? ended : rc;
    }
    if (rc < 0)
        return rc;
    warn_of_archive(&staging, &layer);
    rc = publish(store, &staging, &layer, request, config, id, err);
    if (rc == 0)
        image_event(events, "import", id, request->name);
    return rc;
}

static int open_source(const char *file, struct stream_source *out, int *fd, struct error *err)
{
    struct stat st;
    if (starts_with(file, "http://") || starts_with(file, "https://"))
        return error_set(err, -EINVAL, "%.200s: download it first, then import the file", file);
    *fd = streq(file, "-") ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)
                           : open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (*fd < 0 || fstat(*fd, &st) < 0)
        return error_errno(err, "cannot open %s", file);
    if (S_ISDIR(st.st_mode))
        return error_set(err, -EISDIR, "%s is a directory: use tar -C %s -c . | caisson import -",
                         file, file);
    if (isatty(*fd))
        return error_set(err, -EINVAL,
                         "standard input is a terminal: give a file or pipe a tar into it");
    off_t start = S_ISREG(st.st_mode) ? lseek(*fd, 0, SEEK_CUR) : -1;
    *out = (struct stream_source){.fd = *fd,
                                  .seekable = start >= 0,
                                  .offset = start >= 0 ? (uint64_t)start : 0,
                                  .length = STREAM_TO_END};
    return 0;
}

int command_import(const struct invocation *call, void *options, struct error *err)
{
    const struct import_options *o = options;
    const char *file = call->arguments[0];
    autofd fd = -1;
    autobuf name = {0}, comment = {0}, line = {0};
    autoconfig config = {0};
    autostore store = {0};
    char id[DIGEST_MAX];
    buf_fmt(&comment, "Imported from %s", file);
    struct import_request request = {.limits = &o->limits,
                                     .changes = &o->changes,
                                     .comment = o->message ? o->message : buf_text(&comment),
                                     .platform = o->platform};
    int rc = call->count > 1 ? image_full_name(call->arguments[1], &name, err) : 0;
    if (rc < 0)
        return rc;
    request.name = name.len > 0 ? buf_text(&name) : NULL;
    (void)((rc = import_prepare(&request, &config, err)) < 0 ||
           (rc = open_source(file, &request.source, &fd, err)) < 0 ||
           (rc = open_store(&store, err)) < 0 ||
           (rc = import_image(&store, &request, &config, id, err)) < 0);
    if (rc < 0)
        return rc;
    buf_fmt(&line, "%s\n", id);
    return print(&line);
}
